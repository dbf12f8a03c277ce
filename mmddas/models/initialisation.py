"""How the original Torch code of wide ResNets and Shake-Shake begins."""

import math

from mmengine.model import BaseModule
from torch import nn


class BeginsAsOriginal(BaseModule):
    """A network whose weights are drawn as the originals', unless an ``init_cfg`` says otherwise.

    Convolutions from N(0, 2 / (k^2 out_channels)), normalisations at 1 and 0, biases at 0.
    """

    def init_weights(self) -> None:
        already = self.is_init
        super().init_weights()
        if already or self.init_cfg:
            return
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
