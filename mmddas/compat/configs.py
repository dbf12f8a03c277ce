"""Make this package's configs bases of other configs: ``_base_ = 'mmddas::ddas/retinanet_r50_coco.py'``.

MMEngine resolves ``package::`` for the packages of a list, OpenMMLab's, and looks up what a config takes over from such
a base in the registries of the base's package. This package has none: its components are in MMEngine's.
"""

# MMEngine 0.10.7 expects a distribution's code beside its metadata, where an editable install has none. A name that is
# no distribution's it imports, and takes the file's folder.
_MODULE_IN_PACKAGE_FOLDER = 'mmddas.version'


def admit_config_package() -> None:
    """Enter this package in MMEngine's list, without a scope for what is taken over."""
    try:
        from mmengine.config import Config
        from mmengine.config.utils import MODULE2PACKAGE
    except ImportError:
        return
    if 'mmddas' in MODULE2PACKAGE:
        return
    MODULE2PACKAGE['mmddas'] = _MODULE_IN_PACKAGE_FOLDER
    original = Config._get_cfg_path  # private, and the one place that gives a base its scope

    def get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
        path, scope = original(cfg_path, filename)
        return path, None if scope == 'mmddas' else scope

    Config._get_cfg_path = staticmethod(get_cfg_path)
