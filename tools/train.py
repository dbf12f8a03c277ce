"""Train a detector or classifier, with or without a policy; the same as ``mmddas train``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('train')
