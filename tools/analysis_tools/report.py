"""Write the report of a search anew; the same as ``mmddas report``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('report')
