"""How the original Torch code of wide ResNets and Shake-Shake begins."""

import math

from torch import nn


def initialise_as_originals(network: nn.Module) -> None:
    """Convolutions from N(0, 2 / (k^2 out_channels)), normalisations at 1 and 0, biases at 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
