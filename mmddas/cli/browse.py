"""The command ``browse``."""

import argparse
import json
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from mmddas.config_nodes import augment_configs, type_name
from mmddas.core import PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.datasets import find_augments
from mmddas.datasets.walk import inner_datasets
from mmddas.derive import policy_for, set_policy
from mmddas.viz.augment_sheet import operation_sheet, policy_sheet, write_image

from . import wrong_input_ends
from .config import read_config, read_options


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
    image = read_image(args.image)
    if args.ann:
        boxes = coco_boxes(args.ann, args.image)
    elif args.config:
        config = load_config(args)
        for augment in augment_configs(config.train_dataloader.dataset):
            augment['policy'] = None  # there may be none yet
        boxes = dataset_boxes(build_dataset(config), args.image)
    else:
        boxes = np.zeros((0, 4), np.float32)
    if len(boxes) == 0 and args.task == 'detection':
        print('No boxes: the operations on boxes do nothing here (--ann, or a config, gives boxes)')
    return operation_sheet(image, boxes, args.task, args.levels, args.seed)


def sheet_of_config(args: argparse.Namespace) -> np.ndarray:
    config = load_config(args)
    if args.policy is not None and not list(augment_configs(config.train_dataloader.dataset)):
        for place in set_policy(config, args.policy):
            print(f'DDASAugment {place}')
    hook = hook_config(config)
    fill_in_policy(config, None if args.policy is None else policy_for(config, args.policy))
    dataset = build_dataset(config)
    augments = find_augments(dataset)
    if not augments:
        raise ValueError(f"{args.config}: the training pipeline has no dict(type='DDASAugment', policy=...)")
    for augment in augments:
        schedule = augment.schedule
        augment.schedule = schedule.static() if hook.get('static') else schedule.smooth(hook.get('smoothing', 1))
        last = len(augment.schedule) - 1, len(augment.schedule)
        augment.set_progress(*(last if args.epoch is None else progress(args, config)))
    probs = ', '.join(f'{prob:.3f}' for prob in sorted({augment.snapshot.total_prob for augment in augments}))
    print(f'p_tp {probs}: the share of images that training augments; every draw here is augmented')
    return policy_sheet(dataset, args.num, args.draws, args.seed)


def load_config(args: argparse.Namespace) -> Config:
    config = read_config(args.config)
    config.merge_from_dict(read_options(args.cfg_options))
    if 'dataset' not in (config.get('train_dataloader') or {}):
        raise ValueError(f'{args.config}: train_dataloader=dict(dataset=...) is missing, nothing to show')
    return config


def build_dataset(config: Config) -> object:
    init_default_scope(config.get('default_scope') or 'mmdet')
    return DATASETS.build(config.train_dataloader.dataset)


def fill_in_policy(config: Config, policy: PolicySchedule | None) -> None:
    """Give every DDASAugment of the config the policy; without one, what it gets in a training or search."""
    for augment in augment_configs(config.train_dataloader.dataset):
        if policy is not None or not augment.get('policy'):
            augment['policy'] = policy or hook_policy(config) or uniform_policy(config.get('train_cfg') or {})


def hook_config(config: Config) -> dict:
    """Of PolicyScheduleHook; empty where the config has none."""
    hooks = config.get('custom_hooks') or ()
    return next((hook for hook in hooks if type_name(hook) == 'PolicyScheduleHook'), {})


def hook_policy(config: Config) -> object:
    """What PolicyScheduleHook gives a DDASAugment without a policy; None if there is nothing."""
    hook = hook_config(config)
    return (hook.get('policy') or config.get('policy_file')) if hook else None


def uniform_policy(train_cfg: dict) -> PolicySchedule:
    """The policy that a search starts from."""
    if type_name(train_cfg) != 'DDASSearchLoop':
        raise ValueError("The config's DDASAugment has no policy: give one, --policy policy.json")
    space, num_ops = train_cfg.get('search_space', 'detection'), train_cfg.get('num_ops', 2)
    space = SearchSpace.preset(space, num_ops) if isinstance(space, str) else SearchSpace(space, num_ops)
    start = PolicySnapshot(train_cfg.get('init_total_prob', 0.35), np.full(len(space), 1 / len(space)))
    return PolicySchedule(space, [start])


def progress(args: argparse.Namespace, config: Config) -> tuple[int, int]:
    """The epoch asked for, from 0, and the number of epochs of the re-training."""
    max_epochs = args.max_epochs or (config.get('train_cfg') or {}).get('max_epochs')
    if max_epochs is None:
        raise ValueError('--epoch needs --max-epochs: the config has no train_cfg.max_epochs')
    if not 1 <= args.epoch <= max_epochs:
        raise ValueError(f'--epoch must lie in 1..{max_epochs}, the epochs of the re-training; got {args.epoch}')
    return args.epoch - 1, max_epochs


def read_image(path: str) -> np.ndarray:
    """``(H, W, 3)`` uint8 BGR."""
    content = np.frombuffer(Path(path).read_bytes(), np.uint8)
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if image is None:
        raise ValueError(f'{path}: not an image that OpenCV reads')
    return image


def coco_boxes(ann_file: str, image: str) -> np.ndarray:
    """The boxes ``(N, 4)``, xyxy, that a COCO annotation file has for an image of that file name."""
    try:
        content = json.loads(Path(ann_file).read_text(encoding='utf-8'))
        names = {entry['id']: entry['file_name'] for entry in content['images']}
        ids = of_image(names, image)
        boxes = [item['bbox'] for item in content['annotations'] if item['image_id'] in ids]
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f'{ann_file}: not a COCO annotation file ({error!r})') from error
    if len(ids) != 1:
        raise ValueError(f'{ann_file}: lists {len(ids)} images with the name {Path(image).name!r}, expected one')
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def of_image(paths: dict[object, str], image: str) -> list:
    """The keys of the paths that end as that of an image does, in as many parts as any; at least the name."""
    parts = Path(image).resolve().parts[::-1]
    common = {
        key: len([*takewhile(lambda pair: pair[0] == pair[1], zip(parts, Path(path).parts[::-1], strict=False))])
        for key, path in paths.items()
        if Path(path).name == Path(image).name
    }
    return [key for key, count in common.items() if count == max(common.values())]


def leaves(dataset: object) -> Iterator[object]:
    """The data sets that wrap no other."""
    children = inner_datasets(dataset)
    if not children:
        yield dataset
    for child in children:
        yield from leaves(child)


def dataset_boxes(dataset: object, image: str) -> np.ndarray:
    """The boxes ``(N, 4)`` that a data set, or one that it wraps, has for an image of that file name.

    Of several with that name it is the one whose folders are that image's, too.
    """
    every = (leaf.get_data_info(index) for leaf in leaves(dataset) for index in range(len(leaf)))
    infos = [info for info in every if Path(info.get('img_path') or '').name == Path(image).name]
    paths = {number: str(Path(info['img_path']).resolve()) for number, info in enumerate(infos)}
    found = of_image(paths, image)
    if not found:
        raise ValueError(f'The training data of the config hold no image named {Path(image).name!r}')
    if len({paths[number] for number in found}) > 1:
        shown = ', '.join(dict.fromkeys(paths[number] for number in found))
        raise ValueError(
            f'The training data hold several images named {Path(image).name!r}: {shown}; give one of these'
        )
    boxes = [instance['bbox'] for instance in infos[found[0]].get('instances', ())]
    return np.array(boxes, np.float32).reshape(-1, 4)
