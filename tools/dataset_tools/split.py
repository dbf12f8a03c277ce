"""The command ``mmddas split``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('split')
