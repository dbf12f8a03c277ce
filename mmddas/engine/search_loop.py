"""A search as an MMEngine training loop: the run around the steps of Algorithm 1."""

from __future__ import annotations

from mmengine.dist import get_rank
from mmengine.model import is_model_wrapper
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmddas.core import AugmentationPolicy, PolicySchedule, SearchSpace
from mmddas.datasets.class_counts import class_rows
from mmddas.datasets.search import lasting_workers, search_loader, seeded_step

from .batches import SearchBatches
from .build import build_policy_estimator, build_schedule, build_search_space
from .checkpoints import protect_checkpoints
from .checks.data import check_data, check_order, empty_data_explained
from .checks.fingerprint import check_processes_agree, data_identity, differences, flattened, search_identity
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
        search_space: A preset's name, or a list of ``(operation, level)`` pairs.
        num_ops: N_o, operations in a sub-policy.
        num_sub_policies: L^, sub-policies per step.
        init_total_prob: p_tp at the start.
        policy_optim: Optimizers of alpha_o (``op``) and alpha_tp (``total``), Adam at 0.005 and 0.001 with betas
            (0.5, 0.999) as far as nothing else is said; None for ``total`` keeps p_tp fixed.
        estimator: What turns alignments into a step of the policy, by name, with its settings; by default
            ``dict(type='PaperEstimator')``.
        normalize, scale_by_lr: The estimator's settings of these names, where the config has them here.
        max_skipped_in_a_row: A step whose gradients are not finite, or whose alignments are all 0, changes neither
            policy nor, in the first case, network, and is counted (``skipped_updates`` in the log). So many in a
            row end the search with a FloatingPointError.
        sub_policies_per_rank: Every process draws sub-policies of its own, so that a step sees more of the space. By
            default they are shared.
        max_broken_share: Share of the samples of S_train, and of S_val, that may be broken; more end the search with
            a BrokenDataError that lists them.
        val_interval: Epochs between two runs of the config's evaluation. None: a search does not evaluate.
        **kwargs: ``val_begin``, ``dynamic_intervals`` of ``EpochBasedTrainLoop``.

    Example:
        >>> train_cfg = dict(
        ...     type='DDASSearchLoop', max_epochs=30, policy_dataloader=dict(...),
        ...     search_space='detection', policy_optim=dict(op=dict(lr=0.005), total=dict(lr=0.001)))
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_epochs: int,
        policy_dataloader: DataLoader | dict | None = None,
        search_space: str | list | SearchSpace = 'detection',
        num_ops: int = 2,
        num_sub_policies: int = 3,
        init_total_prob: float = 0.35,
        policy_optim: dict | None = None,
        estimator: dict | None = None,
        normalize: bool | None = None,
        scale_by_lr: bool | None = None,
        max_skipped_in_a_row: int = 50,
        sub_policies_per_rank: bool = False,
        max_broken_share: float = 0.1,
        val_interval: int | None = None,
        **kwargs,
    ) -> None:
        if policy_dataloader is None:
            raise ValueError(
                'DDASSearchLoop needs S_val: train_cfg=dict(type="DDASSearchLoop", policy_dataloader=dict(...))'
            )
        interval = 1 if val_interval is None else val_interval
        check_whole_numbers(max_epochs=max_epochs, num_sub_policies=num_sub_policies, val_interval=interval)
        if not isinstance(sub_policies_per_rank, bool):
            raise ValueError(f'sub_policies_per_rank must be True or False, got {sub_policies_per_rank!r}')
        space = build_search_space(search_space, num_ops)
        self.policy = AugmentationPolicy(space, init_total_prob)
        self.estimator = build_policy_estimator(
            self.policy, policy_optim, estimator, normalize=normalize, scale_by_lr=scale_by_lr
        )
        with empty_data_explained('S_train', dataloader):
            super().__init__(runner, dataloader, max_epochs, val_interval=interval, **kwargs)
        if val_interval is None:
            runner._val_loop = None
        check_passes(self.dataloader)
        check_views(num_sub_policies, sub_policies_per_rank, self.estimator)
        check_order('S_train', self.dataloader.dataset)
        stream = get_rank() if sub_policies_per_rank else None
        self.dataloader = search_loader(self.dataloader, space, num_sub_policies, runner.seed, stream)
        with empty_data_explained('S_val', policy_dataloader):
            plain_policy_loader = runner.build_dataloader(policy_dataloader, seed=runner.seed)
        check_order('S_val', plain_policy_loader.dataset)
        self.class_rows = class_rows(check_data(self.dataloader.dataset.dataset, plain_policy_loader.dataset))
        self.batches = SearchBatches(runner, self.dataloader, plain_policy_loader, max_broken_share)
        self.num_sub_policies = num_sub_policies
        self.sub_policies_per_rank = sub_policies_per_rank
        self.schedule = build_schedule(runner, space, num_sub_policies, self.dataloader.dataset.operation_options)
        self._epoch_began = 0  # the iteration; an epoch may have fewer than the length of its loader
        self._memory: dict = {}  # of the network of a resumed search, for the step when it is made
        self._stopping = Stopping()
        self._watch = StepWatch(max_skipped_in_a_row)
        say_how_long(space, num_sub_policies, len(self.dataloader), max_epochs)
        check_hooks(runner.hooks)
        protect_checkpoints(runner)
        for hook in (PolicySnapshotHook, PolicyFigureHook, SearchReportHook, SearchProgressHook):
            if not any(isinstance(registered, hook) for registered in runner.hooks):
                runner.register_hook(hook())

    @property
    def model(self) -> nn.Module:
        """The network itself, without a distributed wrapper."""
        return self.runner.model.module if is_model_wrapper(self.runner.model) else self.runner.model

    @property
    def identity(self) -> dict[str, object]:
        """What must not change in a resumed search, nor between its processes."""
        return search_identity(
            self.runner.seed,
            self.schedule,
            self.num_sub_policies,
            self.sub_policies_per_rank,
            self.estimator,
            self.model,
        ) | data_identity(S_train=self.dataloader, S_val=self.batches.plain_policy_loader)

    def run(self) -> nn.Module:
        """Search."""
        evaluation = self.runner.val_loop
        with self._stopping, lasting_workers(evaluation and evaluation.dataloader):
            try:
                self.prepare()
                return super().run()
            finally:
                self.batches.shut_down()

    def prepare(self) -> None:
        """What needs the optimizer and, in a resumed search, the position: called once, before the first step."""
        check_optimizer(self.runner.optim_wrapper)
        check_wrapper(self.runner.model)
        check_network(self.model, self.sub_policies_per_rank)
        position = f'iteration {self._iter} of epoch {self._epoch}'
        check_processes_agree({**self.identity, **flattened(self.runner.cfg), 'position': position})
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
        """One pass over S_train, or what is left of it after an interruption, ended by a snapshot of the policy."""
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
        """One step, and the hooks around it.

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
        """What all processes have found in a step; with it goes whether any of them has to stop."""
        indices, alignments, self._stopping.agreed = share_findings(
            indices,
            alignments,
            self.sub_policies_per_rank,
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
        """All that a resumed search needs beside the network, as tensors and plain values."""
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
        """Continue from :meth:`state_dict`; ValueError, with what differs, where it is another search's."""
        if not {'identity', 'estimator', 'memory'} <= set(state):
            raise ValueError(
                'The checkpoint is of an earlier version of mmddas, which did not save what this one needs: go on with '
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
