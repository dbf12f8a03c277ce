"""Turn a policy file that the authors of DDAS released (.npy) into a policy.json.

python tools/dataset_tools/convert_release_policy.py wresnet40x2_cifar10_new_search_smoothed.npy

The file is a pickled NumPy object array that holds a dict:

- ``dis_ps``: T rows of K operation probabilities.
- ``tps``: T + 1 values of p_tp. Value t belongs to row t: row 0 is uniform and value 0 is 0.35, both from before the
  search's first step. The last value, a copy of the one before it, belongs to no row and is left out.

A pickle can call any function, and one with NumPy's functions alone can still forge pointers, since ``dtype`` takes its
flags from the file. So the unpickler calls nothing: it records what the file asks for, and refuses all other names.
"""

import argparse
import os
import pickle
from pathlib import Path

import numpy as np

from mmddas import __version__
from mmddas.cli import wrong_input_ends
from mmddas.core import PolicyFileError, PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.core.policy_file import SUM_TOLERANCE

FLOATS = ('f2', 'f4', 'f8')
LEADERS = 5


class Recorded:
    """A call that the file asks for, with its arguments and the state that it sets afterwards."""

    def __init__(self, *args: object) -> None:
        self.args, self.state = args, None

    def __setstate__(self, state: object) -> None:  # without it a pickle could set any attribute
        self.state = state


# What pickled arrays ask for, to be recorded: a class each. ``encode`` makes bytes in protocols 0 to 2.
RECORDED = {
    name: type(name.rpartition('.')[2], (Recorded,), {})
    for name in (
        'numpy.ndarray',
        'numpy.dtype',
        'numpy.core.multiarray._reconstruct',
        'numpy.core.multiarray.scalar',
        'numpy.core.numeric._frombuffer',
        '_codecs.encode',
    )
}


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that imports and calls nothing."""

    def find_class(self, module: str, name: str) -> type[Recorded]:
        asked = f'{module}.{name}'.replace('numpy._core.', 'numpy.core.')  # as NumPy 2 has it
        if asked not in RECORDED:
            raise pickle.UnpicklingError(f'refused, nothing was run: it asks for {asked[:120]!r}')
        return RECORDED[asked]


def restored(value: object) -> object:
    """Restore arrays of floats, and the one object in an array of objects, from recorded calls and lists of them."""
    if isinstance(value, list):
        return [restored(item) for item in value]
    if not isinstance(value, Recorded):
        return value
    kind = type(value).__name__
    if kind == 'encode':
        return value.args[0].encode('latin1')
    if kind == 'scalar':
        shape, order, (dtype, data) = (), 'C', value.args
    elif kind == '_frombuffer':
        data, dtype, shape, order = value.args
    else:
        _, shape, dtype, is_fortran, data = value.state
        order = 'F' if is_fortran else 'C'
    code, byte_order = dtype.args[0], dtype.state[1]
    if code == 'O8' and isinstance(data, list) and len(data) == 1:
        return data[0]
    if code not in FLOATS or byte_order not in ('<', '>'):
        raise ValueError(f'an array of type {code!r:.120}, expected floating-point numbers, {", ".join(FLOATS)}')
    return np.frombuffer(restored(data), byte_order + code).reshape(shape, order=order)


def read_release(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Read ``dis_ps`` ``(T, K)`` and ``tps`` ``(T or T + 1,)``, as float64, without running anything in the file.

    Raises:
        OSError: The file cannot be read.
        PolicyFileError: It is not a released policy, or it asks for more than arrays need.
    """
    with Path(path).open('rb') as file:
        try:
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
            content = restored(RestrictedUnpickler(file).load())
            return np.array(restored(content['dis_ps']), float), np.array(restored(content['tps']), float)
        except Exception as error:  # a damaged file raises nearly anything
            raise PolicyFileError(
                f'{path}: expected a .npy file with a pickled dict of dis_ps and tps, but: '
                f'{type(error).__name__}: {error}. Get the file again from the authors of DDAS.'
            ) from error


def convert(path: str | os.PathLike, search_space: str = 'cifar_release', num_ops: int = 2) -> PolicySchedule:
    """Return the schedule of T snapshots in a released file.

    Args:
        path: The released ``.npy`` file.
        search_space: The preset whose candidates, in its order, ``dis_ps`` belongs to.
        num_ops: N_o.

    Raises:
        OSError: The file cannot be read.
        PolicyFileError: As of :func:`read_release`, or the values do not fit the space.
        ValueError: There is no such preset, or ``num_ops`` is below 1.
    """
    space = SearchSpace.preset(search_space, num_ops)
    op_probs, total_probs = read_release(path)
    if op_probs.ndim != 2 or not len(op_probs) or op_probs.shape[1] != len(space):
        raise PolicyFileError(
            f'{path}: dis_ps: expected rows of {len(space)} probabilities, one for each candidate of {search_space!r}, '
            f'found the shape {op_probs.shape}; name the search space that the file comes from (--search-space)'
        )
    epochs = len(op_probs)
    if total_probs.shape not in ((epochs,), (epochs + 1,)):
        raise PolicyFileError(
            f'{path}: tps: expected {epochs} or {epochs + 1} values for the {epochs} rows of dis_ps, '
            f'found the shape {total_probs.shape}'
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


def main() -> None:
    """Convert a file, and print p_tp and the leading candidates."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('file', help='policy file of the DDAS release, .npy; no code in it is run')
    parser.add_argument('--out', default='policy.json', help='the new policy file')
    parser.add_argument('--search-space', default='cifar_release', help='preset that names the candidates, in order')
    parser.add_argument('--num-ops', type=int, default=2, help='N_o, operations in a sub-policy')
    args = parser.parse_args()
    with wrong_input_ends(parser):
        schedule = convert(args.file, args.search_space, args.num_ops)
        schedule.save(args.out)
    space, first, last = schedule.space, schedule.snapshots[0], schedule.snapshots[-1]
    leaders = np.argsort(-last.op_probs, kind='stable')[:LEADERS]
    print(f'{len(schedule)} epochs, {len(space)} candidates -> {args.out}')
    print(f'p_tp {first.total_prob:.4f} -> {last.total_prob:.4f}')
    named = ', '.join(f'{space.candidates[k]} {last.op_probs[k]:.2%}' for k in leaders)
    print(f'leading at the end (uniform {1 / len(space):.2%}): {named}')


if __name__ == '__main__':
    main()
