"""What ``import mmddas`` and the ``--help`` of every tool cost, beside those of MMDetection's ``tools/train.py``.

python tools/benchmarks/start.py
"""

import argparse
import importlib.util
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def seconds(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args()

    theirs = Path(importlib.util.find_spec('mmdet').origin).parent / '.mim' / 'tools' / 'train.py'
    if not theirs.is_file():
        raise SystemExit(f'There is no {theirs}: MMDetection was installed without its tools; install a wheel of it')
    commands = {
        "MMDetection's tools/train.py --help": [str(theirs), '--help'],
        'import torch': ['-c', 'import torch'],
        'import mmddas': ['-c', 'import mmddas'],
    }
    for tool in sorted(ROOT.glob('tools/**/*.py')):
        if tool.parent.name != 'benchmarks':
            commands[f'{tool.relative_to(ROOT)} --help'] = [str(tool), '--help']

    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(args.repeats):
        for name, command in commands.items():
            times[name].append(seconds(*command))
    yardstick, *_ = times.values()
    print(f'medians of {args.repeats}, in turn\n')
    for name, measured in times.items():
        ratio = statistics.median(b / a for a, b in zip(yardstick, measured, strict=True))
        print(f'{name:56}{statistics.median(measured):6.2f} s   {ratio:5.2f}')


if __name__ == '__main__':
    main()
