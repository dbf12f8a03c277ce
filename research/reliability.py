"""Measure how far recorded searches of a config agree between seeds, and between their halves.

Each seed's search is recorded by ``record.py``, unless its file is there. For every direction along which views were
compared, the effects of operations and candidates are told from its steps, and their ranks correlated (Spearman):
between the halves of a search, and between seeds; beside it is the same with the sub-policies of each step shuffled
among its views, which leaves everything as it is but what effects are about. ``shrunk`` are the candidates' effects as
ShrinkageEstimator has them, levels sharing strength. ``mean`` is that of the alignments of each search, in units of
their mean size: positive where an augmented step lowers S_val's loss by less than the plain one.

    python research/reliability.py configs/ddas/retinanet_thin_bccd.py --seeds 0 1 2
"""

import argparse
import itertools
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from mmddas.core import Candidate, Evidence, SearchSpace

ROOT = Path(__file__).parents[1]
KINDS: dict[str, Callable[[Evidence], np.ndarray]] = {
    'operations': lambda evidence: evidence.findings().operation_effects.effect,
    'candidates': lambda evidence: evidence.findings().candidate_effects.effect,
    'shrunk': lambda evidence: evidence.shrunk()[0],
}


# Ways to compare views beside the recorded directions: the cosines of g_l with these, with the norm in the same metric.
COSINES = {'past 0.98': 'view_norms', 'over rms g_0': 'view_norms_rms'}
# A control that knows nothing of S_val: the less a sub-policy changes the gradient, the better.
SIZE = '|g_0 - g_l|'
WITHOUT = 'compare views without these parts of the network, too: "reg" leaves out bbox_head.reg_convs and retina_reg'


class Record:
    """A recorded search.

    Args:
        path: What ``record.py`` has written.
        steps: The first of them alone; by default all.
        views: The first of each step alone; by default all.
        without: Of the network, one more way each: along the mean of the past at 0.98, less the parts whose names have
            this in them.

    Attributes:
        space: Its candidates.
        indices: Sub-policies ``(T, L^, N_o)``.
        alignments: Of each way to compare views, ``(T, L^)``: along the recorded directions, and of some of these
            the negative cosine with g_l, where a view counts for where it points and not for how far.
    """

    def __init__(
        self, path: Path, steps: int | None = None, views: int | None = None, without: Sequence[str] = ()
    ) -> None:
        with np.load(path) as content:
            directions, alignments = content['directions'].tolist(), content['alignments']
            pairs = [(op, None if level == 'None' else float(level)) for op, level in content['candidates']]
            self.indices = torch.from_numpy(content['indices'])
            self.alignments = {name: alignments[:, place] for place, name in enumerate(directions)}
            for name, norms in COSINES.items():
                if norms in content:
                    place = directions.index(name)
                    products = content['clean'][:, place, None] - alignments[:, place]  # (T, L^), d . g_l
                    self.alignments[f'{name}, cosine'] = -products / np.maximum(content[norms], 1e-30)
            if 'difference_norms' in content:
                self.alignments[SIZE] = content['difference_norms']
            for word in without:
                kept = [word not in part for part in content['parts'].tolist()]
                if all(kept):
                    raise SystemExit(f'{path}: no part has {word!r} in its name; parts are {content["parts"].tolist()}')
                self.alignments[f'past 0.98, no {word}'] = content['part_alignments'][:, kept].sum(axis=1)
        self.indices = self.indices[:steps, :views]
        self.alignments = {way: found[:steps, :views] for way, found in self.alignments.items()}
        self.space = SearchSpace([Candidate(*pair) for pair in pairs], self.indices.shape[-1])

    def evidence(self, way: str, part: slice = slice(None), shuffle: int | None = None) -> Evidence:
        """Return the evidence of these steps along a direction; with a seed, of steps shuffled among their views."""
        found, rng = Evidence(self.space), np.random.default_rng(shuffle)
        alignments = torch.from_numpy(self.alignments[way])
        for indices, found_alignments in zip(self.indices[part], alignments[part], strict=True):
            order = slice(None) if shuffle is None else torch.from_numpy(rng.permutation(len(indices)))
            found.add(indices[order], found_alignments)
        return found


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's correlation over what both know; NaN where one of them is constant."""
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < 3 or min(np.ptp(one[known]), np.ptp(other[known])) == 0:
        return float('nan')
    return float(spearmanr(one[known], other[known]).statistic)


def agreement(one: Evidence, other: Evidence) -> dict[str, float]:
    return {name: rank_correlation(kind(one), kind(other)) for name, kind in KINDS.items()}


def compared(records: list[Record], way: str, shuffle: int | None = None) -> dict[str, dict[str, float]]:
    """Return mean correlations between halves and between seeds, of operations and candidates."""
    halves, whole = [], []
    for number, record in enumerate(records):
        seed = None if shuffle is None else 1000 * shuffle + number
        middle = len(record.indices) // 2
        parts = [record.evidence(way, part, seed) for part in (np.s_[:middle], np.s_[middle:])]
        halves.append(agreement(*parts))
        whole.append(record.evidence(way, shuffle=seed))
    seeds = [agreement(*pair) for pair in itertools.combinations(whole, 2)]
    return {
        name: {kind: float(np.mean([found[kind] for found in all_found])) for kind in KINDS}
        for name, all_found in (('halves', halves), ('seeds', seeds))
        if all_found
    }


def cell(found: float, nulls: list[float]) -> str:
    """Format a correlation and, in brackets, that of shuffled steps; '-' for NaN."""
    words = ['-' if math.isnan(value) else f'{value:+.2f}' for value in (found, float(np.mean(nulls)))]
    return f'{words[0]} ({words[1]})'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help="a search's config")
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='seeds of searches (default: 0 1 2)')
    parser.add_argument('--name', help="of the records, before the seed (default: the config's)")
    parser.add_argument('--records', type=Path, default=ROOT / 'research/data/records', help='where they are kept')
    parser.add_argument('--steps', type=int, help='the first of each search alone (default: all)')
    parser.add_argument('--views', type=int, help='the first of each step alone (default: all)')
    parser.add_argument('--without', nargs='+', default=[], metavar='PART', help=WITHOUT)
    parser.add_argument('--shuffles', type=int, default=5, help='repetitions of the shuffling (default: 5)')
    parser.add_argument('--cfg-options', nargs='+', default=[], help="for the searches, as tools/search.py's")
    args = parser.parse_args()

    records = []
    for seed in args.seeds:
        name = f'{args.name or Path(args.config).stem}_{seed}'
        path = args.records / f'{name}.npz'
        if not path.exists():
            print(f'Recording {path}', flush=True)
            command = [sys.executable, str(ROOT / 'research/record.py'), args.config, '--resume']
            options = ['--out', str(path), '--work-dir', f'work_dirs/records/{name}', '--cfg-options']
            subprocess.run([*command, *options, f'randomness.seed={seed}', *args.cfg_options], check=True)
        records.append(Record(path, args.steps, args.views, args.without))

    steps = ', '.join(str(len(record.indices)) for record in records)
    print(f'\n{args.config}: seeds {args.seeds}, {steps} steps; rank correlations (of shuffled sub-policies)\n')
    columns = [f'{name}: {kind}' for name in ('halves', 'seeds') for kind in KINDS]
    print(f'{"compared along":20}' + ''.join(f'{column:>20}' for column in columns) + '   stand out, mean')
    for way in records[0].alignments:
        found = compared(records, way)
        nulls = [compared(records, way, shuffle) for shuffle in range(args.shuffles)]
        cells = [
            cell(found[name][kind], [null[name][kind] for null in nulls]) if name in found else '-'
            for name in ('halves', 'seeds')
            for kind in KINDS
        ]
        count = [int(record.evidence(way).findings().operation_effects.significant().sum()) for record in records]
        of_searches = [record.alignments[way] for record in records]
        means = [f'{alignments.mean() / np.abs(alignments).mean():+.2f}' for alignments in of_searches]
        print(f'{way:20}' + ''.join(f'{cell:>20}' for cell in cells) + f'   {count} {" ".join(means)}', flush=True)


if __name__ == '__main__':
    main()
