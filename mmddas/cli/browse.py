"""The command ``browse``."""

import argparse
import json
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from mmddas.config_nodes import augment_configs, type_name
from mmddas.core import PolicySchedule, PolicySnapshot
from mmddas.datasets import find_augments
from mmddas.datasets.walk import datasets_within, inner_datasets
from mmddas.derive import policy_for, set_policy
from mmddas.engine.build import build_search_space
from mmddas.viz.augment_sheet import operation_sheet, policy_sheet, write_image

from . import wrong_input_ends
from .config import read_config


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    if not args.image and not args.config:
        parser.error('give --image for an image under every operation, or a config for its data under a policy')
    if args.ann and not args.image:
        parser.error('--ann gives the boxes of an image: give --image as well')
    with wrong_input_ends(parser):
        sheet = sheet_of_image(args) if args.image else sheet_of_config(args)
        write_image(sheet, args.out)
    print(f'{args.out}: {sheet.shape[1]} x {sheet.shape[0]} pixels')


def sheet_of_image(args: argparse.Namespace) -> np.ndarray:
    """Draw an image under every operation, with its boxes from an annotation file or from a config's data."""
    content = np.frombuffer(Path(args.image).read_bytes(), np.uint8)
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if image is None:
        raise ValueError(f'{args.image}: not an image that OpenCV reads')
    boxes = np.zeros((0, 4), np.float32)
    if args.ann:
        boxes = coco_boxes(args.ann, args.image)
    elif args.config:
        config = _training_config(args)
        for augment in augment_configs(config.train_dataloader.dataset):
            augment['policy'] = None  # whose file may be missing yet
        boxes = dataset_boxes(_build_dataset(config), args.image)
    if len(boxes) == 0 and args.task == 'detection':
        print('No boxes: the operations on boxes do nothing here (--ann, or a config, gives boxes)')
    return operation_sheet(image, boxes, args.task, args.levels, args.seed)


def sheet_of_config(args: argparse.Namespace) -> np.ndarray:
    """Draw training data under the given policy, or else the config's."""
    config = _training_config(args)
    if args.policy is not None and not list(augment_configs(config.train_dataloader.dataset)):
        for place in set_policy(config, args.policy):
            print(f'DDASAugment {place}')
    hooks = [hook for hook in config.get('custom_hooks') or () if type_name(hook) == 'PolicyScheduleHook']
    hook = hooks[0] if hooks else {}
    policy = None if args.policy is None else policy_for(config, args.policy)
    of_hook = (hook.get('policy') or config.get('policy_file')) if hook else None
    for augment in augment_configs(config.train_dataloader.dataset):
        if policy is not None or not augment.get('policy'):
            augment['policy'] = policy or of_hook or _first_policy(config)
    dataset = _build_dataset(config)
    augments = find_augments(dataset)
    if not augments:
        raise ValueError(f"{args.config}: the training pipeline has no dict(type='DDASAugment', policy=...)")
    for augment in augments:
        schedule = augment.schedule
        augment.schedule = schedule.static() if hook.get('static') else schedule.smooth(hook.get('smoothing', 1))
        last = len(augment.schedule) - 1, len(augment.schedule)
        augment.set_progress(*(last if args.epoch is None else _progress(args, config)))
    probs = ', '.join(f'{prob:.3f}' for prob in sorted({augment.snapshot.total_prob for augment in augments}))
    print(f'p_tp {probs}: the share of images that training augments; every draw here is augmented')
    return policy_sheet(dataset, args.num, args.draws, args.seed)


def _training_config(args: argparse.Namespace) -> Config:
    config = read_config(args.config, args.cfg_options)
    if 'dataset' not in (config.get('train_dataloader') or {}):
        raise ValueError(f'{args.config}: train_dataloader=dict(dataset=...) is missing, nothing to show')
    return config


def _build_dataset(config: Config) -> object:
    init_default_scope(config.get('default_scope') or 'mmdet')
    return DATASETS.build(config.train_dataloader.dataset)


def _first_policy(config: Config) -> PolicySchedule:
    """Return the uniform policy that a search starts from."""
    loop = config.get('train_cfg') or {}
    if type_name(loop) != 'DDASSearchLoop':
        raise ValueError("The config's DDASAugment has no policy: give one, --policy policy.json")
    space = build_search_space(loop.get('search_space', 'detection'), loop.get('num_ops', 2))
    start = PolicySnapshot(loop.get('init_total_prob', 0.35), np.full(len(space), 1 / len(space)))
    return PolicySchedule(space, [start])


def _progress(args: argparse.Namespace, config: Config) -> tuple[int, int]:
    """Return the epoch asked for, from 0, and the number of epochs of the training."""
    max_epochs = args.max_epochs or (config.get('train_cfg') or {}).get('max_epochs')
    if max_epochs is None:
        raise ValueError('--epoch needs --max-epochs: the config has no train_cfg.max_epochs')
    if not 1 <= args.epoch <= max_epochs:
        raise ValueError(f'--epoch must be from 1 to {max_epochs}, the epochs of the training; got {args.epoch}')
    return args.epoch - 1, max_epochs


def coco_boxes(ann_file: str, image: str) -> np.ndarray:
    """Read an image's boxes ``(N, 4)``, xyxy, from a COCO annotation file."""
    try:
        content = json.loads(Path(ann_file).read_text(encoding='utf-8'))
        boxes = {entry['id']: [] for entry in content['images']}
        for item in content['annotations']:
            x, y, width, height = item['bbox']
            boxes.get(item['image_id'], []).append([x, y, x + width, y + height])
        listed = [(entry['file_name'], boxes[entry['id']]) for entry in content['images']]
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f'{ann_file}: not a COCO annotation file ({error!r})') from error
    return _boxes_of(image, listed, ann_file)


def dataset_boxes(dataset: object, image: str) -> np.ndarray:
    """Return an image's boxes ``(N, 4)``, xyxy, in a data set or those that it wraps."""
    leaves = [part for part in datasets_within(dataset) if not inner_datasets(part)]
    infos = (leaf.get_data_info(index) for leaf in leaves for index in range(len(leaf)))
    listed = [(info.get('img_path') or '', [box['bbox'] for box in info.get('instances', ())]) for info in infos]
    return _boxes_of(image, listed, 'the training data')


def _boxes_of(image: str, listed: Iterable[tuple[str, list]], source: str) -> np.ndarray:
    """Return the boxes of the listed image with that name; of several, the one with the most folders in common."""
    parts, found = Path(image).resolve().parts[::-1], {}
    for path, boxes in listed:
        if Path(path).name == Path(image).name:
            pairs = zip(parts, Path(path).parts[::-1], strict=False)
            common = len([*takewhile(lambda pair: pair[0] == pair[1], pairs)])
            found.setdefault(common, {}).setdefault(path, boxes)
    if not found:
        raise ValueError(f'{source}: no image is named {Path(image).name!r}')
    best = found[max(found)]
    if len(best) > 1:
        raise ValueError(
            f'{source}: several images are named {Path(image).name!r}: {", ".join(best)}; give one of these'
        )
    return np.array(next(iter(best.values())), np.float32).reshape(-1, 4)
