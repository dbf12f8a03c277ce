"""The command ``mmddas export``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('export')
