"""Compare policies of searches with and without what makes a search faster, and with other seeds.

Every search of the list below has the config's data and, where it does not name another, seed 0, so that all see the
same images, views and sub-policies. Printed are seconds, the candidate that leads, and how the probabilities of all
candidates agree with those of plain float32: the correlation of their logarithms, and of their ranks. What other seeds
agree is what chance gives. Searches that have ended are not run again.

    python research/agreement.py configs/ddas_cls/wrn10x1_cifar10_rotated_paper.py --epochs 4
"""

import argparse
import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS

from mmddas.cli.arguments import add_arguments
from mmddas.cli.config import load_config
from mmddas.cli.run import build_runner
from mmddas.core import PolicySchedule

PLAIN = 'float32'
VARIANTS = {
    PLAIN: {},
    'channels-last': dict(custom_hooks=[dict(type='ChannelsLastHook')]),
    'compiled': dict(compile=True),
    'fused optimizer': {'optim_wrapper.optimizer.fused': True},
    'bfloat16': {'optim_wrapper.type': 'BFloat16OptimWrapper'},
    'seed 1': {'randomness.seed': 1},
    'seed 2': {'randomness.seed': 2},
}
if torch.cuda.is_available():
    graphs = {'compile.mode': 'reduce-overhead', 'compile.dynamic': False, 'optim_wrapper.optimizer.fused': True}
    amp = {'optim_wrapper.type': 'AmpOptimWrapper', 'optim_wrapper.dtype': 'bfloat16'}
    VARIANTS |= {'CUDA graphs': graphs, 'CUDA graphs in bfloat16': graphs | amp}


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Autocast to bfloat16 on any device; MMEngine's AmpOptimWrapper needs a GPU. The loss needs no scale."""

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        with super().optim_context(model), torch.autocast(get_device(), dtype=torch.bfloat16):
            yield


def search(config: Config, name: str, changes: dict) -> tuple[PolicySchedule, float]:
    """Search with ``changes`` to the config; return the policy and the seconds (NaN: it ran earlier)."""
    config = copy.deepcopy(config)
    config.custom_hooks = []
    config.randomness = dict(seed=0)
    config.merge_from_dict(changes)
    config.work_dir = str(Path(config.work_dir) / name.replace(' ', '_'))
    config.experiment_name = name.replace(' ', '_')
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    policy, started = Path(config.work_dir) / 'policy.json', time.perf_counter()
    if policy.is_file() and len(PolicySchedule.load(policy)) == config.train_cfg.max_epochs:
        return PolicySchedule.load(policy), float('nan')
    build_runner(config).train()
    return PolicySchedule.load(policy), time.perf_counter() - started


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def ranks(values: np.ndarray) -> np.ndarray:
    return values.argsort().argsort()


def main() -> None:
    parser = add_arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    parser.add_argument('--epochs', type=int, help="in place of the config's")
    parser.add_argument('--only', nargs='+', choices=VARIANTS, default=list(VARIANTS), help='these searches only')
    args = parser.parse_args()
    config = load_config(args)
    if args.work_dir is None:
        config.work_dir = f'work_dirs/agreement_{Path(args.config).stem}'
    if args.epochs:
        config.train_cfg.max_epochs = args.epochs
    found = {name: search(config, name, VARIANTS[name]) for name in VARIANTS if name in (PLAIN, *args.only)}

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f'CPU, {torch.get_num_threads()} threads'
    print(f'\n{args.config} on {device}, {config.train_cfg.max_epochs} epochs; agreement with {PLAIN}, seed 0\n')
    print(f'{"":18}{"seconds":>9}  {"leads":24}{"x uniform":>9}{"p_tp":>8}{"log p_o":>9}{"ranks":>8}')
    plain = found[PLAIN][0].snapshots[-1].op_probs
    for name, (schedule, seconds) in found.items():
        last = schedule.snapshots[-1]
        probs, leader = last.op_probs, last.op_probs.argmax()
        agreement = correlation(np.log(plain), np.log(probs)), correlation(ranks(plain), ranks(probs))
        print(
            f'{name:18}{seconds:9.0f}  {schedule.space.candidates[leader]!s:24}{probs[leader] * len(probs):9.2f}'
            f'{last.total_prob:8.3f}{agreement[0]:9.3f}{agreement[1]:8.3f}'
        )


if __name__ == '__main__':
    main()
