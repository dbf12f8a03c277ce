"""A policy in other libraries' words does what the policy does, as far as the export says."""

import importlib.util
import json
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from mmddas import export as exports
from mmddas import ops
from mmddas.core import Candidate, PolicySchedule, PolicySnapshot, SearchSpace, load_policy

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'export_policy.py'
HEIGHT, WIDTH = 96, 128
DRAWS = 1000
BOXES = np.array([[40, 30, 60, 55], [70, 40, 100, 66]], np.float32)
IMAGE = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8), (WIDTH, HEIGHT))
CANDIDATES = SearchSpace.preset('detection').candidates


def policy(*candidates: Candidate, probs: list[float] | None = None, total_prob: float = 1.0, num_ops: int = 1):
    space = SearchSpace(candidates, num_ops)
    probs = np.array(probs or [1 / len(space)] * len(space))
    return PolicySchedule(space, [PolicySnapshot(total_prob, probs)], dict(operation_options=dict(reference_size=640)))


def in_mmdet(schedule: PolicySchedule):
    """From nothing to the image and boxes that the export makes of the test's."""
    init_default_scope('mmdet')
    content = exports.to_mmdet(schedule, exports.final(schedule), exports.Image(WIDTH, HEIGHT)).content
    pipeline = Compose([content])

    def run() -> tuple[np.ndarray, np.ndarray]:
        count = len(BOXES)
        labels = dict(gt_bboxes_labels=np.zeros(count, np.int64), gt_ignore_flags=np.zeros(count, bool))
        boxes = HorizontalBoxes(BOXES.copy())
        found = pipeline(dict(img=IMAGE.copy(), img_shape=(HEIGHT, WIDTH), gt_bboxes=boxes, **labels))
        return found['img'], found['gt_bboxes'].numpy()

    return run


def in_albumentations(schedule: PolicySchedule):
    """As :func:`in_mmdet`."""
    import albumentations

    content = exports.to_albumentations(schedule, exports.final(schedule)).content
    params = albumentations.BboxParams('pascal_voc', label_fields=['labels'])
    transform = albumentations.Compose([albumentations.from_dict(json.loads(json.dumps(content)))], bbox_params=params)

    def run() -> tuple[np.ndarray, np.ndarray]:
        # In RGB.
        found = transform(image=np.ascontiguousarray(IMAGE[..., ::-1]), bboxes=BOXES.tolist(), labels=[0] * len(BOXES))
        return found['image'][..., ::-1], np.array(found['bboxes'], np.float32).reshape(-1, 4)

    return run


LACKING = {in_mmdet: {'BBox_Cutout'}, in_albumentations: {'BBox_Cutout', 'SolarizeAdd', 'Sharpness', 'Equalize'}}
INSTALLED = importlib.util.find_spec('albumentations') is not None
WITHOUT = pytest.mark.skipif(not INSTALLED, reason='Albumentations is not installed (requirements/benchmarks.txt)')
WAYS = pytest.mark.parametrize('way', [in_mmdet, pytest.param(in_albumentations, marks=WITHOUT)])
STRENGTHS = [
    (way, candidate)
    for way in ([in_mmdet, in_albumentations] if INSTALLED else [in_mmdet])
    for candidate in CANDIDATES
    # Cutout has a random place.
    if candidate.level in (None, 2.0, 10.0) and candidate.op not in LACKING[way] | {'Cutout'}
    if not candidate.op.endswith('_Only_BBoxes')
]


@pytest.mark.parametrize(('way', 'candidate'), STRENGTHS, ids=lambda part: getattr(part, '__name__', str(part)))
def test_an_operation_has_the_strength_that_it_has_here(way, candidate):
    np.random.seed(0)
    run = way(policy(candidate))
    options = dict(reference_size=640) if way is in_mmdet else {}
    ours = [ops.apply(candidate.op, IMAGE, BOXES, level=candidate.level, sign=sign, **options) for sign in (-1, 1)]
    found = [run() for _ in range(12)]
    # Both signs, and nothing else.
    assert len({image.tobytes() for image, _ in found}) == len({image.tobytes() for image, _ in ours})
    for given in found:
        assert any(alike(candidate.op, given, expected, way) for expected in ours)


def alike(op: str, found: tuple, expected: tuple, way) -> bool:
    """As far as an export says that they are."""
    (image, boxes), (our_image, our_boxes) = found, expected
    if way is in_albumentations and op.startswith('Translate'):
        return len(boxes) == (our_boxes[:, 2:] > our_boxes[:, :2]).all(axis=1).sum()
    if boxes.shape != our_boxes.shape:
        return False
    if way is in_albumentations and op.startswith('Shear'):
        boxes, our_boxes = (found[:, 2:] - found[:, :2] for found in (boxes, our_boxes))
        return np.abs(boxes - our_boxes).max() <= 2
    if op.startswith('Translate'):
        return np.abs(boxes - our_boxes).max() <= 0.05 * WIDTH + 1
    pixels = {'Brightness': 6, 'Contrast': 6, 'Color': 6}.get(op, 2.5)
    same_boxes = np.abs(boxes - our_boxes).max() <= 2
    return same_boxes and np.abs(image.astype(float) - our_image).mean() < pixels


@WAYS
def test_images_and_operations_are_drawn_as_often_as_the_policy_draws_them(way):
    np.random.seed(0)
    solarize, left_out = Candidate('Solarize', 0.0), Candidate('BBox_Cutout', 4.0)
    run = way(policy(solarize, left_out, probs=[0.7, 0.3], total_prob=0.5))
    changed = np.mean([not np.array_equal(run()[0], IMAGE) for _ in range(DRAWS)])
    assert abs(changed - 0.35) < 4 * (0.35 * 0.65 / DRAWS) ** 0.5
    run = way(policy(solarize, left_out, probs=[0.7, 0.3], total_prob=0.5, num_ops=2))
    changed = np.mean([not np.array_equal(run()[0], IMAGE) for _ in range(DRAWS)])
    assert abs(changed - 0.21) < 4 * (0.21 * 0.79 / DRAWS) ** 0.5  # two negatives are none


@WAYS
def test_listed_operations_have_coins_of_their_own(way):
    content = dict(sub_policies=[[dict(op='Solarize', level=0, prob=0.4)], [dict(op='Equalize', prob=0.0)]])
    np.random.seed(0)
    run = way(PolicySchedule.from_dict(content))
    changed = np.mean([not np.array_equal(run()[0], IMAGE) for _ in range(DRAWS)])
    assert abs(changed - 0.2) < 4 * (0.2 * 0.8 / DRAWS) ** 0.5


def test_what_is_left_out_is_said_with_its_share():
    schedule = load_policy('zoph_v1')
    found = exports.to_mmdet(schedule, exports.final(schedule))
    shares = {}
    for candidate, share in zip(schedule.space.candidates, schedule.snapshots[0].op_probs, strict=True):
        shares[candidate.op] = shares.get(candidate.op, 0.0) + share
    assert found.left_out == pytest.approx(
        {op: share for op, share in shares.items() if op.endswith('_Only_BBoxes') or op == 'Cutout' if share}
    )
    assert found.share_left_out == pytest.approx(sum(found.left_out.values()))


@pytest.mark.parametrize(('size', 'count'), [((640, 480), 1), ((1333, 800), 2), ((480, 640), 0)])
def test_shifts_that_mmdetection_would_round_to_none_are_left_out(size, count):
    init_default_scope('mmdet')
    space = SearchSpace([('TranslateX_BBox', float(level)) for level in range(1, 6)], 1)
    schedule = PolicySchedule(space, [PolicySnapshot(1.0, np.full(5, 0.2))])
    export = exports.to_mmdet(schedule, exports.final(schedule), exports.Image(*size))
    (choice,) = export.content['transforms']
    branches = [branch for branch in choice['transforms'] if branch]
    assert len(branches) == 5 - count and all(Compose(branch[:1]).transforms[0].max_mag >= 0.05 for branch in branches)
    assert export.left_out == pytest.approx({'TranslateX_BBox': count / 5} if count else {})


def test_a_mmdet_export_keeps_small_boxes_where_nothing_moves():
    init_default_scope('mmdet')
    boxes = HorizontalBoxes(np.array([[10, 10, 11, 40], [10, 10, 10.5, 40]], np.float32))
    sample = dict(img=IMAGE.copy(), img_shape=(HEIGHT, WIDTH), gt_bboxes=boxes, gt_bboxes_labels=np.zeros(2, np.int64))
    for op, level, kept in (('Equalize', None, 2), ('Rotate_BBox', 0.0, 1)):
        schedule = policy(Candidate(op, level))
        content = exports.to_mmdet(schedule, exports.final(schedule)).content
        assert len(Compose([content])(dict(sample, gt_ignore_flags=np.zeros(2, bool)))['gt_bboxes']) == kept


def test_the_mean_snapshot_draws_what_a_whole_training_draws():
    schedule = policy(Candidate('Equalize', None), Candidate('Color', 2.0), probs=[0.2, 0.8], total_prob=0.1)
    schedule.snapshots.append(PolicySnapshot(0.3, np.array([0.6, 0.4])))
    mean = exports.mean(schedule)
    assert mean.total_prob == pytest.approx(0.2)
    assert mean.op_probs == pytest.approx([(0.1 * 0.2 + 0.3 * 0.6) / 0.4, (0.1 * 0.8 + 0.3 * 0.4) / 0.4])


def run_tool(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr('sys.argv', [str(TOOL), *arguments])
    runpy.run_path(str(TOOL), run_name='__main__')


def test_the_tool_writes_a_config_that_says_what_it_is(tmp_path, monkeypatch, capsys):
    run_tool(monkeypatch, 'zoph_v1', '--to', 'mmdet', '--out', str(tmp_path / 'policy.py'))
    text = (tmp_path / 'policy.py').read_text()
    assert 'Operations drawn: Rotate_BBox 14.7%' in text and 'which' not in capsys.readouterr().err
    init_default_scope('mmdet')
    Compose([Config.fromfile(tmp_path / 'policy.py').policy])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['zoph_v1', '--to', 'mmdet', '--out', 'policy.json'], '--out of mmdet must end in .py'),
        (
            ['boxes.json', '--to', 'mmdet', '--out', 'policy.py'],
            '100% of what boxes.json draws are operations that mmdet',
        ),
        (['zoph_v1', '--to', 'mmdet', '--out', 'policy.py', '--image-size', '0', '480'], 'at least 1 x 1 pixels'),
        (['boxes.json', '--to', 'albumentations', '--out', 'boxes.json'], 'boxes.json exists already'),
        (
            ['randaugment:detection:level=30', '--to', 'mmdet', '--out', 'policy.py'],
            'levels of an export are from 0 to 10',
        ),
        (['pba_cifar10', '--to', 'mmdet', '--out', 'policy.py'], 'The policy is for classification'),
    ],
)
def test_what_would_be_another_policy_is_refused(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    policy(Candidate('Flip_Only_BBoxes', None)).save('boxes.json')
    with pytest.raises(SystemExit):
        run_tool(monkeypatch, *arguments)
    assert message in capsys.readouterr().err and not Path('policy.py').exists()
