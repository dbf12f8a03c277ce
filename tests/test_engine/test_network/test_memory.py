"""Every pass of a step finds a network's memory as the step before has left it; the clean view's pass changes it."""

import copy
import weakref
from collections import deque

import numpy as np
import pytest
import torch
from mmdet.models.losses import GHMC, EQLV2Loss, SeesawLoss
from mmengine.config import ConfigDict
from torch import nn

from mmddas.engine.network.memory import NetworkMemory


class Assigner:
    """No module, as those of detectors."""

    def __init__(self) -> None:
        self.threshold, self.seen = 0.5, deque(maxlen=3)


class Network(nn.Module):
    """Remembers its batches in every way that it may."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Linear(2, 2)
        self.part.calls, self.part.kept = 0, (0.0, 'begun')
        self.assigners = [Assigner()]
        self.history, self.settings, self.numbers = [], ConfigDict(part=dict(rate=1.0)), {0, 1}
        self.register_buffer('mean', torch.zeros(2))
        self.register_buffer('hidden', torch.zeros(2), persistent=False)
        self.register_buffer('constant', torch.arange(3))
        self.plain = torch.zeros(2)

    def forward(self, batch: float) -> torch.Tensor:
        self.part.calls += 1
        if self.part.calls % 3 == 0:
            self.part.kept = (batch, 'kept')
        self.assigners[0].threshold += batch
        self.assigners[0].seen.append(batch)
        self.history.append(np.float64(batch))
        self.settings.part.rate *= 1 + batch
        self.numbers.add(batch)
        self.late = getattr(self, 'late', 0) + 1
        with torch.no_grad():
            self.mean += batch
            self.hidden = self.hidden + batch
            self.plain.mul_(0.5).add_(batch)
        self.output = self.part(torch.full((1, 2), batch)).sum()
        return self.output

    def remembered(self) -> dict:
        assigner = self.assigners[0]
        return copy.deepcopy(
            dict(
                calls=(self.part.calls, self.part.kept, getattr(self, 'late', None)),
                assigner=(assigner.threshold, list(assigner.seen)),
                history=(self.history, self.settings.part.rate),
                tensors=[self.mean.tolist(), self.hidden.tolist(), self.plain.tolist(), self.constant.tolist()],
            )
        )


def search(network: Network, steps: range, memory: NetworkMemory | None = None, views: int = 4) -> list:
    """What each pass of each step has found."""
    memory, found = memory or NetworkMemory(network), []
    for step in steps:
        memory.begin()
        for view in range(views + 1):
            with memory.one_pass(counts=view == 0):
                found.append((step, network.remembered(), set(network.numbers)))
                network(0.1 * (step + 1) + 100 * view).backward()
        memory.end()
    return found


def plainly(network: Network, steps: range) -> Network:
    for step in steps:
        network(0.1 * (step + 1)).backward()
    return network


def test_passes_find_what_plain_training_would_find():
    searched, plain = Network(), Network()
    for step, found, numbers in search(searched, range(7)):
        expected = plainly(Network(), range(step))
        assert found == expected.remembered() and numbers == expected.numbers
    assert searched.remembered() == plainly(plain, range(7)).remembered()


def test_holders_stay_the_same_objects():
    network = Network()
    assigner = network.assigners[0]
    before = [network.history, network.settings, assigner.seen, network.mean, network.plain, vars(network)]
    search(network, range(3))
    after = [network.history, network.settings, assigner.seen, network.mean, network.plain, vars(network)]
    assert all(one is other for one, other in zip(before, after, strict=True))


def test_what_hooks_change_between_steps_stays():
    network = Network()
    memory = NetworkMemory(network)
    search(network, range(2), memory)
    network.part.calls, network.mode = 100, 'second stage'
    network.mean.fill_(7)
    search(network, range(2, 3), memory)
    assert network.part.calls == 101 and network.mode == 'second stage' and network.mean[0] > 7


def test_memory_is_resumed(tmp_path):
    """Through a file, and beside the network's own state."""
    whole, first, second = Network(), Network(), Network()
    search(whole, range(5))
    memory = NetworkMemory(first)
    search(first, range(4), memory)
    torch.save((memory.state_dict(), first.state_dict()), tmp_path / 'state.pth')
    resumed = NetworkMemory(second)
    state, weights = torch.load(tmp_path / 'state.pth', weights_only=True)
    second.load_state_dict(weights)
    resumed.load_state_dict(state)
    search(second, range(4, 5), resumed)
    assert second.remembered() == whole.remembered()
    assert type(second.settings.part) is ConfigDict and second.assigners[0].seen.maxlen == 3


def test_nothing_is_kept_of_what_stays():
    network = Network()
    memory = NetworkMemory(network)
    assert memory.state_dict() == {}
    memory.begin()
    with memory.one_pass(counts=True):
        pass
    memory.end()
    assert memory.state_dict() == {}


class Drawn:
    """What a head has sampled; it stays until the next pass, and holds what the pass made."""

    def __init__(self, scores: torch.Tensor) -> None:
        self.scores = scores.detach().clone()


def test_what_a_pass_leaves_of_its_work_is_no_memory():
    """RetinaNet's head keeps the samples of its last pass: they are neither held, nor copied, nor saved."""

    class Head(nn.Linear):
        def __init__(self) -> None:
            super().__init__(2, 2)
            self.infos, self.calls = {}, 0

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            self.infos.update(sampled=[Drawn(inputs)], count=len(inputs))
            self.output = super().forward(inputs)
            return self.output

    network = nn.Sequential(Head())
    memory = NetworkMemory(network)
    for step in range(3):
        memory.begin()
        for view in range(3):
            with memory.one_pass(counts=view == 0):
                network(torch.ones(4 + view, 2))
                last = weakref.ref(network[0].infos['sampled'][0])
            assert last() is not None
        memory.end()
        assert network[0].calls == step + 1 and network[0].infos['count'] == 4
    assert memory.state_dict() == {'0': dict(calls=3), '0.infos': dict(count=4)}
    network(torch.ones(1, 2))
    assert last() is None


def test_running_statistics_see_every_view():
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1))
    memory = NetworkMemory(network)
    memory.begin()
    for view in range(3):
        with memory.one_pass(counts=view == 0):
            network(torch.randn(4, 2))
    memory.end()
    assert network[0].num_batches_tracked == 3


@pytest.mark.parametrize(
    ('loss', 'tensors'),
    [
        (GHMC(momentum=0.75), ['acc_sum']),
        (SeesawLoss(num_classes=3), ['cum_samples']),
        (EQLV2Loss(num_classes=3), ['_pos_grad', '_neg_grad', 'pos_neg', 'pos_grad', 'neg_grad']),
    ],
    ids=lambda value: type(value).__name__,
)
def test_losses_with_moving_averages(loss, tensors):
    """MMDetection's: after three steps of four views they hold what three passes of the clean view make them hold."""

    def passed(loss: nn.Module, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        labels = torch.randint(0, 4, (6,), generator=generator)
        if isinstance(loss, GHMC):
            scores = torch.randn(6, 3, generator=generator)
            loss(scores, labels, torch.ones(6))
        else:
            size = 5 if isinstance(loss, SeesawLoss) else 4
            loss(torch.randn(6, size, generator=generator), labels, torch.ones(6))

    searched, plain = copy.deepcopy(loss), copy.deepcopy(loss)
    memory = NetworkMemory(searched)
    for step in range(3):
        memory.begin()
        for view in range(4):
            with memory.one_pass(counts=view == 0):
                passed(searched, step + 100 * view)
        memory.end()
        passed(plain, step)
    held = [name for name in tensors if isinstance(getattr(plain, name, None), torch.Tensor)]
    assert held and any(not torch.equal(getattr(plain, name), getattr(loss, name, torch.zeros(()))) for name in held)
    for name in held:
        assert torch.equal(getattr(searched, name), getattr(plain, name)), name
