"""The command ``mmddas test``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('test')
