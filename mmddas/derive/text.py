"""A derived config as a file to read and to change."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from keyword import iskeyword

from mmengine.config import Config
from mmengine.runner import Runner

from mmddas.compat import import_formatter

_FORMAT = import_formatter()
# What a search is made of, in the order of its file, with what is to be known of each.
_OWN = (
    (
        'train_dataloader',
        'S_train: the images that the network learns on. DDASAugment marks where operations are tried.',
    ),
    ('train_cfg', 'The search, and S_val (policy_dataloader), on which the policy is judged.'),
    ('param_scheduler', "The training's schedule of learning rates, in iterations of the search."),
    ('default_hooks', 'A checkpoint after every epoch, from which --resume goes on.'),
    ('log_processor', 'Names the leading candidates in every line of the log.'),
    ('custom_imports', None),
    ('custom_hooks', None),
    ('randomness', None),
    ('derived_from', 'Named in the commands of the report.'),
    ('derived_with', None),
)
# What a run reads of a config beside the arguments of its Runner; other nodes are a config's own, for its own use.
_READ = ('auto_scale_lr', 'compile', 'default_scope', 'find_unused_parameters', 'model_wrapper_cfg', 'runner_type')
_NOT_OF_A_FILE = ('cfg', 'launcher', 'resume', 'self', 'work_dir')
_STYLE = '{based_on_style: pep8, column_limit: 110, split_before_first_argument: true, dedent_closing_brackets: true}'


def config_text(config: Config, source: str, lines: Sequence[str]) -> str:
    """The whole config: what is the search's own first, with comments, and then what is the training's."""
    own = [name for name, _ in _OWN]
    nodes = config.to_dict()
    read = [name for name in (*inspect.signature(Runner.__init__).parameters, *_READ) if name not in _NOT_OF_A_FILE]
    plain = [name for name, node in nodes.items() if not isinstance(node, (dict, list, tuple)) and node is not None]
    kept = [name for name in nodes if name in read or name in plain and name not in _NOT_OF_A_FILE]
    head = ''.join(f'    {line}\n' for line in lines)
    parts = [f'"""A search for a policy, derived from {source}.\n\n{head}"""\n']
    for name, comment in _OWN:
        if nodes.get(name):
            parts.append((f'# {comment}\n' if comment else '') + _statement(name, nodes[name]))
    rest = '\n'.join(_statement(name, nodes[name]) for name in kept if name not in own)
    parts.append('# From here on everything is as in the training.\n' + rest)
    return formatted('\n'.join(parts))


def difference(before: dict, after: dict) -> dict:
    """What a config that has ``before`` as its base says to become ``after``."""
    changes = {}
    for key, node in after.items():
        if key in before and before[key] == node:
            continue
        old = before.get(key)
        if isinstance(node, dict) and isinstance(old, dict):
            replaces = not set(old) <= set(node)
            changes[key] = dict(node, _delete_=True) if replaces else difference(old, node)
        else:
            changes[key] = node
    return changes


def formatted(text: str) -> str:
    """Python as it is read."""
    return _FORMAT(text, style_config=_STYLE)[0]


def _statement(name: str, node: object) -> str:
    return f'{name} = {expression(node)}\n'


def expression(node: object) -> str:
    """A config's node as Python has it: ``type`` first, the rest in its order."""
    if isinstance(node, dict):
        keys = sorted(node, key=lambda key: key != 'type')
        if all(isinstance(key, str) and key.isidentifier() and not iskeyword(key) for key in keys):
            return f'dict({", ".join(f"{key}={expression(node[key])}" for key in keys)})'
        return f'{{{", ".join(f"{key!r}: {expression(node[key])}" for key in keys)}}}'
    if isinstance(node, (list, tuple)):
        inner = ', '.join(expression(child) for child in node)
        return f'[{inner}]' if isinstance(node, list) else f'({inner}{"," if len(node) == 1 else ""})'
    if isinstance(node, type):
        return repr(f'{node.__module__}.{node.__qualname__}')
    if isinstance(node, float) and not math.isfinite(node):
        return f'float({str(node)!r})'
    return repr(node)
