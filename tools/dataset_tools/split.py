"""Split a data set, and write the config of a training on it; the same as ``mmddas split``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('split')
