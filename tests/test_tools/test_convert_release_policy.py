"""The converter of released policies: faithful to the file, and deaf to whatever else the file asks for."""

import io
import pickle
import re
import runpy
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from mmddas.core import PolicyFileError, PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.datasets import DDASAugment

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'dataset_tools' / 'convert_release_policy.py'
SAMPLE = ROOT.parent / 'shared' / 'data' / 'ddas_release' / 'wresnet40x2_cifar10_new_search_smoothed.npy'
EPOCHS, SIZE = 4, 52

tool = runpy.run_path(str(TOOL))
convert, read_release = tool['convert'], tool['read_release']


def release(**changes):
    """The content of a file as the authors make it: a list of float32 rows, lists of float64 scalars."""
    logits = np.random.default_rng(0).normal(size=(EPOCHS, SIZE)) * np.arange(EPOCHS)[:, None]
    probs = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    total_probs = [np.float64(np.float32(value)) for value in (0.35, 0.33, 0.3, 0.28, 0.28)]
    return {'dis_ps': list(probs), 'tps': total_probs, 'w0s_mt': total_probs[:EPOCHS], **changes}


def npy(pickled):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {'descr': '|O', 'fortran_order': False, 'shape': ()})
    return file.getvalue() + pickled


def pickled(content, protocol=2):
    return pickle.dumps(np.array(content, dtype=object), protocol=protocol)


def text(value):
    return b'X' + struct.pack('<I', len(value)) + value.encode()


def by_name(module, name):
    return f'c{module}\n{name}\n'.encode()


def by_stack(module, name):
    return text(module) + text(name) + b'\x93'


def program(opcodes):
    return npy(b'\x80\x04' + opcodes + b'.')


class Call:
    """Pickled as a call."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.fixture
def file(tmp_path):
    return tmp_path / 'release.npy'


@pytest.fixture
def marker(tmp_path):
    return tmp_path / 'marker'


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('core', [b'numpy.core.', b'numpy._core.'])
def test_files_of_every_protocol_and_of_numpy_1_and_2_give_the_same_values(file, protocol, core):
    data = pickled(release(), protocol)
    file.write_bytes(npy(data if protocol > 3 else re.sub(rb'numpy\._?core\.', core, data)))
    probs, total_probs = read_release(file)
    assert probs.dtype == total_probs.dtype == np.float64
    assert np.array_equal(probs, np.float64(release()['dis_ps'])) and np.array_equal(total_probs, release()['tps'])


@pytest.mark.parametrize('dtype', ['<f2', '>f4', '<f8'])
@pytest.mark.parametrize('order', ['C', 'F'])
@pytest.mark.parametrize('protocol', [2, 5])
def test_arrays_keep_type_byte_order_and_layout(file, dtype, order, protocol):
    probs = np.array(release()['dis_ps']).astype(dtype, order=order)
    file.write_bytes(npy(pickled({'dis_ps': probs, 'tps': np.array(release()['tps'])}, protocol)))
    assert np.array_equal(read_release(file)[0], np.float64(probs))


def test_row_t_belongs_to_value_t_of_p_tp_and_sums_to_one(file):
    np.save(file, release(), allow_pickle=True)
    schedule = convert(file)
    assert schedule.space == SearchSpace.preset('cifar_release') and len(schedule) == EPOCHS
    assert [snapshot.total_prob for snapshot in schedule.snapshots] == release()['tps'][:EPOCHS]
    for snapshot, row in zip(schedule.snapshots, release()['dis_ps'], strict=True):
        assert np.allclose(snapshot.op_probs, row, rtol=1e-5) and abs(snapshot.op_probs.sum() - 1) < 1e-12
    np.save(file, release(tps=release()['tps'][:EPOCHS]), allow_pickle=True)
    assert convert(file).snapshots == schedule.snapshots


@pytest.mark.parametrize('name', [by_name, by_stack])
@pytest.mark.parametrize(
    ('module', 'function', 'argument'),
    [
        ('os', 'system', 'echo ran > "{marker}"'),
        ('builtins', 'eval', 'open({marker!r}, "w")'),
        ('builtins', 'getattr', '{marker}'),
        ('numpy', 'fromfile', '{marker}'),
        ('numpy.core.multiarray', 'fromfile', '{marker}'),
        ('numpy', 'dtype.__init__', '{marker}'),
        ('collections', 'OrderedDict', '{marker}'),
    ],
)
def test_only_what_restores_arrays_is_admitted(file, marker, name, module, function, argument):
    file.write_bytes(program(name(module, function) + text(argument.format(marker=str(marker))) + b'\x85R'))
    with pytest.raises(PolicyFileError, match=f"nothing was run: it asks for '{module}.{function}'"):
        read_release(file)
    assert not marker.exists()
    if function == 'system':
        np.load(file, allow_pickle=True)
        assert marker.exists()


@pytest.mark.parametrize('place', ['the array', 'dis_ps', 'a row', 'a key'])
def test_a_call_is_found_wherever_it_is_nested(file, marker, place):
    nested = Call(eval, f'open({str(marker)!r}, "w")')
    content = {
        'the array': nested,
        'dis_ps': release(dis_ps=nested),
        'a row': release(dis_ps=[*release()['dis_ps'], np.array([nested, nested], dtype=object)]),
        'a key': {**release(), nested: 0},
    }[place]
    file.write_bytes(npy(pickled(content)))
    with pytest.raises(PolicyFileError, match=r'it asks for .*\.eval'):
        read_release(file)
    assert not marker.exists()


def test_bytes_are_not_taken_for_pointers(file):
    """NumPy takes them for pointers where the flags of the type, which the file has, do not say what they are."""
    dtype = by_name('numpy', 'dtype') + text('O8') + b'\x89\x88\x87R(K\x03' + text('|') + b'NNNK\x08K\x08K\x00tb'
    made = by_name('numpy.core.multiarray', '_reconstruct') + by_name('numpy', 'ndarray') + b'K\x00\x85C\x01b\x87R'
    file.write_bytes(program(made + b'(K\x01)' + dtype + b'\x89C\x08' + b'A' * 8 + b'tb'))
    with pytest.raises(PolicyFileError, match="an array of type 'O8', expected floating-point"):
        read_release(file)


@pytest.mark.parametrize('module_and_name', tool['RECORDED'])
def test_a_file_cannot_change_the_reader(file, module_and_name):
    before = dict(vars(tool['RECORDED'][module_and_name]))
    file.write_bytes(program(by_name(*module_and_name.rsplit('.', 1)) + b'}' + text('args') + b'K\x00sb'))
    with pytest.raises(PolicyFileError):
        read_release(file)
    assert dict(vars(tool['RECORDED'][module_and_name])) == before


ROWS = release()['dis_ps']


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        ('dis_ps', 'expected a .npy file with a pickled dict of dis_ps and tps'),
        ([release(), release()], 'expected a .npy file with a pickled dict'),
        (dict(dis_ps=ROWS), "KeyError: 'tps'"),
        (release(dis_ps=ROWS[0]), r'dis_ps: .* found the shape \(52,\)'),
        (release(dis_ps=[*ROWS, ROWS[0][:51]]), 'expected a .npy file.*inhomogeneous'),
        (release(dis_ps=[]), r'dis_ps: .* found the shape \(0,\)'),
        (release(dis_ps='uniform'), 'could not convert string to float'),
        (release(dis_ps=np.zeros(3, dtype='f4,f8')), 'expected floating-point numbers'),
        (release(dis_ps=[row[:51] for row in ROWS]), r'rows of 52 .*cifar_release.*\(4, 51\).*--search-'),
        (release(tps=release()['tps'][:3]), r'tps: expected 4 or 5 values .* found the shape \(3,\)'),
        (release(tps=[0.35, float('nan'), 0.3, 0.3]), 'tps: expected probabilities from 0 to 1, found nan'),
        (release(tps=[0.35, 1.01, 0.3, 0.3]), 'tps: expected probabilities .* found 1.01'),
        (release(dis_ps=[*ROWS[:3], ROWS[3] - np.float32(0.1)]), 'dis_ps: expected probabilities .* found -0'),
        (release(dis_ps=[*ROWS[:3], ROWS[3] * np.float32(0.9)]), r'dis_ps\[3\]: .* sum to 1, found 0.9'),
    ],
)
def test_what_does_not_make_a_schedule_is_named(file, content, reason):
    file.write_bytes(npy(pickled(content)))
    with pytest.raises(PolicyFileError, match=reason) as caught:
        convert(file)
    assert str(caught.value).startswith(f'{file}: ')


@pytest.fixture
def run_tool(monkeypatch):
    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', [TOOL.name, *map(str, arguments)])
        runpy.run_path(str(TOOL), run_name='__main__')

    return run


def test_the_tool_writes_a_policy_that_the_transform_takes(run_tool, file, tmp_path, capsys):
    np.save(file, release(), allow_pickle=True)
    out = tmp_path / 'new' / 'policy.json'
    run_tool(file, '--out', out)
    schedule = PolicySchedule.load(out)
    assert schedule.snapshots == convert(file).snapshots
    assert schedule.meta['task'] == 'classification' and schedule.meta['source'] == file.name
    augment = DDASAugment(out)
    augment.set_progress(EPOCHS - 1, EPOCHS)
    assert augment.transform(dict(img=np.zeros((32, 32, 3), np.uint8)))['img'].shape == (32, 32, 3)
    printed = capsys.readouterr().out
    leader = schedule.space.candidates[int(schedule.snapshots[-1].op_probs.argmax())]
    assert f'4 epochs, 52 candidates -> {out}' in printed and 'p_tp 0.3500 -> 0.2800' in printed
    assert f'(uniform 1.92%): {leader} ' in printed


def test_the_tool_says_in_one_line_what_is_wrong_and_leaves_the_old_file(run_tool, file, tmp_path, capsys):
    out = tmp_path / 'policy.json'
    out.write_text('old')
    file.write_bytes(npy(pickled(release()))[:900])
    for given, reason in ((file, 'UnpicklingError'), (tmp_path / 'nowhere.npy', 'nowhere.npy')):
        with pytest.raises(SystemExit, match='2'):
            run_tool(given, '--out', out)
        (complaint,) = (line for line in capsys.readouterr().err.splitlines() if 'error: ' in line)
        assert reason in complaint
    assert out.read_text() == 'old'


@pytest.mark.skipif(not SAMPLE.exists(), reason='needs ../shared/data/ddas_release')
def test_the_released_policy_starts_uniform_at_035(tmp_path):
    schedule = convert(SAMPLE)
    assert len(schedule) == 20 and schedule.space == SearchSpace.preset('cifar_release')
    first, last = schedule.snapshots[0], schedule.snapshots[-1]
    assert first == PolicySnapshot(float(np.float32(0.35)), np.full(52, 1 / 52))
    assert last.total_prob == pytest.approx(0.2183, abs=1e-4) and last.op_probs.max() == pytest.approx(0.032, abs=1e-3)
    schedule.save(tmp_path / 'policy.json')
    assert PolicySchedule.load(tmp_path / 'policy.json').snapshots == schedule.snapshots
