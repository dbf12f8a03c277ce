"""Evaluate a trained detector or classifier; the same as ``mmddas test``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('test')
