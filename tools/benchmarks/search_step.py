"""What a search step costs beside the plain forward and backward passes of the same L^ + 2 batches.

Both are timed in turn, on the same batches, in one process, and so is the arithmetic that a search adds to the passes,
done by hand on plain tensors of the network's size. Medians are printed.

    python tools/benchmarks/search_step.py configs/ddas/retinanet_thin_bccd.py
    python tools/benchmarks/search_step.py configs/ddas/retinanet_thin_bccd.py --at-most 1.03    # an error where above
    python tools/benchmarks/search_step.py configs/ddas/retinanet_thin_bccd.py --profile         # where the time goes
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from itertools import accumulate

import torch

from mmddas.cli.arguments import add_arguments
from mmddas.cli.config import load_config
from mmddas.cli.run import build_runner
from mmddas.engine import ChannelsLastHook, SearchStep


def plain_passes(
    step: SearchStep, views: list, sub_policies: torch.Tensor, policy_batch: dict, training: bool = False
) -> None:
    """Forward and backward of every batch of a search step, as plain training does them; with its steps if asked to."""
    optim_wrapper = step.optim_wrapper
    for batch in [*views, policy_batch]:
        loss = step.loss(batch)
        optim_wrapper.backward(loss)
        if training:
            optim_wrapper.step()
        optim_wrapper.zero_grad()


def plain_arithmetic(step: SearchStep) -> Callable[[], None]:
    """What Algorithm 1 does with L^ + 2 gradients and the weights, on plain vectors ``(P,)``: the least it can cost.

    L^ + 2 gradients are kept, L^ differences taken and summed up, SGD with momentum and weight decay makes its step,
    and L^ dot products are taken.
    """
    gradient, weights, momentum = (torch.randn_like(step.gradients.g_0) for _ in range(3))  # (P,)
    views = torch.stack([torch.randn_like(gradient) for _ in range(step.num_sub_policies + 1)])

    def work() -> None:
        with torch.no_grad():
            for view in views:
                view.copy_(gradient)
            for view in views[1:]:
                torch.sub(views[0], view, out=view)
            total = views[0] - views[1:].T @ views.new_ones(len(views) - 1)
            momentum.mul_(0.9).add_(total.add_(weights, alpha=1e-4))
            weights.sub_(momentum, alpha=1e-3)
            total.copy_(gradient)
            (views[1:] @ total).sum().item()

    return work


def seconds(function: Callable, *args) -> float:
    synchronize = torch.cuda.synchronize if torch.cuda.is_available() else (lambda: None)
    synchronize()
    start = time.perf_counter()
    function(*args)
    synchronize()
    return time.perf_counter() - start


def peak_memory(function: Callable, *args) -> int:
    """Bytes of tensors that a call has at its peak beyond what was there before."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function(*args)
        return torch.cuda.max_memory_allocated() - before
    # Not the peak of the process, which the C library's habits decide by several times a small network's gradient.
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        function(*args)
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == '[memory]']
    return max(accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())))


def gradients_kept(step: SearchStep, *batches) -> float:
    """The peak of a search step's memory above that of training steps on the same batches, in gradients ``(P,)``."""
    functions = functools.partial(plain_passes, step, training=True), step
    for function in functions:  # momentum, and whatever else comes with the first call
        function(*batches)
    plain, search = (peak_memory(function, *batches) for function in functions)
    # The buffers of a search are there before a step; what its estimator keeps besides is not counted.
    return (search - plain) / step.gradients.g_0.nbytes + step.num_sub_policies + 2


def measure(step: SearchStep, batches: tuple, repeats: int, warmup: int) -> dict[str, list[float]]:
    """Seconds of every repeat."""
    times = dict(plain=[], step=[], arithmetic=[])
    functions = dict(plain=functools.partial(plain_passes, step), step=step)
    arithmetic = plain_arithmetic(step)
    for repeat in range(warmup + repeats):
        # In either order, so that what one leaves in caches and clocks does the other no favour.
        for name in [*functions][:: 1 if repeat % 2 == 0 else -1]:
            times[name].append(seconds(functions[name], *batches))
        times['arithmetic'].append(seconds(arithmetic))
    return {name: measured[warmup:] for name, measured in times.items()}


def main() -> None:
    parser = add_arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    parser.add_argument('--repeats', type=int, default=20, help='timed repeats of each')
    parser.add_argument('--warmup', type=int, default=3, help='repeats before')
    parser.add_argument(
        '--at-most', type=float, help='end with an error where the ratio is above, or memory beyond L^ + 2 gradients'
    )
    parser.add_argument('--profile', action='store_true', help="print PyTorch's profile of a step, by operator")
    args = parser.parse_args()

    runner = build_runner(load_config(args))
    loop = runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner._init_model_weights()
    for hook in runner.hooks:
        if isinstance(hook, ChannelsLastHook):  # of the hooks, the one that changes what a pass costs
            hook.before_train(runner)
    runner.model.train()
    loop.prepare()
    try:
        data_batch, policy_batch = next(loop.batches.epoch(0))
    finally:
        loop.batches.shut_down()
    step, batches = loop.step, (data_batch['views'], data_batch['sub_policies'], policy_batch)
    if args.profile:
        step(*batches)
        with torch.profiler.profile() as profiler:
            step(*batches)
        on = 'self_cuda_time_total' if torch.cuda.is_available() else 'self_cpu_time_total'
        print(profiler.key_averages().table(sort_by=on, row_limit=25))
        return

    kept = gradients_kept(step, *batches)
    found = measure(step, batches, args.repeats, args.warmup)
    plain, search, arithmetic = (statistics.median(found[name]) * 1e3 for name in ('plain', 'step', 'arithmetic'))
    ratio = statistics.median(b / a for a, b in zip(found['plain'], found['step'], strict=True))
    outside = statistics.median(b - a for a, b in zip(found['plain'], found['step'], strict=True)) * 1e3

    parameters = step.gradients.g_0.numel()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f'CPU, {torch.get_num_threads()} threads'
    print(f'\n{args.config} on {device}; {parameters / 1e6:.2f} million trainable parameters, {args.repeats} repeats')
    print(f'plain forward and backward of {step.num_sub_policies + 2} batches {plain:10.1f} ms')
    print(f'search step                             {search:10.1f} ms')
    print(f'outside forward and backward            {outside:10.1f} ms')
    print(f'the same arithmetic on plain tensors    {arithmetic:10.1f} ms')
    print(f'ratio {ratio:.3f}; images per second {loop.dataloader.batch_sampler.batch_size / search * 1e3:.2f}')
    print(f'memory above training steps: {kept:.2f} gradients, of {step.num_sub_policies + 2}, beside its estimator')
    if args.at_most is not None and ratio > args.at_most:
        raise SystemExit(f'The ratio is above {args.at_most:g}')
    if args.at_most is not None and kept > step.num_sub_policies + 2.01:
        raise SystemExit('A step keeps more memory than L^ + 2 gradients')


if __name__ == '__main__':
    main()
