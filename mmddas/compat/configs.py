"""This package's configs as bases of other configs: ``_base_ = 'mmddas::ddas/retinanet_r50_coco.py'``.

MMEngine resolves ``package::`` for the packages of a list of its own only, those of OpenMMLab. What it takes over from
such a base it looks up in the registries of the base's package; this one's components are in MMEngine's own, and its
configs name those of MMDetection and MMPretrain.
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
    _have_no_scope()
    return True


def _have_no_scope() -> None:
    from mmengine.config import Config

    original = Config._get_cfg_path
    if getattr(original, 'of_mmddas', False):
        return

    def get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
        path, scope = original(cfg_path, filename)
        return path, None if scope == 'mmddas' else scope

    get_cfg_path.of_mmddas = True
    Config._get_cfg_path = staticmethod(get_cfg_path)
