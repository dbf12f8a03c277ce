"""What makes a search the one that it is: compared between its processes at the start, and with a checkpoint's."""

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

from mmddas.core import PolicyEstimator, PolicySchedule
from mmddas.datasets import KeyedDataset
from mmddas.datasets.walk import datasets_within, inner_datasets

# Samples of a data set whose annotations enter its fingerprint.
_SAMPLED = 500
# What may differ between machines: where things are.
_PLACES = ('work_dir', 'data_root', 'save_dir', 'log_dir', 'filename', 'ann_file', 'load_from', 'checkpoint')
_SHOWN = 5


def search_identity(
    seed: int,
    schedule: PolicySchedule,
    num_sub_policies: int,
    sub_policies_per_rank: bool,
    estimator: PolicyEstimator,
    network: nn.Module,
) -> dict[str, object]:
    """What a search does, by name."""
    return {
        'search space': [str(candidate) for candidate in schedule.space.candidates],
        'num_ops': schedule.space.num_ops,
        'num_sub_policies': num_sub_policies,
        'sub-policies are drawn by': f'{get_world_size()} ranks' if sub_policies_per_rank else 'the batch',
        'seed': seed,
        'estimator': type(estimator).__name__,
        **estimator.settings,
        'p_tp is': 'learned' if len(estimator.optimizers) == 2 else 'fixed',
        'options of DDASAugment': str(schedule.meta['operation_options']),
        'the network': architecture(network),
    }


def data_identity(**loaders: DataLoader) -> dict[str, str]:
    """What data loaders give out, by the names of their data."""
    identity = {}
    for name, loader in loaders.items():
        dataset = loader.dataset.dataset if isinstance(loader.dataset, KeyedDataset) else loader.dataset
        batch_size = (loader.batch_sampler.batch_size or 1) * get_world_size()
        identity |= {name: fingerprint(dataset), f'batches of {name}': f'{len(loader)} of {batch_size}'}
    return identity


def fingerprint(dataset: object) -> str:
    """A short text by which two copies of a data set agree, wherever their files are.

    It tells the number of samples, and a hash of the annotations of some of them.
    """
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


def architecture(network: nn.Module) -> str:
    """The number of parameters, trained (now) or not, and a hash of all names and shapes."""
    shapes = [(name, tuple(parameter.shape)) for name, parameter in network.named_parameters()]
    count = sum(parameter.numel() for parameter in network.parameters())
    return f'{count} parameters, {hashlib.sha256(repr(shapes).encode()).hexdigest()[:8]}'


def flattened(config: Config | dict) -> dict[str, str]:
    """Every setting of a config under its dotted name, as text, but for the places of files."""
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
    """The same in all processes, where Python's own has places in memory, or an order by chance."""
    if isinstance(value, functools.partial):
        return f'{_text(value.func)} of {[*map(_text, value.args)]}, {flattened(value.keywords)}'
    if hasattr(value, '__qualname__'):  # functions, classes and methods
        return f'{value.__module__}.{value.__qualname__}'
    return repr(sorted(value, key=repr)) if isinstance(value, (set, frozenset)) else repr(value)


def differences(first: dict, second: dict, names: tuple[str, str]) -> list[str]:
    """What differs between two identities, a phrase each; ``names`` tell whose they are."""
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
    """Raise RuntimeError on every process where one has another ``identity`` than the first; collective."""
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
