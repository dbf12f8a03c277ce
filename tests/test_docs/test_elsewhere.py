"""The examples of docs/elsewhere.md run, in their order."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from make_shapes import make_shapes
from PIL import Image

from mmddas.core import AugmentationPolicy, PolicySchedule, SearchSpace

PAGE = Path(__file__).parents[2] / 'docs' / 'elsewhere.md'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the page's examples find: drawn photos, class folders, a searched policy of two epochs."""
    monkeypatch.chdir(tmp_path)
    make_shapes('drawn', num_train=8, num_val=1, num_test=1, size=64)
    for name in ('cats', 'dogs'):
        Path('classes', name).mkdir(parents=True)
        for number in range(2):
            pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(f'classes/{name}/{number}.png')
    space = SearchSpace.preset('detection')
    schedule = PolicySchedule(space)
    for total_prob in (0.3, 0.6):
        schedule.append(AugmentationPolicy(space, total_prob))
    schedule.save('policy.json')


def test_the_examples_run(folder):
    code = '\n'.join(re.findall(r'```python\n(.*?)```', PAGE.read_text(), flags=re.DOTALL))
    found = {}
    torch.manual_seed(0)
    exec(compile(code, str(PAGE), 'exec'), found)  # what a reader would run
    images, targets = next(iter(found['loader']))
    assert images[0].shape == (3, 64, 64) and images[0].dtype == torch.float32
    assert all(len(target['boxes']) == len(target['labels']) for target in targets)
    assert found['searched'].snapshot.total_prob == pytest.approx(0.6)
    assert [len(objects['bbox']) == len(objects['category']) for objects in found['batch']['objects']] == [True, True]
    assert found['folder'][0][0].shape == (3, 32, 32)
