"""The search that research/searches.md recommends; a config adds S_val and how long.

Six sub-policies a step tell candidates apart at less cost than more steps of three do, and the policy stays uniform
while effects spread no further than chance would have it.
"""

recommended = dict(type='DDASSearchLoop', num_sub_policies=6, estimator=dict(type='ShrinkageEstimator'))
