"""Turn a published list of sub-policies into a policy.json, with its authors' magnitudes.

    python tools/dataset_tools/convert_sub_policies.py FILE --name dada_cifar10 --magnitudes fast_autoaugment

The file is Python source (read, never run) or JSON, and has lists of sub-policies by name, each operation with its
probability and its magnitude: ``[[('Rotate', 0.7, 2), ...], ...]``. A name is a variable, a function or class that has
the list, or a key of JSON; of several lists in a function, ``good_policies.exp0_0``, and ``--name 'good_policies.*'``
joins them. A key's value may also be an object with ``sub_policies``, or with ``schedule``: ``epochs`` and ``ops``
each, one sub-policy an epoch, of which ``ops_per_image`` (``counts`` and their ``probs``) are applied at most, in
random order.
"""

import argparse
import ast
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from mmddas import ops
from mmddas.core import PolicySchedule

Level = Callable[[float], float]


def _unchanged(magnitude: float) -> float:
    return magnitude


def _tenfold(magnitude: float) -> float:
    return round(10 * magnitude, 6)


def _from_middle(magnitude: float) -> float:
    """Return the level of a place in a range from -v to v, whose sign is then drawn."""
    return round(10 * abs(2 * magnitude - 1), 6)


_UNCHANGED = dict.fromkeys(('Color', 'Contrast', 'Brightness', 'Sharpness'), (None, _unchanged))
# By source: each operation's name here (None: the same), and the level for a magnitude.
MAGNITUDES: dict[str, dict[str, tuple[str | None, Level]]] = {
    # Levels 0 to 10, as Cubuk et al.'s code maps them; Ho et al.'s (PBA) does the same.
    'autoaugment': _UNCHANGED
    | dict.fromkeys(('Rotate', 'ShearX', 'ShearY', 'TranslateX', 'TranslateY'), (None, _unchanged))
    | {
        'Posterize': ('PosterizeIncreasing', _unchanged),
        'Solarize': ('SolarizeIncreasing', _unchanged),
        'Cutout': ('CutoutAbs', _unchanged),
    },
    # Places in the range of each operation, 0 to 1, as in Lim et al.'s code.
    'fast_autoaugment': dict.fromkeys(_UNCHANGED, (None, _tenfold))
    | dict.fromkeys(('Rotate', 'ShearX', 'ShearY'), (None, _from_middle))
    | {
        'TranslateX': ('TranslateXRel', _from_middle),
        'TranslateY': ('TranslateYRel', _from_middle),
        'Posterize': (None, lambda magnitude: int(4 + 4 * magnitude) / 0.4),  # 4 to 8 bits
        'Solarize': ('SolarizeIncreasing', lambda magnitude: round(10 * (1 - magnitude), 6)),
        'Cutout': ('CutoutRel', _tenfold),
    },
    # Levels 0 to 10, as Zoph et al. have them.
    'detection': {},
}


def converted(operation: object, magnitudes: str) -> dict:
    """Convert an operation to that of a policy file; raise ValueError where it is malformed."""
    valid = isinstance(operation, (list, tuple)) and len(operation) == 3 and isinstance(operation[0], str)
    if not valid or not all(isinstance(value, (int, float)) for value in operation[1:]):
        raise ValueError(f'{operation!r:.80}: expected an operation, its probability and its magnitude')
    name, prob, magnitude = operation
    new_name, level = MAGNITUDES[magnitudes].get(name, (None, _unchanged))
    new_name = new_name or name
    return dict(op=new_name, level=level(magnitude) if ops.get(new_name).takes_level else None, prob=prob)


def convert(published: object, magnitudes: str, meta: dict | None = None) -> PolicySchedule:
    """Convert a list of sub-policies, or an object with such lists, to a schedule.

    Raises:
        ValueError: It is neither, or an operation, a probability or a magnitude is not valid.
    """
    content = published if isinstance(published, dict) else dict(sub_policies=published)
    most = {}
    if 'ops_per_image' in content:
        counts, probs = content['ops_per_image']['counts'], content['ops_per_image']['probs']
        if counts != [*range(len(counts))]:
            raise ValueError(f'ops_per_image: expected counts 0, 1, 2, ..., got {counts!r:.80}')
        most = dict(max_applied=probs)

    def listed(sub_policies: object) -> list:
        if not isinstance(sub_policies, (list, tuple)):
            raise ValueError(f'expected a list of sub-policies, got {sub_policies!r:.80}')
        return [[converted(operation, magnitudes) for operation in sub_policy] for sub_policy in sub_policies]

    if 'schedule' in content:
        epochs = [
            dict(sub_policies=listed([part['ops']]), repeat=part['epochs'], **most) for part in content['schedule']
        ]
        policy = dict(epochs=epochs)
    elif 'sub_policies' in content:
        policy = dict(sub_policies=listed(content['sub_policies']), **most)
    else:
        raise ValueError(f'expected "sub_policies" or "schedule", got {[*content]!r:.80}')
    schedule = PolicySchedule.from_dict(policy | dict(meta=meta or {}), 'the list')
    ops.check_candidates(schedule.space.candidates)
    return schedule


def named_lists(path: Path) -> dict[str, object]:
    """Read the lists of a file, by name; raise ValueError where it cannot be read."""
    text = path.read_text(encoding='utf-8')
    if path.suffix == '.json':
        content = json.loads(text)
        return content if isinstance(content, dict) and 'sub_policies' not in content else {path.stem: content}
    found = [*_lists_in(ast.parse(text))]
    places = Counter(place[:1] for place, _ in found)
    # One list in a function is the function's; several have longer names, and a number where these are alike, too.
    names = ['.'.join(place if places[place[:1]] > 1 else place[:1]) for place, _ in found]
    twice, numbers = {name for name, number in Counter(names).items() if number > 1}, Counter()
    named = {}
    for name, (_, value) in zip(names, found, strict=True):
        numbers[name] += 1
        named[f'{name}.{numbers[name]}' if name in twice else name] = value
    return named


def joined(found: dict[str, object], name: str) -> object:
    """Return the list of a name; for ``'name.*'``, join all lists whose names begin so.

    Raises:
        ValueError: There is no such name (the message has those that there are), or one of several is no list.
    """
    if name in found:
        return found[name]
    within = name.removesuffix('*') if name.endswith('.*') else None
    values = [value for key, value in found.items() if within and key.startswith(within)]
    if not values:
        raise ValueError(f"there is no {name!r}; names are {', '.join(found)} ('NAME.*' joins several)")
    if not all(isinstance(value, list) for value in values):
        raise ValueError(f'{name!r} are not all lists of sub-policies, and cannot be joined')
    return [sub_policy for value in values for sub_policy in value]


def _lists_in(tree: ast.AST, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Find lists of sub-policies in Python source, with the names of the classes, functions, ... that hold them."""
    for node in ast.iter_child_nodes(tree):
        inner = place
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            inner = (*place, node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            inner = (*place, target.id) if isinstance(target, ast.Name) else place
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                name = str(key.value) if isinstance(key, ast.Constant) else '?'
                yield from _lists_in(ast.Expression(value), (*inner, name))
            continue
        if isinstance(node, ast.List):
            try:
                value = ast.literal_eval(node)
            except ValueError:
                value = None
            if value and all(isinstance(row, (list, tuple)) and row for row in value):
                yield inner, value
                continue
        yield from _lists_in(node, inner)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('file', type=Path, help='Python source or JSON')
    parser.add_argument('--name', help="name of the list, or 'name.*'; not needed where there is only one")
    parser.add_argument('--magnitudes', required=True, choices=MAGNITUDES, help='source of the magnitudes')
    parser.add_argument('--out', type=Path, help='the policy file (default: NAME.json)')
    args = parser.parse_args()
    try:
        found = named_lists(args.file)
        if not found:
            raise ValueError('there is no list of sub-policies in it')
        if args.name is None and len(found) > 1:
            raise ValueError(f'--name says which of its lists: {", ".join(found)}')
        name = args.name or next(iter(found))
        published = joined(found, name)
        name = name.removesuffix('.*')
        task = 'detection' if args.magnitudes == 'detection' else 'classification'
        schedule = convert(published, args.magnitudes, dict(task=task, name=name))
        out = args.out or Path(f'{Path(name).name}.json')
        if out.resolve() == args.file.resolve():
            raise ValueError('--out names the policy file, which would replace this one')
        schedule.save(out)
    except (ValueError, OSError, SyntaxError, LookupError) as error:
        sys.exit(f'{args.file}: {error}')
    print(f'{out}: {len(schedule)} epochs, {len(schedule.snapshots[-1].sub_policies)} sub-policies in the last')


if __name__ == '__main__':
    main()
