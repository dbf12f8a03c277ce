"""What a search step costs beside the plain forward and backward passes of the same L^ + 2 batches.

Both are timed in turn, on the same batches, in one process; medians and their ratio are printed.

    python tools/benchmarks/search_step.py configs/ddas/retinanet_thin_bccd.py --repeats 10
"""

import argparse
import functools
import resource
import statistics
import time

import torch

import mmddas  # noqa: F401  (registers the search loop, and makes MMCV work without compiled operators)
from mmddas.command_line import add_arguments, build_runner, load_config


def plain_passes(loop, data_batch: dict, policy_batch: dict) -> None:
    """Forward and backward of every batch of a search step, as plain training does them."""
    for batch in [*data_batch['views'], policy_batch]:
        loss = loop._loss(batch)
        loop.runner.optim_wrapper.backward(loss)
        loop.runner.optim_wrapper.zero_grad()


def seconds(function, *args) -> float:
    synchronize = torch.cuda.synchronize if torch.cuda.is_available() else (lambda: None)
    synchronize()
    start = time.perf_counter()
    function(*args)
    synchronize()
    return time.perf_counter() - start


def peak_memory() -> str:
    """Of the process, or of the GPU where there is one."""
    if torch.cuda.is_available():
        return f'{torch.cuda.max_memory_allocated() / 2**30:.2f} GiB on the GPU'
    return f'{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB of the process'


def main() -> None:
    parser = add_arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    parser.add_argument('--repeats', type=int, default=10, help='timed repeats of each')
    parser.add_argument('--warmup', type=int, default=2, help='repeats before')
    args = parser.parse_args()

    runner = build_runner(load_config(args))
    loop = runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner._init_model_weights()
    runner.model.train()
    loop.prepare()
    data_batch, policy_batch = next(iter(loop.dataloader))['data'], next(loop._policy_batches)['data']

    plain, step, peaks = [], [], []
    for _ in range(args.warmup + args.repeats):
        for times, function in ((plain, functools.partial(plain_passes, loop)), (step, loop.step)):
            times.append(seconds(function, data_batch, policy_batch))
            peaks.append(peak_memory())
    plain_memory, step_memory = peaks[:2]  # a peak holds all that came before it
    plain, step = plain[args.warmup :], step[args.warmup :]
    plain_median, step_median = statistics.median(plain), statistics.median(step)
    ratio = statistics.median(b / a for a, b in zip(plain, step, strict=True))

    parameters = sum(p.numel() for p in loop.model.parameters() if p.requires_grad)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f'CPU, {torch.get_num_threads()} threads'
    print(f'\n{args.config} on {device}; {parameters / 1e6:.2f} million trainable parameters, {args.repeats} repeats')
    print(f'plain forward and backward of {loop.num_sub_policies + 2} batches: {plain_median:.3f} s; {plain_memory}')
    print(f'search step:                                   {step_median:.3f} s; {step_memory}')
    print(f'ratio {ratio:.3f}; images per second {loop.dataloader.batch_sampler.batch_size / step_median:.2f}')


if __name__ == '__main__':
    main()
