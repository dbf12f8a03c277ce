"""The task of each default scope of MMEngine."""

TASKS = dict(mmdet='detection', mmpretrain='classification')
