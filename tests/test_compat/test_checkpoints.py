"""``torch.load`` reads the training log in MMEngine's checkpoints, and still nothing that could run code."""

from __future__ import annotations

import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmddas.compat import checkpoints


@pytest.fixture
def admitted(monkeypatch):
    """The classes are admitted as with the original MMEngine, whichever is installed."""
    from mmengine.runner import checkpoint

    before = torch.serialization.get_safe_globals()
    monkeypatch.delattr(checkpoint, 'get_torch_safe_globals', raising=False)
    assert checkpoints.admit_checkpoint_classes()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(before)


class Reduced:
    """Pickles as a call of ``function``."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.usefixtures('admitted')
def test_the_training_log_survives_a_checkpoint(tmp_path):
    history = HistoryBuffer()
    for value in (1.0, 2.0, 6.0):
        history.update(value)
    log = OrderedDict(loss=history, lr=np.float32(0.5), iters=np.int64(7), flags=np.array([True]))
    torch.save({'message_hub': log}, tmp_path / 'epoch_1.pth')
    loaded = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['message_hub']
    assert loaded['loss'].mean() == 3.0 and loaded['loss'].statistics('max') == 6.0
    assert loaded['lr'] == np.float32(0.5) and loaded['iters'] == 7 and loaded['flags'].tolist() == [True]


@pytest.mark.usefixtures('admitted')
@pytest.mark.parametrize('call', [(getattr, np.ndarray, 'tofile'), (getattr, HistoryBuffer, '__init__'), (eval, '1')])
def test_a_checkpoint_can_still_not_call_what_it_likes(call, tmp_path):
    torch.save(Reduced(*call), tmp_path / 'crafted.pth')
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / 'crafted.pth', weights_only=True)


def test_nothing_is_admitted_where_mmengine_sees_to_it(monkeypatch):
    from mmengine.runner import checkpoint

    monkeypatch.setattr(checkpoint, 'get_torch_safe_globals', list, raising=False)
    before = torch.serialization.get_safe_globals()
    assert checkpoints.admit_checkpoint_classes() is False
    assert torch.serialization.get_safe_globals() == before
