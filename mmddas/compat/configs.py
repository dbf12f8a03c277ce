"""This package's configs as bases of other configs: ``_base_ = 'mmddas::ddas/retinanet_r50_coco.py'``.

MMEngine resolves ``package::`` for the packages of a list of its own only, those of OpenMMLab.
"""

# MMEngine 0.10.7 takes a distribution's code to lie beside its metadata, where an editable install has none. What is
# not the name of a distribution it imports, and takes the file's folder.
_MODULE_IN_PACKAGE_FOLDER = 'mmddas.version'


def admit_config_package() -> bool:
    """Enter this package in MMEngine's list.

    Returns:
        bool: False where there is no MMEngine.
    """
    try:
        from mmengine.config.utils import MODULE2PACKAGE
    except ImportError:
        return False
    MODULE2PACKAGE.setdefault('mmddas', _MODULE_IN_PACKAGE_FOLDER)
    return True
