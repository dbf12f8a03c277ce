"""The operations for classification through PIL, as in their literature: what benchmarks and tests compare with."""

import random
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps


def _affine(*coefficients: float) -> Callable:
    return lambda image: image.transform(image.size, Image.Transform.AFFINE, coefficients)


def _blend(enhancer: type) -> Callable:
    return lambda level: lambda image: enhancer(image).enhance(0.18 * level + 0.1)


# By level, the published magnitudes, written down a second time.
COLOUR = {
    'AutoContrast': lambda level: ImageOps.autocontrast,
    'Equalize': lambda level: ImageOps.equalize,
    'Invert': lambda level: ImageOps.invert,
    'Blur': lambda level: lambda image: image.filter(ImageFilter.BLUR),
    'Smooth': lambda level: lambda image: image.filter(ImageFilter.SMOOTH),
    'PosterizeIncreasing': lambda level: lambda image: ImageOps.posterize(image, max(4 - int(0.4 * level), 1)),
    'SolarizeIncreasing': lambda level: lambda image: ImageOps.solarize(image, 256 - int(25.6 * level)),
    'Color': _blend(ImageEnhance.Color),
    'Contrast': _blend(ImageEnhance.Contrast),
    'Brightness': _blend(ImageEnhance.Brightness),
    'Sharpness': _blend(ImageEnhance.Sharpness),
}
# By level and sign. Shifts are in pixels.
WARPS = {
    'FlipLR': lambda level, sign: ImageOps.mirror,
    'FlipUD': lambda level, sign: ImageOps.flip,
    'Rotate90': lambda level, sign: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    'Rotate': lambda level, sign: lambda image: image.rotate(sign * int(3 * level)),
    'ShearX': lambda level, sign: _affine(1, sign * 0.03 * level, 0, 0, 1, 0),
    'ShearY': lambda level, sign: _affine(1, 0, 0, sign * 0.03 * level, 1, 0),
    'TranslateX': lambda level, sign: _affine(1, 0, sign * int(level), 0, 1, 0),
    'TranslateY': lambda level, sign: _affine(1, 0, 0, 0, 1, sign * int(level)),
}


def cutout(image: Image.Image, size: int) -> Image.Image:
    """A copy with a square of CIFAR's mean colour about a uniform place."""
    left, top = random.randrange(image.width) - size // 2, random.randrange(image.height) - size // 2
    image = image.copy()
    if size > 0:
        ImageDraw.Draw(image).rectangle((left, top, left + size - 1, top + size - 1), fill=(125, 122, 113))
    return image


def apply(name: str, image: Image.Image, level: float | None) -> Image.Image:
    """One operation, its sign and place drawn."""
    if name == 'Identity':
        return image
    if name == 'CutoutAbs':
        return cutout(image, int(2 * level))
    if name in COLOUR:
        return COLOUR[name](level)(image)
    return WARPS[name](level, random.choice((-1, 1)))(image)
