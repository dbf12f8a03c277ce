"""The command ``export``."""

import argparse
import json
import textwrap

import numpy as np

from mmddas.core import PolicySchedule, PolicySnapshot, load_policy
from mmddas.export import Export, Image, final, mean, to_albumentations, to_mmdet
from mmddas.files import write_text

from . import wrong_input_ends

# Of what a policy draws; with more of it doing nothing, an export is another policy.
MOST_LEFT_OUT = 0.5


def in_albumentations(schedule: PolicySchedule, snapshot: PolicySnapshot) -> Export:
    try:
        return to_albumentations(schedule, snapshot)
    except ImportError as error:
        raise ValueError(f'Albumentations is needed to write its form: {error}; pip install albumentations') from error


def about(name: str, schedule: PolicySchedule, snapshot: PolicySnapshot, found: Export) -> list[str]:
    """What the file is, how often it draws what, and what differs from the policy: paragraphs."""
    of_operations = np.bincount(schedule.space.operation_of, weights=snapshot.op_probs)
    shares = dict(zip(schedule.space.operations, of_operations.tolist(), strict=True))
    said = [
        f'{name}: an image is augmented with probability {snapshot.total_prob:.3f}. Of what is drawn: {listed(shares)}.'
    ]
    if found.left_out:
        said.append(
            f'Has no operation that does the same, so that these draws do nothing, {found.share_left_out:.1%} of all: '
            f'{listed(found.left_out)}.'
        )
    return said + [f'Differs: {sentence}.' for sentence in found.differences]


def listed(shares: dict[str, float]) -> str:
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    return ', '.join(f'{op} {share:.1%}' for op, share in ranked if share)


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    suffix = {'mmdet': '.py', 'albumentations': '.json'}[args.to]
    with wrong_input_ends(parser):
        if args.out.suffix != suffix:
            raise ValueError(f'--out of {args.to} ends in {suffix}, got {args.out}')
        if args.out.exists():
            raise FileExistsError(f'{args.out} is there already: give --out another name, or remove it')
        schedule = load_policy(args.policy)
        snapshot = dict(final=final, mean=mean)[args.snapshot](schedule)
        if args.to == 'mmdet':
            found = to_mmdet(schedule, snapshot, Image(*args.image_size))
        else:
            found = in_albumentations(schedule, snapshot)
        if found.share_left_out > MOST_LEFT_OUT:
            raise ValueError(
                f'{found.share_left_out:.0%} of what {args.policy} draws are operations that {args.to} has not '
                f'({", ".join(found.left_out)}): what is left would be another policy'
            )
        said = about(f'{args.policy} ({args.snapshot}) for {args.to}', schedule, snapshot, found)
        if args.to == 'mmdet':
            from mmddas.derive.text import expression, formatted

            comments = [
                textwrap.fill(paragraph, 116, initial_indent='# ', subsequent_indent='# ') for paragraph in said
            ]
            head = '\n#\n'.join(comments)
            text = f'{head}\n\n' + formatted(f'policy = {expression(found.content)}\n')
        else:
            text = json.dumps(dict(about=said, **found.content), indent=1)
        write_text(args.out, text)
    print('\n'.join([*said, str(args.out)]))
