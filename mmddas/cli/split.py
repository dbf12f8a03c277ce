"""The command ``split``."""

import argparse
from pathlib import Path

from mmddas.datasets.class_counts import class_rows
from mmddas.datasets.splits.parts import Split, split, write_split
from mmddas.derive import OwnData, training_text
from mmddas.files import keep_other, write_text
from mmddas.viz.tables import text_table

from . import wrong_input_ends
from .config import read_config


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    with wrong_input_ends(parser):
        # '.' and '..' have other names elsewhere.
        source = args.source.resolve() if args.source.name in ('', '..') else args.source
        out_dir = args.out_dir or source.with_name(f'{source.stem}_split')
        if args.config is not None:
            training = read_config(args.config)  # before anything is written
            path = out_dir / f'{Path(args.config.split("::")[-1]).stem}.py'
            if path.is_file() and Path(args.config).is_file() and path.samefile(args.config):
                raise ValueError(f'{path} was written by an earlier split: name the config that it was made from')
        found = split(args.source, args.val, args.test, args.seed, args.images)
        files = write_split(found, out_dir, args.overwrite)
        for note in found.notes:
            print(f'Note: {note}')
        print(text_table(class_rows(found.counts()), indent=2))
        print('\n' + ', '.join(map(str, files.values())))
        if args.config is not None:
            text = training_text(training, args.config, _own_data(found, files), path)
            kept = keep_other(path, text)
            write_text(path, text)
            if kept is not None:
                print(f'\nThe config that was there differs, and is kept: {kept}')
            if not args.source.is_absolute():
                print(f'\nThe paths in {path} start from this folder: run the next commands here, too')
            print(f'\nA training on these images: {path}; next, search a policy for it:\n')
            print(f'  mmddas search {path}')


def _own_data(found: Split, files: dict[str, Path]) -> OwnData:
    if found.images is None:
        raise ValueError('--config needs to know where the images are: --images DIR')
    files = {part: file for part, file in files.items() if part in found.contents}
    if found.kind == 'folders':
        return OwnData('classification', found.classes, found.images, files)
    has_masks = any(item.get('segmentation') for item in found.contents['train']['annotations'])
    return OwnData('detection', found.classes, found.images, files, has_masks)
