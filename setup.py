"""Packaging: the package, and ``configs/`` and ``tools/`` in ``mmddas/.mim``, where OpenMMLab's tools look for them."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MIM = ('configs', 'tools', 'model-index.yml')


def requirements(name: str) -> list[str]:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


class BuildWithMim(build_py):
    """Copies what ``MIM`` names into the built package; an editable install gets links."""

    def run(self) -> None:
        super().run()
        target = (ROOT if self.editable_mode else Path(self.build_lib)) / 'mmddas' / '.mim'
        if target.exists():
            shutil.rmtree(target)
        target.mkdir(parents=True)
        for name in MIM:
            source = ROOT / name
            if self.editable_mode:
                (target / name).symlink_to(Path('..', '..', name))
            elif source.is_dir():
                shutil.copytree(source, target / name, ignore=shutil.ignore_patterns('__pycache__'))
            else:
                shutil.copy(source, target / name)


setup(
    name='mmddas',
    version=(ROOT / 'mmddas' / 'version.py').read_text().split("'")[1],
    description='Direct Differentiable Augmentation Search for MMDetection and MMPretrain',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    py_modules=['mmddas_cli'],
    packages=find_packages(include=['mmddas', 'mmddas.*']),
    package_data={'mmddas': ['py.typed', 'policies/*.json', 'viz/report/template.html']},
    entry_points={'console_scripts': ['mmddas = mmddas_cli:main']},
    install_requires=requirements('runtime'),
    # The OpenMMLab packages come from one of two lines; which one is the user's choice.
    extras_require={
        'onedl': requirements('mminstall'),
        'onedl-classification': ['onedl-mmengine>=0.10.7', 'onedl-mmcv>=2.3', 'onedl-mmpretrain>=1.3'],
        # mmengine 0.10 needs pkg_resources, which setuptools 81 drops; mmdet 3.3 accepts MMCV below 2.2.
        'openmmlab': ['setuptools<81', 'numpy>=1.24,<2.3', 'mmengine>=0.10', 'mmcv-lite>=2.0.1,<2.2', 'mmdet>=3.2'],
        'optional': requirements('optional'),
        'tests': requirements('tests'),
    },
    cmdclass={'build_py': BuildWithMim},
)
