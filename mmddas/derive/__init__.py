"""From a training's config to that of a search, or of a training with a policy."""

from mmddas.config_nodes import annotation_files, augment_configs, type_name

from .length import Length
from .own_data import OwnData, set_data, training_text
from .placing import Place, find_places, place_augments
from .search import DerivedSearch, SearchOptions, derive_search
from .training import policy_for, set_epochs, set_policy

__all__ = [
    'DerivedSearch',
    'Length',
    'OwnData',
    'Place',
    'SearchOptions',
    'annotation_files',
    'augment_configs',
    'derive_search',
    'find_places',
    'place_augments',
    'policy_for',
    'set_data',
    'set_epochs',
    'set_policy',
    'training_text',
    'type_name',
]
