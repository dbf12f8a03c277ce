"""Initialise wide ResNets and Shake-Shake as their original Torch code does."""

# Convolutions from N(0, 2 / (k^2 out_channels)) with biases of 0, normalisations at 1 and 0.
ORIGINAL = (
    dict(type='Kaiming', layer='Conv2d', mode='fan_out', nonlinearity='relu'),
    dict(type='Constant', layer='BatchNorm2d', val=1),
)
