"""What the benchmarks ask of a search's config."""

import inspect

from mmengine.config import ConfigDict

from mmddas.engine import DDASSearchLoop


def with_defaults(train_cfg: dict) -> ConfigDict:
    """The settings of a search's ``train_cfg``, and those of the loop for what it leaves out."""
    parameters = inspect.signature(DDASSearchLoop).parameters.items()
    defaults = {name: parameter.default for name, parameter in parameters if parameter.default is not parameter.empty}
    return ConfigDict(defaults | train_cfg)
