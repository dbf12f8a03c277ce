"""Draw the figure of a search after its epochs."""

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class PolicyFigureHook(Hook):
    """Draw a search's policy into ``policy.png`` after every ``interval`` epochs, and after the last.

    :class:`~mmddas.engine.DDASSearchLoop` registers it itself.

    Args:
        interval: Epochs between two figures.
        filename: The figure, in the work dir.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 1, filename: str = 'policy.png') -> None:
        self.interval = interval
        self.filename = filename

    def after_train_epoch(self, runner: Runner) -> None:
        if runner.rank == 0 and (self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)):
            from mmddas.viz.policy_figure import draw_policy

            draw_policy(runner.train_loop.schedule, f'{runner.work_dir}/{self.filename}')
