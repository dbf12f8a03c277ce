"""The command ``mmddas search``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('search')
