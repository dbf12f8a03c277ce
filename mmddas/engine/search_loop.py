"""Algorithm 1 of DDAS as an MMEngine training loop."""

from __future__ import annotations

import hashlib
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import all_gather_object, all_reduce, broadcast_object_list, get_rank, get_world_size
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.registry import LOOPS, OPTIMIZERS
from mmengine.runner import EpochBasedTrainLoop
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.data import DataLoader

from mmddas import ops
from mmddas.core import (
    AugmentationPolicy,
    PolicySchedule,
    SearchSpace,
    ViewGradients,
    expected_loss_weights,
    policy_gradients,
    step_policy,
    update_policy,
)
from mmddas.core.files import check_folder
from mmddas.datasets import policy_loader, search_loader
from mmddas.datasets.broken import BrokenDataError, SkippedSamples
from mmddas.datasets.packing import UnpackingIterator
from mmddas.datasets.views import seeded
from mmddas.version import __version__

from .agreement import check_processes_agree, differences, fingerprint, flattened
from .checkpoints import protect_checkpoints, remove_unfinished, save_now
from .policy_figure_hook import PolicyFigureHook
from .policy_snapshot_hook import PolicySnapshotHook
from .stop_signals import StopSignals
from .tasks import TASKS

POLICY_OPTIM = dict(
    op=dict(type='Adam', lr=0.005, betas=(0.5, 0.999)),
    total=dict(type='Adam', lr=0.001, betas=(0.5, 0.999)),
)
# Optimizers whose step is linear in the gradient, as Eq. 16 and 17 need it.
LINEAR_OPTIMIZERS = (torch.optim.SGD,)
# Keeps the randomness of steps apart from that of samples.
_STEP = 1 << 16


@LOOPS.register_module()
class DDASSearchLoop(EpochBasedTrainLoop):
    """Search an augmentation policy while a network trains on S_train.

    In every step the network takes the gradients of a clean and L^ augmented views of a mini-batch, steps on their
    expected value (Eq. 5, 6, 12), takes the gradient of a mini-batch of S_val at its new weights, and the policy
    steps on the alignments of both (Eq. 15 to 17). Any model with MMEngine's ``loss`` mode will do; the optimizer
    wrapper's AMP and gradient clipping and the config's learning-rate schedules work as in training.

    The views are made by the data workers at the place of ``dict(type='DDASAugment')`` in the training pipeline.
    S_val runs through its own pipeline and may be shorter or longer than S_train.

    The log's ``descent`` is the cosine of S_val's gradient, after a step, and the clean view's. Where it is negative
    over an epoch, the steps overshoot, and the loop warns: the policy's gradients describe steps that do not.

    On several processes each takes its shard of the batches, and all take the same steps: what is found depends on the
    global batch alone, as far as the loss is a mean over images. Two all-reduces of the network's size and one of
    L^ + 1 numbers make a step.

    A sample that cannot be read, or whose boxes are not finite, is named in the log, and another stands in for it; too
    many of them end the search like Ctrl-C, and with an error.

    Everything random is a function of the seed and the position, so that a search ends with the same policy whether or
    not it was interrupted. Ctrl-C and SIGTERM end it after the step at hand, with a checkpoint; a second one at once.

    ``compile`` of the config (MMEngine's) holds for the network's forward and backward passes here.

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
        policy_optim: Optimizers of alpha_o (``op``) and alpha_tp (``total``); None for ``total`` keeps p_tp fixed.
        normalize: Divide the policy's gradients by Z_g (Eq. 15).
        scale_by_lr: Multiply them by the network's learning rate, as Eq. 16 and 17 have it and the authors' code
            has not.
        max_skipped_in_a_row: A step whose gradients are not finite, or whose alignments are all 0, changes neither
            policy nor, in the first case, network, and is counted (``skipped_updates`` in the log). So many in a
            row end the search with a FloatingPointError.
        sub_policies_per_rank: Every process draws sub-policies of its own, so that a step sees more of the space. By
            default they are shared.
        max_broken_share: Share of the samples of S_train, and of S_val, that may be broken; more end the search with
            a BrokenDataError that lists them.
        **kwargs: ``val_begin``, ``val_interval``, ``dynamic_intervals`` of ``EpochBasedTrainLoop``.

    Example:
        >>> train_cfg = dict(
        ...     type='DDASSearchLoop', max_epochs=30, policy_dataloader=dict(...),
        ...     search_space='detection', num_ops=2, num_sub_policies=3, init_total_prob=0.35,
        ...     policy_optim=dict(op=dict(type='Adam', lr=0.005, betas=(0.5, 0.999)),
        ...                       total=dict(type='Adam', lr=0.001, betas=(0.5, 0.999))))
    """

    def __init__(
        self,
        runner,
        dataloader: DataLoader | dict,
        max_epochs: int,
        policy_dataloader: DataLoader | dict | None = None,
        search_space: str | list | SearchSpace = 'detection',
        num_ops: int = 2,
        num_sub_policies: int = 3,
        init_total_prob: float = 0.35,
        policy_optim: dict | None = None,
        normalize: bool = True,
        scale_by_lr: bool = False,
        max_skipped_in_a_row: int = 50,
        sub_policies_per_rank: bool = False,
        max_broken_share: float = 0.1,
        **kwargs,
    ) -> None:
        if policy_dataloader is None:
            raise ValueError(
                'DDASSearchLoop needs S_val: train_cfg=dict(type="DDASSearchLoop", policy_dataloader=dict(...))'
            )
        whole = dict(
            max_epochs=max_epochs, num_sub_policies=num_sub_policies, max_skipped_in_a_row=max_skipped_in_a_row
        )
        for name, number in whole.items():
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                raise ValueError(f'{name} must be a whole number of at least 1, got {number!r}')
        if not isinstance(max_broken_share, (int, float)) or not 0 <= max_broken_share <= 1:
            raise ValueError(f'max_broken_share must be a number from 0 to 1, got {max_broken_share!r}')
        switches = dict(normalize=normalize, scale_by_lr=scale_by_lr, sub_policies_per_rank=sub_policies_per_rank)
        for name, switch in switches.items():
            if not isinstance(switch, bool):
                raise ValueError(f'{name} must be True or False, got {switch!r}')
        space = build_search_space(search_space, num_ops)
        super().__init__(runner, dataloader, max_epochs, **kwargs)
        _check_passes(self.dataloader)
        stream = get_rank() if sub_policies_per_rank else None
        self.dataloader = search_loader(self.dataloader, space, num_sub_policies, runner.seed, stream)
        self._policy_dataloader = runner.build_dataloader(policy_dataloader, seed=runner.seed)

        # On the CPU: its few numbers take less time there than to launch their kernels on a GPU.
        self.policy = AugmentationPolicy(space, init_total_prob)
        self.policy_optimizers = _policy_optimizers(self.policy, POLICY_OPTIM if policy_optim is None else policy_optim)
        self.schedule = PolicySchedule(
            space,
            meta=dict(
                mmddas=__version__,
                task=TASKS.get(runner.default_scope.scope_name),
                config=runner.experiment_name,
                seed=runner.seed,
                num_sub_policies=num_sub_policies,
                operation_options=self.dataloader.dataset.operation_options,
            ),
        )
        self.num_sub_policies = num_sub_policies
        self.normalize = normalize
        self.scale_by_lr = scale_by_lr
        self.max_skipped_in_a_row = max_skipped_in_a_row
        self.sub_policies_per_rank = sub_policies_per_rank
        self._skipped_in_a_row = 0
        self.skipped_updates = 0
        self._epoch_began = 0  # the iteration; an epoch may have fewer than the length of its loader
        self._batches: UnpackingIterator | None = None
        self._policy_batches: UnpackingIterator | None = None
        self._descents: list[Tensor] = []  # of the epoch's steps
        self._norms = [module for module in self.model.modules() if isinstance(module, _NormBase)]
        self.skipped_samples = {
            name: SkippedSamples(name, len(loader.dataset), max_broken_share)
            for name, loader in (('S_train', self.dataloader), ('S_val', self._policy_dataloader))
        }
        self._signals = StopSignals()
        self._failure: BrokenDataError | None = None
        self._stopping = False
        protect_checkpoints(runner)
        for hook in (PolicySnapshotHook, PolicyFigureHook):
            if not any(isinstance(registered, hook) for registered in runner.hooks):
                runner.register_hook(hook())

    @property
    def model(self) -> nn.Module:
        """The network itself: gradients are taken one by one, which a distributed wrapper's reducer would upset."""
        return self.runner.model.module if is_model_wrapper(self.runner.model) else self.runner.model

    @property
    def identity(self) -> dict[str, int | str | list[str]]:
        """What must not change in a resumed search, nor between its processes."""
        space, loaders = self.schedule.space, (self.dataloader, self._policy_dataloader)
        sizes = [(loader.batch_sampler.batch_size or 1) * get_world_size() for loader in loaders]
        return {
            'search space': [str(candidate) for candidate in space.candidates],
            'num_ops': space.num_ops,
            'num_sub_policies': self.num_sub_policies,
            'sub-policies are drawn by': f'{get_world_size()} ranks' if self.sub_policies_per_rank else 'the batch',
            'seed': self.runner.seed,
            'normalize': self.normalize,
            'scale_by_lr': self.scale_by_lr,
            'p_tp is': 'learned' if len(self.policy_optimizers) == 2 else 'fixed',
            'options of DDASAugment': str(self.schedule.meta['operation_options']),
            'the network': _architecture(self.model),
            'S_train': fingerprint(loaders[0].dataset.dataset),
            'S_val': fingerprint(loaders[1].dataset),
            'batches of S_train': f'{len(loaders[0])} of {sizes[0]}',
            'batches of S_val': f'{len(loaders[1])} of {sizes[1]}',
        }

    def run(self) -> nn.Module:
        """Search."""
        with self._signals:
            try:
                self.prepare()
                return super().run()
            finally:
                for batches in (self._batches, self._policy_batches):
                    if batches is not None:
                        batches.shut_down()

    def prepare(self) -> None:
        """What needs the optimizer and, in a resumed search, the position: called once, before the first step."""
        _check_optimizer(self.runner.optim_wrapper)
        position = f'iteration {self._iter} of epoch {self._epoch}'
        check_processes_agree({**self.identity, **flattened(self.runner.cfg), 'position': position})
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self._gradients = ViewGradients(parameters, self.num_sub_policies)
        compiled = self.runner.cfg.get('compile')  # MMEngine compiles ``train_step``, which a search does not call
        if compiled:
            self._forward = torch.compile(self._forward, **(compiled if isinstance(compiled, dict) else {}))
        self._check_work_dir()
        if len(self.schedule) != self._epoch or self._epoch > self._max_epochs:
            raise ValueError(
                f'The schedule holds {len(self.schedule)} epochs, the checkpoint is of epoch {self._epoch}, and the '
                f'search is to have max_epochs={self._max_epochs}: resume with at least as many as have been searched'
            )
        loader = policy_loader(self._policy_dataloader, self.runner.seed, start=self._iter)
        self._policy_batches = iter(loader)

    def _check_work_dir(self) -> None:
        """Have rank 0, which alone writes, look at the work dir; an OSError of what it found on all processes."""
        found: list[OSError | None] = [None]
        if get_rank() == 0:
            # Weights and a momentum; twice at first, since the old checkpoint stays until the new one is there.
            weights = sum(parameter.numel() * parameter.element_size() for parameter in self.model.parameters())
            try:
                check_folder(self.runner.work_dir, 'The work dir', (2 if self._iter else 4) * weights)
                remove_unfinished(self.runner.work_dir)
            except OSError as error:
                found = [error]
        broadcast_object_list(found)
        if found[0] is not None:
            raise found[0]

    def run_epoch(self) -> None:
        """One pass over S_train, or what is left of it after an interruption, ended by a snapshot of the policy."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        first_batch = self._iter - self._epoch_began
        self.dataloader.batch_sampler.set_epoch(self._epoch, first_batch)
        self._descents.clear()
        self._batches = iter(self.dataloader)
        for idx, data_batch in enumerate(self._taken(self._batches), start=first_batch):
            self.run_iter(idx, data_batch)
        _warn_of_overshooting(self._descents)
        self._share_skipped_samples()
        self.schedule.append(self.policy)
        self._epoch_began = self._iter
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: dict) -> None:
        """One step, and the hooks around it.

        Args:
            data_batch: ``data``, L^ + 1 views as :func:`~mmddas.datasets.ddas_collate` makes them, and ``broken``.
        """
        policy_batch = next(self._taken(self._policy_batches))
        try:
            self.skipped_samples['S_train'].note(data_batch['broken'])
            self.skipped_samples['S_val'].note(policy_batch['broken'])
        except BrokenDataError as error:
            self._failure = error  # raised after the step, which the other processes are waiting in
        data_batch = data_batch['data']
        self.runner.call_hook('before_train_iter', batch_idx=idx, data_batch=data_batch)
        with _seeded_step(self.runner.seed, self._iter):
            outputs = self.step(data_batch, policy_batch['data'])
        self.runner.call_hook('after_train_iter', batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1
        if self._stopping:
            path = save_now(self.runner)
            here = self._failure is not None or self._signals.received is not None
            why = '' if here else ', because another process did, whose messages say why'
            print_log(
                f'Stopped after iteration {self._iter}{why}; {path} is saved, --resume goes on from it', 'current'
            )
            if self._failure is not None:
                raise self._failure
            raise SystemExit(128 + (self._signals.received or signal.SIGTERM))

    def _taken(self, batches: UnpackingIterator) -> Iterator[dict]:
        """The batches. Where samples enough for one cannot be found, the search is saved before it ends.

        But not where others are in a step that they cannot finish: their launcher ends them.
        """
        try:
            yield from batches
        except BrokenDataError:
            if get_world_size() == 1:
                save_now(self.runner)
            raise

    def _share_skipped_samples(self) -> None:
        """Have all processes know what each has skipped; where together that is too much, save, and end all."""
        try:
            for skipped in self.skipped_samples.values():
                if get_world_size() > 1:
                    for found in all_gather_object(list(skipped.samples.values())):
                        skipped.note(found)
        except BrokenDataError:
            save_now(self.runner)
            raise

    def step(self, data_batch: dict, policy_batch: dict) -> dict:
        """One step of Algorithm 1.

        Args:
            data_batch: L^ + 1 views of a mini-batch of S_train, as :func:`~mmddas.datasets.ddas_collate` makes them.
            policy_batch: A mini-batch of S_val.

        Returns:
            What is logged: losses and the state of the policy.
        """
        gradients, optim_wrapper, indices = self._gradients, self.runner.optim_wrapper, data_batch['sub_policies']
        with torch.no_grad():
            weights = expected_loss_weights(self.policy, indices)  # (L^ + 1,)

        losses = []
        view_scale = _loss_scale(optim_wrapper)
        for view, batch in enumerate(data_batch['views']):
            loss = self._loss(batch)
            gradients.add_view(view, loss * view_scale)
            losses.append(loss.detach())
        expected = _average(gradients.expected(weights))
        learning_rate = optim_wrapper.param_groups[0]['lr']
        self._step_network(expected)

        with _frozen_running_statistics(self._norms):
            loss = self._loss(policy_batch)
        policy_scale = _loss_scale(optim_wrapper)
        _average(gradients.validation(loss * policy_scale))
        losses.append(loss.detach())
        alignments = gradients.alignments() / (view_scale * policy_scale)  # (L^,)
        descent = gradients.descent()
        optim_wrapper.zero_grad()

        updated = self._update_policy(indices, alignments, learning_rate if self.scale_by_lr else 1.0)
        *losses, descent = torch.stack([*losses, descent]).cpu()
        self._descents.append(descent)
        views, policy_loss = torch.stack(losses[:-1]), losses[-1]
        self._count(updated, views, policy_loss)
        return dict(
            loss=(weights * views).sum(),
            loss_clean=views[0],
            loss_augmented=views[1:].mean(),
            loss_val=policy_loss,
            descent=descent,
            **self._policy_scalars(),
        )

    def _step_network(self, expected: Tensor) -> None:
        """Step on the expected gradient, unless it is not finite."""
        optim_wrapper = self.runner.optim_wrapper
        # AMP's loss scaler finds such gradients by itself, and has to see them.
        if not hasattr(optim_wrapper, 'loss_scaler'):
            finite = torch.isfinite(expected).all()
            # Optimizers with this flag, by which loss scalers know them, look at it on the device: no need to wait.
            if getattr(optim_wrapper.optimizer, '_step_supports_amp_scaling', False):
                optim_wrapper.optimizer.found_inf = (~finite).float()
            elif not finite:
                return
        self._gradients.assign()
        optim_wrapper.step()

    def _update_policy(self, indices: Tensor, alignments: Tensor, scale: float) -> bool:
        """Step the policy on the alignments of all processes; False where there is nothing to learn from them.

        Sub-policies that the processes share have one alignment each, the mean over the shards. Where every process
        has its own, the expected loss is the mean of theirs, and so is its gradient; Z_g (Eq. 15) is their mean too.
        """
        if not self.sub_policies_per_rank:
            alignments = self._exchange(alignments)
            return update_policy(self.policy, self.policy_optimizers, indices, alignments, self.normalize, scale)
        alignments = alignments.cpu()
        parts = *policy_gradients(self.policy, indices, alignments, False, scale), alignments.abs().sum()
        *gradient, grad_total, z_g = self._exchange(torch.cat([part.reshape(-1) for part in parts])).unbind()
        norm = z_g if self.normalize else 1.0
        gradients = torch.stack(gradient) / norm, grad_total / norm
        return bool(z_g != 0) and step_policy(self.policy, self.policy_optimizers, *gradients)

    def _exchange(self, numbers: Tensor) -> Tensor:
        """The mean of ``numbers`` over all processes, on the CPU; with them goes whether any has to stop."""
        told = self._signals.received is not None or self._failure is not None
        if get_world_size() == 1:
            self._stopping = told
            return numbers.cpu()
        *_, stopping = numbers = _average(torch.cat([numbers, numbers.new_tensor([float(told)])])).cpu()
        self._stopping = bool(stopping)
        return numbers[:-1]

    def _count(self, updated: bool, losses: Tensor, policy_loss: Tensor) -> None:
        """Count a step from which the policy could not learn, and stop where there are too many in a row."""
        self.skipped_updates += not updated
        self._skipped_in_a_row = 0 if updated else self._skipped_in_a_row + 1
        if self._skipped_in_a_row >= self.max_skipped_in_a_row:
            found = ', '.join(f'{loss:.4g}' for loss in losses.tolist())
            raise FloatingPointError(
                f'The policy could not learn from {self._skipped_in_a_row} steps in a row, the last one of iteration '
                f'{self._iter + 1}: gradients are not finite, or all alignments are 0 (losses of the views, the clean '
                f'one first: {found}; of S_val: {policy_loss.item():.4g}). If the losses have grown, start '
                'anew with a lower learning rate or with clipped gradients (--resume keeps the rate of the checkpoint).'
            )

    def _loss(self, batch: dict | list) -> Tensor:
        """The summed training loss of a batch, under the optimizer wrapper's precision."""
        with self.runner.optim_wrapper.optim_context(self.runner.model):
            losses = self._forward(self.model.data_preprocessor(batch, True))
        return self.model.parse_losses(losses)[0]

    def _forward(self, data: dict | list) -> dict:
        """The losses of a preprocessed batch, by name."""
        return self.model(**data, mode='loss') if isinstance(data, dict) else self.model(*data, mode='loss')

    @torch.no_grad()
    def _policy_scalars(self) -> dict[str, Tensor | int]:
        log_probs = self.policy.op_logits.log_softmax(dim=0)
        return dict(
            total_prob=self.policy.total_prob.detach(),
            op_entropy=-(log_probs.exp() * log_probs).sum(),
            skipped_updates=self.skipped_updates,
        )

    def state_dict(self) -> dict:
        """All that a resumed search needs beside the network, as tensors and plain values."""
        return dict(
            policy=self.policy.state_dict(),
            policy_optimizers=[optimizer.state_dict() for optimizer in self.policy_optimizers],
            schedule=self.schedule.to_dict(),
            skipped_updates=self.skipped_updates,
            skipped_in_a_row=self._skipped_in_a_row,
            epoch_began=self._epoch_began,
            identity=self.identity,
        )

    def load_state_dict(self, state: dict) -> None:
        """Continue from :meth:`state_dict`; ValueError, with what differs, where it is another search's."""
        if 'identity' not in state:
            raise ValueError('The checkpoint is of an earlier version of mmddas, which did not save all that is needed')
        found = differences(state['identity'], self.identity, ('in the checkpoint', 'in this search'))
        if found:
            seed = state['identity']['seed']
            raise ValueError(
                f'The checkpoint is of another search: {"; ".join(found)}. Resume with the config and the data that it '
                f'was started with (and its seed, randomness.seed={seed}), or start anew in another work dir'
            )
        self.policy.load_state_dict(state['policy'])
        for optimizer, saved in zip(self.policy_optimizers, state['policy_optimizers'], strict=True):
            optimizer.load_state_dict(saved)
        schedule = PolicySchedule.from_dict(state['schedule'], "the checkpoint's schedule", min_epochs=0)
        self.schedule.snapshots = schedule.snapshots
        self.skipped_updates = state['skipped_updates']
        self._skipped_in_a_row = state['skipped_in_a_row']
        self._epoch_began = state['epoch_began']


def build_search_space(search_space: str | list | SearchSpace, num_ops: int) -> SearchSpace:
    """The search space that a config names or lists; ValueError where an operation or a level is not known."""
    if isinstance(search_space, SearchSpace):
        space = search_space
    elif isinstance(search_space, str):
        space = SearchSpace.preset(search_space, num_ops)
    elif isinstance(search_space, (list, tuple)):
        space = SearchSpace(search_space, num_ops)
    else:
        raise ValueError(
            f"search_space must be a preset's name or a list of (operation, level) pairs, got {search_space!r}"
        )
    ops.check_candidates(space.candidates)
    return space


def _policy_optimizers(policy: AugmentationPolicy, configs: dict) -> list[torch.optim.Optimizer]:
    parameters = dict(op=policy.op_logits, total=policy.total_logit)
    if not isinstance(configs, dict) or set(configs) != set(parameters):
        found = sorted(configs) if isinstance(configs, dict) else configs
        raise ValueError(f"policy_optim needs the keys 'op' and 'total', got {found!r}")
    optimizers = []
    for name, parameter in parameters.items():
        config = configs[name]
        if config is None and name == 'total':
            continue
        if not isinstance(config, dict) or 'type' not in config:
            raise ValueError(f"policy_optim['{name}'] must be an optimizer's config, dict(type=...), got {config!r}")
        optimizers.append(OPTIMIZERS.build(dict(config, params=[parameter])))
    return optimizers


def _architecture(model: nn.Module) -> str:
    """The number of trainable parameters, and a hash of all names and shapes."""
    shapes = [(name, tuple(parameter.shape)) for name, parameter in model.named_parameters()]
    count = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return f'{count} trainable parameters, {hashlib.sha256(repr(shapes).encode()).hexdigest()[:8]}'


def _check_passes(loader: DataLoader) -> None:
    """An epoch has to have a beginning and an end."""
    if len(loader) == 0:
        raise ValueError(
            f'S_train gives no batches: it has {len(loader.dataset)} samples; lower its batch_size or drop_last'
        )
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    if isinstance(sampler, InfiniteSampler) or hasattr(sampler, '_indices_of_rank'):
        raise ValueError(
            f'S_train is drawn by {type(sampler).__name__}, which has no end, and a search goes by epochs: use '
            "sampler=dict(type='DefaultSampler', shuffle=True)"
        )


def _check_optimizer(optim_wrapper) -> None:
    if getattr(optim_wrapper, '_accumulative_counts', 1) != 1:
        raise ValueError(
            'A search cannot accumulate gradients over iterations (the policy learns from every step): '
            'remove accumulative_counts from optim_wrapper and raise the batch size instead'
        )
    if not isinstance(optim_wrapper.optimizer, LINEAR_OPTIMIZERS):
        print_log(
            f'The network is trained by {type(optim_wrapper.optimizer).__name__}, but the policy gradients '
            '(Eq. 16, 17) are exact only for SGD, whose step is linear in the gradient. The search may mislead.',
            logger='current',
            level=logging.WARNING,
        )


def _warn_of_overshooting(descents: list[Tensor]) -> None:
    """Say so where the network's steps go beyond what the policy's gradients, which are first-order, describe."""
    mean = torch.stack(descents).nanmean().item() if descents else 0.0
    if mean < 0:
        print_log(
            "The network's steps overshoot: after them the gradient of S_val points against that of the clean view "
            f'(mean cosine {mean:.2f} over the epoch, "descent" in the log). The policy then favours views that '
            'point there less, and p_tp may rise. Try a lower learning rate.',
            logger='current',
            level=logging.WARNING,
        )


def _loss_scale(optim_wrapper) -> Tensor | float:
    """The factor against underflow that AMP puts on losses, and ``optim_wrapper.step`` takes off again."""
    scaler = getattr(optim_wrapper, 'loss_scaler', None)
    if scaler is None:
        return 1.0
    # Asked through ``scale``: a GradScaler sets itself up at its first call, and cannot step before.
    return scaler.scale(torch.ones((), device=optim_wrapper.param_groups[0]['params'][0].device))


def _average(tensor: Tensor) -> Tensor:
    """The mean over all processes, in place."""
    if get_world_size() > 1:
        all_reduce(tensor, op='mean')
    return tensor


@contextmanager
def _seeded_step(seed: int, iteration: int) -> Iterator[None]:
    """What is random in the network (dropout, sampled proposals, ...), on any device, as a function of the position."""
    with seeded(seed, iteration, get_rank(), _STEP):
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(torch.initial_seed())
        yield


class _frozen_running_statistics:
    """Batch statistics are used, as in training, but do not enter the running ones."""

    def __init__(self, norms: list[_NormBase]) -> None:
        self.norms = [norm for norm in norms if norm.track_running_stats]

    def __enter__(self) -> None:
        for norm in self.norms:
            norm.track_running_stats = False

    def __exit__(self, *error) -> None:
        for norm in self.norms:
            norm.track_running_stats = True
