"""Derive the config of a search, or of a training with a policy, from the config of a training."""

from .options import SearchOptions
from .own_data import OwnData, set_data, training_text
from .placing import find_places, place_augments
from .search import derive_search
from .training import policy_for, set_epochs, set_policy

__all__ = [
    'OwnData',
    'SearchOptions',
    'derive_search',
    'find_places',
    'place_augments',
    'policy_for',
    'set_data',
    'set_epochs',
    'set_policy',
    'training_text',
]
