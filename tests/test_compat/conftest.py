"""MMCV made usable before anything of it is imported, and the devices that there are to test on."""

from __future__ import annotations

import pytest
import torch

from mmddas import compat

compat.install()

DEVICES = ['cpu'] + ['cuda'] * torch.cuda.is_available()


@pytest.fixture(params=DEVICES)
def device(request) -> str:
    return request.param
