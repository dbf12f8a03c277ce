"""Write policies in the transforms of other libraries: MMDetection's own, and Albumentations'.

An export draws what the policy draws: an image is augmented with p_tp and gets N_o operations, or a listed
sub-policy's, each with its probability. An operation that a library lacks becomes a draw that does nothing, so that the
others keep their probabilities.
"""

from .albumentations import albumentations_transform, to_albumentations
from .common import Export, final, mean
from .mmdet import Image, to_mmdet

__all__ = ['Export', 'Image', 'albumentations_transform', 'final', 'mean', 'to_albumentations', 'to_mmdet']
