"""The converter of released policies: faithful to the file, and deaf to whatever else the file asks for."""

import io
import pickle
import re
import runpy
import struct
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mmddas.core import PolicyFileError, PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.datasets import DDASAugment

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'dataset_tools' / 'convert_release_policy.py'
SAMPLE = ROOT.parent / 'shared' / 'data' / 'ddas_release' / 'wresnet40x2_cifar10_new_search_smoothed.npy'
EPOCHS, SIZE = 4, 52
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

tool = runpy.run_path(str(TOOL))
convert, read_release = tool['convert'], tool['read_release']


def release(**changes):
    """The content of a file as the authors make it: a list of float32 rows, lists of float64 scalars."""
    logits = np.random.default_rng(0).normal(size=(EPOCHS, SIZE)) * np.arange(EPOCHS)[:, None]
    probs = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    total_probs = [np.float64(np.float32(value)) for value in (0.35, 0.33, 0.3, 0.28, 0.28)]
    return {'dis_ps': list(probs), 'tps': total_probs, 'w0s_mt': total_probs[:EPOCHS], **changes}


def npy(pickled, descr='|O', shape=()):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {'descr': descr, 'fortran_order': False, 'shape': shape})
    return file.getvalue() + pickled


def pickled(content, protocol=2):
    return pickle.dumps(np.array(content, dtype=object), protocol=protocol)


def text(value):
    encoded = value.encode()
    return b'X' + struct.pack('<I', len(encoded)) + encoded


def by_name(module, name):
    return f'c{module}\n{name}\n'.encode()


def by_stack(module, name):
    return text(module) + text(name) + b'\x93'


def call(function, *arguments):
    """The opcodes of a call with texts."""
    return function + b'(' + b''.join(map(text, arguments)) + b'tR'


def program(opcodes):
    return b'\x80\x04' + opcodes + b'.'


class Nested:
    """Pickled where an array's data is expected, as the opcodes of a call would be."""

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


@pytest.fixture
def refused(file, marker):
    """Reads bytes that must be refused for ``reason``, in one line and without running anything."""

    def check(data, reason):
        file.write_bytes(data)
        with pytest.raises(PolicyFileError, match=reason) as caught:
            read_release(file)
        message = str(caught.value)
        assert message.startswith(f'{file}: ') and '\n' not in message and len(message) < 500 + len(str(file))
        assert not marker.exists()

    return check


def assert_holds_the_release(file):
    probs, total_probs = read_release(file)
    assert probs.dtype == total_probs.dtype == np.float64
    assert np.array_equal(probs, np.float64(release()['dis_ps'])) and np.array_equal(total_probs, release()['tps'])


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_every_protocol_gives_the_same_values(file, protocol):
    file.write_bytes(npy(pickled(release(), protocol)))
    assert_holds_the_release(file)


@pytest.mark.parametrize('core', [b'numpy.core.multiarray', b'numpy._core.multiarray'])
def test_files_of_numpy_1_and_2_are_read(file, core):
    data, count = re.subn(rb'numpy\._?core\.multiarray(?=\n)', core, pickled(release()))
    assert count == 2  # _reconstruct and scalar
    file.write_bytes(npy(data))
    assert_holds_the_release(file)


def test_what_numpy_saves_is_read(file):
    np.save(file, release(), allow_pickle=True)
    assert_holds_the_release(file)


@pytest.mark.parametrize('dtype', ['<f2', '<f4', '>f4', '<f8', '>f8'])
@pytest.mark.parametrize('order', ['C', 'F'])
@pytest.mark.parametrize('protocol', [2, 5])
def test_arrays_in_place_of_lists_keep_type_byte_order_and_layout(file, dtype, order, protocol):
    probs = np.array(release()['dis_ps']).astype(dtype, order=order)
    file.write_bytes(npy(pickled({'dis_ps': probs, 'tps': np.array(release()['tps'])}, protocol)))
    assert np.array_equal(read_release(file)[0], np.float64(probs))


def test_row_t_belongs_to_value_t_of_p_tp_and_sums_to_one(file):
    file.write_bytes(npy(pickled(release())))
    schedule = convert(file)
    assert schedule.space == SearchSpace.preset('cifar_release') and len(schedule) == EPOCHS
    assert [snapshot.total_prob for snapshot in schedule.snapshots] == release()['tps'][:EPOCHS]
    for snapshot, row in zip(schedule.snapshots, release()['dis_ps'], strict=True):
        assert np.allclose(snapshot.op_probs, row, rtol=1e-5) and abs(snapshot.op_probs.sum() - 1) < 1e-12
    assert np.allclose(schedule.snapshots[0].op_probs, 1 / SIZE) and np.isclose(schedule.snapshots[0].total_prob, 0.35)


def test_as_many_values_of_p_tp_as_rows_will_do(file):
    file.write_bytes(npy(pickled(release(tps=release()['tps'][:EPOCHS]))))
    assert len(convert(file)) == EPOCHS


def test_another_space_and_number_of_operations_can_be_named(file):
    size = len(SearchSpace.preset('detection'))
    probs = list(np.full((EPOCHS, size), 1 / size, np.float32))
    file.write_bytes(npy(pickled(release(dis_ps=probs))))
    assert convert(file, 'detection', num_ops=3).space == SearchSpace.preset('detection', 3)
    with pytest.raises(ValueError, match="'cifar11'.*cifar_release"):
        convert(file, 'cifar11')


COMMAND = 'echo ran > "{marker}"'


@pytest.mark.parametrize('name', [by_name, by_stack])
def test_a_command_is_named_and_not_run_where_numpy_would_run_it(refused, file, marker, name):
    data = npy(program(call(name('os', 'system'), COMMAND.format(marker=marker))))
    refused(data, 'refused, nothing was run: the file wants to use os.system')
    np.load(file, allow_pickle=True)
    assert marker.exists()


@pytest.mark.parametrize('name', [by_name, by_stack])
@pytest.mark.parametrize(
    ('module', 'function', 'argument'),
    [
        ('posix', 'system', COMMAND),
        ('builtins', 'eval', 'open({marker!r}, "w")'),
        ('__builtin__', 'eval', 'open({marker!r}, "w")'),
        ('builtins', 'getattr', '{marker}'),
        ('numpy', 'load', '{marker}'),
        ('numpy', 'fromfile', '{marker}'),
        ('numpy', 'save', '{marker}'),
        ('numpy', 'memmap', '{marker}'),
        ('numpy.core.multiarray', 'fromfile', '{marker}'),
        ('numpy._core.multiarray', 'array', '{marker}'),
        ('numpy', 'dtype.__init__', '{marker}'),
        ('_codecs', 'decode', '{marker}'),
        ('codecs', 'encode', '{marker}'),
        ('collections', 'OrderedDict', '{marker}'),
    ],
)
def test_only_what_restores_arrays_is_admitted(refused, marker, name, module, function, argument):
    data = npy(program(call(name(module, function), argument.format(marker=str(marker)))))
    refused(data, rf'refused, .* wants to use {module}\.{function},')


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize('place', ['the array', 'dis_ps', 'a row', 'a key'])
def test_a_call_is_found_wherever_it_is_nested(refused, marker, place, protocol):
    nested = Nested(eval, f'open({str(marker)!r}, "w")')
    content = {
        'the array': nested,
        'dis_ps': release(dis_ps=nested),
        'a row': release(dis_ps=[*release()['dis_ps'], np.array([nested, nested], dtype=object)]),
        'a key': {**release(), nested: 0},
    }[place]
    refused(npy(pickled(content, protocol)), r'refused, .* wants to use (__builtin__|builtins)\.eval,')


def test_an_instance_of_a_class_is_refused_however_it_is_made(refused):
    marked = b'(' + by_name('pathlib', 'Path') + b'o'
    for opcodes in (marked, b'(ipathlib\nPath\n', by_name('pathlib', 'Path') + b')\x81'):
        refused(npy(program(opcodes)), r'refused, .* wants to use pathlib\.Path,')


@pytest.mark.parametrize('codec', ['utf-8', 'latin-1', 'rot13', 'zlib_codec', 'idna', 'a.module.of.somebody'])
def test_codecs_other_than_latin1_are_refused(refused, codec):
    data = npy(program(call(by_name('_codecs', 'encode'), 'text', codec)))
    refused(data, f'refused, .* wants to call _codecs.encode with the codec {codec}')
    refused(npy(program(call(by_name('_codecs', 'encode'), 'text'))), 'with the codec utf-8')


@pytest.mark.parametrize('opcodes', [b'Pelsewhere\n', text('elsewhere') + b'Q'])
def test_persistent_ids_are_refused(refused, opcodes):
    refused(npy(program(opcodes)), r'refused, .* \(a persistent id\)')


@pytest.mark.parametrize('module_and_name', tool['STAND_INS'], ids='.'.join)
@pytest.mark.parametrize('state', [b'}' + text('to_numpy') + b'K\x00s', b'N}' + text('to_numpy') + b'K\x00s\x86'])
def test_a_file_cannot_change_the_reader(refused, file, module_and_name, state):
    stand_in = tool['STAND_INS'][module_and_name]
    before = dict(vars(stand_in))
    refused(npy(program(by_name(*module_and_name) + state + b'b')), 'expected a whole .npy file')
    assert dict(vars(stand_in)) == before


@pytest.mark.parametrize('code', ['O8', 'V8', 'U2', 'M8', 'i8', 'c8', '(100000,100000)f8', 'f8,O'])
def test_bytes_are_not_taken_for_anything_but_floats(refused, code):
    """Least of all for pointers to objects."""
    dtype = call(by_name('numpy', 'dtype'), code) + b'(K\x03' + text('<') + b'NNNtb'
    scalar = by_name('numpy.core.multiarray', 'scalar') + dtype + b'C\x08' + b'\x01' * 8 + b'\x86R'
    outer = by_name('numpy', 'ndarray') + b')R(K\x01)' + call(by_name('numpy', 'dtype'), 'O8') + b'\x89]'
    content = b'}' + text('tps') + b']s' + text('dis_ps') + scalar + b's'
    refused(npy(program(outer + content + b'atb')), f'an array of type {re.escape(code)}, expected floating-point')


def test_a_type_with_fields_is_refused(refused):
    probs = np.zeros(3, dtype=[('name', 'O'), ('value', 'f4')])
    for protocol in (2, 5):
        refused(npy(pickled(release(dis_ps=probs), protocol)), 'records, expected floating-point numbers')


def test_control_characters_and_long_names_do_not_reach_the_terminal(refused):
    refused(npy(program(by_stack('os\x1b[2J\n', 'system'))), r'os\\x1b\[2J\\n')
    refused(npy(program(by_stack('os', 'x' * 10_000))), r'xxx\.\.\.')


@pytest.mark.parametrize('opcodes', [b'Nr\xff\xff\xff\x7f', b'Np2147483647\n', b'\x8e' + b'\x00' * 5 + b'\x01\x00\x00'])
def test_a_short_file_cannot_ask_for_gigabytes(refused, opcodes):
    tracemalloc.start()
    try:
        refused(npy(program(opcodes)), 'expected a whole .npy file')
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_file_cut_off_anywhere_is_refused(refused):
    data = npy(pickled(release()))
    for length in [*range(0, 200), *range(200, len(data) - 1, 37), len(data) - 1]:
        refused(data[:length], 'expected a whole .npy file')


def test_a_damaged_file_is_read_or_refused_and_nothing_else(file):
    data = npy(pickled(release()))
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data)
        damaged[rng.integers(10, 400)] = rng.integers(32, 127)
        file.write_bytes(damaged)
        try:
            convert(file)
        except PolicyFileError as error:
            assert str(error).startswith(f'{file}: ')


@pytest.mark.parametrize(
    ('data', 'reason'),
    [
        (b'', 'expected a whole .npy file'),
        (b'{"format": "mmddas-policy"}', 'magic string'),
        (pickled(release()), 'magic string'),
        (npy(b'', '<f4', (4, 52)), r'an array of float32 of shape \(4, 52\)'),
        (b'\x93NUMPY\x03\x00' + npy(b'')[8:], r'version \(3, 0\)'),
        (b'\x93NUMPY\x01\x00\x10\x00{(((((((((((((((' + pickled(release()), 'expected a whole .npy file'),
        (npy(pickle.dumps(release()['w0s_mt'][0], 2)), r'an array of shape \(\)'),
        (npy(pickle.dumps({'dis_ps': 1.0, 'tps': 1.0})), 'a pickled dict, not an array'),
        (npy(pickled([release(), release()])), r'shape \(2,\), expected one of a single Python object'),
        (npy(pickled('dis_ps')), 'holds a str, not a dict'),
        (npy(pickled({'dis_ps': [], 'policy': 1})), r"no tps among the keys \['dis_ps', 'policy'\]"),
    ],
)
def test_what_is_no_released_policy_is_named(refused, data, reason):
    refused(data, reason)


ROWS = release()['dis_ps']


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        (dict(dis_ps=ROWS[0]), r'dis_ps has the shape \(52,\), expected 2 dimension'),
        (dict(dis_ps=np.array([ROWS])), r'dis_ps has the shape \(1, 4, 52\), expected 2'),
        (dict(dis_ps=[*ROWS, ROWS[0][:51]]), r'shapes \[\(51,\), \(52,\)\], expected one shape'),
        (dict(dis_ps=[]), r'dis_ps is a list of arrays of the shapes \[\]'),
        (dict(dis_ps='uniform'), 'dis_ps holds a str, expected floating-point numbers'),
        (dict(dis_ps=[row[:51] / row[:51].sum() for row in ROWS]), 'expected 52 .*cifar_release.* found 51.*--search-'),
        (dict(tps=release()['tps'][:3]), 'tps: expected 4 or 5 values for the 4 rows of dis_ps, found 3'),
        (dict(tps=[*release()['tps'], 0.2]), 'tps: expected 4 or 5 .* found 6'),
        (dict(tps=0.35), r'tps has the shape \(\), expected 1'),
        (dict(tps=[0.35, None, 0.3, 0.3]), 'tps holds a NoneType'),
        (dict(tps=[0.35, float('nan'), 0.3, 0.3]), 'tps: expected probabilities from 0 to 1, found nan'),
        (dict(tps=[0.35, 1.01, 0.3, 0.3]), 'tps: expected probabilities .* found 1.01'),
        (dict(dis_ps=[*ROWS[:3], ROWS[3] * np.float32('nan')]), 'dis_ps: expected probabilities .* found nan'),
        (dict(dis_ps=[*ROWS[:3], ROWS[3] - np.float32(0.1)]), 'dis_ps: expected probabilities .* found -0'),
        (dict(dis_ps=[*ROWS[:3], ROWS[3] * np.float32(0.9)]), r'dis_ps\[3\]: .* sum to 1, found 0.9'),
    ],
)
def test_what_does_not_make_a_schedule_is_named(file, changes, reason):
    file.write_bytes(npy(pickled(release(**changes))))
    with pytest.raises(PolicyFileError, match=reason):
        convert(file)


@pytest.fixture
def run_tool(monkeypatch):
    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', [TOOL.name, *map(str, arguments)])
        runpy.run_path(str(TOOL), run_name='__main__')

    return run


def test_the_tool_writes_a_policy_that_the_transform_takes(run_tool, file, tmp_path, capsys):
    file.write_bytes(npy(pickled(release())))
    out = tmp_path / 'new' / 'policy.json'
    run_tool(file, '--out', out)
    schedule = PolicySchedule.load(out)
    assert schedule.space == SearchSpace.preset('cifar_release', num_ops=2)
    assert schedule.snapshots == convert(file).snapshots
    assert schedule.meta['task'] == 'classification' and schedule.meta['source'] == file.name
    augment = DDASAugment(out)
    augment.set_progress(EPOCHS - 1, EPOCHS)
    image = np.zeros((32, 32, 3), np.uint8)
    assert all(augment.transform(dict(img=image))['img'].shape == image.shape for _ in range(20))

    printed = capsys.readouterr().out
    leader = schedule.space.candidates[int(schedule.snapshots[-1].op_probs.argmax())]
    assert f'4 epochs, 52 candidates -> {out}' in printed and 'p_tp 0.3500 -> 0.2800' in printed
    assert f'(uniform 1.92%): {leader} ' in printed


def test_the_tool_says_in_one_line_what_is_wrong_and_leaves_the_old_file(run_tool, file, marker, tmp_path, capsys):
    out = tmp_path / 'policy.json'
    out.write_text('old')
    attack = npy(program(call(by_name('os', 'system'), COMMAND.format(marker=marker))))
    for data, reason in ((attack, 'wants to use os.system'), (npy(pickled(release()))[:900], 'only 72 remain')):
        file.write_bytes(data)
        with pytest.raises(SystemExit, match='2'):
            run_tool(file, '--out', out)
        (complaint,) = (line for line in capsys.readouterr().err.splitlines() if 'error: ' in line)
        assert reason in complaint
    with pytest.raises(SystemExit, match='2'):
        run_tool(tmp_path / 'nowhere.npy', '--out', out)
    assert 'nowhere.npy' in capsys.readouterr().err
    assert out.read_text() == 'old' and not marker.exists()


@pytest.mark.skipif(not SAMPLE.exists(), reason='needs ../shared/data/ddas_release')
def test_the_released_policy_starts_uniform_at_035(tmp_path):
    schedule = convert(SAMPLE)
    assert len(schedule) == 20 and schedule.space == SearchSpace.preset('cifar_release')
    first, last = schedule.snapshots[0], schedule.snapshots[-1]
    assert first == PolicySnapshot(float(np.float32(0.35)), np.full(52, 1 / 52))
    assert last.total_prob == pytest.approx(0.2183, abs=1e-4) and last.op_probs.max() == pytest.approx(0.032, abs=1e-3)
    schedule.save(tmp_path / 'policy.json')
    assert PolicySchedule.load(tmp_path / 'policy.json').snapshots == schedule.snapshots
