"""The command ``mmddas show``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('show')
