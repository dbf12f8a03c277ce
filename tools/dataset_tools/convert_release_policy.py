"""Turn a policy file that the authors of DDAS released (.npy) into a policy.json.

python tools/dataset_tools/convert_release_policy.py wresnet40x2_cifar10_new_search_smoothed.npy

Their file is a pickled NumPy object array that holds a dict:

- ``dis_ps``: T rows of K operation probabilities.
- ``tps``: T + 1 values of p_tp. Row t belongs to value t: row 0 is uniform and value 0 is 0.35, both what they are
  before the search's first step, and ``w0s_mt``, which has T entries, repeats the values 0 to T - 1. The value at the
  end, a copy of the one before it, belongs to no row and is left out.
- ``w0s_mt``: not needed.

Loading a pickle runs what it asks for, and what NumPy restores arrays with trusts its input, down to raw pointers. So
nothing of NumPy's is called on behalf of the file: small stand-ins keep what it says of its arrays, which are then made
from the plain bytes of floating-point numbers. All else that it may want to call is refused.
"""

import argparse
import io
import os
import pickle
import pickletools
from pathlib import Path

import numpy as np

from mmddas import __version__
from mmddas.cli import wrong_input_ends
from mmddas.core import PolicyFileError, PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.core.policy_file import SUM_TOLERANCE

FLOATS = ('f2', 'f4', 'f8')
HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
LEADERS = 5


class _Refused(pickle.UnpicklingError):
    """The pickle wants something that arrays and plain containers do not need."""


class _StandIn:
    """Has a ``__setstate__``: where there is none, a pickle may set any attribute, those of a class included."""

    def __setstate__(self, state: object) -> None:
        raise _Refused(f'wants to change what stands in for it: {type(self).__name__}')


class _Dtype(_StandIn):
    """Stands in for ``numpy.dtype``."""

    def __init__(self, code: object, align: object = False, copy: object = False) -> None:
        self.code = code
        self.order = '<'

    def __setstate__(self, state: tuple) -> None:
        _, self.order, *fields = state
        if fields[:3] != [None, None, None]:
            raise ValueError('an array of records, expected floating-point numbers')

    @property
    def is_object(self) -> bool:
        return self.code in ('O', 'O4', 'O8')

    def to_numpy(self) -> np.dtype:
        if self.code not in FLOATS or self.order not in ('<', '>'):
            raise ValueError(f'an array of type {_short(self.code)}, expected floating-point numbers: {FLOATS}')
        return np.dtype(self.order + self.code)


class _Array(_StandIn):
    """Stands in for ``numpy.ndarray``, and for the function that makes an empty one to be filled by its state."""

    def __init__(self, *arguments: object) -> None:
        self.state = None

    def __setstate__(self, state: tuple) -> None:
        _, *self.state = state

    def to_numpy(self) -> np.ndarray:
        shape, dtype, fortran_order, data = self.state
        return np.frombuffer(data, dtype.to_numpy()).reshape(shape, order='F' if fortran_order else 'C')

    def only_object(self) -> object:
        """The one Python object in an object array."""
        shape, dtype, _, data = self.state
        if not dtype.is_object or len(data) != 1:
            raise ValueError(f'an array of shape {_short(shape)}, expected one of a single Python object, a dict')
        return data[0]


class _Scalar(_Array):
    """Stands in for the function that restores a NumPy scalar."""

    def __init__(self, dtype: _Dtype, data: bytes) -> None:
        self.state = (), dtype, False, data


class _ArrayFromBuffer(_Array):
    """Stands in for the function that restores an array from a buffer (pickle protocol 5)."""

    def __init__(self, data: bytes, dtype: _Dtype, shape: tuple, order: str) -> None:
        self.state = shape, dtype, order == 'F', data


class _Latin1Bytes(_StandIn):
    """Stands in for ``_codecs.encode``, which knows many codecs, as the detour of protocols 0 to 2 for bytes."""

    def __new__(cls, text: str, codec: str = 'utf-8') -> bytes:
        if codec != 'latin1':
            raise _Refused(f'wants to call _codecs.encode with the codec {_short(codec)}, expected latin1')
        return str.encode(text, 'latin1')


# NumPy 2 renamed numpy.core to numpy._core.
STAND_INS = {
    ('numpy', 'ndarray'): _Array,
    ('numpy', 'dtype'): _Dtype,
    ('numpy.core.multiarray', '_reconstruct'): _Array,
    ('numpy._core.multiarray', '_reconstruct'): _Array,
    ('numpy.core.multiarray', 'scalar'): _Scalar,
    ('numpy._core.multiarray', 'scalar'): _Scalar,
    ('numpy.core.numeric', '_frombuffer'): _ArrayFromBuffer,
    ('numpy._core.numeric', '_frombuffer'): _ArrayFromBuffer,
    ('_codecs', 'encode'): _Latin1Bytes,
}


class _Unpickler(pickle.Unpickler):
    """Imports nothing: a global is one of the stand-ins, or refused."""

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in STAND_INS:
            raise _Refused(f'wants to use {_short(f"{module}.{name}")}, which an array does not need')
        return STAND_INS[module, name]

    def persistent_load(self, pid: object) -> None:
        raise _Refused('wants to load an object from outside of the file (a persistent id)')


def read_release(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Read a released file without running anything in it.

    Returns:
        ``dis_ps`` ``(T, K)`` and ``tps``, of one dimension, both float64 and otherwise as they are in the file.

    Raises:
        OSError: The file cannot be read.
        PolicyFileError: It is not a released policy, or it wants to run something.
    """
    file = io.BytesIO(Path(path).read_bytes())
    try:
        content = _only_object(file)
        return _to_array(content, 'dis_ps', ndim=2), _to_array(content, 'tps', ndim=1)
    except _Refused as error:
        raise PolicyFileError(
            f'{path}: refused, nothing was run: the file {error}. Get the file again from the authors of DDAS.'
        ) from error
    except Exception as error:  # a damaged header or pickle raises nearly anything
        raise PolicyFileError(
            f'{path}: expected a whole .npy file with a pickled dict of dis_ps and tps, but: '
            f'{_short(str(error)) or type(error).__name__}. Get the file again from the authors of DDAS.'
        ) from error


def _only_object(file: io.BytesIO) -> dict:
    version = np.lib.format.read_magic(file)
    if version not in HEADER_READERS:
        raise ValueError(f'.npy version {version}, expected one of {list(HEADER_READERS)}')
    shape, _, dtype = HEADER_READERS[version](file)
    if dtype.kind != 'O':
        raise ValueError(f'an array of {dtype} of shape {shape}, not of Python objects')
    pickled = file.read()
    _check_sizes(pickled)
    array = _Unpickler(io.BytesIO(pickled)).load()
    if not isinstance(array, _Array):
        raise ValueError(f'a pickled {type(array).__name__}, not an array')
    content = array.only_object()
    if not isinstance(content, dict):
        raise ValueError(f'an array that holds a {type(content).__name__}, not a dict')
    missing = {'dis_ps', 'tps'} - set(content)
    if missing:
        raise ValueError(f'no {" and no ".join(sorted(missing))} among the keys {list(content)}')
    return content


def _check_sizes(pickled: bytes) -> None:
    """Raise ValueError for data that are not there, and for places in the memo that so short a pickle cannot fill.

    The unpickler would get memory for as many as the file says, gigabytes where a byte is damaged.
    """
    for opcode, argument, position in pickletools.genops(pickled):
        if opcode.name in ('PUT', 'BINPUT', 'LONG_BINPUT') and argument > len(pickled):
            raise ValueError(f'place {argument} of the memo at byte {position} of a pickle of {len(pickled)} bytes')


def _to_array(content: dict, field: str, ndim: int) -> np.ndarray:
    """A field as a float64 array of ``ndim`` dimensions."""
    array = _stack(content[field], ndim, field)
    if array.ndim != ndim:
        raise ValueError(f'{field} has the shape {array.shape}, expected {ndim} dimension(s)')
    return array


def _stack(value: object, ndim: int, field: str) -> np.ndarray:
    """Numbers, arrays and lists of them, nested ``ndim`` times at most, as a float64 array."""
    if isinstance(value, _Array):
        return value.to_numpy().astype(np.float64)
    if isinstance(value, float):
        return np.float64(value)
    if not (isinstance(value, (list, tuple)) and ndim):
        raise ValueError(f'{field} holds a {type(value).__name__}, expected floating-point numbers')
    items = [_stack(item, ndim - 1, field) for item in value]
    shapes = {item.shape for item in items}
    if len(shapes) != 1:
        raise ValueError(f'{field} is a list of arrays of the shapes {sorted(shapes)}, expected one shape')
    return np.stack(items)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= 120 else text[:117] + '...'


def convert(path: str | os.PathLike, search_space: str = 'cifar_release', num_ops: int = 2) -> PolicySchedule:
    """The schedule in a released file: T snapshots.

    Args:
        path: The released ``.npy`` file.
        search_space: The preset whose candidates, in its order, ``dis_ps`` belongs to.
        num_ops: N_o.

    Raises:
        OSError: The file cannot be read.
        PolicyFileError: It is not a released policy, it wants to run something, or it does not fit the space.
        ValueError: There is no such preset, or ``num_ops`` is below 1.
    """
    space = SearchSpace.preset(search_space, num_ops)
    op_probs, total_probs = read_release(path)
    epochs, size = op_probs.shape
    if size != len(space):
        raise PolicyFileError(
            f'{path}: dis_ps: expected {len(space)} probabilities a row, one for each candidate of {search_space!r}, '
            f'found {size}; name the search space that the file comes from (--search-space)'
        )
    if len(total_probs) not in (epochs, epochs + 1):
        raise PolicyFileError(
            f'{path}: tps: expected {epochs} or {epochs + 1} values for the {epochs} rows of dis_ps, '
            f'found {len(total_probs)}'
        )
    for field, values in (('dis_ps', op_probs), ('tps', total_probs)):
        wrong = values[~((values >= 0) & (values <= 1))]  # NaN is in no range
        if wrong.size:
            raise PolicyFileError(f'{path}: {field}: expected probabilities from 0 to 1, found {wrong[0]:g}')
    sums = op_probs.sum(axis=1)
    worst = int(np.argmax(abs(sums - 1)))
    if abs(sums[worst] - 1) > SUM_TOLERANCE:
        raise PolicyFileError(f'{path}: dis_ps[{worst}]: expected probabilities that sum to 1, found {sums[worst]:g}')
    snapshots = [
        PolicySnapshot(float(total_prob), probs / probs.sum())
        for total_prob, probs in zip(total_probs[:epochs], op_probs, strict=True)
    ]
    meta = dict(mmddas=__version__, task='classification', source=Path(path).name, search_space=search_space)
    return PolicySchedule(space, snapshots, meta)


def describe(schedule: PolicySchedule) -> str:
    """p_tp from first to last, and the leading candidates at the end."""
    first, last = schedule.snapshots[0], schedule.snapshots[-1]
    leaders = np.argsort(-last.op_probs, kind='stable')[:LEADERS]
    named = ', '.join(f'{schedule.space.candidates[k]} {last.op_probs[k]:.2%}' for k in leaders)
    return (
        f'p_tp {first.total_prob:.4f} -> {last.total_prob:.4f}\n'
        f'leading at the end (uniform {1 / len(schedule.space):.2%}): {named}'
    )


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('file', help='policy file of the DDAS release, .npy; nothing in it is run')
    parser.add_argument('--out', default='policy.json', help='the new policy file')
    parser.add_argument('--search-space', default='cifar_release', help='preset that names the candidates, in order')
    parser.add_argument('--num-ops', type=int, default=2, help='N_o, operations in a sub-policy')
    return parser, parser.parse_args()


def main() -> None:
    parser, args = parse_args()
    with wrong_input_ends(parser):
        schedule = convert(args.file, args.search_space, args.num_ops)
        schedule.save(args.out)
    print(f'{len(schedule)} epochs, {len(schedule.space)} candidates -> {args.out}')
    print(describe(schedule))


if __name__ == '__main__':
    main()
