"""Write the report of a search after its epochs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmddas.core import Candidate, PolicySchedule
from mmddas.engine.tasks import TASKS

# Steps after which the search says how long it is going to take; the first ones are slower.
_MEASURED_STEPS = 10
# Leading operations whose pictures are shown where none is significant.
_SHOWN = 6


@HOOKS.register_module()
class SearchReportHook(Hook):
    """Write ``report.html``, one page on the search, before its first epoch and after every ``interval`` epochs.

    :class:`~mmddas.engine.DDASSearchLoop` registers it itself. It also says, after ten steps, how long the search is
    going to take.

    Args:
        interval: Epochs between two reports; the last epoch has one in any case.
    """

    priority = 'VERY_LOW'  # after the policy's file, and after the checkpoint

    def __init__(self, interval: int = 1) -> None:
        self.interval = interval

    def before_train(self, runner: Runner) -> None:
        from mmddas.viz.report import Facts

        self._began, self._steps = time.monotonic(), 0
        loop = runner.train_loop
        found = (Facts.load(runner.work_dir) if loop.iter else None) or Facts('')
        self._facts = Facts(
            config=config_file(runner),
            options=[*runner.cfg.get('typed_options', ())],
            training=runner.cfg.get('derived_from'),
            training_options=[*runner.cfg.get('derived_with', ())],
            processes=runner.world_size,
            task=TASKS.get(runner.cfg.get('default_scope')),
            max_epochs=loop.max_epochs,
            epochs_done=loop.epoch,
            steps_per_epoch=len(loop.dataloader),
            passes_per_step=loop.num_sub_policies + 2,
            classes=[[*row] for row in loop.class_rows],
            epoch_seconds=found.epoch_seconds[: loop.epoch],
            examples=found.examples,
        )
        self._write(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        self._epoch_began, self._epoch_steps, self._epoch_length = time.monotonic(), 0, 0

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict = None, outputs: dict = None) -> None:
        self._steps += 1
        self._epoch_steps, self._epoch_length = self._epoch_steps + 1, batch_idx + 1
        if self._steps == 1:
            self._began = time.monotonic()
        if self._steps == _MEASURED_STEPS + 1:
            seconds = (time.monotonic() - self._began) / _MEASURED_STEPS
            left = runner.max_iters - runner.iter - 1
            from mmddas.viz.report.page import duration

            runner.logger.info(f'A step takes {seconds:.2g} s: about {duration(seconds * left)} for the {left} to come')

    def after_train_epoch(self, runner: Runner) -> None:
        self._facts.epochs_done = runner.epoch + 1
        if self._epoch_steps:  # of an epoch that was interrupted only the rest has been seen, or nothing
            share = self._epoch_steps / self._epoch_length
            self._facts.epoch_seconds.append((time.monotonic() - self._epoch_began) / share)
        if self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner):
            if runner.rank == 0:
                from mmddas.viz.report import draw_examples

                loop = runner.train_loop
                self._facts.examples = draw_examples(loop.dataloader.dataset.dataset, shown_candidates(loop.schedule))
            self._write(runner)
        elif runner.rank == 0:
            self._facts.save(runner.work_dir)

    def _write(self, runner: Runner) -> None:
        if runner.rank == 0:
            from mmddas.viz.report import write_report

            self._facts.save(runner.work_dir)
            path = write_report(runner.work_dir)
            if not self._facts.epoch_seconds:
                runner.logger.info(f'The report of this search, rewritten after every epoch: {path}')


def config_file(runner: Runner) -> str:
    """Return the config to resume with: of a derived search, the file in its work dir."""
    written = Path(runner.work_dir, f'{runner.cfg.get("experiment_name")}.py')
    if runner.cfg.get('derived_from') and not runner.cfg.filename and written.is_file():
        return str(written)
    return str(runner.cfg.filename or runner.cfg.get('derived_from') or runner.experiment_name)


def shown_candidates(schedule: PolicySchedule) -> Sequence[Candidate]:
    """Return the likeliest level of each significant operation, helping ones first, or else of the six that lead.

    Of equally likely levels it is the middle one.
    """
    probs, candidates = schedule.snapshots[-1].op_probs, schedule.space.candidates
    levels: dict[str, list[int]] = {}
    for index in np.argsort(-probs, kind='stable').tolist():
        levels.setdefault(candidates[index].op, []).append(index)
    best = {}
    for op, indices in levels.items():
        likeliest = [index for index in indices if probs[index] == probs[indices[0]]]
        best[op] = likeliest[len(likeliest) // 2]
    chosen = [*best][:_SHOWN]
    if schedule.findings is not None:
        effects = schedule.findings.operation_effects
        found = effects.significant()
        order = [row for row in np.argsort(effects.scores, kind='stable').tolist() if found[row]]
        chosen = [schedule.findings.operations[row] for row in order] or chosen
    return [candidates[best[op]] for op in chosen if op != 'Identity']
