"""How the parts of a search step that are not the network's grow with its sizes.

The work on gradients with the number of parameters P and of sub-policies L^; the policy's update with the number of
candidates K, of operations in a sub-policy N_o, and L^; and the views of a search's config with the data workers.

    python tools/benchmarks/scale.py configs/ddas/retinanet_thin_bccd.py
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from search_settings import with_defaults

from mmddas.cli.arguments import add_arguments
from mmddas.cli.config import load_config
from mmddas.core import AugmentationPolicy, SearchSpace, ViewGradients, sample_sub_policies, update_policy
from mmddas.datasets import search_loader
from mmddas.datasets.search import end_workers
from mmddas.engine.build import build_search_space

TENSORS = 100  # of a network; WRN-40-2 has 119
BATCHES = 12  # of views, to be timed


def milliseconds(function: Callable[[], object], repeats: int) -> float:
    """The median."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times[repeats // 5 :]) * 1e3


def gradient_work(size: int, num_sub_policies: int) -> Callable[[], object]:
    """All that :class:`ViewGradients` does in a step, with a network whose own passes cost next to nothing."""
    parameters = [torch.nn.Parameter(torch.randn(size // TENSORS)) for _ in range(TENSORS)]
    gradients = ViewGradients(parameters, num_sub_policies)
    weights = torch.full((num_sub_policies + 1,), 1 / (num_sub_policies + 1))
    factors = [torch.randn_like(parameter) for parameter in parameters]

    def loss() -> torch.Tensor:
        return sum((parameter * factor).sum() for parameter, factor in zip(parameters, factors, strict=True))

    def step() -> None:
        for view in range(num_sub_policies + 1):
            gradients.add_view(view, loss())
        gradients.expected(weights)
        gradients.assign()
        gradients.validation(loss())
        gradients.alignments()
        gradients.grad_cosine()

    return step


def policy_work(num_candidates: int, num_ops: int, num_sub_policies: int) -> Callable[[], object]:
    """The policy's update, its optimizers included."""
    space = SearchSpace([('Solarize', level / 100) for level in range(num_candidates)], num_ops)
    policy = AugmentationPolicy(space)
    optimizers = [torch.optim.Adam([policy.op_logits]), torch.optim.Adam([policy.total_logit])]
    indices = sample_sub_policies(space, num_sub_policies)
    alignments = torch.randn(num_sub_policies)
    return lambda: update_policy(policy, optimizers, indices, alignments)


def print_row(name: str, measured: dict[int, float], unit: str = 'ms a step') -> None:
    print(f'{name:30}' + ''.join(f'{size:>12,}' for size in measured))
    print(f'{unit:30}' + ''.join(f'{value:12.3f}' for value in measured.values()) + '\n')


def workers(args: argparse.Namespace) -> None:
    """Prints the time of a batch of views by the number of workers."""
    config = load_config(args)
    init_default_scope(config.default_scope)
    loop = with_defaults(config.train_cfg)
    space = build_search_space(loop.search_space, loop.num_ops)
    measured = {}
    for count in (1, 2, 4):
        config.train_dataloader.num_workers = count
        config.train_dataloader.persistent_workers = False
        loader = search_loader(
            Runner.build_dataloader(config.train_dataloader, seed=0), space, loop.num_sub_policies, seed=0
        )
        warm_up = 2 * count + 1  # made in advance
        if len(loader) < warm_up + BATCHES:
            raise SystemExit(f'S_train has {len(loader)} batches, and {warm_up + BATCHES} are needed: lower batch_size')
        batches = iter(loader)
        for _ in range(warm_up):
            next(batches)
        start = time.perf_counter()
        for _ in range(BATCHES):
            next(batches)
        measured[count] = (time.perf_counter() - start) / BATCHES * 1e3
        end_workers(batches)
    print_row('data workers', measured, f'ms a batch, {torch.get_num_threads()} thread(s) here')


def main() -> None:
    parser = add_arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]), training=False)
    parser.add_argument('--repeats', type=int, default=25)
    args = parser.parse_args()
    repeats = args.repeats
    million = 1_000_000

    print('\nwork on gradients')
    sizes = {size: milliseconds(gradient_work(size, 3), repeats) for size in (million, 4 * million, 16 * million)}
    print_row('P, at L^ = 3', sizes)
    counts = {count: milliseconds(gradient_work(2 * million, count), repeats) for count in (1, 3, 7, 15)}
    print_row('L^, at P = 2 million', counts)

    print("the policy's update")
    candidates = (10, 100, 1000, 10_000)
    print_row('K, at N_o = 2, L^ = 7', {k: milliseconds(policy_work(k, 2, 7), 8 * repeats) for k in candidates})
    print_row('N_o, at K = 100, L^ = 7', {n: milliseconds(policy_work(100, n, 7), 8 * repeats) for n in (1, 2, 4, 8)})
    print_row('L^, at K = 100, N_o = 2', {n: milliseconds(policy_work(100, 2, n), 8 * repeats) for n in (1, 3, 7, 15)})
    print('views')
    workers(args)


if __name__ == '__main__':
    main()
