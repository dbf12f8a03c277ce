"""What a search refuses of networks, samplers and optimizers whose passes cannot be compared."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.model import ExponentialMovingAverage, MMDistributedDataParallel, MMFullyShardedDataParallel
from mmengine.optim import ApexOptimWrapper
from mmengine.registry import init_default_scope
from torch import nn

from mmddas.core import AugmentationPolicy, Candidate, SearchSpace
from mmddas.core.estimators import ShrinkageEstimator
from mmddas.engine.checks import preconditions


def test_a_model_whose_parameters_are_spread_over_processes_is_refused():
    """Whole ones are made of such wrappers by processes alone."""
    preconditions.check_wrapper(nn.Linear(2, 2))
    preconditions.check_wrapper(MMDistributedDataParallel.__new__(MMDistributedDataParallel))
    with pytest.raises(ValueError, match='MMFullyShardedDataParallel may give every process a part'):
        preconditions.check_wrapper(MMFullyShardedDataParallel.__new__(MMFullyShardedDataParallel))


def test_a_network_with_a_teacher_is_refused():
    """As MoCo and BYOL are, whose losses move it on."""
    student = nn.Linear(2, 2)
    preconditions.check_network(nn.Sequential(student), sub_policies_per_rank=False)
    network = nn.ModuleDict(dict(student=student, encoder_k=ExponentialMovingAverage(student)))
    with pytest.raises(ValueError, match='ModuleDict.encoder_k is a moving average'):
        preconditions.check_network(network, sub_policies_per_rank=False)


@pytest.mark.slow
def test_mmpretrains_moco_is_refused():
    models = pytest.importorskip('mmpretrain.models')
    init_default_scope('mmpretrain')
    network = models.MoCo(
        backbone=dict(type='ResNet', depth=18),
        neck=dict(type='MoCoV2Neck', in_channels=512, hid_channels=4, out_channels=4, with_avg_pool=True),
        head=dict(type='ContrastiveHead', loss=dict(type='CrossEntropyLoss'), temperature=0.2),
        queue_len=8,
        feat_dim=4,
    )
    with pytest.raises(ValueError, match='MoCo.encoder_k'):
        preconditions.check_network(network, sub_policies_per_rank=False)


@pytest.mark.parametrize(('processes', 'per_rank', 'refused'), [(2, True, True), (2, False, False), (1, True, False)])
def test_views_of_one_normalisation_have_one_sub_policy(monkeypatch, processes, per_rank, refused):
    monkeypatch.setattr(preconditions, 'get_world_size', lambda: processes)
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.SyncBatchNorm(3))
    if refused:
        with pytest.raises(ValueError, match='1 is a SyncBatchNorm.*sub_policies_per_rank'):
            preconditions.check_network(network, per_rank)
    else:
        preconditions.check_network(network, per_rank)


@pytest.mark.parametrize('processes', [1, 2])
def test_repeated_augmentation_is_for_one_process(monkeypatch, processes):
    samplers = pytest.importorskip('mmpretrain.datasets.samplers')
    monkeypatch.setattr(preconditions, 'get_world_size', lambda: processes)
    data = torch.utils.data.TensorDataset(torch.zeros(12))
    loader = torch.utils.data.DataLoader(data, batch_size=4, sampler=samplers.RepeatAugSampler(data, seed=0))
    if processes == 1:
        preconditions.check_passes(loader)
    else:
        with pytest.raises(ValueError, match='RepeatAugSampler, which gives several processes the same image'):
            preconditions.check_passes(loader)


def test_apex_is_refused():
    wrapper = ApexOptimWrapper.__new__(ApexOptimWrapper)  # it asks for apex
    wrapper.optimizer = SimpleNamespace()
    with pytest.raises(ValueError, match='AmpOptimWrapper'):
        preconditions.check_optimizer(wrapper)


@pytest.mark.parametrize(('processes', 'per_rank', 'enough'), [(1, True, False), (4, False, False), (4, True, True)])
def test_one_view_a_step_is_no_evidence(monkeypatch, processes, per_rank, enough):
    said = []
    monkeypatch.setattr(preconditions, 'print_log', lambda text, **_: said.append(text))
    monkeypatch.setattr(preconditions, 'get_world_size', lambda: processes)
    policy = AugmentationPolicy(SearchSpace([Candidate('Equalize'), Candidate('Invert')]), 0.35)
    estimators = [ShrinkageEstimator(policy, []), SimpleNamespace()]
    preconditions.check_views(2, False, estimators[0])
    if enough:
        preconditions.check_views(1, per_rank, estimators[0])
        assert not said
    else:
        with pytest.raises(ValueError, match='num_sub_policies=1: .* take 2 or more'):
            preconditions.check_views(1, per_rank, estimators[0])
        preconditions.check_views(1, per_rank, estimators[1])
        assert 'no effect will be significant' in said[0]


def test_a_hook_that_passes_images_by_itself_is_refused():
    hooks = pytest.importorskip('mmpretrain.engine.hooks')
    with pytest.raises(ValueError, match='PreciseBNHook passes images'):
        preconditions.check_hooks([hooks.PreciseBNHook(num_samples=8)])
