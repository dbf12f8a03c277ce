"""The OpenMMLab packages that mmddas stands on, and what it says where one is missing or too old."""

import importlib
import importlib.util

# Import name, lowest version that works, distributions that provide it.
REQUIRED = (
    ('mmengine', (0, 10, 0), 'onedl-mmengine or mmengine'),
    ('mmcv', (2, 0, 1), 'onedl-mmcv, mmcv or mmcv-lite'),
    ('mmdet', (3, 2, 0), 'onedl-mmdetection or mmdet'),
)


def check_requirements() -> None:
    """Raise ImportError with one sentence that says what to install, where something is missing or too old."""
    for name, lowest, distributions in REQUIRED:
        needed = f'{name} >= {".".join(map(str, lowest))} ({distributions}; docs/installation.md has the recipes)'
        if importlib.util.find_spec(name) is None:
            raise ImportError(f'mmddas needs {needed}, which is not installed.')
        try:
            version = importlib.import_module(f'{name}.version').__version__
        except (ImportError, AssertionError) as error:
            # MMDetection asserts the versions of the other two.
            raise ImportError(f'mmddas needs {needed}, whose import fails: {error}') from error
        if _numbers(version) < lowest:
            raise ImportError(f'mmddas needs {needed}, found {version}.')


def _numbers(version: str) -> tuple[int, ...]:
    """``'2.1.0rc1'`` as ``(2, 1, 0)``."""
    numbers = []
    for part in version.split('.')[:3]:
        digits = part[: next((i for i, letter in enumerate(part) if not letter.isdigit()), len(part))]
        numbers.append(int(digits or 0))
    return tuple(numbers)
