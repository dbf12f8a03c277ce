"""Record what the steps of a search find, along several directions at once, for estimators to be compared on.

The search itself goes on with a policy that stays uniform, so that what is recorded depends on no estimator. The file
has, of T steps of L^ sub-policies: ``indices`` ``(T, L^, N_o)``; ``alignments`` ``(T, D, L^)`` along ``directions``;
norms of each view's g_0 - g_l ``(T, L^)``, of g_0 ``(T,)`` and of the directions ``(T, D)``; ``descent`` ``(T,)``.

    python tools/benchmarks/record.py configs/ddas/retinanet_thin_bccd.py \\
        --out docs/data/records/retinanet_thin_bccd_0.npz --cfg-options randomness.seed=0
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmddas.command_line import add_arguments, build_runner, load_config
from mmddas.core import ESTIMATORS, PolicyEstimator, ViewGradients
from mmddas.core.files import atomic_path

DECAYS = (0.9, 0.98, 0.995)
# Of this step's batch of S_val, after the step; of the step before; means over the past, without and with this step's.
DIRECTIONS = ('after', 'before', *(f'past {decay}' for decay in DECAYS), *(f'mean {decay}' for decay in DECAYS))


class Recorder(PolicyEstimator):
    """Leaves the policy as it is, and keeps what each step has found."""

    def __init__(self, policy, optimizers) -> None:
        super().__init__(policy, optimizers)
        self.rows: list[dict[str, Tensor]] = []
        self.means: Tensor | None = None  # (decays, P)
        self.last: Tensor | None = None

    def direction(self, gradients: ViewGradients) -> Tensor:
        g_val = gradients.g_val.clone()
        if self.means is None:
            self.means, self.last = g_val.new_zeros(len(DECAYS), len(g_val)), torch.zeros_like(g_val)
        decays = g_val.new_tensor(DECAYS)[:, None]
        # Means of what there is: weights sum to 1 from the first step on.
        seen = len(self.rows)
        past = self.means / (1 - decays**seen).clamp_min(1e-12)
        self.means.mul_(decays).add_((1 - decays) * g_val)
        directions = torch.stack([g_val, self.last, *past, *self.means / (1 - decays ** (seen + 1))])
        self.last = g_val
        views = gradients._views
        self.rows.append(
            dict(
                alignments=torch.stack([gradients.alignments(direction) for direction in directions]),
                direction_norms=directions.norm(dim=1),
                difference_norms=views[1:].norm(dim=1),
                clean_norm=views[0].norm(),
                clean=directions @ views[0],
                descent=gradients.descent(),
            )
        )
        return g_val

    def step_policy(self, indices: Tensor, alignments: Tensor, learning_rate: float) -> bool:
        self.rows[-1] |= dict(indices=indices.clone(), learning_rate=torch.tensor(learning_rate))
        return True

    def state_dict(self) -> dict:
        return super().state_dict() | dict(rows=self.rows, means=self.means, last=self.last)

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.rows, self.means, self.last = state['rows'], state['means'], state['last']


def main() -> None:
    parser = add_arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    parser.add_argument('--out', type=Path, required=True, help='the .npz file to write')
    args = parser.parse_args()
    ESTIMATORS['Recorder'] = Recorder
    config = load_config(args)
    config.train_cfg.estimator = dict(type='Recorder')
    runner = build_runner(config)
    runner.train()
    loop = runner.train_loop
    rows = loop.estimator.rows
    arrays = {name: torch.stack([row[name] for row in rows]).cpu().numpy() for name in rows[0]}
    candidates = np.array([(op, str(level)) for op, level in loop.policy.space.candidates])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(args.out) as temporary, open(temporary, 'wb') as file:
        np.savez_compressed(file, directions=np.array(DIRECTIONS), candidates=candidates, **arrays)
    print(f'{len(rows)} steps along {len(DIRECTIONS)} directions are in {args.out}')


if __name__ == '__main__':
    main()
