"""Draw S_train and S_val, once before a search; split a data set into train, val and test."""

from .stratified import StratifiedSubset, stratified_order

__all__ = ['StratifiedSubset', 'stratified_order']
