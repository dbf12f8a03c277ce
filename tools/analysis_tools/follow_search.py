"""Follow the log of a search on the standard input: its policies as they come, and in a terminal a bar.

tail -f search.log | python tools/analysis_tools/follow_search.py
"""

import re
import sys

from mmddas.progress import Bar

LENGTH = re.compile(r'candidates, (\d+) epochs? of (\d+) steps?,')
STEP = re.compile(r'Epoch\(train\) +\[(\d+)\]\[ *(\d+)/')
POLICY = re.compile(r'INFO - (Policy after epoch .*?)( \(times uniform\))?$')


def main() -> None:
    bar, per_epoch, note = None, 1, ''
    for line in sys.stdin:
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
