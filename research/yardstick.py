"""Measure what each operation is worth: trainings with it alone, compared with trainings without any.

Every operation of a preset is trained with on its own (one on half of the images, its levels equally likely), at every
seed; ``none`` is the training without. Results are kept as they come, and nothing is run twice.

    python research/yardstick.py research/configs/yardstick/bccd.py --seeds 0 1
    python research/yardstick.py research/configs/yardstick/bccd.py --table      # what is there already

With ``--clean-end`` the last sixtieth of a training has no operation, at rates near 0, so that BatchNorm's statistics
are those of clean images in the end, as in the test.
"""

import argparse
import signal
import statistics
import sys
from itertools import groupby
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmddas.core import PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.experiments.trainings import Results, Training, last_values, run_trainings

ROOT = Path(__file__).parents[1]
TOTAL_PROB = 0.5
# Of so many parts of a training the last one is clean.
CLEAN_OF = 60


def policies(preset: str, clean_end: bool = False) -> dict[str, PolicySchedule]:
    """Return a policy for each operation; ``none`` is ``Identity`` on half of the images."""
    found = {}
    space = SearchSpace.preset(preset)
    for op, levels in groupby(space.candidates, key=lambda candidate: candidate.op):
        alone = SearchSpace([*levels], num_ops=1)
        uniform = PolicySnapshot(TOTAL_PROB, np.full(len(alone), 1 / len(alone)))
        snapshots = [uniform]
        if clean_end:
            snapshots = [uniform] * (CLEAN_OF - 1) + [PolicySnapshot(0.0, uniform.op_probs)]
        found['none' if op == 'Identity' else op] = PolicySchedule(alone, snapshots)
    return found


def last_value(row: dict, metric: str) -> float:
    """Return the metric after the last epoch; 0 where COCO's evaluation gives none, as nothing is detected."""
    return last_values(row).get(metric, 0.0)


def differences(rows: list[dict], metric: str) -> dict[str, dict[int, float]]:
    """Return what each operation adds to the last metric at the same seed, by name and seed."""
    values = {(row['name'], row['seed']): last_value(row, metric) for row in rows}
    found = {}
    for (name, seed), value in sorted(values.items()):
        if name != 'none' and ('none', seed) in values:
            found.setdefault(name, {})[seed] = value - values['none', seed]
    return found


def table(rows: list[dict], metric: str) -> None:
    """Print the difference of each operation to none, paired by seed, and its standard error over seeds."""
    last = [(row['seed'], last_value(row, metric)) for row in rows if row['name'] == 'none']
    print(f'\n{metric}; without any: {", ".join(f"{value:.4f}" for _, value in sorted(last))}\n')
    print(f'{"operation":26}{"difference":>11}{"std. error":>12}   seeds')
    found = {name: [*by_seed.values()] for name, by_seed in differences(rows, metric).items()}
    for name, paired in sorted(found.items(), key=lambda item: -statistics.mean(item[1])):
        error = statistics.stdev(paired) / len(paired) ** 0.5 if len(paired) > 1 else float('nan')
        print(f'{name:26}{statistics.mean(paired):+11.4f}{error:12.4f}   {len(paired)}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='a training config with a DDASAugment; its "yardstick" names preset and metric')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1], help='seeds of the trainings (default: 0 1)')
    parser.add_argument('--jobs', type=int, default=2, help='trainings at a time, of one thread each (default: 2)')
    parser.add_argument('--only', nargs='+', metavar='OPERATION', help='these operations, or none, instead of all')
    parser.add_argument(
        '--results', help="where they are kept (default: research/data/yardstick/ and the config's name)"
    )
    parser.add_argument('--table', action='store_true', help='print what is there, and train nothing')
    parser.add_argument('--clean-end', action='store_true', help='trainings end without the operation')
    args = parser.parse_args()

    name = Path(args.config).stem + '_clean_end' * args.clean_end
    results = Results(args.results or ROOT / f'research/data/yardstick/{name}.jsonl')
    config = Config.fromfile(args.config)
    settings = config.yardstick
    if args.clean_end and config.train_cfg.max_epochs < CLEAN_OF:
        parser.error(f'--clean-end leaves the last of {CLEAN_OF} parts clean: {args.config} has fewer epochs')
    if not args.table:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit('Told to stop; the same command goes on'))
        found = policies(settings.preset, args.clean_end)
        unknown = set(args.only or ()) - set(found)
        if unknown:
            parser.error(f'{settings.preset} has no {", ".join(sorted(unknown))}; it has {", ".join(found)}')
        work_dir = Path(f'work_dirs/yardstick/{name}')
        files = {}
        for op in args.only or found:
            files[op] = work_dir / f'{op}.json'
            found[op].save(files[op])
        command = (str(ROOT / 'tools/train.py'), args.config, '--resume', '--cfg-options')
        trainings = [
            Training(op, seed, (*command, f'policy_file={file}')) for seed in args.seeds for op, file in files.items()
        ]
        failed = run_trainings(trainings, results, work_dir, args.jobs)
        if failed:
            raise SystemExit('These trainings failed; each line ends with its log:\n' + '\n'.join(failed))
    table(results.rows(), settings.metric)


if __name__ == '__main__':
    main()
