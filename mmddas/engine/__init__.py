"""The step of a search, its loop, and the hooks, for MMEngine's Runner."""

from mmddas.compat import openmmlab  # noqa: F401  (first: it makes the others importable)

from .hooks import (
    ChannelsLastHook,
    PolicyFigureHook,
    PolicyScheduleHook,
    PolicySnapshotHook,
    SearchProgressHook,
    SearchReportHook,
)
from .log_processor import DDASLogProcessor
from .search_loop import DDASSearchLoop
from .search_step import SearchStep

__all__ = [
    'ChannelsLastHook',
    'DDASLogProcessor',
    'DDASSearchLoop',
    'PolicyFigureHook',
    'PolicyScheduleHook',
    'PolicySnapshotHook',
    'SearchProgressHook',
    'SearchReportHook',
    'SearchStep',
]
