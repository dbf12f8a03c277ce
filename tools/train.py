"""The command ``mmddas train``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('train')
