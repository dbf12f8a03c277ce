"""The command line: each command's arguments in ``arguments``, what it does in a module of its name."""

from __future__ import annotations

import argparse
import importlib
import inspect
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mmddas.requirements import import_all
from mmddas.version import __version__

from . import arguments

COMMANDS = {
    'split': 'split a data set, and write the config of a training on it',
    'search': 'search a policy, from the config of a training',
    'train': 'train with a policy or without',
    'test': 'evaluate a trained network',
    'compare': 'train with several policies over several seeds, and compare them',
    'show': 'print a policy as a table',
    'report': 'write the report of a search again',
    'export': "write a policy in another library's transforms",
    'browse': 'draw images under a policy, or an image under every operation',
}
# These need neither MMDetection nor MMPretrain.
_WITHOUT_OPENMMLAB = ('show', 'export')


def run_command(command: str | None = None) -> None:
    """Run a command with the arguments of the command line, whose first one names the command by default."""
    given = sys.argv[1:]
    prog = f'python {sys.argv[0]}'
    if command is None:
        command = _command_of(given)
        prog, given = f'mmddas {command}', given[1:]
    parser = command_parser(command, prog)
    args = parser.parse_args(given)
    args.typed = f'{prog} {shlex.join(given)}'
    if command not in _WITHOUT_OPENMMLAB:
        try:
            import_all()
        except ImportError as error:
            sys.exit(f'{prog}: {error}')
    importlib.import_module(f'mmddas.cli.{command}').main(parser, args)


@contextmanager
def wrong_input_ends(parser: argparse.ArgumentParser) -> Iterator[None]:
    """End the program with status 2 and the message of a ValueError or OSError, for code that checks its input."""
    try:
        yield
    except (ValueError, OSError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')


def command_parser(command: str, prog: str) -> argparse.ArgumentParser:
    """Make the parser of a command, with its description and examples."""
    function = getattr(arguments, command)
    parser = argparse.ArgumentParser(
        prog, description=inspect.getdoc(function), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    function(parser)
    return parser


def _command_of(given: list[str]) -> str:
    """Return the command's name; end the program for --help, --version and unknown names."""
    width = max(map(len, COMMANDS))
    parser = argparse.ArgumentParser(
        'mmddas',
        usage='mmddas COMMAND ...',
        description='Search a data-augmentation policy for your own data set, with MMDetection or MMPretrain.\n\n'
        'commands:\n' + ''.join(f'  {name:{width}}  {words}\n' for name, words in COMMANDS.items()),
        epilog='mmddas COMMAND --help lists its arguments, with examples.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'mmddas {__version__}')
    parser.add_argument('command', choices=COMMANDS, metavar='COMMAND', help=argparse.SUPPRESS)
    return parser.parse_args(given[:1]).command
