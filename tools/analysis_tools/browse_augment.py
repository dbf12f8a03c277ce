"""The command ``mmddas browse``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('browse')
