"""Settings of a search for the benchmarks."""

import dataclasses

from mmengine.config import ConfigDict

from mmddas.engine.build import SearchSettings


def with_defaults(train_cfg: dict) -> ConfigDict:
    """Return a search's ``train_cfg`` with the default of every setting that it leaves out."""
    defaults = {field.name: field.default for field in dataclasses.fields(SearchSettings)}
    return ConfigDict(defaults | train_cfg)
