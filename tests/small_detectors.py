"""MMDetection's common detectors from its published configs, made small enough for a test."""

from mmengine.hub import get_config

DETECTORS = {
    'retinanet': 'retinanet/retinanet_r50_fpn_1x_coco.py',
    'fcos': 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    'atss': 'atss/atss_r50_fpn_1x_coco.py',
    'faster_rcnn': 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'mask_rcnn': 'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
}
SMALL = dict(
    depth=18,
    base_channels=8,
    frozen_stages=-1,
    norm_eval=False,
    init_cfg=None,
    out_channels=32,
    feat_channels=32,
    conv_out_channels=32,
    fc_out_channels=32,
    stacked_convs=1,
    num_convs=1,
    num_classes=3,
    score_thr=0.0,
)


def shrink(config: dict) -> None:
    """Make the model of a published config small enough for a test: ResNet-18, 32 channels, 3 classes."""
    for name, value in config.items():
        if name in SMALL:
            config[name] = SMALL[name]
        elif name == 'in_channels':
            config[name] = 32 if isinstance(value, int) else [8, 16, 32, 64]
        elif isinstance(value, dict):
            shrink(value)


def small_model(name: str) -> dict:
    model = get_config('mmdet::' + DETECTORS[name]).model
    model.backbone.base_channels = SMALL['base_channels']
    shrink(model)
    return model
