"""Do searches agree with each other, and with themselves? Real searches of a config, recorded, and what they say.

Each seed's search is recorded by ``record.py``, unless its file is there. For every direction along which views were
compared, the effects of operations and candidates are told from its steps, and their ranks correlated (Spearman):
between the halves of a search, and between seeds; beside it is the same with the sub-policies of each step shuffled
among its views, which leaves everything as it is but what effects are about. ``shrunk`` are the candidates' effects as
ShrinkageEstimator has them, levels sharing strength.

    python tools/benchmarks/reliability.py configs/ddas/retinanet_thin_bccd.py --seeds 0 1 2
"""

import argparse
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mmddas.core import Candidate, Evidence, SearchSpace
from mmddas.core.estimators.shrinkage import shrunk_effects

ROOT = Path(__file__).parents[2]
KINDS: dict[str, Callable[[Evidence], np.ndarray]] = {
    'operations': lambda evidence: evidence.findings().operation_effects.effect,
    'candidates': lambda evidence: evidence.findings().candidate_effects.effect,
    'shrunk': shrunk_effects,
}


class Record:
    """A recorded search."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as content:
            self.directions = content['directions'].tolist()
            pairs = [(op, None if level == 'None' else float(level)) for op, level in content['candidates']]
            self.indices = torch.from_numpy(content['indices'])  # (T, L^, N_o)
            self.alignments = torch.from_numpy(content['alignments'])  # (T, directions, L^)
        self.space = SearchSpace([Candidate(*pair) for pair in pairs], self.indices.shape[-1])

    def evidence(self, direction: str, part: slice = slice(None), shuffle: int | None = None) -> Evidence:
        """Of these steps, along this direction; with a seed to shuffle by, of nothing."""
        found, rng = Evidence(self.space), np.random.default_rng(shuffle)
        place = self.directions.index(direction)
        for indices, alignments in zip(self.indices[part], self.alignments[part, place], strict=True):
            order = slice(None) if shuffle is None else torch.from_numpy(rng.permutation(len(indices)))
            found.add(indices[order], alignments)
        return found


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's, over what is known in both; NaN where one of them tells nothing apart."""
    known = np.isfinite(one) & np.isfinite(other)
    ranks = [np.unique(values[known], return_inverse=True) for values in (one, other)]
    if min(len(values) for values, _ in ranks) < 2:
        return float('nan')
    # Means of the ranks that equal values share.
    places = [(np.cumsum(np.bincount(ids)) - (np.bincount(ids) - 1) / 2)[ids] for _, ids in ranks]
    return float(np.corrcoef(*places)[0, 1])


def agreement(one: Evidence, other: Evidence) -> dict[str, float]:
    return {name: rank_correlation(kind(one), kind(other)) for name, kind in KINDS.items()}


def compared(records: list[Record], direction: str, shuffle: int | None = None) -> dict[str, dict[str, float]]:
    """Mean correlations between halves and between seeds, of operations and candidates."""
    halves, whole = [], []
    for number, record in enumerate(records):
        seed = None if shuffle is None else 1000 * shuffle + number
        middle = len(record.indices) // 2
        parts = [record.evidence(direction, part, seed) for part in (np.s_[:middle], np.s_[middle:])]
        halves.append(agreement(*parts))
        whole.append(record.evidence(direction, shuffle=seed))
    seeds = [agreement(*pair) for pair in itertools.combinations(whole, 2)]
    return {
        name: {kind: float(np.mean([found[kind] for found in all_found])) for kind in KINDS}
        for name, all_found in (('halves', halves), ('seeds', seeds))
        if all_found
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help="a search's config")
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='seeds of searches (default: 0 1 2)')
    parser.add_argument('--records', type=Path, default=ROOT / 'docs/data/records', help='where they are kept')
    parser.add_argument('--shuffles', type=int, default=5, help='repetitions of the shuffling (default: 5)')
    parser.add_argument('--cfg-options', nargs='+', default=[], help="for the searches, as tools/search.py's")
    args = parser.parse_args()

    records = []
    for seed in args.seeds:
        name = f'{Path(args.config).stem}_{seed}'
        path = args.records / f'{name}.npz'
        if not path.exists():
            print(f'Recording {path}', flush=True)
            command = [sys.executable, str(ROOT / 'tools/benchmarks/record.py'), args.config, '--resume']
            options = ['--out', str(path), '--work-dir', f'work_dirs/records/{name}', '--cfg-options']
            subprocess.run([*command, *options, f'randomness.seed={seed}', *args.cfg_options], check=True)
        records.append(Record(path))

    steps = ', '.join(str(len(record.indices)) for record in records)
    print(f'\n{args.config}: seeds {args.seeds}, {steps} steps; rank correlations (of shuffled sub-policies)\n')
    columns = [f'{name}: {kind}' for name in ('halves', 'seeds') for kind in KINDS]
    print(f'{"direction":12}' + ''.join(f'{column:>20}' for column in columns) + '   stand out')
    for direction in records[0].directions:
        found = compared(records, direction)
        nulls = [compared(records, direction, shuffle) for shuffle in range(args.shuffles)]
        cells = [
            f'{found[name][kind]:+.2f} ({np.mean([null[name][kind] for null in nulls]):+.2f})' if name in found else '-'
            for name in ('halves', 'seeds')
            for kind in KINDS
        ]
        count = [int(record.evidence(direction).findings().operation_effects.stand_out().sum()) for record in records]
        print(f'{direction:12}' + ''.join(f'{cell:>20}' for cell in cells) + f'   {count}', flush=True)


if __name__ == '__main__':
    main()
