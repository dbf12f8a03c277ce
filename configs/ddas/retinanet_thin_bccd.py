"""Search a policy for BCCD (blood cells) with a thin RetinaNet; a CPU does it in minutes.

BCCD lies in ``data/bccd``. S_train and S_val are drawn from its ``train.json``, so that ``val.json`` and ``test.json``
stay unseen::

    python tools/dataset_tools/make_coco_proxy.py data/bccd/train.json --num-train 137 --num-val 68
    python tools/search.py configs/ddas/retinanet_thin_bccd.py

A choice of this project throughout: the paper has no such experiment. N_o, the initial policy and the space are those
of the paper for COCO. More sub-policies a step tell candidates apart sooner than more steps do, and of S_val, whose
gradients are averaged over steps, four images a step are enough (research/searches.md).
"""

_base_ = [
    '../_base_/retinanet_thin.py',
    '../_base_/bccd.py',
    '../_base_/sgd_thin.py',
    '../_base_/recommended_search.py',
    '../_base_/runtime.py',
]

train_dataloader = dict(dataset=dict(ann_file='train_search_train.json'))
policy_dataloader = dict(
    _base_.train_dataloader,
    dataset=dict(_base_.train_dataloader.dataset, ann_file='train_search_val.json', pipeline=_base_.plain_pipeline),
)
train_cfg = dict(_base_.recommended, max_epochs=10, policy_dataloader=policy_dataloader)
