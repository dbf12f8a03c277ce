"""Show the progress of a search in a terminal."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmddas.viz.progress import Bar

from .policy_snapshot_hook import leading


@HOOKS.register_module()
class SearchProgressHook(Hook):
    """Show in a terminal how far a search is: step, time left, epoch, p_tp, leading candidates.

    :class:`~mmddas.engine.DDASSearchLoop` registers it itself. In a file or a pipe there is no bar.
    """

    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        loop = runner.train_loop
        self._bar = Bar(loop.max_iters, 'steps', done=loop.iter) if runner.rank == 0 else None

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict = None, outputs: dict = None) -> None:
        if self._bar is not None and self._bar.shown:
            policy = runner.train_loop.policy
            total = policy.total_prob.item()
            self._bar.advance(f'epoch {runner.epoch + 1}  p_tp {total:.2f}  {leading(policy, 2)}')

    def after_train(self, runner: Runner) -> None:
        if self._bar is not None:
            self._bar.stop()
