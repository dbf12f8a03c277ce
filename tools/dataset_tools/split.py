"""Split a data set into train, val and test, and write the config of a training on it.

    python tools/dataset_tools/split.py photos                       # Pascal VOC: XML files and images, anywhere below
    python tools/dataset_tools/split.py photos/annotations.json      # COCO
    python tools/dataset_tools/split.py flowers                      # class folders: flowers/<class>/<image>
    python tools/dataset_tools/split.py photos --config mmdet::retinanet/retinanet_r50_fpn_1x_coco.py

Each class is shared out in its proportion, by a seed; images are not copied. Detection gets train.json, val.json and
test.json in COCO's format, classification train.txt, val.txt, test.txt and classes.txt. With --config there is the
config of a training on them, too, which tools/search.py and tools/train.py take as it is.
"""

import argparse
from pathlib import Path

import mmddas  # noqa: F401  (makes MMCV work without compiled operators, which a config may ask for)
from mmddas.command_line import read_config
from mmddas.core.files import write_text
from mmddas.datasets.class_table import class_table
from mmddas.datasets.proxies.splits import Split, split, write_split
from mmddas.derivation import OwnData, training_text


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='a COCO file, a folder with XML files and images, or class folders')
    for part in ('val', 'test'):
        parser.add_argument(
            f'--{part}', type=float, default=0.2, help='share below 1, or number of images; 0: none (default: 0.2)'
        )
    parser.add_argument('--seed', type=int, default=0, help='same seed, same images (default: 0)')
    parser.add_argument('--images', type=Path, help="folder from which COCO's file_name starts (default: looked for)")
    parser.add_argument('--out-dir', type=Path, help="where to (default: beside the source, its name and '_split')")
    parser.add_argument('--overwrite', action='store_true', help='another split that is there')
    parser.add_argument('--config', help='of a training, yours or a packaged one (mmdet::..., mmpretrain::...)')
    return parser, parser.parse_args()


def own_data(found: Split, files: dict[str, Path]) -> OwnData:
    if found.images is None:
        raise ValueError('--config needs to know where the images are: --images DIR')
    files = {part: file for part, file in files.items() if part in found.contents}
    if found.kind == 'folders':
        return OwnData('classification', found.classes, found.images, files)
    has_masks = any(item.get('segmentation') for item in found.contents['train']['annotations'])
    return OwnData('detection', found.classes, found.images, files, has_masks)


def main() -> None:
    parser, args = parse_args()
    out_dir = args.out_dir or args.source.with_name(f'{args.source.stem}_split')
    try:
        found = split(args.source, args.val, args.test, args.seed, args.images)
        files = write_split(found, out_dir, args.overwrite)
        for note in found.notes:
            print(f'Note: {note}')
        print(class_table(found.counts()))
        print('\n' + ', '.join(map(str, files.values())))
        if args.config is not None:
            path = out_dir / f'{Path(args.config.split("::")[-1]).stem}.py'
            write_text(path, training_text(read_config(args.config), args.config, own_data(found, files), path))
            print(f'\nA training on these images: {path}; next, search a policy for it:\n')
            print(f'  python tools/search.py {path}')
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == '__main__':
    main()
