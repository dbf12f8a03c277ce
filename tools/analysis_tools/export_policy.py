"""Write a policy in another library's transforms; the same as ``mmddas export``."""

from mmddas_cli import main

if __name__ == '__main__':
    main('export')
