"""Search spaces by name, as data: ``(operation, level)`` pairs.

``detection``: the operations of Zoph et al. at six levels, 0, 2, ..., 10. No two candidates act alike: those without an
effect (a rotation by 0 degrees) are one ``Identity``, and equal levels are one (Posterize keeps one bit at 0, 2 and 4,
Solarize gives the negative at 0 and 10).

``detection_wide``: the same, with zooms and flips of the whole image.

``cifar``, ``cifar_release``, ``imagenet``: the operations of Liu et al. at the levels of the paper, of the policies
that its authors released (in their order), and of its search on ImageNet. They have the paper's sizes, although some
candidates act alike at high levels.
"""

_LEVELS = (0, 2, 4, 6, 8, 10)
_LEVELS_ABOVE_ZERO = _LEVELS[1:]

_DETECTION = {
    'Identity': (None,),
    'AutoContrast': (None,),
    'Equalize': (None,),
    'Posterize': (4, 6, 8, 10),
    'Solarize': (0, 2, 4, 6, 8),
    'SolarizeAdd': _LEVELS_ABOVE_ZERO,
    'Color': _LEVELS,
    'Contrast': _LEVELS,
    'Brightness': _LEVELS,
    'Sharpness': _LEVELS,
    'Cutout': _LEVELS_ABOVE_ZERO,
    'BBox_Cutout': _LEVELS_ABOVE_ZERO,
    'Rotate_BBox': _LEVELS_ABOVE_ZERO,
    'TranslateX_BBox': _LEVELS_ABOVE_ZERO,
    'TranslateY_BBox': _LEVELS_ABOVE_ZERO,
    'ShearX_BBox': _LEVELS_ABOVE_ZERO,
    'ShearY_BBox': _LEVELS_ABOVE_ZERO,
    'Rotate_Only_BBoxes': _LEVELS_ABOVE_ZERO,
    'ShearX_Only_BBoxes': _LEVELS_ABOVE_ZERO,
    'ShearY_Only_BBoxes': _LEVELS_ABOVE_ZERO,
    'TranslateX_Only_BBoxes': _LEVELS_ABOVE_ZERO,
    'TranslateY_Only_BBoxes': _LEVELS_ABOVE_ZERO,
    'Flip_Only_BBoxes': (None,),
    'Equalize_Only_BBoxes': (None,),
    'Solarize_Only_BBoxes': (0, 2, 4, 6, 8),
    'Cutout_Only_BBoxes': _LEVELS_ABOVE_ZERO,
}

_DETECTION_WIDE = _DETECTION | {
    'ZoomOut_BBox': _LEVELS_ABOVE_ZERO,
    'ZoomIn_BBox': _LEVELS_ABOVE_ZERO,
    'FlipLR': (None,),
    'FlipUD': (None,),
}

_WITHOUT_LEVEL = ('Identity', 'FlipLR', 'FlipUD', 'AutoContrast', 'Equalize', 'Invert', 'Blur', 'Smooth')
_RELEASED = (
    'Rotate',
    'PosterizeIncreasing',
    'ShearX',
    'ShearY',
    'TranslateX',
    'TranslateY',
    'SolarizeIncreasing',
    'Color',
    'Contrast',
    'Brightness',
    'Sharpness',
)
_WITH_CUTOUT = _RELEASED[:7] + ('CutoutAbs',) + _RELEASED[7:]


def _classification(with_level: tuple[str, ...], levels: tuple[int, ...]) -> tuple[tuple[str, int | None], ...]:
    without = tuple((op, None) for op in _WITHOUT_LEVEL)
    return without + tuple((op, level) for op in with_level for level in levels)


def _candidates(levels_of: dict[str, tuple]) -> tuple[tuple[str, int | None], ...]:
    return tuple((op, level) for op, levels in levels_of.items() for level in levels)


PRESETS = {
    'detection': _candidates(_DETECTION),
    'detection_wide': _candidates(_DETECTION_WIDE),
    'cifar': _classification(_WITH_CUTOUT, (2, 5, 8, 11, 14)),
    'cifar_release': _classification(_RELEASED, (0, 2, 10, 14)),
    'imagenet': _classification(_WITH_CUTOUT, (7, 14)),
}
# The task of each space.
PRESET_TASKS = {name: 'detection' if name.startswith('detection') else 'classification' for name in PRESETS}
