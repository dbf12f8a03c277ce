"""What every batch of a search runs through: keys and seeding, views, loaders, packing, broken samples."""

from .broken import BrokenDataError, SkippedSamples
from .keys import KeyedDataset, SampleKey
from .loaders import lasting_workers, policy_loader, search_loader
from .packing import UnpackingIterator
from .seeding import seeded, seeded_step
from .views import SearchDataset, ddas_collate

__all__ = [
    'BrokenDataError',
    'KeyedDataset',
    'SampleKey',
    'SearchDataset',
    'SkippedSamples',
    'UnpackingIterator',
    'ddas_collate',
    'lasting_workers',
    'policy_loader',
    'search_loader',
    'seeded',
    'seeded_step',
]
