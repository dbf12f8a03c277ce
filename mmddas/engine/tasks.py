"""What a policy is searched for."""

# What a default scope of MMEngine trains for.
TASKS = dict(mmdet='detection', mmpretrain='classification')
