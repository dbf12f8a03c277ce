"""The training loop of a search, around the steps of Algorithm 1."""

from __future__ import annotations

from mmengine.dist import get_rank
from mmengine.model import is_model_wrapper
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmddas.core import PolicySchedule
from mmddas.datasets.class_counts import class_rows
from mmddas.datasets.search import lasting_workers, search_loader, seeded_step

from .batches import SearchBatches
from .build import SearchSettings, build_schedule
from .checkpoints import protect_checkpoints
from .checks.data import check_data, check_order, empty_data_explained
from .checks.fingerprint import (
    check_processes_agree,
    config_fingerprint,
    data_fingerprint,
    differences,
    network_fingerprint,
    search_fingerprint,
)
from .checks.overview import say_how_long
from .checks.preconditions import (
    check_hooks,
    check_network,
    check_optimizer,
    check_passes,
    check_views,
    check_whole_numbers,
    check_work_dir,
    check_wrapper,
)
from .distributed import share_findings
from .hooks.policy_figure_hook import PolicyFigureHook
from .hooks.policy_snapshot_hook import PolicySnapshotHook
from .hooks.search_progress_hook import SearchProgressHook
from .hooks.search_report_hook import SearchReportHook
from .search_step import SearchStep
from .step_watch import StepWatch
from .stopping import Stopping


@LOOPS.register_module()
class DDASSearchLoop(EpochBasedTrainLoop):
    """Search an augmentation policy while a network trains on S_train.

    Its steps are those of :class:`~mmddas.engine.search_step.SearchStep`. Any model with MMEngine's ``loss`` mode will
    do; AMP, gradient clipping, ``compile`` and the config's learning-rate schedules work as in training. The views are
    made by the data workers at the place of ``dict(type='DDASAugment')`` in the training pipeline; S_val runs through
    its own pipeline and may be shorter or longer than S_train.

    On several processes each takes its shard of the batches, and all take the same steps: what is found depends on the
    global batch alone, as far as the loss is a mean over images. Everything random is a function of the seed and the
    position, so that an interrupted search ends with the same policy. Ctrl-C and SIGTERM end it after the step at hand,
    with a checkpoint; a second one at once. A sample that cannot be read, or whose boxes are not finite, is named in
    the log, and another stands in for it; too many of them end the search like Ctrl-C, and with an error.

    The log's ``grad_cosine`` is the cosine of S_val's gradient, after a step, and the clean view's. Where it is
    negative over an epoch, the steps overshoot, and the loop warns: the policy's gradients describe steps that do not.

    BatchNorm in training mode normalises every view by its own statistics; the running statistics see all views of
    S_train, and never S_val.

    Args:
        runner: The runner.
        dataloader: S_train, as any training data loader of MMEngine.
        max_epochs: T, passes over S_train; after each one a snapshot of the policy is taken.
        policy_dataloader: S_val, with a training-like pipeline that packs annotations.
        val_interval: Epochs between two runs of the config's evaluation. None: a search does not evaluate.
        val_begin, dynamic_intervals: As in ``EpochBasedTrainLoop``.
        **settings: See :class:`~mmddas.engine.build.SearchSettings`; without ``estimator`` it is the paper's.

    Example:
        >>> train_cfg = dict(
        ...     type='DDASSearchLoop', max_epochs=30, policy_dataloader=dict(...), search_space='detection',
        ...     estimator=dict(type='PaperEstimator'), policy_optim=dict(op=dict(lr=0.005), total=dict(lr=0.001)))
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_epochs: int,
        policy_dataloader: DataLoader | dict | None = None,
        val_interval: int | None = None,
        val_begin: int = 1,
        dynamic_intervals: list[tuple[int, int]] | None = None,
        **settings: object,
    ) -> None:
        if policy_dataloader is None:
            raise ValueError(
                'DDASSearchLoop needs S_val: train_cfg=dict(type="DDASSearchLoop", policy_dataloader=dict(...))'
            )
        interval = 1 if val_interval is None else val_interval
        check_whole_numbers(max_epochs=max_epochs, val_interval=interval)
        self.settings = SearchSettings(**settings)
        self.num_sub_policies = self.settings.num_sub_policies
        self.policy, self.estimator = self.settings.build_policy()
        with empty_data_explained('S_train', dataloader):
            super().__init__(runner, dataloader, max_epochs, val_begin, interval, dynamic_intervals)
        if val_interval is None:
            runner._val_loop = None  # nothing public keeps the runner from loading the data of its evaluation
        check_views(self.num_sub_policies, self.settings.sub_policies_per_rank, self.estimator)
        self._prepare_data(policy_dataloader)
        operation_options = self.dataloader.dataset.operation_options
        self.schedule = build_schedule(runner, self.policy.space, self.num_sub_policies, operation_options)
        self._epoch_began = 0  # the iteration; an epoch may have fewer than the length of its loader
        self._memory: dict = {}  # of the network of a resumed search, for the step when it is made
        self._stopping = Stopping()
        self._watch = StepWatch(self.settings.max_skipped_in_a_row)
        say_how_long(self.policy.space, self.num_sub_policies, len(self.dataloader), max_epochs)
        self._prepare_hooks()

    def _prepare_data(self, policy_dataloader: DataLoader | dict) -> None:
        """Check S_train and S_val, and make the loaders of both give the batches of a search."""
        runner, settings = self.runner, self.settings
        check_passes(self.dataloader)
        check_order('S_train', self.dataloader.dataset)
        stream = get_rank() if settings.sub_policies_per_rank else None
        self.dataloader = search_loader(self.dataloader, self.policy.space, self.num_sub_policies, runner.seed, stream)
        with empty_data_explained('S_val', policy_dataloader):
            plain_policy_loader = runner.build_dataloader(policy_dataloader, seed=runner.seed)
        check_order('S_val', plain_policy_loader.dataset)
        self.class_rows = class_rows(check_data(self.dataloader.dataset.dataset, plain_policy_loader.dataset))
        self.batches = SearchBatches(runner, self.dataloader, plain_policy_loader, settings.max_broken_share)

    def _prepare_hooks(self) -> None:
        """Check the config's hooks, and register those of a search that are not among them."""
        check_hooks(self.runner.hooks)
        protect_checkpoints(self.runner)
        for hook in (PolicySnapshotHook, PolicyFigureHook, SearchReportHook, SearchProgressHook):
            if not any(isinstance(registered, hook) for registered in self.runner.hooks):
                self.runner.register_hook(hook())

    @property
    def model(self) -> nn.Module:
        """Return the network, without a distributed wrapper."""
        return self.runner.model.module if is_model_wrapper(self.runner.model) else self.runner.model

    @property
    def identity(self) -> dict[str, object]:
        """Return what must be the same in a resumed search, and in all processes of one."""
        return {
            **search_fingerprint(self.settings, self.estimator),
            'seed': self.runner.seed,
            'options of DDASAugment': str(self.schedule.meta['operation_options']),
            'the network': network_fingerprint(self.model),
            **data_fingerprint(S_train=self.dataloader, S_val=self.batches.plain_policy_loader),
        }

    def run(self) -> nn.Module:
        """Search, and return the network."""
        evaluation = self.runner.val_loop
        with self._stopping, lasting_workers(evaluation and evaluation.dataloader):
            try:
                self.prepare()
                return super().run()
            finally:
                self.batches.shut_down()

    def prepare(self) -> None:
        """Check and build, before the first step, what needs the optimizer and the position of a resumed search."""
        check_optimizer(self.runner.optim_wrapper)
        check_wrapper(self.runner.model)
        check_network(self.model, self.settings.sub_policies_per_rank)
        position = f'iteration {self._iter} of epoch {self._epoch}'
        check_processes_agree({**self.identity, **config_fingerprint(self.runner.cfg), 'position': position})
        compiled = self.runner.cfg.get('compile')  # MMEngine compiles ``train_step``, which a search does not call
        self.step = SearchStep(
            self.model,
            self.runner.optim_wrapper,
            self.policy,
            self.estimator,
            self.num_sub_policies,
            self._share,
            (compiled if isinstance(compiled, dict) else {}) if compiled else None,
        )
        check_work_dir(self.runner.work_dir, self.model, resumed=self._iter > 0)
        if len(self.schedule) != self._epoch or self._epoch > self._max_epochs:
            raise ValueError(
                f'The schedule holds {len(self.schedule)} epochs, the checkpoint is of epoch {self._epoch}, and the '
                f'search is to have max_epochs={self._max_epochs}: resume with at least as many as have been searched'
            )
        self.batches.start(self._iter)

    def run_epoch(self) -> None:
        """Pass over S_train, or what is left of it after an interruption, and take a snapshot of the policy."""
        if self._memory:  # after hooks' before_train, which look at the network as it is built
            self.step.memory.load_state_dict(self._memory)
            self._memory = {}
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        first_batch = self._iter - self._epoch_began
        for idx, batches in enumerate(self.batches.epoch(self._epoch, first_batch), start=first_batch):
            self.run_iter(idx, *batches)
        self._watch.end_epoch()
        self.batches.share_skipped_samples()
        self.schedule.append(self.policy)
        self.schedule.findings = self.estimator.evidence.findings()
        self._epoch_began = self._iter
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: dict, policy_batch: object) -> None:
        """Take one step, and call the hooks around it.

        Args:
            idx: The batch's number in the epoch, from 0.
            data_batch: L^ + 1 views and their sub-policies, as :func:`~mmddas.datasets.ddas_collate` makes them.
            policy_batch: A mini-batch of S_val.
        """
        self.runner.call_hook('before_train_iter', batch_idx=idx, data_batch=data_batch)
        with seeded_step(self.runner.seed, self._iter, get_rank()):
            found = self.step(data_batch['views'], data_batch['sub_policies'], policy_batch)
        self._watch.note(found, self._iter + 1)
        outputs = self._logged(found)
        self.runner.call_hook('after_train_iter', batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1
        self._stopping.end_if_agreed(self.runner, self.batches.failure)

    def _share(self, indices: Tensor, alignments: Tensor) -> tuple[Tensor, Tensor]:
        """Return what all processes have found in a step, and learn whether any of them has to stop."""
        indices, alignments, self._stopping.agreed = share_findings(
            indices,
            alignments,
            self.settings.sub_policies_per_rank,
            stop=self._stopping.told or self.batches.failure is not None,
        )
        return indices, alignments

    def _logged(self, found: dict) -> dict[str, Tensor | int]:
        return dict(
            loss=found['loss'],
            loss_clean=found['loss_views'][0],
            loss_augmented=found['loss_views'][1:].mean(),
            loss_val=found['loss_val'],
            grad_cosine=found['grad_cosine'],
            **self.estimator.scalars(),
            skipped_updates=self._watch.skipped_updates,
        )

    def state_dict(self) -> dict:
        """Return what a resumed search needs besides weights and optimizer, as tensors and plain values."""
        return dict(
            policy=self.policy.state_dict(),
            estimator=self.estimator.state_dict(),
            memory=self.step.memory.state_dict(),
            schedule=self.schedule.to_dict(),
            watch=self._watch.state_dict(),
            epoch_began=self._epoch_began,
            identity=self.identity,
        )

    def load_state_dict(self, state: dict) -> None:
        """Continue from :meth:`state_dict`; ValueError, with the differences, where it is of another search."""
        if not {'identity', 'estimator', 'memory'} <= set(state):
            raise ValueError(
                'The checkpoint is of an earlier version of mmddas, which lacks what this one needs: go on with '
                'that version, or start anew in another work dir'
            )
        found = differences(state['identity'], self.identity, ('in the checkpoint', 'in this search'))
        if found:
            seed = state['identity']['seed']
            raise ValueError(
                f'The checkpoint is of another search: {"; ".join(found)}. Resume with the config and the data that it '
                f'was started with (and its seed, randomness.seed={seed}), or start anew in another work dir'
            )
        self.policy.load_state_dict(state['policy'])
        self.estimator.load_state_dict(state['estimator'])
        self._memory = state['memory']
        schedule = PolicySchedule.from_dict(state['schedule'], "the checkpoint's schedule", min_epochs=0)
        self.schedule.snapshots = schedule.snapshots
        self._watch.load_state_dict(state['watch'])
        self._epoch_began = state['epoch_began']
