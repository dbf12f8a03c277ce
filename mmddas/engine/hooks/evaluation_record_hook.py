"""Record the evaluations of a training in a file."""

from __future__ import annotations

import json
import numbers
import os
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class EvaluationRecordHook(Hook):
    """Add every evaluation to ``evaluations.jsonl`` in the work dir, a JSON object a line.

    ``{"at": 12, "last": true, "metrics": {"coco/bbox_mAP": 0.41}}``: after epoch 12 (or iteration, of trainings that
    are counted in those), after which nothing was trained. Where an evaluator has nothing to give, as COCO's where a
    network detects nothing, ``metrics`` is empty; MMEngine's own log repeats earlier values then.

    ``mmddas train`` registers it, and calls :meth:`complete` in the end.
    """

    # Behind EarlyStoppingHook, which is told by an evaluation that it was the last one.
    priority = 'LOWEST'
    file_name = 'evaluations.jsonl'

    def __init__(self) -> None:
        self._complete = False

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        loop = runner.train_loop
        by_epoch = hasattr(loop, 'run_epoch')
        at, end = (runner.epoch, runner.max_epochs) if by_epoch else (runner.iter, runner.max_iters)
        self._complete = at >= end or getattr(loop, 'stop_training', False)
        if is_main_process():
            found = {name: float(value) for name, value in (metrics or {}).items() if isinstance(value, numbers.Real)}
            line = json.dumps(dict(at=at, last=self._complete, metrics=found))
            with Path(runner.work_dir, self.file_name).open('a', encoding='utf-8') as file:
                file.write(f'{line}\n')
                file.flush()
                os.fsync(file.fileno())

    def complete(self, runner: Runner) -> None:
        """Evaluate the trained network, unless that is done.

        A training that was stopped in its last evaluation has written its last checkpoint, and nothing is left to train
        when it is resumed.
        """
        if runner.val_loop is not None and not self._complete:
            runner.val_loop.run()
