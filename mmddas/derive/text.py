"""Write a derived config as a file to read and to change.

Own code, since MMEngine's ``pretty_text`` sorts the keys, and writes infinity as a name that no config knows.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from keyword import iskeyword

from mmengine.config import Config
from mmengine.runner import Runner

from mmddas.compat import import_formatter

_FORMAT = import_formatter()
# The nodes of a search in the order of its file, with the comments on them.
_OWN = {
    'train_dataloader': 'S_train: the images that the network learns on. DDASAugment marks where operations are tried.',
    'train_cfg': 'The search, and S_val (policy_dataloader), on which the policy is judged.',
    'param_scheduler': "The training's schedule of learning rates, in iterations of the search.",
    'default_hooks': 'A checkpoint after every epoch, from which --resume goes on.',
    'log_processor': 'Names the leading candidates in every line of the log.',
    'custom_imports': None,
    'custom_hooks': None,
    'randomness': None,
    'derived_from': 'The report names it in its commands.',
    'derived_with': None,
}
# Nodes that a run reads besides the arguments of its Runner; others are a config's variables, for its own use.
_READ = ('auto_scale_lr', 'compile', 'default_scope', 'find_unused_parameters', 'model_wrapper_cfg', 'runner_type')
_NOT_OF_A_FILE = ('cfg', 'launcher', 'resume', 'self', 'work_dir')
_STYLE = '{based_on_style: pep8, column_limit: 110, split_before_first_argument: true, dedent_closing_brackets: true}'


def config_text(config: Config, source: str, lines: Sequence[str]) -> str:
    """Return the text of a search's config: its own nodes first, with comments, and then the training's.

    Of the training's nodes those stay that a run reads, and single values.
    """
    nodes = config.to_dict()
    read = (*inspect.signature(Runner.__init__).parameters, *_READ)
    kept = [
        name
        for name, node in nodes.items()
        if name not in (*_OWN, *_NOT_OF_A_FILE)
        if name in read or not (node is None or isinstance(node, (dict, list, tuple)))
    ]
    head = ''.join(f'    {line}\n' for line in lines)
    parts = [f'"""A search for a policy, derived from {source}.\n\n{head}"""\n']
    for name, comment in _OWN.items():
        if nodes.get(name):
            parts.append((f'# {comment}\n' if comment else '') + _statement(name, nodes[name]))
    rest = '\n'.join(_statement(name, nodes[name]) for name in kept)
    parts.append('# From here on everything is as in the training.\n' + rest)
    return formatted('\n'.join(parts))


def difference(before: dict, after: dict) -> dict:
    """Return what a config whose base is ``before`` has to say to become ``after``."""
    changes = {key: node for key, node in after.items() if key not in before or before[key] != node}
    for key, node in changes.items():
        old = before.get(key)
        if isinstance(node, dict) and isinstance(old, dict):
            changes[key] = difference(old, node) if set(old) <= set(node) else dict(node, _delete_=True)
    return changes


def formatted(text: str) -> str:
    """Return Python code laid out for reading."""
    return _FORMAT(text, style_config=_STYLE)[0]


def _statement(name: str, node: object) -> str:
    return f'{name} = {expression(node)}\n'


def expression(node: object) -> str:
    """Return the Python expression of a config's node: ``type`` first, the rest in its order."""
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
