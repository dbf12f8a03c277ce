"""The page says what the policy's file and the facts say, whatever there is of them, and stands alone."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from reports import facts, policy

from mmddas.viz.report import Facts, read_warnings, write_report
from mmddas.viz.report.page import duration, effect_bars


class Page(HTMLParser):
    """The text of a page, and all that it would load."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads, self.open, self.words = [], [], []
        self.feed(path.read_text(encoding='utf-8'))
        self.text = re.sub(r'\s+', ' ', ' '.join(self.words))

    def handle_starttag(self, tag, attrs):
        self.loads += [value for name, value in attrs if name in ('src', 'href', 'data', 'srcset', 'action')]
        if tag not in ('meta', 'img', 'br'):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ('script', 'style'):
            self.words.append(data)


def test_it_says_what_has_been_found(work_dir):
    page = Page(write_report(work_dir))
    assert policy().findings.sentence(3) in page.text
    assert 'Solarize (help); Rotate_BBox (hurt)' in page.text
    assert 'Epoch 3 of 5, 3 min spent, about 2 min left' in page.text
    assert '150 steps of 8 batches' in page.text


def test_it_loads_nothing_from_outside(work_dir):
    path = write_report(work_dir)
    page = Page(path)
    assert page.loads and all(load.startswith('data:image/') for load in page.loads)
    assert page.open == []  # every tag that is opened is closed
    assert not re.search(r'url\(|@import|https?://', path.read_text())


def test_what_comes_from_the_user_is_text(work_dir):
    page = Page(write_report(work_dir))
    assert 'a & b 12' in page.text and 'S_val has no object of <b>' in page.text
    assert 'a &amp; b' in (work_dir / 'report.html').read_text()


def test_warnings_are_there_once_without_mmengines_own(work_dir):
    assert read_warnings(work_dir) == ['S_val has no object of <b>']


def test_of_earlier_starts_only_what_was_said_on_the_way_is_left(tmp_path):
    said = '2026/11/27 10:00:00 - mmengine - {} - {}\n'.format
    began = said('INFO', 'Checkpoints will be saved to work_dirs/search.')
    for name, start, way in (('1', 'too few draws', 'broken.jpg'), ('2', 'copies', 'worse.jpg')):
        (tmp_path / name).mkdir()
        text = said('WARNING', start) + began + said('WARNING', way)
        (tmp_path / name / f'{name}.log').write_text(text)
    assert read_warnings(tmp_path) == ['broken.jpg', 'copies', 'worse.jpg']


def test_epochs_are_those_of_the_policy_whoever_timed_them(work_dir):
    facts(epoch_seconds=[60.0]).save(work_dir)
    assert 'Epoch 3 of 5, 60 s spent, about 2 min left' in Page(write_report(work_dir)).text


def test_the_commands_are_complete(work_dir):
    page = Page(write_report(work_dir))
    policy_file = f'{work_dir}/policy.json'
    assert f'mmddas search my_search.py --work-dir {work_dir} --resume' in page.text
    assert f'mmddas train my_training.py --policy {policy_file}' in page.text
    assert f'mmddas compare my_training.py --policies none uniform trivialaugment {policy_file} --seeds 5' in page.text
    facts(options=['--amp', '--cfg-options', 'train_cfg.num_ops=1', 'a.b=(1, 2)']).save(work_dir)
    options = "--amp --cfg-options train_cfg.num_ops=1 'a.b=(1, 2)'"
    assert f'mmddas search my_search.py --work-dir {work_dir} --resume {options}' in Page(write_report(work_dir)).text
    facts(max_epochs=3).save(work_dir)
    assert '--resume' not in Page(write_report(work_dir)).text


def test_the_commands_for_a_training_say_what_was_said_for_the_search(work_dir):
    facts(training_options=['--amp', '--cfg-options', 'data_root=my data/'], processes=4).save(work_dir)
    page = Page(write_report(work_dir))
    policy_file, options = f'{work_dir}/policy.json', "--cfg-options 'data_root=my data/'"
    assert f'with as many processes (4): bash tools/dist_search.sh my_search.py 4 --work-dir {work_dir}' in page.text
    assert f'mmddas train my_training.py --policy {policy_file} --amp {options}' in page.text
    assert f'--out {work_dir}/augmented.png {options}' in page.text and f'--seeds 5 {options}' in page.text


def test_a_search_that_has_just_begun_has_found_nothing_yet(work_dir):
    facts(epochs_done=0, epoch_seconds=[]).save(work_dir)  # beside an earlier one's policy.json
    page = Page(write_report(work_dir))
    assert 'Epoch 0 of 5' in page.text and policy().findings.sentence(3) not in page.text


def test_a_policy_alone_has_a_report(tmp_path):
    policy(1, evidence=False).save(tmp_path / 'policy.json')
    page = Page(write_report(tmp_path))
    assert 'Policy search: mine' in page.text and 'has no evidence' in page.text
    assert 'mmddas train MY_TRAINING.py' in page.text


def test_facts_alone_have_a_report(tmp_path):
    facts(epoch_seconds=[], examples=[]).save(tmp_path)
    page = Page(write_report(tmp_path))
    assert 'the first epoch has not ended' in page.text and 'a & b 12' in page.text


def test_where_there_is_neither_it_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match='There is no policy file'):
        write_report(tmp_path)


def test_a_comparison_is_added(work_dir, tmp_path):
    folder = tmp_path / 'compare'
    folder.mkdir()
    with pytest.raises(FileNotFoundError, match='there is no comparison'):
        write_report(work_dir, folder)
    table = '| policy | mAP |\n| --- | --- |\n| none | 0.1234 |\n\nNone is better.\n\n    mmddas compare x\n'
    (folder / 'comparison.md').write_text(table)
    (folder / 'comparison.png').write_bytes(cv2.imencode('.png', np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    page = Page(write_report(work_dir, folder))
    assert 'policy mAP none 0.1234' in page.text and 'None is better.' in page.text


def test_the_policy_over_the_search_is_a_picture(work_dir):
    found = re.search(r'data:image/svg\+xml;base64,([^"]*)"', write_report(work_dir).read_text())
    assert base64.b64decode(found[1]).rstrip().endswith(b'</svg>')


def test_effects_are_in_order_within_the_track_and_helping_ones_to_the_right():
    bars = effect_bars(policy())
    assert [bar.op for bar in bars] == ['Solarize', 'Identity', 'Equalize', 'Rotate_BBox']
    assert [bar.verdict for bar in bars] == ['helps', 'unknown', 'unknown', 'hurts']
    assert all(bar.left >= -1e-9 and bar.left + bar.width <= 100 + 1e-9 for bar in bars)
    assert bars[0].place > 50 > bars[-1].place and bars[0].effect == '+0.90 ± 0.20'
    probs = policy().snapshots[-1].op_probs
    assert bars[0].multiple == pytest.approx((probs[1] + probs[2]) * 5 / 2)  # two of five candidates


def test_facts_are_kept_and_those_of_another_version_are_none(tmp_path):
    facts().save(tmp_path)
    assert Facts.load(tmp_path) == facts()
    (tmp_path / 'report.json').write_text('{"config": "a", "colour": 3, "examples": []}')
    assert Facts.load(tmp_path) is None


@pytest.mark.parametrize(
    ('seconds', 'text'), [(0.4, '0 s'), (89, '89 s'), (95, '2 min'), (3599, '1 h 00 min'), (7500, '2 h 05 min')]
)
def test_durations(seconds, text):
    assert duration(seconds) == text
