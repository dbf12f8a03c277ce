"""What the classifiers of CIFAR share: average pooling and a linear layer."""

model = dict(
    type='ImageClassifier',
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        # U(-1 / sqrt(n), 1 / sqrt(n)) for n inputs, as Torch has it; MMPretrain's own begins smaller, and learns later.
        init_cfg=dict(
            type='Kaiming',
            layer='Linear',
            a=5**0.5,
            mode='fan_in',
            nonlinearity='leaky_relu',
            distribution='uniform',
            bias=0,
        ),
    ),
)
