"""Write the tables of research/results.md and README.md from what ``does_it_help.py`` has kept.

Each of them follows a line ``<!-- table: NAME -->``. NAME is a file of ``research/data/comparisons/``: every policy
with its trainings, compared with no policy; or ``lengths``, trainings of several lengths; or ``summary``, of all data
sets.

    python research/tables.py            # which tables are not what the data say?
    python research/tables.py --write    # make them so
"""

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmddas.experiments.trainings import Results, last_values
from mmddas.files import write_text
from mmddas.stats.comparison import Difference

ROOT = Path(__file__).parents[1]
DATA = ROOT / 'research/data/comparisons'
CONFIGS = ROOT / 'research/configs/comparisons'
DOCUMENTS = ('README.md', 'research/results.md')
MARK = re.compile(r'(<!-- table: (\w+) -->\n)((?:\|.*\n)*)')
METRICS = {'coco/bbox_mAP': ('mAP', '.3f'), 'accuracy/top1': ('accuracy in %', '.1f')}
SUMMARY = {
    'bccd_policies': 'BCCD',
    'cards_policies': 'cards',
    'cards_webcam': 'cards, phone to webcam',
    'cifar10_4k_policies': 'CIFAR-10, 4,000 images, 90 epochs',
    'cifar10_4k_policies_long': 'the same, 180 epochs',
}
WIDE = 'detection_wide'
KINDS = {
    'none': 'no policy',
    'uniform': 'uniform',
    'trivialaugment': 'TrivialAugment',
    'randaugment': 'RandAugment',
    'zoph_v0': 'Zoph et al., v0',
    'zoph_v1': 'Zoph et al., v1',
    'zoph_v2': 'Zoph et al., v2',
    'zoph_v3': 'Zoph et al., v3',
    'autoaugment_cifar10': "AutoAugment's, published",
    'fast_autoaugment_cifar10': "Fast AutoAugment's, published",
    'measured': 'by the measured worth of operations',
    'paper': "DDAS, the paper's estimator",
    'recommended': 'DDAS as recommended',
    'trained': 'DDAS as recommended, from a trained network',
    'sharpened': 'DDAS as recommended, p_o squared',
    'opposite': 'DDAS as recommended, p_o to the power of -2',
}
SETTINGS = {'total_prob': 'p_tp', 'level': 'level'}
# Made of the recommended searches, whose cost is theirs.
OF_RECOMMENDED = ('sharpened', 'opposite')


@dataclass
class Row:
    """A policy and its trainings.

    ``policy``: as ``mmddas compare`` was given it; ``values``: the metric after the last epoch, by seed; ``seconds``:
    of each training, by seed.
    """

    policy: str
    metric: str
    values: dict[int, float] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name, *settings = self.policy.split(':')
        if name.endswith('.json'):
            self.kind, _, self.space = Path(name).stem.removesuffix('_{seed}').partition('_')
        else:
            self.kind = name
            self.space = settings.pop(0) if settings and '=' not in settings[0] else ''
        self.settings = [setting.split('=') for setting in settings]

    @property
    def label(self) -> str:
        settings = (f'{SETTINGS[name]} {value}' for name, value in self.settings)
        return ', '.join((KINDS[self.kind], *([f'`{self.space}`'] if self.space else []), *settings))

    @property
    def mean(self) -> float:
        return float(np.mean([*self.values.values()]))

    @property
    def shown(self) -> str:
        """Format the mean and the standard deviation between seeds."""
        places = METRICS[self.metric][1]
        spread = f' +- {np.std([*self.values.values()], ddof=1):{places}}' if len(self.values) > 1 else ''
        return f'{self.mean:{places}}{spread}'

    def beside(self, other: 'Row') -> str:
        """Format the difference to another row with its interval, marked where it is beyond chance."""
        difference = Difference.of(self.values, other.values)
        if difference is None or self is other:
            return ''
        mean, low, high = (
            f'{number:+{METRICS[self.metric][1]}}' for number in (difference.mean, difference.low, difference.high)
        )
        shown = f'{mean} ({low} to {high})' if difference.seeds > 1 else mean
        return self.marked(shown, other)

    def marked(self, text: str, other: 'Row') -> str:
        """Put words in bold where this row is above the other beyond chance, in italics where it is below."""
        difference = Difference.of(self.values, other.values)
        if self is other or difference is None or not difference.is_significant:
            return text
        return f'**{text}**' if difference.mean > 0 else f'*{text}*'

    def search_hours(self, path: Path) -> float:
        """Return the hours of the searches of these trainings; of RandAugment, of the choice of its level."""
        if self.kind == 'randaugment':
            found = [row['seconds'] for row in Results(path.with_stem(f'{chosen_with(path.stem)}_choosing')).rows()]
        else:
            name = Path(self.policy.partition(':')[0])
            kind = 'recommended' if self.kind in OF_RECOMMENDED else self.kind
            searches = Results(path.with_stem(f'{name.parent.name}_searches')).rows()
            seconds = {row['name']: row['seconds'] for row in searches}
            found = [seconds.get(f'{kind}_{self.space}_{seed}', 0) for seed in self.values]
        return sum(found) / 3600


def chosen_with(name: str) -> str:
    """Return the name of the comparison that chooses RandAugment's level for this one.

    A config that takes another's searches takes its level, too, unless it says of its own how one is chosen.
    """
    file = CONFIGS / f'{name}.py'
    config = Config.fromfile(file) if file.is_file() else {}
    other = config.get('searches_of')
    takes_it = other and Config.fromfile(CONFIGS / f'{other}.py').choosing == config.choosing
    return other if takes_it else name


def last_value(result: dict) -> tuple[str, float]:
    """Return a training's metric and its last value: COCO's is 0 where nothing is detected."""
    last = last_values(result)
    return next(((metric, last[metric]) for metric in METRICS if metric in last), ('coco/bbox_mAP', 0.0))


def rows_of(path: Path) -> list[Row]:
    """Return the rows of a comparison, the best first.

    Of trainings of the same policy and seed the last counts. Where the config has changed, only those under the
    settings of a policy's last training do; a policy that is another one at each seed has others at each.
    """
    results = Results(path).rows()
    latest = {result['name']: result.get('settings') for result in results}
    found = {}
    for result in results:
        name = result['name']
        if '{seed}' not in name and result.get('settings') != latest[name]:
            continue
        metric, value = last_value(result)
        row = found.setdefault(name, Row(name, metric))
        row.values[result['seed']] = value
        row.seconds[result['seed']] = result['seconds']
    return sorted(found.values(), key=lambda row: -row.mean)


def table_of_comparison(path: Path) -> list[str]:
    """Return the lines of a table of policies, compared with no policy."""
    rows = rows_of(path)
    none = next((row for row in rows if row.kind == 'none'), None)
    metric, places = METRICS[rows[0].metric]
    lines = [
        f'| | {metric}, by seed from 0 | mean | beside no policy, 95% interval | hours of trainings | of searches |',
        '| --- ' * 6 + '|',
    ]
    for row in rows:
        values = ', '.join(f'{value:{places}}' for _, value in sorted(row.values.items()))
        beside = row.beside(none) if none else ''
        hours = f'{sum(row.seconds.values()) / 3600:.2f} | {row.search_hours(path):.2f}'
        lines.append(f'| {row.label} | {values} | {row.shown} | {beside} | {hours} |')
    return lines


def table_of_lengths(folder: Path) -> list[str]:
    """Return the lines of a table of trainings of several lengths, each with its own rate schedule."""
    found = {}
    for result in Results(folder / 'lengths.jsonl').rows():
        metric, value = last_value(result)
        training = result['config'], Row(result['name'], metric).label, result['rate']
        found.setdefault(training, {})[result['epochs']] = f'{value:{METRICS[metric][1]}}'
    lengths = sorted({epochs for values in found.values() for epochs in values})
    lines = [
        '| config | policy | rate | ' + ' | '.join(f'{epochs} epochs' for epochs in lengths) + ' |',
        '| --- ' * (3 + len(lengths)) + '|',
    ]
    for (config, policy, rate), values in found.items():
        shown = ' | '.join(values.get(epochs, '-') for epochs in lengths)
        lines.append(f'| `{config}.py` | {policy} | {rate} | {shown} |')
    return lines


def table_of_all(folder: Path) -> list[str]:
    """Return the lines of a table of all policies on all data sets: mean, spread and number of seeds."""
    cells, labels, metrics = {}, {}, {}
    for stem in SUMMARY:
        rows = rows_of(folder / f'{stem}.jsonl')
        none = next(row for row in rows if row.kind == 'none')
        for row in rows:
            if row.kind in ('measured', *OF_RECOMMENDED) or (row.settings and row.kind != 'randaugment'):
                continue
            wide = row.space == WIDE
            labels[row.kind, wide] = KINDS[row.kind] + (f', `{WIDE}`' if wide else '')
            cells[row.kind, wide, stem] = f'{row.marked(row.shown, none)} ({len(row.values)})'
            metrics[stem] = METRICS[row.metric][0]
    titles = (f'{title}: {metrics[stem]}' for stem, title in SUMMARY.items())
    lines = ['| | ' + ' | '.join(titles) + ' |', '| --- ' * (1 + len(SUMMARY)) + '|']
    for kind in KINDS:
        for wide in (False, True):
            if (kind, wide) in labels:
                shown = ' | '.join(cells.get((kind, wide, stem), '') for stem in SUMMARY)
                lines.append(f'| {labels[kind, wide]} | {shown} |')
    return lines


def written_anew(text: str, folder: Path) -> tuple[str, list[str]]:
    """Return a document with its tables from the data, and the names of the tables that have changed."""
    changed = []

    def table(found: re.Match) -> str:
        mark, name, before = found.groups()
        special = {'lengths': table_of_lengths, 'summary': table_of_all}
        lines = special[name](folder) if name in special else table_of_comparison(folder / f'{name}.jsonl')
        now = ''.join(f'{line}\n' for line in lines)
        if now != before:
            changed.append(name)
        return mark + now

    return MARK.sub(table, text), changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--write', action='store_true', help='write those that differ')
    args = parser.parse_args()
    differing = []
    for document in DOCUMENTS:
        path = ROOT / document
        text, changed = written_anew(path.read_text(encoding='utf-8'), DATA)
        differing += [f'{document}: {name}' for name in changed]
        if changed and args.write:
            write_text(path, text)
    if not differing:
        print('All tables are what research/data/comparisons/ says.')
        return
    print('\n'.join(differing))
    if not args.write:
        sys.exit('These tables are not what research/data/comparisons/ says; --write writes them.')


if __name__ == '__main__':
    main()
