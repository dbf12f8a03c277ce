"""Check the versions of OpenMMLab's packages and replace MMCV's missing operators, as a module to import first.

MMDetection must not be imported before.
"""

from mmddas.requirements import check_requirements

check_requirements()

from . import install  # noqa: E402

install()
