"""Every config that MMDetection and MMPretrain ship has a place for the operations, and an S_val without its own."""

import importlib
from collections import Counter
from pathlib import Path

import pytest
from mmengine.config import Config

from mmddas.config_nodes import training_dataset, type_name
from mmddas.derive import place_augments
from mmddas.derive.data import missing_steps, plain, unrepeated


def trainings(package: str) -> list[tuple[str, Config]]:
    root = Path(pytest.importorskip(package).__file__).parent / '.mim' / 'configs'
    found = []
    for path in sorted(root.rglob('*.py')):
        if '_base_' in path.parts:
            continue
        try:
            config = Config.fromfile(path)
        except Exception:  # what its own base files have wrong
            continue
        if config.get('train_dataloader'):
            found.append((str(path.relative_to(root)), config))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(('package', 'least'), [('mmdet', 800), ('mmpretrain', 480)])
def test_every_config_has_a_place_and_an_s_val(package, least):
    importlib.import_module(f'{package}.datasets')
    configs = trainings(package)
    assert len(configs) >= least
    within, missing = [], Counter()
    for name, config in configs:
        dataset = training_dataset(config)
        missing.update(missing_steps(dataset, plain(unrepeated(dataset), config.default_scope)))
        try:
            places = place_augments(config)
        except ValueError as error:
            assert 'loads images within' in str(error), name
            within.append(name)
            continue
        for place in places:
            before = type_name(place.pipeline[place.index - 1]) if place.index else ''
            in_memory = 'cifar' in name or 'mnist' in name
            assert (
                before.startswith(('Load', 'Mosaic', 'MixUp', 'CopyPaste'))
                or 'Res' in before
                or 'Crop' in before
                or in_memory
            ), name
    assert len(within) <= 20
    assert missing and not set(missing) & {
        'LoadImageFromFile',
        'Resize',
        'RandomResizedCrop',
        'RandomCrop',
        'Pad',
        'RandomFlip',
    }
