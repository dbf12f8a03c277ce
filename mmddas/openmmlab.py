"""Imported first by every part that stands on OpenMMLab: its packages checked, MMCV's missing operators replaced.

MMDetection must not be imported before.
"""

from .compat import install
from .requirements import check_requirements

check_requirements()
install()
