"""What draws S_train and S_val, once before a search."""

from .stratified import StratifiedSubset, stratified_order

__all__ = ['StratifiedSubset', 'stratified_order']
