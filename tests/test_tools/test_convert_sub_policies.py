"""Published lists of sub-policies: read from source or JSON, with the magnitudes of their authors."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from mmddas import ops
from mmddas.core import PolicySchedule, load_policy

TOOLS = Path(__file__).parents[2] / 'tools' / 'dataset_tools'
PUBLISHED = Path(__file__).parents[3] / 'shared' / 'policies' / 'published_policies.json'
sys.path.insert(0, str(TOOLS))
from convert_sub_policies import convert, joined, main, named_lists  # noqa: E402

RNG = np.random.default_rng(0)
RGB = Image.fromarray(RNG.integers(0, 256, (48, 64, 3), dtype=np.uint8)).resize((64, 48), Image.BILINEAR)


def ours(op, magnitude, magnitudes, sign=1):
    """The result of a published operation by a policy's own operation and level, RGB."""
    ((item,),) = convert([[(op, 1.0, magnitude)]], magnitudes).snapshots[0].sub_policies
    image = np.ascontiguousarray(np.array(RGB)[..., ::-1])
    return ops.apply(item.op, image, level=item.level, sign=sign)[0][..., ::-1]


def translated(pixels_x, pixels_y):
    return RGB.transform(RGB.size, Image.AFFINE, (1, 0, pixels_x, 0, 1, pixels_y))


@pytest.mark.parametrize('magnitude', [0.0, 0.13, 0.5, 0.61, 0.98, 1.0])
def test_fast_autoaugments_ranges(magnitude):
    """ShearX from -0.3 to 0.3, translations from -0.45 to 0.45 of the image, rotations from -30 to 30, ..."""
    signed = 2 * magnitude - 1
    sign = -1 if signed < 0 else 1

    def same(op, expected, share=1.0):
        found = ours(op, magnitude, 'fast_autoaugment', sign)
        assert (found == np.array(expected)).all(axis=2).mean() >= share, op

    same('ShearX', RGB.transform(RGB.size, Image.AFFINE, (1, 0.3 * signed, 0, 0, 1, 0)), 0.999)
    same('ShearY', RGB.transform(RGB.size, Image.AFFINE, (1, 0, 0, 0.3 * signed, 1, 0)), 0.999)
    same('TranslateX', translated(0.45 * signed * 64, 0))
    same('TranslateY', translated(0, 0.45 * signed * 48))
    same('Rotate', RGB.rotate(int(30 * signed)), 0.995)
    same('Solarize', ImageOps.solarize(RGB, 256 * magnitude))
    same('Posterize', ImageOps.posterize(RGB, int(4 + 4 * magnitude)))
    same('Invert', ImageOps.invert(RGB))


@pytest.mark.parametrize('level', [0, 3, 7, 9])
def test_autoaugments_levels(level):
    for op, expected in (
        ('ShearX', RGB.transform(RGB.size, Image.AFFINE, (1, 0.03 * level, 0, 0, 1, 0))),
        ('Rotate', RGB.rotate(3 * level)),
        ('Solarize', ImageOps.solarize(RGB, 256 - int(25.6 * level))),
        ('Posterize', ImageOps.posterize(RGB, 4 - int(0.4 * level))),
    ):
        found = ours(op, level, 'autoaugment')
        assert (found == np.array(expected)).all(axis=2).mean() >= 0.999, op


@pytest.mark.parametrize('magnitude', [0.0, 0.4, 1.0])
def test_the_cutout_in_shares_of_the_image(magnitude):
    """A square of 0.2 times the magnitude of the width, as PIL draws it, its middle uniform in the image."""
    size, image = 0.2 * magnitude * 64, np.ascontiguousarray(np.array(RGB)[..., ::-1])
    for seed in range(40):
        found, _ = ops.apply('CutoutRel', image, level=10 * magnitude, rng=np.random.default_rng(seed))
        numbers = np.random.default_rng(seed)
        left, top = (int(max(0, numbers.random() * length - size / 2)) for length in (64, 48))
        expected = RGB.copy()
        ImageDraw.Draw(expected).rectangle((left, top, min(64, left + size), min(48, top + size)), fill=(125, 123, 114))
        assert np.array_equal(found[..., ::-1], np.array(expected))


def test_lists_are_found_in_source_that_is_never_run(tmp_path):
    (tmp_path / 'archive.py').write_text(
        'import nothing_that_exists\n'
        'raise SystemExit\n'
        "FIRST = [[('Rotate', 0.5, 0.25), ('Cutout', 0.2, 0.5)]]\n"
        'def second():\n    p = [[["Color", 0.1, 0.2]], [["Invert", 0.3, 0.4]]]\n    return p\n'
        'NUMBERS = [1, 2]\n'
    )
    found = named_lists(tmp_path / 'archive.py')
    assert set(found) == {'FIRST', 'second'} and len(found['second']) == 2
    first = convert(found['FIRST'], 'fast_autoaugment').snapshots[0].sub_policies
    assert [tuple(op) for op in first[0]] == [('Rotate', 5.0, 0.5), ('CutoutRel', 5.0, 0.2)]


def test_several_lists_in_one_place_have_names_of_their_own(tmp_path):
    """As the authors of AutoAugment and of Fast AutoAugment keep theirs, and none is the others'."""
    rows = [[[f'Op{number}', 0.5, 2]] for number in range(9)]
    (tmp_path / 'policies.py').write_text(
        f'def good():\n    a = [{rows[0]}]\n    b = [{rows[1]}]\n    return a + b\n'
        f'def sums():\n    p = [{rows[2]}] + [{rows[3]}]\n    return p\n'
        f'POLICIES = dict(), {{"x": [{rows[4]}], "y": [{rows[5]}]}}\n'
        f'class First:\n    policy: list = [{rows[6]}]\n\n\nclass Second:\n    policy = [{rows[7]}]\n'
    )
    found = named_lists(tmp_path / 'policies.py')
    names = ['good.a', 'good.b', 'sums.p.1', 'sums.p.2', 'POLICIES.x', 'POLICIES.y', 'First', 'Second']
    assert found == {name: [rows[number]] for number, name in enumerate(names)}
    assert joined(found, 'good.*') == rows[:2] and joined(found, 'sums.p.*') == rows[2:4]
    with pytest.raises(ValueError, match="there is no 'good'; names are good.a, good.b.* joins several"):
        joined(found, 'good')


def test_the_tool_writes_a_policy_and_says_what_is_wrong(tmp_path, monkeypatch):
    (tmp_path / 'lists.json').write_text(json.dumps(dict(a=[[['Rotate', 0.5, 2]]], b=[[['Spin', 0.5, 2]]], c=[[1]])))

    def run(name, out):
        arguments = [str(tmp_path / 'lists.json'), '--name', name, '--magnitudes', 'autoaugment', '--out', str(out)]
        monkeypatch.setattr(sys, 'argv', ['convert_sub_policies.py', *arguments])
        main()

    run('a', tmp_path / 'policy.json')
    assert PolicySchedule.load(tmp_path / 'policy.json').meta == dict(task='classification', name='a')
    for name, message in (
        ('b', "Unknown operation 'Spin'"),
        ('c', 'expected an operation, its probability and its magnitude'),
        ('d', "there is no 'd'; names are a, b, c"),
    ):
        with pytest.raises(SystemExit, match=message):
            run(name, tmp_path / 'no.json')
        assert not (tmp_path / 'no.json').exists()
    with pytest.raises(SystemExit, match='which would replace this one'):
        run('a', tmp_path / 'lists.json')


@pytest.mark.skipif(not PUBLISHED.exists(), reason='the published lists are not beside the checkout')
@pytest.mark.parametrize(
    ('name', 'key', 'magnitudes'),
    [
        *((f'zoph_v{version}', f'autoaugment_detection/v{version}', 'detection') for version in range(4)),
        ('autoaugment_cifar10', 'autoaugment/cifar10', 'autoaugment'),
        *(
            (f'fast_autoaugment_{d}', f'fast_autoaugment/{d}', 'fast_autoaugment')
            for d in ('cifar10', 'svhn', 'imagenet')
        ),
        *((f'pba_{d}', f'pba/{d}', 'autoaugment') for d in ('cifar10', 'svhn')),
    ],
)
def test_packaged_policies_are_what_was_published(name, key, magnitudes):
    published = named_lists(PUBLISHED)[key]
    assert load_policy(name).snapshots == convert(published, magnitudes).snapshots
