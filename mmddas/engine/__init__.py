"""The search loop and the hooks, for MMEngine's Runner."""

from .log_processor import DDASLogProcessor
from .policy_figure_hook import PolicyFigureHook
from .policy_schedule_hook import PolicyScheduleHook
from .policy_snapshot_hook import PolicySnapshotHook
from .search_loop import DDASSearchLoop

__all__ = [
    'DDASLogProcessor',
    'DDASSearchLoop',
    'PolicyFigureHook',
    'PolicyScheduleHook',
    'PolicySnapshotHook',
]
