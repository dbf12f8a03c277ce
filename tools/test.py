"""Evaluate a trained detector on the config's test set."""

import argparse

import mmddas  # noqa: F401  (registers the components, and makes MMCV work without compiled operators)
from mmddas.command_line import add_arguments, build_runner, load_config


def main() -> None:
    parser = add_arguments(argparse.ArgumentParser(description=__doc__), training=False)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='file (.pkl) for the predictions')
    args = parser.parse_args()
    config = load_config(args)
    config.load_from = args.checkpoint
    runner = build_runner(config)
    if args.out:
        if not args.out.endswith(('.pkl', '.pickle')):
            raise SystemExit(f'--out writes a pickle file: its name must end in .pkl, got {args.out}')
        from mmdet.evaluation import DumpDetResults

        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=args.out))
    runner.test()


if __name__ == '__main__':
    main()
