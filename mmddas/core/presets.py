"""Search spaces by name, as data: ``(operation, level)`` pairs.

``detection``: the operations of Zoph et al. at six levels, 0, 2, ..., 10. What does nothing (a rotation by
0 degrees, a cut-out of no pixels) is one ``Identity``, and of levels that do the same thing (Posterize at 0,
2 and 4 keeps one bit, Solarize at 10 is the negative that it is at 0) one is kept: no two candidates act alike.
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

PRESETS = {
    'detection': tuple((op, level) for op, levels in _DETECTION.items() for level in levels),
}
