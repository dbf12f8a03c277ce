"""The way of a search's batches: keys and seeding, views, loaders, packing, broken samples."""

from .broken import BrokenDataError, SkippedSamples
from .keys import KeyedDataset, SampleKey
from .loaders import end_workers, lasting_workers, policy_loader, search_loader
from .seeding import seeded, seeded_step
from .views import SearchDataset, ddas_collate

__all__ = [
    'BrokenDataError',
    'KeyedDataset',
    'SampleKey',
    'SearchDataset',
    'SkippedSamples',
    'ddas_collate',
    'end_workers',
    'lasting_workers',
    'policy_loader',
    'search_loader',
    'seeded',
    'seeded_step',
]
