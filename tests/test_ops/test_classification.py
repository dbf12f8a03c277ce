"""The operations for classification give what PIL's give, on which the literature's numbers rest."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pil_operations import COLOUR, WARPS

from mmddas import ops
from mmddas.core import SearchSpace

# At level 12 one column of ShearY in 32 lies half-way between two pixels, to cv2's 10 binary places: 97% are equal.
LEVELS = (*range(12), 13, 14)


def picture(size: int, seed: int) -> np.ndarray:
    """Smooth shapes with noise, ``(size, size, 3)`` uint8, RGB."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(*[np.linspace(0, 6, size)] * 2)
    waves = [np.sin(x * rng.uniform(0.5, 2) + rng.uniform(0, 6)) * np.cos(y * rng.uniform(0.5, 2)) for _ in range(3)]
    return np.clip(np.stack(waves, axis=2) * 90 + 120 + rng.normal(0, 12, (size, size, 3)), 0, 255).astype(np.uint8)


def cases(names):
    return [(name, level) for name in names for level in (LEVELS if ops.get(name).takes_level else (None,))]


def both(name, reference, image, **arguments):
    """The operation's and PIL's result for an RGB image, as RGB."""
    ours, _ = ops.apply(name, np.ascontiguousarray(image[..., ::-1]), **arguments)
    return ours[..., ::-1].astype(int), np.asarray(reference(Image.fromarray(image))).astype(int)


def test_every_operation_is_compared():
    compared = {*COLOUR, *WARPS, 'Identity', 'CutoutAbs'}
    in_published_lists = {'TranslateXRel', 'TranslateYRel', 'CutoutRel'}  # test_convert_sub_policies.py
    assert {op.name for op in ops.list_ops('classification')} == compared | in_published_lists


@pytest.mark.parametrize(('name', 'level'), cases(COLOUR))
@pytest.mark.parametrize('size', [32, 57])
def test_colours_differ_from_pil_by_at_most_one_grey_level(name, level, size):
    for seed in range(4):
        ours, reference = both(name, COLOUR[name](level), picture(size, seed), level=level)
        assert np.abs(ours - reference).max() <= 1


@pytest.mark.parametrize(('name', 'level'), cases(WARPS))
def test_warps_equal_pil_in_99_of_100_pixels(name, level):
    for size in (32, 224):
        image = picture(size, seed=5)
        shift = int(level or 0) * size // 32  # PIL's shifts are those of the protocol at 32 pixels
        for sign in (1, -1):
            reference = WARPS[name](shift if name.startswith('Translate') else level, sign)
            ours, theirs = both(name, reference, image, level=level, sign=sign)
            assert (ours == theirs).all(axis=2).mean() >= 0.99, (size, sign)


@pytest.mark.parametrize('level', [2, 5, 14])
def test_cutout_is_a_square_of_twice_the_level_in_the_mean_colour(level):
    image = np.zeros((96, 96, 3), np.uint8)
    for seed in range(20):
        (ours, _) = ops.apply('CutoutAbs', image, level=level, rng=np.random.default_rng(seed))
        rows, columns = np.nonzero(ours.any(axis=2))
        assert np.ptp(rows) + 1 <= 2 * level and np.ptp(columns) + 1 <= 2 * level
        reference = Image.fromarray(image)
        place = (columns.min(), rows.min(), columns.max(), rows.max())
        ImageDraw.Draw(reference).rectangle(place, fill=(125, 122, 113))
        assert np.array_equal(ours[..., ::-1], np.asarray(reference))
        inside = columns.min() > 0 and rows.min() > 0 and columns.max() < 95 and rows.max() < 95
        assert not inside or len(rows) == (2 * level) ** 2


@pytest.mark.parametrize(('size', 'moved'), [(32, 7), (64, 14), (224, 49)])
def test_translations_grow_with_the_image(size, moved):
    image = picture(size, seed=1)
    result, _ = ops.apply('TranslateX', image, level=7, sign=1)
    assert np.array_equal(result[:, : size - moved], image[:, moved:])
    assert not result[:, size - moved :].any()


def test_four_quarter_turns_are_none():
    image = picture(32, seed=2)
    result = image
    for _ in range(4):
        result, _ = ops.apply('Rotate90', result)
    assert np.array_equal(result, image)


@pytest.mark.parametrize(('preset', 'size'), [('cifar', 68), ('cifar_release', 52), ('imagenet', 32)])
def test_presets_have_the_published_sizes_and_known_operations(preset, size):
    space = SearchSpace.preset(preset)
    assert len(space) == size
    ops.check_candidates(space.candidates)
    assert {candidate.op for candidate in space.candidates} <= {op.name for op in ops.list_ops('classification')}


PLAIN = ['Identity', 'FlipLR', 'FlipUD', 'AutoContrast', 'Equalize', 'Invert', 'Blur', 'Smooth']
GEOMETRY = ['Rotate', 'PosterizeIncreasing', 'ShearX', 'ShearY', 'TranslateX', 'TranslateY', 'SolarizeIncreasing']
ENHANCEMENTS = ['Color', 'Contrast', 'Brightness', 'Sharpness']


@pytest.mark.parametrize(
    ('preset', 'names', 'levels'),
    [
        ('cifar', [*GEOMETRY, 'CutoutAbs', *ENHANCEMENTS], (2, 5, 8, 11, 14)),
        ('cifar_release', [*GEOMETRY, *ENHANCEMENTS], (0, 2, 10, 14)),
        ('imagenet', [*GEOMETRY, 'CutoutAbs', *ENHANCEMENTS], (7, 14)),
    ],
)
def test_presets_have_the_published_order_and_levels(preset, names, levels):
    expected = [(name, None) for name in PLAIN] + [(name, level) for name in names for level in levels]
    assert list(SearchSpace.preset(preset).candidates) == expected


def test_candidates_of_one_operation_at_different_levels_differ():
    """In the authors' code every candidate ran at the last level."""
    image = picture(32, seed=3)
    for name in ('Rotate', 'ShearX', 'TranslateY', 'Color', 'Sharpness', 'CutoutAbs'):
        levels = [level for op, level in SearchSpace.preset('cifar').candidates if op == name]
        results = {
            ops.apply(name, image, level=level, sign=1, rng=np.random.default_rng(0))[0].tobytes() for level in levels
        }
        assert len(results) == len(levels) == 5
