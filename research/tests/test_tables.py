"""The tables of comparisons in the documents are those of the data, and are what the data say."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'research')
    import tables

    return tables


def result(name: str, seed: int, value: float, **others: object) -> str:
    evaluations = {'5': {'coco/bbox_mAP': 0.0}, '20': {'coco/bbox_mAP': value, 'coco/bbox_mAP_50': 1.0}}
    return json.dumps(dict(name=name, seed=seed, seconds=360, evaluations=evaluations) | others) + '\n'


@pytest.mark.parametrize('document', ['README.md', 'research/results.md'])
def test_the_tables_of_a_document_are_those_of_the_data(tables, document):
    text = (ROOT / document).read_text(encoding='utf-8')
    assert '<!-- table: ' in text
    _, changed = tables.written_anew(text, tables.DATA)
    assert not changed, 'python research/tables.py --write'


def test_a_table_has_means_intervals_and_hours(tables, tmp_path):
    searched = 'research/policies/comparisons/data/recommended_detection_{seed}.json:total_prob=0.7'
    rows = [result('none', seed, value) for seed, value in enumerate((0.3, 0.4, 0.5))]
    rows += [result(searched, seed, value) for seed, value in enumerate((0.36, 0.47, 0.58))]
    rows += [result('zoph_v2', seed, value) for seed, value in enumerate((0.0, 0.19, 0.29))]
    rows += [result('zoph_v2', 0, 0.1)]  # trained anew
    rows += [result('randaugment:detection:level=3', 1, 0.39)]
    (tmp_path / 'data.jsonl').write_text(''.join(rows))
    (tmp_path / 'data_searches.jsonl').write_text(
        ''.join(json.dumps(dict(name=f'recommended_detection_{seed}', seconds=720)) + '\n' for seed in range(5))
    )
    (tmp_path / 'data_choosing.jsonl').write_text(result('randaugment:detection:level=3', 0, 0.4) * 3)
    half = 4.3027 * 0.01 / 3**0.5  # 95%, of 3 pairs
    assert tables.table_of_comparison(tmp_path / 'data.jsonl')[2:] == [
        '| DDAS as recommended, `detection`, p_tp 0.7 | 0.360, 0.470, 0.580 | 0.470 +- 0.110 | '
        f'**+0.070 ({0.07 - half:+.3f} to {0.07 + half:+.3f})** | 0.30 | 0.60 |',
        '| no policy | 0.300, 0.400, 0.500 | 0.400 +- 0.100 |  | 0.30 | 0.00 |',
        '| RandAugment, `detection`, level 3 | 0.390 | 0.390 | -0.010 | 0.10 | 0.30 |',
        f'| Zoph et al., v2 | 0.100, 0.190, 0.290 | 0.193 +- 0.095 | *-0.207 ({-0.2067 - 0.0143:+.3f} to '
        f'{-0.2067 + 0.0143:+.3f})* | 0.30 | 0.00 |',
    ]


@pytest.mark.parametrize(
    ('name', 'of'),
    [
        ('bccd_policies', 'bccd_policies'),
        ('bccd_policies_double', 'bccd_policies'),
        ('cards_webcam_both', 'cards_webcam_both'),  # other images, so it says how to choose there
        ('of_no_config', 'of_no_config'),
    ],
)
def test_a_level_is_chosen_where_the_searches_are(tables, name, of):
    assert tables.chosen_with(name) == of


def test_a_new_result_is_seen(tables, tmp_path):
    (tmp_path / 'data.jsonl').write_text(result('none', 0, 0.3))
    text = 'Before.\n\n<!-- table: data -->\n\nAfter.\n'
    written, changed = tables.written_anew(text, tmp_path)
    assert changed == ['data']
    assert re.search(r'--> *\n\|.*\n\| --- .*\n\| no policy \| 0.300 .*\n\nAfter', written)
    assert tables.written_anew(written, tmp_path) == (written, [])
    with (tmp_path / 'data.jsonl').open('a') as file:
        file.write(result('none', 1, 0.4))
    assert tables.written_anew(written, tmp_path)[1] == ['data']


def test_lengths_stand_beside_each_other(tables, tmp_path):
    lines = [result('none', 0, 0.3, config='data', rate=0.1, epochs=20)]
    lines += [result('none', 0, 0.4, config='data', rate=0.1, epochs=40)]
    lines += [result('none', 0, 0.2, config='others', rate=0.2, epochs=40)]
    lines += [result('uniform:cifar', 0, 0.3, config='others', rate=0.2, epochs=20)]
    (tmp_path / 'lengths.jsonl').write_text(''.join(lines))
    assert tables.table_of_lengths(tmp_path)[2:] == [
        '| `data.py` | no policy | 0.1 | 0.300 | 0.400 |',
        '| `others.py` | no policy | 0.2 | - | 0.200 |',
        '| `others.py` | uniform, `cifar` | 0.2 | 0.300 | - |',
    ]
