"""End of the quick start: was the planted operation found, and did the policy help?"""

import argparse
import json
from pathlib import Path

from mmddas.core import Candidate, PolicySchedule

# S_val and the test images are photographic negatives, which is what Solarize does at level 0.
PLANTED = Candidate('Solarize', 0)
FOUND_FROM = 3.0


def mean_average_precision(work_dir: Path) -> float:
    """The last COCO mAP that a training run logged."""
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    values = [line['coco/bbox_mAP'] for line in lines if 'coco/bbox_mAP' in line]
    if not values:
        raise SystemExit(f'{work_dir} holds no evaluation: the training did not finish; see its log')
    return values[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dir', type=Path, help='where quickstart.sh worked')
    work_dir = parser.parse_args().work_dir

    schedule = PolicySchedule.load(work_dir / 'search' / 'policy.json')
    last, uniform = schedule.snapshots[-1], 1 / len(schedule.space)
    ranking = sorted(zip(last.op_probs, schedule.space.candidates, strict=True), reverse=True)
    print('== Leading candidates (probability, times uniform)')
    for prob, candidate in ranking[:5]:
        mark = '   <- planted: undoes what sets S_val apart' if candidate == PLANTED else ''
        print(f'   {candidate!s:24} {prob:.3f}  x{prob / uniform:.1f}{mark}')
    planted = next(prob for prob, candidate in ranking if candidate == PLANTED) / uniform
    found = ranking[0][1] == PLANTED and planted >= FOUND_FROM
    print(f'   p_tp {schedule.snapshots[0].total_prob:.2f} -> {last.total_prob:.2f}')
    print(f'   Planted operation found: {"yes" if found else "NO"} (x{planted:.1f}; leading and x{FOUND_FROM:g} asked)')
    print(f'   Evidence: {schedule.findings.sentence(len(schedule))}')

    with_policy = mean_average_precision(work_dir / 'policy')
    baseline = mean_average_precision(work_dir / 'baseline')
    print('== mAP on held-out negatives')
    print(f'   with the policy {with_policy:.3f}, without {baseline:.3f}')
    print('== Look at')
    print(f'   {work_dir}/search/report.html   the report of the search: open it in a browser')
    print(f'   {work_dir}/search/policy.png    the searched policy')
    print(f'   {work_dir}/augmented.png        training images under it')
    if not (found and with_policy > baseline):
        raise SystemExit('The search did not show what it should on this data set; please report it with the logs.')


if __name__ == '__main__':
    main()
