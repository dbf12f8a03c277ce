"""Data: the transform that applies a policy, and the batches of a search."""

from .augment import DDASAugment
from .views import KeyedDataset, SearchDataset, ddas_collate, policy_loader, search_loader
from .walk import find_augments

__all__ = [
    'DDASAugment',
    'KeyedDataset',
    'SearchDataset',
    'ddas_collate',
    'find_augments',
    'policy_loader',
    'search_loader',
]
