"""The commands of ``mmddas`` and of ``tools/``: arguments here and in ``arguments``, what they do in a module each."""

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
    'search': 'search a policy, for the config of a training',
    'train': 'train, with a policy or without',
    'test': 'evaluate what has been trained',
    'compare': 'train with several policies, over several seeds: which one helps?',
    'show': 'print a policy as a table',
    'report': 'write the report of a search anew',
    'export': "write a policy in another library's transforms",
    'browse': 'draw images under a policy, or an image under every operation',
}
# These read a policy's file, for which neither MMDetection nor MMPretrain is needed.
_BY_THE_CORE_ALONE = ('show', 'export')


def run_command(command: str | None = None) -> None:
    """Run a command; by default the one that the command line names first."""
    given = sys.argv[1:]
    if command is None:
        command = _chosen(given)
        prog, given = f'mmddas {command}', given[1:]
    else:
        prog = f'python {sys.argv[0]}'
    parser = command_parser(command, prog)
    args = parser.parse_args(given)
    args.typed = f'{prog} {shlex.join(given)}'
    if command not in _BY_THE_CORE_ALONE:
        try:
            import_all()
        except ImportError as error:
            sys.exit(f'{prog}: {error}')
    importlib.import_module(f'mmddas.cli.{command}').main(parser, args)


@contextmanager
def wrong_input_ends(parser: argparse.ArgumentParser) -> Iterator[None]:
    """Within it, ValueError and OSError are of what was given: the program ends with the message, and status 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')


def command_parser(command: str, prog: str) -> argparse.ArgumentParser:
    """The arguments of one command, with its description and examples."""
    function = getattr(arguments, command)
    parser = argparse.ArgumentParser(
        prog, description=inspect.getdoc(function), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    function(parser)
    return parser


def _chosen(given: list[str]) -> str:
    """The command's name; --help and --version end here, and so does a name that there is not."""
    width = max(map(len, COMMANDS))
    parser = argparse.ArgumentParser(
        'mmddas',
        usage='mmddas COMMAND ...',
        description='Search a data-augmentation policy for your own data set, with MMDetection or MMPretrain.\n\n'
        'commands:\n' + ''.join(f'  {name:{width}}  {words}\n' for name, words in COMMANDS.items()),
        epilog='mmddas COMMAND --help has its arguments, with examples.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'mmddas {__version__}')
    parser.add_argument('command', choices=COMMANDS, metavar='COMMAND', help=argparse.SUPPRESS)
    return parser.parse_args(given[:1]).command
