"""The search loop and the hooks, for MMEngine's Runner."""

from .channels_last_hook import ChannelsLastHook
from .log_processor import DDASLogProcessor
from .policy_figure_hook import PolicyFigureHook
from .policy_schedule_hook import PolicyScheduleHook
from .policy_snapshot_hook import PolicySnapshotHook
from .search_loop import DDASSearchLoop

__all__ = [
    'ChannelsLastHook',
    'DDASLogProcessor',
    'DDASSearchLoop',
    'PolicyFigureHook',
    'PolicyScheduleHook',
    'PolicySnapshotHook',
]
