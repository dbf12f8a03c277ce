"""Follow the log of a search while its process runs: its policies as they come, and in a terminal a bar.

python tools/analysis_tools/follow_search.py search.log PID
"""

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from mmddas.viz.progress import Bar

INTERVAL = 0.5  # seconds

LENGTH = re.compile(r'candidates, (\d+) epochs? of (\d+) steps?,')
STEP = re.compile(r'Epoch\(train\) +\[(\d+)\]\[ *(\d+)/')
POLICY = re.compile(r'INFO - (Policy after epoch .*?)( \(times uniform\))?$')


def lines(path: Path, pid: int) -> Iterator[str]:
    """The file's lines, also those that come until the process has ended."""
    with path.open(encoding='utf-8', errors='replace') as file:
        runs, begun = True, ''
        while runs:
            runs = is_running(pid)  # asked before the file is read: what it wrote last is read, too
            for part in file:
                begun += part
                if begun.endswith('\n'):
                    yield begun
                    begun = ''
            time.sleep(INTERVAL if runs else 0)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    bar, per_epoch, note = None, 1, ''
    for line in lines(Path(sys.argv[1]), int(sys.argv[2])):
        length, step, policy = (pattern.search(line.rstrip()) for pattern in (LENGTH, STEP, POLICY))
        if length and bar is None:
            per_epoch = int(length[2])
            bar = Bar(int(length[1]) * per_epoch, 'steps')
        if policy:
            note = policy[1].split(': ', 1)[1][:60]
            print(f'   {policy[1]}', flush=True)
        if bar is not None and (step or policy):
            epoch, within = (int(step[1]), int(step[2])) if step else (int(re.search(r'\d+', policy[1])[0]), per_epoch)
            bar.advance(note, to=(epoch - 1) * per_epoch + within)
    if bar is not None:
        bar.stop()


if __name__ == '__main__':
    main()
