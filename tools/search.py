"""Search a data-augmentation policy; the same as ``mmddas search``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('search')
