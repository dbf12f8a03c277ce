from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmddas.datasets import find_augments


@HOOKS.register_module()
class PolicyScheduleHook(Hook):
    """Replay a searched schedule in re-training: tell every :class:`~mmddas.datasets.DDASAugment` the epoch.

    Reaches them through dataset wrappers and in data workers of any kind (persistent or not, forked or spawned).
    In iteration-based loops the iteration takes the epoch's place; workers that load ahead are then as many
    iterations early.

    A DDASAugment without a policy of its own gets the hook's.

    Args:
        policy: A policy file, or its content. None: the config's ``policy_file``, if it has one, so that
            ``--cfg-options policy_file=work_dirs/search/policy.json`` does.
        smoothing: F_s, odd: p_tp is smoothed over so many snapshots by a mean filter.
        static: Use the last snapshot throughout.

    Raises:
        ValueError: The training pipeline has no DDASAugment.
    """

    def __init__(self, policy: str | dict | None = None, smoothing: int = 1, static: bool = False) -> None:
        self.policy = policy
        self.smoothing = smoothing
        self.static = static

    def before_train(self, runner) -> None:
        self._augments = find_augments(runner.train_dataloader.dataset)
        if not self._augments:
            raise ValueError(
                'PolicyScheduleHook finds no DDASAugment in the training pipeline: add '
                "dict(type='DDASAugment', policy='policy.json') after LoadAnnotations, or remove the hook"
            )
        for augment in self._augments:
            if augment.schedule is None:
                augment.set_policy(self.policy or runner.cfg.get('policy_file'))
            if augment.schedule is None:
                raise ValueError(
                    'There is no policy for DDASAugment: name the searched one, '
                    '--cfg-options policy_file=PATH/policy.json'
                )
            augment.schedule = augment.schedule.static() if self.static else augment.schedule.smooth(self.smoothing)
        self._by_epoch = hasattr(runner.train_loop, 'run_epoch')
        self._tell(runner)

    def before_train_epoch(self, runner) -> None:
        self._tell(runner)

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        if not self._by_epoch:
            self._tell(runner)

    def _tell(self, runner) -> None:
        progress = (runner.epoch, runner.max_epochs) if self._by_epoch else (runner.iter, runner.max_iters)
        for augment in self._augments:
            augment.set_progress(*progress)
