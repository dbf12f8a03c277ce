"""The command ``mmddas``.

It is outside the package, whose import loads PyTorch and OpenMMLab: ``--help`` needs neither, and a table of a policy
no OpenMMLab. ``mmddas/__init__.py`` looks at ``deferred``.
"""

deferred = False


def main(command: str | None = None) -> None:
    """Run a command; by default the first argument of the command line names it."""
    global deferred
    deferred = True
    from mmddas.cli import run_command

    run_command(command)


if __name__ == '__main__':
    from mmddas_cli import main  # this module as the package finds it

    main()
