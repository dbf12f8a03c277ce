"""Hooks for MMEngine's Runner: of searches, and of trainings with their policies."""

from .channels_last_hook import ChannelsLastHook
from .evaluation_record_hook import EvaluationRecordHook
from .policy_figure_hook import PolicyFigureHook
from .policy_schedule_hook import PolicyScheduleHook
from .policy_snapshot_hook import PolicySnapshotHook
from .search_progress_hook import SearchProgressHook
from .search_report_hook import SearchReportHook

__all__ = [
    'ChannelsLastHook',
    'EvaluationRecordHook',
    'PolicyFigureHook',
    'PolicyScheduleHook',
    'PolicySnapshotHook',
    'SearchProgressHook',
    'SearchReportHook',
]
