"""Whatever a policy file holds: a PolicyFileError that names it, or a policy that can be trained with."""

import copy
import json
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from long_forms import examples

from mmddas import ops
from mmddas.core import AugmentationPolicy, PolicyFileError, PolicySchedule, SearchSpace
from mmddas.datasets import DDASAugment

ODD_VALUES = [
    *(None, True, False, 0, 1, -1, 2, 0.5, 1e-320, 1e308, -0.0, 10**30, 10**400, float('nan'), float('inf')),
    *('', 'Equalize', 'Rotate_BBox', '\ud800', 'x' * 500, [], {}, [[]], [None], {'op': 'Equalize'}, {'op': []}),
    *([0.5, 0.5], {'level': 1}, {'box_prob': 'x'}, {'interpolation': []}, {'reference_size': -1}),
]
IMAGE = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
BOXES = np.array([[1, 2, 9, 10]], np.float32)


def valid_content(rng: random.Random | None = None) -> dict:
    """Of a searched policy, or by chance of listed sub-policies."""
    if rng is not None and rng.random() < 0.5:
        return listed_content(rng)
    space = SearchSpace([('Rotate_BBox', 4), ('Solarize', 2), ('BBox_Cutout', 6), 'Equalize'])
    schedule = PolicySchedule(space, meta=dict(task='detection', operation_options=dict(box_prob=0.5)))
    for _ in range(3):
        schedule.append(AugmentationPolicy(space))
    return schedule.to_dict()


def listed_content(rng: random.Random) -> dict:
    rows = [
        [dict(op='Rotate_BBox', level=4, prob=0.6), dict(op='Equalize', level=None, prob=0.8)],
        [dict(op='Cutout_Only_BBoxes', level=2, prob=0.0)],
    ]
    if rng.random() < 0.5:
        return dict(sub_policies=rows, meta=dict(task='detection'))
    return dict(epochs=[dict(sub_policies=rows, max_applied=[0.2, 0.8], repeat=3), dict(sub_policies=rows[1:])])


def accepted(path) -> PolicySchedule | None:
    """The schedule of a file, tried on an image; None where it is refused as it should be."""
    try:
        augment = DDASAugment(path)
    except PolicyFileError as error:
        assert str(error).startswith(f'{path}: ') and len(str(error)) < 1000
        return None
    for candidate in augment.schedule.space.candidates:
        image, boxes = ops.apply(candidate.op, IMAGE, BOXES, level=candidate.level, box_prob=1.0)
        assert image.shape == IMAGE.shape and np.isfinite(boxes).all()
    augment.draw(augment.schedule.at(0, 10), np.random.default_rng(0))
    return augment.schedule


def places(node, path=()):
    """The paths of all values in nested dicts and lists."""
    if path:
        yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(value, (*path, key))


def parent(content, path):
    for key in path[:-1]:
        content = content[key]
    return content


def mutated(content, rng: random.Random):
    """The content with some of its values replaced, removed, doubled or exchanged."""
    content = copy.deepcopy(content)
    for _ in range(rng.randint(1, 3)):
        found = list(places(content))
        if not found:
            break
        path = rng.choice(found)
        holder, key, action = parent(content, path), path[-1], rng.randrange(4)
        if action == 0:
            del holder[key]
        elif action == 1:
            other = rng.choice(found)
            holder[key] = copy.deepcopy(parent(content, other)[other[-1]])
        elif action == 2 and isinstance(holder, list):
            holder.insert(rng.randint(0, len(holder)), copy.deepcopy(holder[key]))
        else:
            holder[key] = copy.deepcopy(rng.choice(ODD_VALUES))
    return content


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    content = bytearray(content)
    for _ in range(rng.randint(1, 5)):
        start = rng.randrange(len(content) + 1)
        end = min(start + rng.choice((0, 1, 2, 30, len(content))), len(content))
        content[start:end] = rng.choice(
            (b'', rng.randbytes(2), b'"', b'[' * 3000, b'9' * 5000, bytes(content[:40]), b'-')
        )
    return bytes(content)


@settings(max_examples=examples(300), deadline=None, suppress_health_check=list(HealthCheck))
@given(rng=st.randoms(use_true_random=False))
def test_any_structure_is_refused_or_a_policy(tmp_path, rng):
    path = tmp_path / 'policy.json'
    path.write_text(json.dumps(mutated(valid_content(rng), rng)))
    accepted(path)


@settings(max_examples=examples(300), deadline=None, suppress_health_check=list(HealthCheck))
@given(rng=st.randoms(use_true_random=False))
def test_any_bytes_are_refused_or_a_policy(tmp_path, rng):
    path = tmp_path / 'policy.json'
    path.write_bytes(mutated_bytes(json.dumps(valid_content(rng)).encode(), rng))
    accepted(path)


@settings(max_examples=examples(200), deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=200))
def test_bytes_of_no_policy_are_refused(tmp_path, content):
    path = tmp_path / 'policy.json'
    path.write_bytes(content)
    assert accepted(path) is None


def test_the_unchanged_file_is_accepted(tmp_path):
    path = tmp_path / 'policy.json'
    path.write_text(json.dumps(valid_content()))
    assert len(accepted(path)) == 3


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(candidates=[dict(op='Spin', level=1)]), "Unknown operation 'Spin'"),
        (dict(candidates=[dict(op='Equalize', level=1)]), 'takes no level'),
        (dict(candidates=[dict(op='Solarize')]), 'needs a level'),
        (dict(candidates=[dict(op='Solarize', level=1e6)]), 'needs a level'),
        (dict(meta=dict(operation_options=dict(box_prob=2))), 'box_prob must lie in 0..1'),
        (dict(meta=dict(operation_options=[])), 'Operation options are a dict'),
    ],
)
def test_what_cannot_be_applied_is_refused_with_the_name_of_the_file(tmp_path, change, message):
    path = tmp_path / 'policy.json'
    content = (
        dict(num_ops=1, candidates=[dict(op='Equalize', level=None)], epochs=[dict(total_prob=0.5, op_probs=[1.0])])
        | change
    )
    path.write_text(json.dumps(content))
    with pytest.raises(PolicyFileError, match=f'policy.json: candidates or meta.operation_options: .*{message}'):
        DDASAugment(path)


def test_a_folder_is_no_policy_file(tmp_path):
    with pytest.raises(PolicyFileError, match='expected a JSON file'):
        DDASAugment(tmp_path)
