"""ImageNet: ``data/imagenet/{train,val}/`` and the lists in ``meta/``, as MMPretrain has it.

The policy's operations work on a crop of 224 pixels, then come flip, colour jitter and lighting.
"""

_base_ = ['./class_loaders.py']

data_preprocessor = dict(
    type='ClsDataPreprocessor',
    num_classes=1000,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
load_and_crop = [dict(type='LoadImageFromFile'), dict(type='RandomResizedCrop', scale=224, backend='pillow')]
augment = [dict(type='DDASAugment')]
flip_and_jitter = [
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4),
    # Changes nothing but the type: Lighting casts back to the type it gets, and bytes would wrap around.
    dict(type='Normalize', mean=[0.0, 0.0, 0.0], std=[1.0, 1.0, 1.0], to_rgb=False),
    dict(
        type='Lighting',
        eigval=[55.4625, 4.7940, 1.1475],
        # One row for each of blue, green, red.
        eigvec=[[-0.5836, -0.6948, 0.4203], [-0.5808, -0.0045, -0.8140], [-0.5675, 0.7192, 0.4009]],
        alphastd=0.1,
    ),
]
pack = [dict(type='PackInputs')]
train_pipeline = load_and_crop + augment + flip_and_jitter + pack
baseline_pipeline = load_and_crop + flip_and_jitter + pack
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short', backend='pillow'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]

imagenet = dict(type='ImageNet', data_root='data/imagenet')
train_dataloader = dict(batch_size=64, num_workers=8, dataset=dict(split='train', pipeline=train_pipeline, **imagenet))
val_dataloader = dict(batch_size=64, num_workers=8, dataset=dict(split='val', pipeline=test_pipeline, **imagenet))
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
