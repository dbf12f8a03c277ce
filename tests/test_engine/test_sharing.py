"""What the processes of a search tell each other in a step, between two of them, acted by turns in one."""

import pytest
import torch

from mmddas.engine import distributed as processes

INDICES = [torch.tensor([[0, 112], [5, 5], [7, 1]]), torch.tensor([[3, 2], [1, 0], [9, 111]])]
ALIGNMENTS = [torch.tensor([0.5, -1.0, 2.0]), torch.tensor([1.5, 3.0, -2.0])]


def shared(monkeypatch, own: bool, stop: tuple[bool, bool]) -> list:
    """What each of two processes learns."""
    messages = []

    def all_reduce(tensor, op):
        messages.append(tensor.clone())
        tensor.copy_(torch.stack(messages).mean(dim=0))

    def all_gather(tensor):
        messages.append(tensor)
        return [*messages, *messages][:2]

    monkeypatch.setattr(processes, 'get_world_size', lambda: 2)
    monkeypatch.setattr(processes, 'all_reduce', all_reduce)
    monkeypatch.setattr(processes, 'all_gather', all_gather)
    return [processes.share_findings(INDICES[rank], ALIGNMENTS[rank], own, stop[rank]) for rank in (0, 1)]


@pytest.mark.parametrize('stop', [(False, False), (True, False), (False, True)])
def test_sub_policies_that_are_shared_have_the_mean_alignment(monkeypatch, stop):
    _, (indices, alignments, stopping) = shared(monkeypatch, False, stop)
    assert torch.equal(indices, INDICES[1])
    torch.testing.assert_close(alignments, torch.tensor([1.0, 1.0, 0.0]))
    assert stopping == any(stop)


@pytest.mark.parametrize('stop', [(False, False), (True, False), (False, True)])
def test_of_sub_policies_of_their_own_all_processes_know_all(monkeypatch, stop):
    _, (indices, alignments, stopping) = shared(monkeypatch, True, stop)
    assert torch.equal(indices, torch.stack(INDICES)) and indices.dtype == torch.int64
    assert torch.equal(alignments, torch.stack(ALIGNMENTS))
    assert stopping == any(stop)


@pytest.mark.parametrize('own', [True, False])
def test_one_process_keeps_what_it_has(own):
    indices, alignments, stopping = processes.share_findings(INDICES[0], ALIGNMENTS[0], own, True)
    assert torch.equal(indices, INDICES[0]) and torch.equal(alignments, ALIGNMENTS[0]) and stopping
