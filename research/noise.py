"""Step estimators on drawn alignments, noise or known effects, without a network.

Each estimator steps a policy on alignments that are independent normal numbers, plus, where asked for, an effect of one
operation (all its levels) in units of their standard deviation. Printed are, over the runs, p_o over uniform of what is
largest (noise) or of that operation's levels together (an effect), and how often the evidence says that operations
stand out.

    python research/noise.py                                   # BCCD's setting: 700 steps, L^ = 3, N_o = 2
    python research/noise.py --preset cifar --steps 1260 --rate 0.005 --runs 20
"""

import argparse
import inspect

import numpy as np
import torch

from mmddas.core import (
    ESTIMATORS,
    AugmentationPolicy,
    PolicyEstimator,
    SearchSpace,
    build_estimator,
    sample_sub_policies,
)


def estimator_of(name: str, space: SearchSpace, rate: float) -> PolicyEstimator:
    policy = AugmentationPolicy(space)
    optimizers = [
        torch.optim.Adam([policy.op_logits], rate, betas=(0.5, 0.999)),
        torch.optim.Adam([policy.total_logit], rate / 5, betas=(0.5, 0.999)),
    ]
    return build_estimator(policy, optimizers if ESTIMATORS[name].uses_optimizers else (), name)


def run(estimator: PolicyEstimator, args: argparse.Namespace, seed: int, effect: float) -> tuple[float, list[str]]:
    """Return p_o over uniform, largest or of the operation with the effect, and the names that stand out."""
    space, generator = estimator.policy.space, torch.Generator().manual_seed(seed)
    levels = torch.from_numpy(space.operation_of == space.operations.index(args.operation))
    for _ in range(args.steps):
        indices = sample_sub_policies(space, args.num_sub_policies, generator)
        alignments = torch.randn(args.num_sub_policies, generator=generator) + effect * levels[indices].sum(dim=1)
        estimator.update(indices, alignments)
    multiples = estimator.policy.op_probs.detach() * len(space)
    findings = estimator.evidence.findings()
    significant = [
        name for name, found in zip(findings.operations, findings.operation_effects.significant(), strict=True) if found
    ]
    return (multiples[levels].mean() if effect else multiples.max()).item(), significant


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--preset', default='detection', help='search space (default: detection)')
    parser.add_argument('--steps', type=int, default=700, help='of a search (default: 700)')
    parser.add_argument('--num-sub-policies', type=int, default=3, help='L^ (default: 3)')
    parser.add_argument('--num-ops', type=int, default=2, help='N_o (default: 2)')
    parser.add_argument('--rate', type=float, default=0.02, help="of alpha_o's Adam, where it is used (default: 0.02)")
    parser.add_argument('--runs', type=int, default=100, help='of each (default: 100)')
    parser.add_argument('--effects', type=float, nargs='+', default=[0.0, -0.25, -0.5, -1.0], help='negative helps')
    parser.add_argument('--operation', default='Color', help='that has the effect (default: Color)')
    args = parser.parse_args()
    space = SearchSpace.preset(args.preset, args.num_ops)
    if args.operation not in space.operations:
        parser.error(f'the preset {args.preset} has no operation {args.operation}')
    # Without a network there is no gradient to average: MeanGradientEstimator is PaperEstimator here.
    names = [name for name, kind in ESTIMATORS.items() if 'decay' not in inspect.signature(kind).parameters]
    names += ['ShrinkageEstimator']
    print(f'{args.preset}, K = {len(space)}, {args.steps} steps, L^ = {args.num_sub_policies}, {args.runs} runs\n')
    print(f'{"estimator":20}{"effect":>8}{"median":>9}{"5%":>8}{"95%":>8}   runs in which operations stand out')
    for name in names:
        for effect in args.effects:
            found = [run(estimator_of(name, space, args.rate), args, seed, effect) for seed in range(args.runs)]
            multiples = [multiple for multiple, _ in found]
            low, median, high = np.quantile(multiples, [0.05, 0.5, 0.95])
            any_at_all = sum(bool(significant) for _, significant in found)
            words = f'{any_at_all} of {args.runs}'
            if effect:
                words += f', {args.operation} in {sum(args.operation in significant for _, significant in found)}'
            print(f'{name:20}{effect:8.2f}{median:9.2f}{low:8.2f}{high:8.2f}   {words}', flush=True)


if __name__ == '__main__':
    main()
