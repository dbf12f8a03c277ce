"""Broken images and annotations: each works or is named and skipped, and too many of them end the search."""

import errno
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.hooks import Hook
from mmengine.registry import TRANSFORMS
from mmengine.runner import Runner
from PIL import Image
from searches import final_policy

from mmddas.datasets import DDASAugment
from mmddas.datasets.search.broken import BrokenDataError, BrokenSample, SkippedSamples, is_of_the_data, listed


def rewritten(write):
    """A way to spoil an image: ``write(path, image)`` in its place."""

    def spoil(path: Path, annotations: list[dict]) -> None:
        write(path, cv2.imread(str(path)))

    return spoil


def saved_as(mode: str, suffix: str, **options):
    """PIL's ``mode`` in ``suffix``'s format, under the old name: readers go by content."""

    def write(path: Path, image: np.ndarray) -> None:
        Image.fromarray(image[..., ::-1]).convert(mode).save(path.with_suffix(suffix), **options)
        path.with_suffix(suffix).rename(path)

    return rewritten(write)


def with_box(**values):
    """A way to spoil annotations: every box gets these values."""

    def spoil(path: Path, annotations: list[dict]) -> None:
        for annotation in annotations:
            annotation['bbox'] = [values.get(key, old) for key, old in zip('xywh', annotation['bbox'], strict=True)]
            annotation['area'] = 100.0

    return spoil


def rotated() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def write_16_bit(path: Path, image: np.ndarray) -> None:
    path.write_bytes(cv2.imencode('.png', image.astype(np.uint16) * 257)[1].tobytes())


def write_resized(width: int, height: int):
    return rewritten(
        lambda path, image: path.write_bytes(cv2.imencode('.png', cv2.resize(image, (width, height)))[1].tobytes())
    )


WORKING = dict(
    no_boxes=lambda path, annotations: annotations.clear(),
    zero_area=with_box(w=0.0),
    outside=with_box(x=500.0),
    reaching_out=with_box(x=-20.0, w=300.0),
    infinite_corner=with_box(y=float('-inf')),
    nan_box=with_box(x=float('nan')),
    grey=saved_as('L', '.png'),
    rgba=saved_as('RGBA', '.png'),
    palette=saved_as('P', '.png'),
    cmyk=saved_as('CMYK', '.jpg'),
    exif=saved_as('RGB', '.jpg', exif=rotated()),
    bits16=rewritten(write_16_bit),
    one_pixel=write_resized(1, 1),
    one_row=write_resized(60, 1),
    large=write_resized(3000, 2000),
)
BROKEN = dict(
    truncated=rewritten(lambda path, image: path.write_bytes(cv2.imencode('.jpg', image)[1].tobytes()[:400])),
    garbage=lambda path, annotations: path.write_bytes(b'\x89PNG' + bytes(range(256))),
    empty=lambda path, annotations: path.write_bytes(b''),
    missing=lambda path, annotations: path.unlink(),
    folder=lambda path, annotations: (path.unlink(), path.mkdir()),
    infinite_box=with_box(w=float('inf')),
    one_that_resizing_makes_empty=write_resized(40000, 2),
)
KINDS = WORKING | BROKEN


def spoilt(shapes: Path, folder: Path, split: str, ways: list[str]) -> dict[str, str]:
    """Copy ``shapes`` to ``folder`` and spoil one image of ``split`` in each of ``ways``; file name -> way."""
    if not folder.exists():
        shutil.copytree(shapes, folder)
    path = folder / 'annotations' / f'{split}.json'
    content = json.loads(path.read_text())
    names, originals = {}, len(content['images'])
    for number, way in enumerate(ways):
        image = content['images'][number % originals]
        if number >= originals:  # another image
            image = dict(image, id=1000 + number, file_name=f'more_{number}.png')
            cv2.imwrite(str(folder / split / image['file_name']), np.full((64, 64, 3), 90, np.uint8))
            box = dict(content['annotations'][-1], id=1000000 + number, image_id=image['id'], bbox=[8, 8, 30, 30])
            content['annotations'].append(box)
            content['images'].append(image)
        own = [annotation for annotation in content['annotations'] if annotation['image_id'] == image['id']]
        others = [annotation for annotation in content['annotations'] if annotation['image_id'] != image['id']]
        KINDS[way](folder / split / image['file_name'], own)
        content['annotations'] = others + own
        names[image['file_name']] = way
    path.write_text(json.dumps(content))
    return names


def config_of(search_config, folder: Path, **options):
    config = search_config({f'train_cfg.{key}': value for key, value in options.items()})
    for loader in (config.train_dataloader, config.train_cfg.policy_dataloader):
        loader.dataset.update(data_root=f'{folder}/', filter_cfg=dict(filter_empty_gt=False))
    return config


def log_of(config) -> str:
    return next(Path(config.work_dir).glob('*/*.log')).read_text()


@pytest.mark.parametrize('split', ['train', 'val'])
def test_every_kind_of_broken_data_works_or_is_named_and_skipped(search_config, shapes, tmp_path, split):
    names = spoilt(shapes, tmp_path / 'spoilt', split, list(KINDS))
    search_space = ['Rotate_BBox', 'ShearX_Only_BBoxes', 'Cutout', 'Equalize', 'BBox_Cutout']
    space = [(op, None if op == 'Equalize' else 6) for op in search_space]
    config = config_of(search_config, tmp_path / 'spoilt', max_broken_share=0.5, max_epochs=1, search_space=space)
    config.train_cfg.policy_dataloader.batch_size = 8  # so that all of S_val is seen
    Runner.from_cfg(config).train()
    assert len(final_policy(config)['epochs']) == 1
    which, log = dict(train='S_train', val='S_val')[split], log_of(config)
    skipped = {way for name, way in names.items() if f'{which}: skipped' in log and f'/{name}: ' in log}
    # Boxes of S_val have been clipped at the image's border when they are looked at, and are finite then.
    assert skipped == set(BROKEN) - ({'infinite_box'} if split == 'val' else set())


def test_too_many_broken_images_end_the_search_with_a_list(search_config, shapes, tmp_path):
    names = spoilt(shapes, tmp_path / 'spoilt', 'train', ['garbage', 'missing', 'infinite_box', 'empty'] * 2)
    config = config_of(search_config, tmp_path / 'spoilt')
    with pytest.raises(BrokenDataError, match=r'(?s)of the 12 samples of S_train.*max_broken_share=0.1.*\n') as raised:
        Runner.from_cfg(config).train()
    assert any(name in str(raised.value) for name in names)
    assert not Path(config.work_dir, 'policy.json').exists()
    assert Path(config.work_dir, 'stopped.pth').exists()


def test_a_search_whose_data_vanish_is_saved(search_config, shapes, tmp_path):
    """It ends with a checkpoint of the iterations before, and goes on from it once they are back."""
    folder = tmp_path / 'data'
    shutil.copytree(shapes, folder)

    class Vanish(Hook):
        def after_train_iter(self, runner, **kwargs) -> None:
            if runner.iter == 1:
                (folder / 'train').rename(folder / 'away')

    config = config_of(search_config, folder, max_broken_share=1.0)
    runner = Runner.from_cfg(config)
    runner.register_hook(Vanish())
    with pytest.raises(BrokenDataError, match='samples in a row are broken'):
        runner.train()
    (folder / 'away').rename(folder / 'train')
    config.update(resume=True, load_from=str(Path(runner.work_dir, 'stopped.pth')), experiment_name='resumed')
    resumed = Runner.from_cfg(config)
    resumed.train()
    assert resumed.iter > runner.iter == 2


def test_broken_samples_change_a_search_in_no_other_way_than_the_number_of_workers(search_config, shapes, tmp_path):
    spoilt(shapes, tmp_path / 'spoilt', 'train', ['garbage', 'missing'])
    policies = []
    for workers in (0, 2):
        config = config_of(search_config, tmp_path / 'spoilt', max_broken_share=0.5, max_epochs=1)
        config.train_dataloader.num_workers = workers
        config.work_dir += str(workers)
        Runner.from_cfg(config).train()
        policies.append(final_policy(config)['epochs'])
    assert policies[0] == policies[1]


@TRANSFORMS.register_module()
class Mistaken:
    """A transform that fails with every sample."""

    def __init__(self, error):
        self.error = dict(attribute=AttributeError('no such thing'), value=ValueError())[error]

    def __call__(self, results):
        raise self.error


@pytest.mark.parametrize(
    ('error', 'expected'),
    [('attribute', (AttributeError, 'no such thing')), ('value', (BrokenDataError, 'in __call__'))],
)
def test_mistakes_in_a_pipeline_are_not_taken_for_broken_data(search_config, error, expected):
    """At once where it cannot be the data, else where no sample is left; in both cases with the place."""
    config = search_config()
    config.train_dataloader.dataset.pipeline.append(dict(type='Mistaken', error=error))
    with pytest.raises(expected[0], match=expected[1]):
        Runner.from_cfg(config).train()


def test_samples_that_share_in_a_broken_one_are_not_counted_with_it(search_config, shapes, tmp_path):
    """Mosaics of four images: those that the missing one would have been part of."""
    (name,) = spoilt(shapes, tmp_path / 'spoilt', 'train', ['missing'])
    config = config_of(search_config, tmp_path / 'spoilt', max_epochs=3)
    dataset = config.train_dataloader.dataset
    config.train_dataloader.dataset = dict(
        type='MultiImageMixDataset',
        dataset=dict(dataset, pipeline=dataset.pipeline[:2]),
        pipeline=[dict(type='Mosaic', img_scale=(32, 32)), *dataset.pipeline[2:]],
    )
    Runner.from_cfg(config).train()
    skipped = [line for line in log_of(config).splitlines() if 'skipped' in line and 'S_train' in line]
    assert len(skipped) == 1 and f'/{name}: ' in skipped[0]


@pytest.mark.parametrize('error', [MemoryError(), OSError(errno.ESTALE, 'stale'), OSError(errno.EMFILE, 'files')])
def test_errors_of_the_machine_are_not_taken_for_broken_data(error):
    assert not is_of_the_data(error)
    assert is_of_the_data(OSError('truncated')) and is_of_the_data(FileNotFoundError(errno.ENOENT, 'no such file'))


def test_each_broken_sample_counts_once():
    skipped = SkippedSamples('S_train', size=20, max_share=0.1)
    first, second, third = (BrokenSample(f'{i}.png', 'OSError: gone') for i in range(3))
    for _ in range(5):
        skipped.note([first, second])
    with pytest.raises(BrokenDataError, match='3 of the 20 samples of S_train.*allows 2'):
        skipped.note([third])


def test_long_lists_are_cut():
    text = listed(BrokenSample(f'{i}.png', 'gone') for i in range(100))
    assert '0.png' in text and '99.png' not in text and 'and 80 more' in text


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(img=np.zeros((4, 4), np.uint8)), r'x.png: expected an image \(H, W, 3\)'),
        (dict(img=np.zeros((4, 4, 3), np.uint16)), 'x.png: expected an image.*uint16'),
        (dict(img=np.zeros((0, 4, 3), np.uint8)), 'x.png: the image has no pixels'),
        (dict(gt_bboxes=np.array([[0, 0, np.nan, 2]], np.float32)), 'x.png: a box is not made of finite numbers'),
    ],
)
def test_training_with_a_policy_names_the_image_that_it_cannot_augment(change, message):
    policy = dict(num_ops=1, candidates=[dict(op='Equalize')], epochs=[dict(total_prob=0.0, op_probs=[1.0])])
    sample = dict(img_path='x.png', img=np.zeros((4, 4, 3), np.uint8)) | change
    with pytest.raises(ValueError, match=message):
        DDASAugment(policy)(sample)
