"""The command ``mmddas report``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('report')
