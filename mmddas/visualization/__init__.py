"""Figures and tables of policies, and contact sheets of augmented images."""

from mmddas.policy_table import policy_table

from .augment_sheet import operation_sheet, policy_sheet, sample_sheet, write_image
from .comparison_figure import draw_comparison
from .operation_bars import draw_operation_bars
from .policy_figure import draw_policy

__all__ = [
    'draw_comparison',
    'draw_operation_bars',
    'draw_policy',
    'operation_sheet',
    'policy_sheet',
    'policy_table',
    'sample_sheet',
    'write_image',
]
