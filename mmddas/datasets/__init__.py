"""The transform that applies a policy, the batches of a search, and the draw of its data."""

from mmddas.compat import openmmlab  # noqa: F401  (first: it makes the others importable)

from .augment import DDASAugment
from .search import KeyedDataset, SearchDataset, ddas_collate, policy_loader, search_loader
from .splits import StratifiedSubset, stratified_order
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
