"""Fingerprints of a search, compared between its processes at the start and with a checkpoint to resume from."""

from __future__ import annotations

import functools
import hashlib
import json
import os

import numpy as np
from mmengine.config import Config
from mmengine.dist import all_gather_object, get_world_size
from torch import nn
from torch.utils.data import DataLoader

from mmddas.core import PolicyEstimator
from mmddas.datasets import KeyedDataset
from mmddas.datasets.walk import datasets_within, inner_datasets
from mmddas.engine.build import SearchSettings

# Samples of a data set whose annotations enter its fingerprint.
_SAMPLED = 500
# What may differ between machines: where things are.
_PLACES = ('work_dir', 'data_root', 'save_dir', 'log_dir', 'filename', 'ann_file', 'load_from', 'checkpoint')
_SHOWN = 5


def search_fingerprint(settings: SearchSettings, estimator: PolicyEstimator) -> dict[str, object]:
    """Return the settings that decide what a search finds, by name."""
    space, per_rank = estimator.policy.space, settings.sub_policies_per_rank
    return {
        'search space': [str(candidate) for candidate in space.candidates],
        'num_ops': space.num_ops,
        'num_sub_policies': settings.num_sub_policies,
        'sub-policies are drawn by': f'{get_world_size()} ranks' if per_rank else 'the batch',
        'estimator': type(estimator).__name__,
        **estimator.settings,
        'p_tp is': 'learned' if len(estimator.optimizers) == 2 else 'fixed',
    }


def data_fingerprint(**loaders: DataLoader) -> dict[str, str]:
    """Return the content and the batches of data loaders, by the names of their data."""
    found = {}
    for name, loader in loaders.items():
        dataset = loader.dataset.dataset if isinstance(loader.dataset, KeyedDataset) else loader.dataset
        batch_size = (loader.batch_sampler.batch_size or 1) * get_world_size()
        found |= {name: dataset_fingerprint(dataset), f'batches of {name}': f'{len(loader)} of {batch_size}'}
    return found


def dataset_fingerprint(dataset: object) -> str:
    """Return the number of samples and a hash of the annotations of some; the place of files does not enter."""
    digest = hashlib.sha256()
    for part in datasets_within(dataset):
        if inner_datasets(part) or not hasattr(part, 'get_data_info'):
            continue
        for index in np.linspace(0, len(part) - 1, min(len(part), _SAMPLED)).astype(int):
            info = {
                key: os.path.basename(value) if key.endswith('path') and isinstance(value, str) else value
                for key, value in part.get_data_info(int(index)).items()
            }
            digest.update(json.dumps(info, sort_keys=True, default=_plain).encode())
    return f'{len(dataset)} samples, {digest.hexdigest()[:8]}'


def _plain(value: object) -> str:
    if isinstance(value, np.ndarray):
        return hashlib.sha256(value.tobytes()).hexdigest()
    # Not its ``repr``, which may tell where in memory it is.
    return repr(value) if isinstance(value, np.generic) else type(value).__name__


def network_fingerprint(network: nn.Module) -> str:
    """Return the number of parameters, trained (now) or not, and a hash of all names and shapes."""
    shapes = [(name, tuple(parameter.shape)) for name, parameter in network.named_parameters()]
    count = sum(parameter.numel() for parameter in network.parameters())
    return f'{count} parameters, {hashlib.sha256(repr(shapes).encode()).hexdigest()[:8]}'


def config_fingerprint(config: Config | dict) -> dict[str, str]:
    """Return every setting of a config by its dotted name, as text, without the places of files."""
    settings: dict[str, str] = {}

    def enter(name: str, value: object) -> None:
        listed = isinstance(value, (list, tuple))
        items = value.items() if isinstance(value, dict) else enumerate(value) if listed else None
        if items is None:
            if name.rsplit('.', 1)[-1] not in _PLACES:
                settings[f'config {name}'] = _text(value)
            return
        for key, item in items:
            enter(f'{name}.{key}' if name else str(key), item)

    enter('', config.to_dict() if isinstance(config, Config) else config)
    return settings


def _text(value: object) -> str:
    """Return the same text in all processes; Python's has places in memory, and sets in an order by chance."""
    if isinstance(value, functools.partial):
        return f'{_text(value.func)} of {[*map(_text, value.args)]}, {config_fingerprint(value.keywords)}'
    if hasattr(value, '__qualname__'):  # functions, classes and methods
        return f'{value.__module__}.{value.__qualname__}'
    return repr(sorted(value, key=repr)) if isinstance(value, (set, frozenset)) else repr(value)


def differences(first: dict, second: dict, names: tuple[str, str]) -> list[str]:
    """Return a phrase for each difference of two fingerprints, whose ``names`` it uses."""
    found = []
    for key in {**first, **second}:
        here, there = (identity.get(key, 'nothing') for identity in (first, second))
        if here == there:
            continue
        if isinstance(here, list) and isinstance(there, list):
            only = [[item for item in a if item not in b] for a, b in ((here, there), (there, here))]
            here, there = (
                f'{len(items)} of them' + (f', {", ".join(map(str, extra[:_SHOWN]))} among them' if extra else '')
                for items, extra in zip((here, there), only, strict=True)
            )
        found.append(f'{key}: {here} {names[0]}, {there} {names[1]}')
    if len(found) > _SHOWN:
        found[_SHOWN:] = [f'and {len(found) - _SHOWN} more']
    return found


def check_processes_agree(identity: dict) -> None:
    """Raise RuntimeError on all processes where one has another fingerprint than the first; collective."""
    if get_world_size() == 1:
        return
    first, *others = all_gather_object(identity)
    for rank, other in enumerate(others, start=1):
        found = differences(first, other, ('on rank 0', f'on rank {rank}'))
        if found:
            raise RuntimeError(
                'The processes of this search disagree, so that it would find nothing: '
                f'{"; ".join(found)}. Start all of them with one config, one seed (and without '
                'randomness.diff_rank_seed) and the same data'
            )
