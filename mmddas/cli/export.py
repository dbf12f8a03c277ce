"""The command ``export``."""

import argparse
import json
import textwrap

import numpy as np

from mmddas.core import PolicySchedule, PolicySnapshot, load_policy
from mmddas.export import Export, Image, final, mean, to_albumentations, to_mmdet
from mmddas.files import write_text

from . import wrong_input_ends

# The largest share of a policy's draws that may do nothing: with more, an export is another policy.
MOST_LEFT_OUT = 0.5


def main(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    suffix = {'mmdet': '.py', 'albumentations': '.json'}[args.to]
    with wrong_input_ends(parser):
        if args.out.suffix != suffix:
            raise ValueError(f'--out of {args.to} must end in {suffix}, got {args.out}')
        if args.out.exists():
            raise FileExistsError(f'{args.out} exists already: give --out another name, or remove the file')
        schedule = load_policy(args.policy)
        snapshot = dict(final=final, mean=mean)[args.snapshot](schedule)
        found = _exported(args, schedule, snapshot)
        if found.share_left_out > MOST_LEFT_OUT:
            raise ValueError(
                f'{found.share_left_out:.0%} of what {args.policy} draws are operations that {args.to} lacks '
                f'({", ".join(found.left_out)}): what is left would be another policy'
            )
        said = _about(f'{args.policy} ({args.snapshot}) for {args.to}', schedule, snapshot, found)
        write_text(args.out, _mmdet_text(said, found) if args.to == 'mmdet' else _json_text(said, found))
    print('\n'.join([*said, str(args.out)]))


def _exported(args: argparse.Namespace, schedule: PolicySchedule, snapshot: PolicySnapshot) -> Export:
    if args.to == 'mmdet':
        return to_mmdet(schedule, snapshot, Image(*args.image_size))
    try:
        return to_albumentations(schedule, snapshot)
    except ImportError as error:
        raise ValueError(f'--to albumentations needs Albumentations: {error}; pip install albumentations') from error


def _about(name: str, schedule: PolicySchedule, snapshot: PolicySnapshot, found: Export) -> list[str]:
    """Say what the file is, how often it draws what, and what differs from the policy, in paragraphs."""
    of_operations = np.bincount(schedule.space.operation_of, weights=snapshot.op_probs)
    shares = dict(zip(schedule.space.operations, of_operations.tolist(), strict=True))
    said = [
        f'{name}: an image is augmented with probability {snapshot.total_prob:.3f}. Operations drawn: '
        f'{_listed(shares)}.'
    ]
    if found.left_out:
        said.append(
            f'Operations without a counterpart, whose draws do nothing, {found.share_left_out:.1%} of all: '
            f'{_listed(found.left_out)}.'
        )
    return said + [f'Differs: {sentence}.' for sentence in found.differences]


def _listed(shares: dict[str, float]) -> str:
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    return ', '.join(f'{op} {share:.1%}' for op, share in ranked if share)


def _mmdet_text(said: list[str], found: Export) -> str:
    from mmddas.derive.text import expression, formatted  # which import OpenMMLab

    comments = [textwrap.fill(paragraph, 116, initial_indent='# ', subsequent_indent='# ') for paragraph in said]
    return '\n#\n'.join(comments) + '\n\n' + formatted(f'policy = {expression(found.content)}\n')


def _json_text(said: list[str], found: Export) -> str:
    return json.dumps(dict(about=said, **found.content), indent=1)
