"""The facts of a report that are not in the policy file, kept in ``report.json``."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path

from mmddas.files import write_text

from .examples import Example

FACTS_FILE, REPORT_FILE = 'report.json', 'report.html'
# Warnings of MMEngine about its own parts, in every run.
_OF_MMENGINE = ('"FileClient" will', '"HardDiskBackend"', '`save_param_scheduler` is True', 'The prefix is not set in')
_STARTED = 'Checkpoints will be saved to'  # logged by MMEngine when all is built
_WARNING = re.compile(r'^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d - \S+ - (?:WARNING|ERROR) - (.*)$')


@dataclasses.dataclass
class Facts:
    """The facts of a search for its report.

    Args:
        config: The search's config file, or its name.
        options: What was typed beside it: ``--cfg-options`` and the like.
        training: The config of the training that it was derived from; None where it was not.
        training_options: What was typed beside that, and is of the training: ``--amp``, then ``--cfg-options``.
        processes: How many it runs on.
        task: ``'detection'`` or ``'classification'``.
        max_epochs: How many epochs it is to have.
        epochs_done: How many it has had.
        steps_per_epoch: Of S_train's batches.
        passes_per_step: Batches that a step takes forward and backward, L^ + 2.
        classes: The table of S_train's and S_val's classes, its header first.
        epoch_seconds: How long epochs have taken, those before a resumed search's own work dir left out.
        examples: Operations on images of S_train.
    """

    config: str
    options: list[str] = dataclasses.field(default_factory=list)
    training: str | None = None
    training_options: list[str] = dataclasses.field(default_factory=list)
    processes: int = 1
    task: str | None = None
    max_epochs: int = 0
    epochs_done: int = 0
    steps_per_epoch: int = 0
    passes_per_step: int = 0
    classes: list[list[str]] = dataclasses.field(default_factory=list)
    epoch_seconds: list[float] = dataclasses.field(default_factory=list)
    examples: list[Example] = dataclasses.field(default_factory=list)

    @property
    def seconds_left(self) -> float | None:
        """The estimated time left, from the latest epochs; None before the first has ended."""
        latest = self.epoch_seconds[-3:]
        if not latest:
            return None
        return max(self.max_epochs - self.epochs_done, 0) * sum(latest) / len(latest)

    def save(self, work_dir: str | os.PathLike) -> None:
        write_text(Path(work_dir, FACTS_FILE), json.dumps(dataclasses.asdict(self), indent=1))

    @classmethod
    def load(cls, work_dir: str | os.PathLike) -> Facts | None:
        """Load the facts of a work dir; None if there are none, or of another version."""
        try:
            content = json.loads(Path(work_dir, FACTS_FILE).read_text(encoding='utf-8'))
            content['examples'] = [Example(**example) for example in content['examples']]
            return cls(**content)
        except (OSError, ValueError, TypeError, KeyError):
            return None


def read_warnings(work_dir: str | os.PathLike) -> list[str]:
    """Read the first lines of the warnings in a work dir's logs, each once, without those of MMEngine's own parts.

    Warnings from before the first step count for the last start only.
    """
    found: dict[str, None] = {}
    paths = sorted(Path(work_dir).glob('*/*.log'))
    for path in paths:
        starting = path != paths[-1]
        for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
            starting = starting and _STARTED not in line
            match = None if starting else _WARNING.match(line)
            if match is not None:
                found.setdefault(match[1])
    return [text for text in found if not text.startswith(_OF_MMENGINE)]
