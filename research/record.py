"""Record the alignments of a search along several directions, to compare estimators on them.

The search itself goes on with a policy that stays uniform, so that what is recorded depends on no estimator. The file
has, of T steps of L^ sub-policies: ``indices`` ``(T, L^, N_o)``; ``alignments`` ``(T, D, L^)`` along ``directions``;
``clean``, the products of g_0 with these, and ``direction_norms``, ``(T, D)``; norms of g_0 ``(T,)``, of each view's
g_0 - g_l and g_l ``(T, L^)``, and of the latter over the root of g_0's rms; ``grad_cosine`` ``(T,)``; and for the
``parts`` of the network ``part_alignments``, along the mean of the past at 0.98, and ``part_norms`` of g_0 - g_l,
``(T, parts, L^)``.

    python research/record.py research/configs/yardstick/bccd_search.py --out research/data/records/bccd_search_0.npz

With ``--criterion errors`` S_val's gradient is that of a classifier's expected error, 1 - p(label), in the place of its
loss: bounded, so that images of which the network is surely wrong do not weigh more than others.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from mmengine.runner import Runner
from torch import Tensor, nn

from mmddas.cli.arguments import add_arguments
from mmddas.cli.config import load_config
from mmddas.cli.run import build_runner
from mmddas.core import ESTIMATORS, PolicyEstimator, ViewGradients
from mmddas.files import atomic_path

DECAYS = (0.9, 0.98, 0.995)
# Over the mean square of g_0, damped by this share of its mean: a step of Newton's with Fisher's matrix, its diagonal
# alone, so that alignments are influences on S_val's loss (Koh and Liang, 2017).
DAMPINGS = (0.01, 0.1, 1.0)
# Of this step's batch of S_val, after the step; of the step before; means over the past; and the second of these, over
# the root of the mean square of g_0 or of S_val's gradients, or over the mean square itself.
MEANS = tuple(f'past {decay}' for decay in DECAYS)
OVER = tuple(f'over {kind} {of}' for of in ('g_0', 'g_val') for kind in ('rms', *(f'ms + {d}' for d in DAMPINGS)))
DIRECTIONS = ('after', 'before', *MEANS, *OVER)
PARTED = DIRECTIONS.index('past 0.98')


class Recorder(PolicyEstimator):
    """An estimator that keeps the findings of each step and leaves the policy uniform."""

    def __init__(self, policy, optimizers) -> None:
        super().__init__(policy, optimizers)
        self.rows: list[dict[str, Tensor]] = []
        self.means: Tensor | None = None  # (decays, P), of S_val's gradients
        self.squares: Tensor | None = None  # (2, P), means of g_0^2 and g_val^2
        self.last: Tensor | None = None
        self.part_of: dict[int, int] = {}  # the place of a parameter's part, by the parameter's id

    def direction(self, gradients: ViewGradients) -> Tensor:
        g_val, g_0 = gradients.g_val.clone(), gradients.g_0
        if self.means is None:
            self.means, self.last = g_val.new_zeros(len(DECAYS), len(g_val)), torch.zeros_like(g_val)
            self.squares = g_val.new_zeros(2, len(g_val))
        decays = g_val.new_tensor(DECAYS)[:, None]
        # Means of what there is: weights sum to 1 from the first step on.
        past = self.means / (1 - decays ** len(self.rows)).clamp_min(1e-12)
        self.means.mul_(decays).add_((1 - decays) * g_val)
        self.squares.mul_(0.98).add_(0.02 * torch.stack([g_0, g_val]) ** 2)
        over = [
            past[1] / divisor.clamp_min(1e-30)
            for square in self.squares
            for divisor in (square.sqrt(), *(square + damping * square.mean() for damping in DAMPINGS))
        ]
        directions = torch.stack([g_val, self.last, *past, *over])
        self.last = g_val
        views = gradients._views
        g_l = views[0] - views[1:]
        part_alignments, part_norms = self._by_part(gradients, directions[PARTED])
        self.rows.append(
            dict(
                alignments=torch.stack([gradients.alignments(direction) for direction in directions]),
                direction_norms=directions.norm(dim=1),
                difference_norms=views[1:].norm(dim=1),
                clean_norm=views[0].norm(),
                view_norms=g_l.norm(dim=1),
                view_norms_rms=(g_l / self.squares[0].sqrt().sqrt().clamp_min(1e-12)).norm(dim=1),
                clean=directions @ views[0],
                grad_cosine=gradients.grad_cosine(),
                part_alignments=part_alignments,
                part_norms=part_norms,
            )
        )
        return g_val

    def _by_part(self, gradients: ViewGradients, direction: Tensor) -> tuple[Tensor, Tensor]:
        """Return products of the direction and g_0 - g_l, and norms of the latter, ``(parts, L^)`` each."""
        sizes = [parameter.numel() for parameter in gradients.parameters]
        products = gradients._views.new_zeros(max(self.part_of.values()) + 1, gradients.num_sub_policies)
        squares = torch.zeros_like(products)
        pieces = zip(gradients._views[1:].split(sizes, dim=1), direction.split(sizes), strict=True)
        for parameter, (views, piece) in zip(gradients.parameters, pieces, strict=True):
            products[self.part_of[id(parameter)]] += views @ piece
            squares[self.part_of[id(parameter)]] += views.square().sum(dim=1)
        return products, squares.sqrt()

    def step_policy(self, indices: Tensor, alignments: Tensor, learning_rate: float) -> bool:
        self.rows[-1] |= dict(indices=indices.clone(), learning_rate=torch.tensor(learning_rate))
        return True

    def state_dict(self) -> dict:
        return super().state_dict() | dict(rows=self.rows, means=self.means, squares=self.squares, last=self.last)

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.rows, self.means = state['rows'], state['means']
        self.squares, self.last = state['squares'], state['last']


def parts(runner: Runner) -> tuple[list[str], dict[int, int]]:
    """Return the modules two levels down that have parameters, and for each parameter the index of its module."""
    names, part_of = [], {}
    for name, parameter in runner.model.named_parameters():
        part = '.'.join(name.split('.')[:2])
        if part not in names:
            names.append(part)
        part_of[id(parameter)] = names.index(part)
    return names, part_of


class ExpectedErrorOnSVal(nn.Module):
    """A classifier's loss on S_train; on S_val the mean of 1 - p(label)."""

    def __init__(self, loss: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self._norm = [norm]  # a list, for it not to become a module of this one

    def forward(self, cls_score: Tensor, target: Tensor, **settings) -> Tensor:
        """Return the loss of scores ``(N, classes)`` and labels ``(N,)``."""
        if self._norm[0].track_running_stats:  # frozen on S_val alone
            return self.loss(cls_score, target, **settings)
        return (1 - cls_score.softmax(dim=1).gather(1, target[:, None])).mean()


def main() -> None:
    parser = add_arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    parser.add_argument('--out', type=Path, required=True, help='the .npz file to write')
    parser.add_argument('--criterion', choices=['loss', 'errors'], default='loss', help='what S_val is for')
    args = parser.parse_args()
    ESTIMATORS['Recorder'] = Recorder
    config = load_config(args)
    config.train_cfg.estimator = dict(type='Recorder')
    runner = build_runner(config)
    if args.criterion == 'errors':
        norm = next(module for module in runner.model.modules() if isinstance(module, nn.BatchNorm2d))
        runner.model.head.loss_module = ExpectedErrorOnSVal(runner.model.head.loss_module, norm)
    names, part_of = parts(runner)
    loop = runner.train_loop
    loop.estimator.part_of = part_of
    runner.train()
    rows = loop.estimator.rows
    arrays = {name: torch.stack([row[name] for row in rows]).cpu().numpy() for name in rows[0]}
    candidates = np.array([(op, str(level)) for op, level in loop.policy.space.candidates])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(args.out) as temporary, open(temporary, 'wb') as file:
        np.savez_compressed(
            file, directions=np.array(DIRECTIONS), parts=np.array(names), candidates=candidates, **arrays
        )
    print(f'{len(rows)} steps along {len(DIRECTIONS)} directions are in {args.out}')


if __name__ == '__main__':
    main()
