"""The ResNet-200, deeper than MMPretrain's ResNets.

This module imports MMPretrain's models, which takes time, and is not imported with the package. A config names it:
``custom_imports = dict(imports=['mmddas', 'mmddas.models.resnet200'])``.
"""

from mmengine.registry import MODELS
from mmpretrain.models.backbones.resnet import Bottleneck, ResNet


@MODELS.register_module()
class ResNet200(ResNet):
    """MMPretrain's ResNet with 3, 24, 36 and 3 bottleneck blocks; its arguments but for ``depth``.

    Source: He et al., Identity Mappings in Deep Residual Networks, for the depth; the blocks are those of ResNet-50.
    """

    arch_settings = {200: (Bottleneck, (3, 24, 36, 3))}

    def __init__(self, **kwargs) -> None:
        super().__init__(depth=200, **kwargs)
