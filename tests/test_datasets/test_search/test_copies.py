"""What one view's transforms write into a sample, another view does not see."""

import copy

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

from mmddas.datasets.search.views import copier


def sample(**more):
    return dict(
        img=np.zeros((4, 6, 3), np.uint8),
        img_shape=(4, 6),
        instances=[dict(bbox=[0.0, 1.0, 2.0, 3.0], mask=[[0.0, 1.0, 2.0, 1.0, 2.0, 3.0]])],
        gt_bboxes=HorizontalBoxes(np.array([[0, 1, 2, 3]], np.float32)),
        gt_bboxes_labels=np.array([2]),
        scores=torch.ones(1),
        **more,
    )


@pytest.mark.parametrize('more', [{}, dict(nested=[lambda: 0])], ids=['plain', 'what cannot be pickled'])
def test_copies_are_deep_but_for_the_image(more):
    original = sample(**more)
    before, copied = copy.deepcopy(original), copier(original)
    first = copied()
    assert first.keys() == original.keys() and first['img'] is original['img']
    first['instances'][0]['bbox'][0] = -1.0
    first['instances'].append('more')
    first['gt_bboxes'].translate_((5, 5))
    first['gt_bboxes_labels'][:] = 7
    first['scores'].zero_()
    for left in (original, copied()):
        assert left['instances'] == before['instances']
        assert torch.equal(left['gt_bboxes'].tensor, before['gt_bboxes'].tensor)
        assert left['gt_bboxes_labels'].tolist() == [2] and left['scores'].tolist() == [1.0]
        assert left['img_shape'] == (4, 6)
