"""What augmentation costs in the data workers, an image: the views of a search, or DDASAugment in re-training.

For a search's config: what making the L^ + 1 views of a sample takes, beside the sum of its parts, each timed alone:
one load, L^ times N_o operations, L^ + 1 times the transforms after them. For another config, or with
``--re-training``: what an image takes in a data worker with a uniform policy at p_tp = 0.5 and at (nearly) 0, beside
the pipeline without DDASAugment.

    python tools/benchmarks/data.py configs/ddas/retinanet_thin_bccd.py
    python tools/benchmarks/data.py configs/ddas/retinanet_thin_bccd_train.py
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, init_default_scope
from search_settings import with_defaults
from torch.utils.data import Dataset

from mmddas.cli.arguments import add_arguments
from mmddas.cli.config import load_config
from mmddas.config_nodes import type_name
from mmddas.core import AugmentationPolicy, PolicySchedule, SearchSpace
from mmddas.datasets.augment import global_generator
from mmddas.datasets.search import SampleKey, SearchDataset
from mmddas.datasets.walk import augments_within, datasets_within, transforms_of
from mmddas.engine.build import build_search_space

BATCH = 4


def milliseconds(function: Callable, *args) -> tuple[float, object]:
    start = time.perf_counter()
    result = function(*args)
    return (time.perf_counter() - start) * 1e3, result


def views(config: Config, samples: list[int]) -> None:
    """Prints the parts of making views, their sum, and what making them takes."""
    loop = with_defaults(config.train_cfg)
    space = build_search_space(loop.search_space, loop.num_ops)
    count = loop.num_sub_policies
    dataset = SearchDataset(DATASETS.build(config.train_dataloader.dataset), space, count, seed=0)
    times: dict[str, list[float]] = {name: [] for name in ('load', 'operations', 'transforms after them', 'views')}

    def take_apart(key: SampleKey) -> None:
        elapsed, sample = milliseconds(super(SearchDataset, dataset).load, key)
        times['load'].append(elapsed)
        continuation = sample.pop('_ddas_continuation')
        rng = global_generator()
        _, sub_policies = dataset.sub_policies(key.epoch, key.batch)
        operations = after = 0.0
        made = []  # kept, as views are until their batch is complete: memory to be used again would be in caches
        for sub_policy in [(), *sub_policies]:  # in the order in which views are made, so that caches are as warm
            copied = copy.deepcopy(sample)
            if sub_policy:
                elapsed, copied = milliseconds(continuation.augment.augment, copied, sub_policy, rng)
                operations += elapsed
            elapsed, view = milliseconds(continuation.suffix, copied)
            after += elapsed
            made.append(view)
        times['operations'].append(operations)
        times['transforms after them'].append(after)

    for number, index in enumerate(samples):
        key = SampleKey(index, epoch=0, batch=number // config.train_dataloader.batch_size)
        if number % 2:
            take_apart(key)
        times['views'].append(milliseconds(dataset.load, key)[0])
        if not number % 2:
            take_apart(key)

    parts = [statistics.mean(measured) for name, measured in times.items() if name != 'views']
    labels = ('one load', f'{count} times {space.num_ops} operations', f'{count + 1} times the transforms after them')
    for label, part in zip(labels, parts, strict=True):
        print(f'{label:38}{part:9.3f} ms')
    made = statistics.mean(times['views'])
    print(f'{"their sum":38}{sum(parts):9.3f} ms')
    print(f'{f"making the {count + 1} views of a sample":38}{made:9.3f} ms   ratio {made / sum(parts):.3f}')
    print(f'{"the operations among it":38}{parts[1] / made:9.1%}')


def make_batch(dataset: Dataset, indices: list[int]) -> None:
    """What a data worker does for a batch: load, transform, collate, copy to the memory it shares with the training."""
    batch = pseudo_collate([dataset[index] for index in indices])
    for image in batch['inputs']:
        image.share_memory_()


def re_training(config: Config, samples: list[int], rounds: int) -> None:
    """Prints what an image takes in a data worker with DDASAugment and without, batch by batch in turn."""
    space = SearchSpace.preset('detection' if config.default_scope == 'mmdet' else 'cifar', num_ops=2)
    datasets = {}
    for name, total_prob in (('without DDASAugment', None), ('p_tp = 0', 1e-9), ('p_tp = 0.5', 0.5)):
        dataset = datasets[name] = DATASETS.build(config.train_dataloader.dataset)
        schedule = PolicySchedule(space)
        if total_prob is not None:
            schedule.append(AugmentationPolicy(space, total_prob))
        for part in datasets_within(dataset):
            transforms = transforms_of(part)
            for augment in list(augments_within(transforms)):
                if total_prob is None:
                    transforms.remove(augment)
                else:
                    augment.set_policy(schedule)
    batches = [samples[start : start + BATCH] for start in range(0, len(samples) - BATCH + 1, BATCH)]
    times = {name: [] for name in datasets}
    for _ in range(rounds):
        elapsed = dict.fromkeys(datasets, 0.0)
        for number, batch in enumerate(batches):
            names = [*datasets]
            for name in names[number % 3 :] + names[: number % 3]:
                elapsed[name] += milliseconds(make_batch, datasets[name], batch)[0]
        for name, total in elapsed.items():
            times[name].append(total / len(batches) / BATCH)
    plain = times['without DDASAugment']
    for name, measured in times.items():
        ratios = [b / a for a, b in zip(plain, measured, strict=True)]
        ratio = f'{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})'
        print(f'{name:22}{statistics.median(measured):9.3f} ms an image   ratio {ratio}')


def main() -> None:
    parser = add_arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]), training=False)
    parser.add_argument('--re-training', action='store_true', help="measure a search's pipeline as one of re-training")
    parser.add_argument('--samples', type=int, default=300, help='samples to measure')
    parser.add_argument('--rounds', type=int, default=9, help='rounds of all samples, in re-training')
    args = parser.parse_args()
    config = load_config(args)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    init_default_scope(config.default_scope)
    size = len(DATASETS.build(config.train_dataloader.dataset))
    samples = np.random.default_rng(0).integers(size, size=args.samples).tolist()
    search = type_name(config.train_cfg) == 'DDASSearchLoop' and not args.re_training
    if search:
        print(f'\n{args.config}, one thread, means of {len(samples)} samples\n')
        views(config, samples)
    else:
        print(f'\n{args.config}, one thread, medians of {args.rounds} rounds of {len(samples)} samples\n')
        re_training(config, samples, args.rounds)


if __name__ == '__main__':
    main()
