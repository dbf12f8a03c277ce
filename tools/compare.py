"""The command ``mmddas compare``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('compare')
