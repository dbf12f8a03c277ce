"""Check the packages that mmddas needs, and say which one is missing or too old."""

import importlib
import importlib.util

# Import name, lowest version that works, distributions that provide it.
REQUIRED = (
    ('mmengine', '0.10.0', 'onedl-mmengine or mmengine'),
    ('mmcv', '2.0.1', 'onedl-mmcv, mmcv or mmcv-lite'),
)
# One of them is enough: for detection, or for classification.
ONE_OF = (
    ('mmdet', '3.2.0', 'onedl-mmdetection or mmdet'),
    ('mmpretrain', '1.2.0', 'onedl-mmpretrain or mmpretrain'),
)


def check_opencv() -> None:
    """Raise ImportError with the build to install where OpenCV is missing or does not load."""
    try:
        importlib.import_module('cv2')
    except ImportError as error:
        raise ImportError(
            f'mmddas needs OpenCV, whose import fails: {error}. `pip install opencv-python-headless` installs a '
            'build that needs no display libraries.'
        ) from error


def some_of_openmmlab() -> bool:
    """Return whether any of OpenMMLab's packages is installed, so that the others are needed too."""
    return any(importlib.util.find_spec(name) is not None for name, _, _ in REQUIRED + ONE_OF)


def check_requirements() -> None:
    """Raise ImportError with what to install where one of OpenMMLab's packages is missing, too old or broken."""
    for package in REQUIRED:
        if importlib.util.find_spec(package[0]) is None:
            raise ImportError(f'mmddas needs {_described(*package)}, which is not installed.')
        _check_version(*package)
    complaints = []
    for package in ONE_OF:
        if importlib.util.find_spec(package[0]) is None:
            continue
        try:
            return _check_version(*package)  # one that works is enough: an import costs time
        except ImportError as error:
            complaints.append(error)
    if complaints:
        raise complaints[0]
    raise ImportError(
        f'mmddas needs {_described(*ONE_OF[0])} for detection, or {_described(*ONE_OF[1])} for classification; '
        'neither is installed.'
    )


def _described(name: str, lowest: str, distributions: str) -> str:
    return f'{name} >= {lowest} ({distributions}; docs/installation.md has the recipes)'


def _check_version(name: str, lowest: str, distributions: str) -> None:
    from packaging.version import Version  # Matplotlib and MMEngine depend on it, mmddas.ops alone does not

    needed = f'mmddas needs {_described(name, lowest, distributions)}'
    try:
        version = importlib.import_module(f'{name}.version').__version__
    except (ImportError, AssertionError) as error:
        # MMDetection and MMPretrain assert the versions of the other two.
        raise ImportError(f'{needed}, whose import fails: {error}') from error
    if Version(Version(version).base_version) < Version(lowest):  # a release candidate is enough
        raise ImportError(f'{needed}, found {version}.')


def import_all() -> list[str]:
    """Import the parts of mmddas whose packages are installed; return their names."""
    check_opencv()
    parts = ['ops']
    parts += ['core', 'transforms'] if importlib.util.find_spec('torch') is not None else []
    parts += ['datasets', 'engine', 'models'] if some_of_openmmlab() else []
    for part in parts:
        importlib.import_module(f'mmddas.{part}')
    return parts
