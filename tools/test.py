"""Evaluate a trained detector or classifier on the config's test set."""

import argparse

from mmengine.evaluator import BaseMetric, DumpResults

import mmddas  # noqa: F401  (registers the components, and makes MMCV work without compiled operators)
from mmddas.command_line import add_arguments, build_runner, end_process, load_config


def _dump(scope: str | None, path: str) -> BaseMetric:
    """The metric that writes predictions; MMDetection has one of its own, which makes its masks small."""
    if scope == 'mmdet':
        from mmdet.evaluation import DumpDetResults

        return DumpDetResults(out_file_path=path)
    return DumpResults(out_file_path=path)


def main() -> None:
    parser = add_arguments(argparse.ArgumentParser(description=__doc__), training=False)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='file (.pkl) for the predictions')
    args = parser.parse_args()
    config = load_config(args)
    config.load_from = args.checkpoint
    runner = build_runner(config, 'test_dataloader')
    if args.out:
        if not args.out.endswith(('.pkl', '.pickle')):
            raise SystemExit(f'--out writes a pickle file: its name must end in .pkl, got {args.out}')
        runner.test_evaluator.metrics.append(_dump(config.get('default_scope'), args.out))
    runner.test()
    end_process()


if __name__ == '__main__':
    main()
