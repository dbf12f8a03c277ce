"""The packages that mmddas stands on, and what it says where one is missing or too old."""

import importlib
import importlib.util

# Import name, lowest version that works, distributions that provide it.
REQUIRED = (
    ('mmengine', (0, 10, 0), 'onedl-mmengine or mmengine'),
    ('mmcv', (2, 0, 1), 'onedl-mmcv, mmcv or mmcv-lite'),
)
# At least one of them: what trains.
ONE_OF = (
    ('mmdet', (3, 2, 0), 'onedl-mmdetection or mmdet'),
    ('mmpretrain', (1, 2, 0), 'onedl-mmpretrain or mmpretrain'),
)


def check_opencv() -> None:
    """Raise ImportError with one sentence that says what to install, where OpenCV is missing or does not load."""
    try:
        importlib.import_module('cv2')
    except ImportError as error:
        raise ImportError(
            f'mmddas needs OpenCV, whose import fails: {error}. `pip install opencv-python-headless` is the build that '
            "needs no display's libraries."
        ) from error


def some_of_openmmlab() -> bool:
    """Whether any of OpenMMLab's packages is installed, so that the others are wanted too."""
    return any(importlib.util.find_spec(name) is not None for name, _, _ in REQUIRED + ONE_OF)


def check_requirements() -> None:
    """Raise ImportError with one sentence that says what to install, where something is missing or too old."""
    for package in REQUIRED:
        if importlib.util.find_spec(package[0]) is None:
            raise ImportError(f'mmddas needs {_described(*package)}, which is not installed.')
        _check_version(*package)
    complaints = []
    for package in ONE_OF:
        if importlib.util.find_spec(package[0]) is None:
            continue
        try:
            # The first that works is enough: the import of another costs time.
            return _check_version(*package)
        except ImportError as error:
            complaints.append(error)
    if complaints:
        raise complaints[0]
    raise ImportError(
        f'mmddas needs {_described(*ONE_OF[0])} for detection, or {_described(*ONE_OF[1])} for classification; '
        'neither is installed.'
    )


def _described(name: str, lowest: tuple[int, ...], distributions: str) -> str:
    return f'{name} >= {".".join(map(str, lowest))} ({distributions}; docs/installation.md has the recipes)'


def _check_version(name: str, lowest: tuple[int, ...], distributions: str) -> None:
    needed = f'mmddas needs {_described(name, lowest, distributions)}'
    try:
        version = importlib.import_module(f'{name}.version').__version__
    except (ImportError, AssertionError) as error:
        # MMDetection and MMPretrain assert the versions of the other two.
        raise ImportError(f'{needed}, whose import fails: {error}') from error
    if _numbers(version) < lowest:
        raise ImportError(f'{needed}, found {version}.')


def _numbers(version: str) -> tuple[int, ...]:
    """``'2.1.0rc1'`` as ``(2, 1, 0)``."""
    numbers = []
    for part in version.split('.')[:3]:
        digits = part[: next((i for i, letter in enumerate(part) if not letter.isdigit()), len(part))]
        numbers.append(int(digits or 0))
    return tuple(numbers)


def import_all() -> list[str]:
    """Import the parts of mmddas that can be; returns their names."""
    check_opencv()
    parts = ['ops']
    parts += ['core', 'transforms'] if importlib.util.find_spec('torch') is not None else []
    parts += ['datasets', 'engine', 'models'] if some_of_openmmlab() else []
    for part in parts:
        importlib.import_module(f'mmddas.{part}')
    return parts
