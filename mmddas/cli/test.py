"""The command ``test``."""

import argparse
import os
from collections import Counter

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric, DumpResults

from mmddas.engine.checkpoints import check_checkpoint

from . import wrong_input_ends
from .config import load_config
from .run import build_runner, check_data, check_parts, check_work_dir, end_process


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    with wrong_input_ends(parser):
        if args.out and not args.out.endswith(('.pkl', '.pickle')):
            raise ValueError(f'--out writes a pickle file: its name must end in .pkl, got {args.out}')
        config = load_config(args)
        config.load_from = check_checkpoint(args.checkpoint)
        check_parts(config, 'model', 'test_dataloader', 'test_cfg', 'test_evaluator')
        check_data(config, ['test_dataloader'])
        check_work_dir(config.work_dir)
    if args.show_dir:
        _draw_predictions(config, args.show_dir)
    runner = build_runner(config)
    if args.show_dir:
        _warn_of_shared_names(runner.test_dataloader.dataset, args.show_dir)
    if args.out:
        runner.test_evaluator.metrics.append(_dump(config.get('default_scope'), args.out))
    runner.test()
    end_process()


def _draw_predictions(config: Config, folder: str) -> None:
    """Have the config's visualization hook draw the predictions."""
    hooks = config.setdefault('default_hooks', {})
    settings = dict(type='DetVisualizationHook', draw=True, test_out_dir=os.path.abspath(folder))
    if config.get('default_scope') == 'mmpretrain':
        settings = dict(type='VisualizationHook', enable=True, interval=1, out_dir=os.path.abspath(folder))
    hooks['visualization'] = dict(hooks.get('visualization') or {}, **settings)


def _warn_of_shared_names(dataset: BaseDataset, folder: str) -> None:
    """Warn of images in several folders with one name, after which the hooks name their drawings."""
    files = (dataset.get_data_info(index).get('img_path') for index in range(len(dataset)))
    names = Counter(os.path.basename(file) for file in files if file)
    shared = [name for name, count in names.items() if count > 1]
    if shared:
        print(
            f'WARNING: {len(shared)} names belong to several images each ({shared[0]}, for instance), and {folder} '
            'gets a drawing of only one of them'
        )


def _dump(scope: str | None, path: str) -> BaseMetric:
    """Return the metric that writes the predictions; MMDetection's own one encodes masks."""
    if scope == 'mmdet':
        from mmdet.evaluation import DumpDetResults

        return DumpDetResults(out_file_path=path)
    return DumpResults(out_file_path=path)
