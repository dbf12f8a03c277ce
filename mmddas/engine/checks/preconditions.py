"""Checks of the config before the first step: errors, and warnings."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import broadcast_object_list, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import BaseAveragedModel, is_model_wrapper
from mmengine.optim import ApexOptimWrapper, OptimWrapper
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from mmddas.core.estimators import PolicyEstimator, ShrinkageEstimator
from mmddas.core.validation import is_whole
from mmddas.engine.checkpoints import remove_unfinished
from mmddas.files import check_folder

# Optimizers whose step is linear in the gradient, as Eq. 16 and 17 need it.
LINEAR_OPTIMIZERS = (torch.optim.SGD,)
# Those of MMDetection and MMPretrain that reach into the training's data.
SWITCHING_HOOKS = ('PipelineSwitchHook', 'YOLOXModeSwitchHook', 'SwitchRecipeHook')
PASSING_HOOKS = ('PreciseBNHook',)


def check_whole_numbers(**numbers: object) -> None:
    """Raise ValueError, with its name, for what is not a whole number of at least 1."""
    for name, number in numbers.items():
        if not (is_whole(number) and number >= 1):
            raise ValueError(f'{name} must be a whole number of at least 1, got {number!r}')


def check_views(num_sub_policies: int, sub_policies_per_rank: bool, estimator: PolicyEstimator) -> None:
    """Raise ValueError, or warn, where a step has one sub-policy, which gives no evidence."""
    if num_sub_policies * (get_world_size() if sub_policies_per_rank else 1) > 1:
        return
    text = 'num_sub_policies=1: evidence compares the sub-policies of a step, and one has none to be compared with'
    if isinstance(estimator, ShrinkageEstimator):
        raise ValueError(f'{text}, so that ShrinkageEstimator would leave the policy uniform: take 2 or more')
    print_log(
        f'{text}: no effect will be significant, however long the search', logger='current', level=logging.WARNING
    )


def check_passes(loader: DataLoader) -> None:
    """Raise ValueError unless an epoch of S_train has a beginning and an end."""
    if len(loader) == 0:
        raise ValueError(
            f'S_train gives no batches: it has {len(loader.dataset)} samples; lower its batch_size or drop_last'
        )
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    if isinstance(sampler, InfiniteSampler) or hasattr(sampler, '_indices_of_rank'):
        raise ValueError(
            f'S_train is drawn by {type(sampler).__name__}, which has no end, and a search goes by epochs: use '
            "sampler=dict(type='DefaultSampler', shuffle=True)"
        )
    if hasattr(sampler, 'dataset_cycle_iter'):
        raise ValueError(
            f'S_train is drawn by {type(sampler).__name__}, whose next pass depends on those before it, so that an '
            "interrupted search would go on with other images: use sampler=dict(type='DefaultSampler', shuffle=True)"
        )
    if hasattr(sampler, 'num_repeats') and get_world_size() > 1:
        raise ValueError(
            f'S_train is drawn by {type(sampler).__name__}, which gives several processes the same image to augment '
            "differently, and a search augments it alike: use sampler=dict(type='DefaultSampler', shuffle=True)"
        )


def check_wrapper(model: torch.nn.Module) -> None:
    """Raise ValueError for a model whose processes hold parts of its parameters, as FSDP's do."""
    if is_model_wrapper(model) and not isinstance(model, DistributedDataParallel):
        raise ValueError(
            f'{type(model).__name__} may give every process a part of the parameters, and a search compares gradients '
            'of all of them: leave model_wrapper_cfg out, for the whole network on every GPU'
        )


def check_network(network: torch.nn.Module, sub_policies_per_rank: bool) -> None:
    """Raise ValueError for a network whose views cannot be compared."""
    for name, part in network.named_modules():
        if isinstance(part, BaseAveragedModel):
            raise ValueError(
                f'{type(network).__name__}.{name} is a moving average of the network, which every pass over a batch '
                'moves on: a search makes several passes a step, and of S_val too. Search with a network that learns '
                'from labels, and train this one with what is found'
            )
        if sub_policies_per_rank and 'SyncBatchNorm' in type(part).__name__ and get_world_size() > 1:
            raise ValueError(
                f'{name} is a {type(part).__name__}, which takes the images of all processes together, and '
                'sub_policies_per_rank=True gives each of them other sub-policies: set it to False, or '
                "norm_cfg=dict(type='BN')"
            )


def check_optimizer(optim_wrapper: OptimWrapper) -> None:
    """Raise ValueError for an optimizer that a search cannot step, and warn of those that are not linear."""
    if not hasattr(optim_wrapper, 'optimizer'):
        raise ValueError(
            f'A search steps its network by one optimizer, got {type(optim_wrapper).__name__}: give it one '
            'OptimWrapper, with paramwise_cfg for rates of their own'
        )
    if isinstance(optim_wrapper, ApexOptimWrapper):
        raise ValueError(
            'ApexOptimWrapper scales losses where a search, which takes gradients view by view, cannot see it: use '
            "optim_wrapper=dict(type='AmpOptimWrapper', ...)"
        )
    if getattr(optim_wrapper, '_accumulative_counts', 1) != 1:  # which a wrapper tells nowhere else
        raise ValueError(
            'A search cannot accumulate gradients over iterations (the policy learns from every step): '
            'remove accumulative_counts from optim_wrapper and raise the batch size instead'
        )
    if not isinstance(optim_wrapper.optimizer, LINEAR_OPTIMIZERS):
        print_log(
            f'The network is trained by {type(optim_wrapper.optimizer).__name__}, but the policy gradients '
            '(Eq. 16, 17) are exact only for SGD, whose step is linear in the gradient. The search may mislead.',
            logger='current',
            level=logging.WARNING,
        )


def check_hooks(hooks: Iterable[Hook]) -> None:
    """Raise ValueError for a hook that switches the pipeline, or passes the training's data through the network."""
    for hook in hooks:
        name = type(hook).__name__
        if name in PASSING_HOOKS:
            raise ValueError(
                f'{name} passes images of the training through the network by itself, and the batches of a search are '
                f'of several views each: leave {name} out of custom_hooks'
            )
        if name in SWITCHING_HOOKS:
            raise ValueError(
                f'{name} switches the transforms of a training, and a search keeps those that it began with, so that '
                f'its views can be compared: leave {name} out of custom_hooks'
            )


def check_work_dir(work_dir: str, network: torch.nn.Module, resumed: bool) -> None:
    """Raise OSError on all processes where rank 0, which alone writes, cannot write to the work dir."""
    found: list[OSError | None] = [None]
    if get_rank() == 0:
        # Weights and a momentum; twice at first, since the old checkpoint stays until the new one is there.
        weights = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
        try:
            check_folder(work_dir, 'The work dir', (2 if resumed else 4) * weights)
            remove_unfinished(work_dir)
        except OSError as error:
            found = [error]
    broadcast_object_list(found)
    if found[0] is not None:
        raise found[0]
