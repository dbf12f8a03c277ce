"""What draws S_train and S_val, once before a search, and the built-in data set."""

from .stratified import StratifiedSubset, stratified_order

__all__ = ['StratifiedSubset', 'stratified_order']
