"""Import OpenMMLab's packages: check their versions, and replace MMCV's missing operators.

Every part that needs them imports this module first; MMDetection must not be imported before.
"""

from mmddas.requirements import check_requirements

check_requirements()

from . import install  # noqa: E402

install()
