"""Replay a searched schedule in a training."""

from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmddas.config_nodes import type_name
from mmddas.core import PolicySchedule
from mmddas.datasets import DDASAugment, find_augments
from mmddas.datasets.walk import datasets_within
from mmddas.engine.tasks import TASKS


@HOOKS.register_module()
class PolicyScheduleHook(Hook):
    """Replay a searched schedule in re-training: tell every :class:`~mmddas.datasets.DDASAugment` the epoch.

    Reaches them through dataset wrappers, in data workers of any kind (persistent or not, forked or spawned), and in
    pipelines that another hook switches to.
    In iteration-based loops the iteration takes the epoch's place; workers that load ahead are then as many
    iterations early. What of the same snapshot is drawn for an image does not depend on it.

    A DDASAugment without a policy of its own gets the hook's.

    Args:
        policy: A policy file, or its content. None: the config's ``policy_file``, if it has one, so that
            ``--cfg-options policy_file=work_dirs/search/policy.json`` does.
        smoothing: F_s, odd: p_tp is smoothed over so many snapshots by a mean filter.
        static: Use the last snapshot throughout.

    Raises:
        ValueError: The training pipeline has no DDASAugment, there is no policy or more than one, or it is one for
            another task.
    """

    # Behind the hooks that switch pipelines.
    priority = 'VERY_LOW'

    def __init__(self, policy: str | dict | None = None, smoothing: int = 1, static: bool = False) -> None:
        if not isinstance(static, bool):
            raise ValueError(f'static must be True or False, got {static!r}')
        self.policy = policy
        self.smoothing = smoothing
        self.static = static
        self._prepared: dict[DDASAugment, PolicySchedule] = {}  # what each transform replays, smoothed once
        self._augments: list[DDASAugment] = []
        self._followed = False  # whether a transform has no policy but the hook's

    def before_train(self, runner: Runner) -> None:
        self._find(runner)
        if not self._augments and not _is_switched_in(runner):
            raise ValueError(
                'PolicyScheduleHook finds no DDASAugment in the training pipeline: add '
                "dict(type='DDASAugment', policy='policy.json') after LoadAnnotations, or remove the hook"
            )
        self._check_followed(runner)
        self._by_epoch = hasattr(runner.train_loop, 'run_epoch')
        # A training that is resumed at its end may load images still, on its way there.
        if self._by_epoch:
            self._tell(min(runner.epoch, runner.max_epochs - 1), runner.max_epochs)
        else:
            self._began = runner.iter
            self._tell_iteration(runner, runner.iter)
            _restart_early_workers(runner)

    def _find(self, runner: Runner) -> None:
        """Find the transforms, and give the new ones the policy to replay."""
        self._augments = find_augments(runner.train_dataloader.dataset)
        for augment in self._augments:
            if augment.schedule is not None and self._prepared.get(augment) is augment.schedule:
                continue
            if augment.schedule is None:
                augment.set_policy(self.policy or runner.cfg.get('policy_file'))
                self._followed = True
            if augment.schedule is None:
                raise ValueError(
                    'There is no policy for DDASAugment: name the searched one, '
                    '--cfg-options policy_file=PATH/policy.json'
                )
            _check_task(augment.schedule, runner)
            augment.schedule = augment.schedule.static() if self.static else augment.schedule.smooth(self.smoothing)
            self._prepared[augment] = augment.schedule
        for part in datasets_within(runner.train_dataloader.dataset):
            if hasattr(part, 'max_refetch') and hasattr(part, 'pipeline_types'):  # MultiImageMixDataset
                for augment in find_augments(part):
                    augment.keeps_some_box = True

    def _check_followed(self, runner: Runner) -> None:
        """Raise ValueError for a policy outside of the pipeline that no transform follows."""
        file = runner.cfg.get('policy_file')
        if self.policy and file and self.policy != file:
            raise ValueError(
                f'policy_file is {file!r:.80}, and PolicyScheduleHook has a policy of its own: leave one of the two out'
            )
        if (self.policy or file) and self._augments and not (self._followed or _is_switched_in(runner)):
            raise ValueError(
                f'The training is to follow {self.policy or file!r:.80}, and every DDASAugment in its pipeline has a '
                'policy of its own: leave one of the two out'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        if self._by_epoch:
            before = self._augments
            self._find(runner)  # another hook may have switched the pipeline
            if before and not self._augments:
                runner.logger.warning(
                    f'From epoch {runner.epoch + 1} on the training pipeline has no DDASAugment: the policy ends here'
                )
            self._tell(runner.epoch, runner.max_epochs)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: dict | None = None
    ) -> None:
        # The loop loads a batch before it calls before_train_iter.
        if not self._by_epoch:
            self._tell_iteration(runner, runner.iter + 1)

    def _tell_iteration(self, runner: Runner, iteration: int) -> None:
        """Tell the iteration, and a pass over the data that does not depend on how far a worker is ahead."""
        loader = runner.train_dataloader
        endless = isinstance(getattr(loader.batch_sampler, 'sampler', None), InfiniteSampler)
        data_pass = self._began if endless else iteration // len(loader)
        self._tell(min(iteration, runner.max_iters - 1), runner.max_iters, data_pass)

    def _tell(self, now: int, end: int, data_pass: int | None = None) -> None:
        for augment in self._augments:
            augment.set_progress(now, end, data_pass)


def _is_switched_in(runner: Runner) -> bool:
    """Return whether PipelineSwitchHook or SwitchRecipeHook will switch to a pipeline with DDASAugment."""
    switched = [getattr(hook, 'switch_pipeline', None) for hook in runner.hooks]
    # Other hooks have a schedule of another kind: ProfilerHook a function.
    schedules = [hook.schedule for hook in runner.hooks if isinstance(getattr(hook, 'schedule', None), dict)]
    recipes = [recipe for schedule in schedules for recipe in schedule.values()]
    built = [recipe['train_pipeline'].transforms for recipe in recipes if 'train_pipeline' in recipe]
    return any(type_name(step) == 'DDASAugment' for pipeline in switched for step in pipeline or ()) or any(
        isinstance(step, DDASAugment) for pipeline in built for step in pipeline
    )


def _check_task(schedule: PolicySchedule, runner: Runner) -> None:
    searched, here = schedule.meta.get('task'), TASKS.get(runner.default_scope.scope_name)
    if searched and here and searched != here:
        raise ValueError(
            f'The policy was searched for {searched}, and this run trains for {here}, with other operations and '
            'magnitudes: search one for it. To use it all the same, take "task" out of the policy\'s "meta"'
        )


def _restart_early_workers(runner: Runner) -> None:
    """Restart the workers of the original MMEngine's IterBasedTrainLoop, which load ahead before any hook is called.

    Neither it nor PyTorch has a public way to start an iterator anew.
    """
    batches, loader = getattr(runner.train_loop, 'dataloader_iterator', None), runner.train_dataloader
    if getattr(batches, '_iterator', None) is None:
        return
    batches._iterator = loader._iterator = None
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    if isinstance(sampler, InfiniteSampler):
        sampler.indices = sampler._indices_of_rank()  # one generator for all iterators, closed with the first of them
    batches._iterator = iter(loader)
