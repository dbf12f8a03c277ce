"""What the processes of a search send each other, beside one all-reduce for every gradient.

Runs some steps of a search on processes of this machine, on the CPU over gloo, and counts the bytes that each gives to
all-reduces.

    python tools/benchmarks/communication.py configs/ddas/retinanet_thin_bccd.py --processes 2
"""

import argparse
import multiprocessing
import os
import socket
import tempfile

import torch
from mmengine.hooks import Hook

import mmddas  # noqa: F401  (registers the search loop, and makes MMCV work without compiled operators)
from mmddas.cli.arguments import add_arguments
from mmddas.cli.config import load_config
from mmddas.cli.run import build_runner


class _Enough(Exception):
    """All steps that were asked for have been counted."""


class _Counter(Hook):
    """Counts the bytes of all-reduces from the first step to the last."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.sent = 0
        all_reduce = torch.distributed.all_reduce

        def counted(tensor, *args, **kwargs):
            self.sent += tensor.numel() * tensor.element_size()
            return all_reduce(tensor, *args, **kwargs)

        torch.distributed.all_reduce = counted

    def before_train_epoch(self, runner) -> None:
        self.sent = 0

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if batch_idx + 1 == self.steps:
            raise _Enough


def count(args: argparse.Namespace, rank: int, port: int, results) -> None:
    """One process of the search; its bytes a step, P and L^ go into ``results``."""
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(args.processes))
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    runner = build_runner(load_config(args))
    counter = _Counter(args.steps)
    runner.register_hook(counter, priority='LOWEST')
    try:
        runner.train()
    except _Enough:
        step = runner.train_loop.step
        trained = step.gradients.parameters
        parameters = sum(parameter.numel() for parameter in trained)
        results.put((counter.sent / args.steps, parameters, len(trained), step.num_sub_policies))


def main() -> None:
    parser = add_arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    parser.add_argument('--processes', type=int, default=2)
    parser.add_argument('--steps', type=int, default=2, help='steps to count')
    args = parser.parse_args()
    args.launcher = 'pytorch'
    fork = multiprocessing.get_context('fork')
    results = fork.Queue()
    with tempfile.TemporaryDirectory() as work_dir, socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        port = listener.getsockname()[1]
        listener.close()
        args.work_dir = work_dir
        processes = [fork.Process(target=count, args=(args, rank, port, results)) for rank in range(args.processes)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    if results.empty():
        raise SystemExit('The search ended before its steps could be counted; its messages are above')
    sent, parameters, tensors, num_sub_policies = results.get()
    naive = (num_sub_policies + 2) * parameters * 4
    print(f'\n{args.config}: {parameters / 1e6:.2f} million trainable parameters, L^ = {num_sub_policies}')
    design = (2 * parameters + tensors + num_sub_policies + 1) * 4
    print(
        f'{sent / 2**20:.2f} MiB a step and process; 2 P numbers, one for each of {tensors} tensors, and L^ + 1 are '
        f'{design / 2**20:.2f} MiB'
    )
    print(f'an all-reduce for every gradient, L^ + 2: {naive / 2**20:.2f} MiB; ratio {sent / naive:.3f}')


if __name__ == '__main__':
    main()
