"""Data: the transform that applies a policy, and the batches of a search."""

from .augment import DDASAugment
from .stratified import StratifiedSubset, stratified_order
from .views import KeyedDataset, SearchDataset, ddas_collate, policy_loader, search_loader
from .walk import find_augments

__all__ = [
    'DDASAugment',
    'KeyedDataset',
    'SearchDataset',
    'StratifiedSubset',
    'ddas_collate',
    'find_augments',
    'policy_loader',
    'search_loader',
    'stratified_order',
]
