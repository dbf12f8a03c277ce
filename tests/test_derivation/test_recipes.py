"""A search is derived from MMDetection's and MMPretrain's own recipes, and runs, two iterations at small size."""

import copy

import pytest
from mmengine.config import Config
from recipes import CLASSIFIERS, RECIPES, classifier, recipe, run

from mmddas.datasets import find_augments
from mmddas.derivation import SearchOptions, derive_search

USUAL = ('yolox', 'resnet_cifar')
SIX_IMAGES = SearchOptions(num_train=4, num_val=2, epochs=1)


def usual_first(names) -> list:
    return [name if name in USUAL else pytest.param(name, marks=pytest.mark.slow) for name in names]


def check_search_of(training: Config, name: str) -> Config:
    """Derive a search, run it for the two iterations that it has, and return its config."""
    before = copy.deepcopy(training.to_dict())
    derived = derive_search(training, name, SIX_IMAGES)
    assert training.to_dict() == before
    config = Config.fromstring(derived.text, '.py')
    config.work_dir = training.work_dir
    runner = run(config)
    s_train, s_val = runner.train_dataloader.dataset.dataset, runner.train_loop.batches.plain_policy_loader.dataset
    assert (len(s_train), len(s_val)) == (4, 2)
    assert find_augments(s_val) == []
    return config


@pytest.mark.parametrize('name', usual_first(RECIPES))
def test_of_detectors(name, shapes, tmp_path):
    training = recipe(name, shapes, tmp_path / 'work')
    dataset = training.train_dataloader.dataset
    dataset.get('dataset', dataset).indices = 6
    check_search_of(training, name)


@pytest.mark.parametrize('name', usual_first(CLASSIFIERS))
def test_of_classifiers(name, images, tmp_path, monkeypatch):
    monkeypatch.setattr('mmpretrain.datasets.CIFAR10._check_integrity', lambda self: True)
    config = check_search_of(classifier(name, images, tmp_path / 'work'), name)
    place = [step.type for step in config.train_dataloader.dataset.dataset.pipeline].index('DDASAugment')
    assert place == (0 if name == 'resnet_cifar' else 2)
    assert config.train_cfg.search_space == 'cifar'
