"""The schedule of a searched policy: its file, and its replay in training."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mmddas.files import write_text
from mmddas.stats.effects import Findings

from .policy import AugmentationPolicy
from .policy_file import PolicyFileError, Reader, content_of, text_of
from .search_space import SearchSpace
from .snapshots import ListedSnapshot, PolicySnapshot
from .validation import is_number, is_whole


class PolicySchedule:
    """T snapshots of a policy, one per search epoch, which training replays.

    Args:
        space: The candidates that the snapshots' ``op_probs`` belong to.
        snapshots: The policy after each epoch of the search so far.
        meta: Free JSON values on where the policy comes from.
        findings: The effects that the search has estimated; None: not recorded.
    """

    def __init__(
        self,
        space: SearchSpace,
        snapshots: Iterable[PolicySnapshot] = (),
        meta: dict | None = None,
        findings: Findings | None = None,
    ) -> None:
        self.space = space
        self.snapshots = list(snapshots)
        self.meta = dict(meta or {})
        self.findings = findings

    def __len__(self) -> int:
        """T."""
        return len(self.snapshots)

    def append(self, policy: AugmentationPolicy) -> None:
        """Append a snapshot of the policy."""
        probs = policy.op_probs.detach().double().cpu().numpy()
        self.snapshots.append(PolicySnapshot(policy.total_prob.item(), probs / probs.sum()))

    def smooth(self, window: int) -> PolicySchedule:
        """Smooth p_tp by a centred mean filter of odd width ``window`` (F_s), cut off at the ends; p_o stays."""
        if not (is_whole(window) and window >= 1 and window % 2 == 1):
            raise ValueError(f'The smoothing window must be an odd whole number of at least 1, got {window!r}')
        reach = window // 2
        total_probs = [snapshot.total_prob for snapshot in self.snapshots]
        means = [float(np.mean(total_probs[max(t - reach, 0) : t + reach + 1])) for t in range(len(self))]
        smoothed = [
            dataclasses.replace(snapshot, total_prob=mean) for mean, snapshot in zip(means, self.snapshots, strict=True)
        ]
        return PolicySchedule(self.space, smoothed, self.meta, self.findings)

    def static(self) -> PolicySchedule:
        """Return the last snapshot as the policy of all epochs."""
        return PolicySchedule(self.space, self.snapshots[-1:], self.meta, self.findings)

    def with_total_prob(self, total_prob: float) -> PolicySchedule:
        """Replace p_tp in all snapshots.

        Raises:
            ValueError: It is not a probability, or the policy lists sub-policies, whose operations have their own.
        """
        if not (is_number(total_prob) and 0 <= total_prob <= 1):
            raise ValueError(f'total_prob must be a probability from 0 to 1, got {total_prob!r}')
        if any(isinstance(snapshot, ListedSnapshot) for snapshot in self.snapshots):
            raise ValueError(
                'total_prob cannot be set for a policy that lists sub-policies: every image gets one of them, and each '
                'operation has its own probability'
            )
        snapshots = [dataclasses.replace(snapshot, total_prob=float(total_prob)) for snapshot in self.snapshots]
        return PolicySchedule(self.space, snapshots, self.meta, self.findings)

    def at(self, epoch: int, max_epochs: int) -> PolicySnapshot:
        """Return the snapshot for ``epoch`` (from 0) of ``max_epochs``: number floor(epoch * T / max_epochs).

        Any unit of time will do.
        """
        if not self.snapshots:
            raise ValueError('The schedule is empty: nothing has been searched yet')
        if not 0 <= epoch < max_epochs:
            raise ValueError(f'epoch must lie in 0..{max_epochs - 1} (max_epochs={max_epochs}), got {epoch!r}')
        return self.snapshots[epoch * len(self) // max_epochs]

    def to_dict(self) -> dict:
        """Return the content of the policy file."""
        return content_of(self.space, self.snapshots, self.meta, self.findings)

    @classmethod
    def from_dict(cls, content: object, source: str = 'policy', min_epochs: int = 1) -> PolicySchedule:
        """Read and check the content of a policy file with at least ``min_epochs`` snapshots.

        Raises:
            PolicyFileError: Names ``source``, the field and what was expected there.
        """
        return cls(*Reader(source).policy(content, min_epochs))

    def save(self, path: str | os.PathLike) -> None:
        """Write the policy file atomically, with one candidate, epoch or sub-policy a line."""
        write_text(path, text_of(self.to_dict()))

    @classmethod
    def load(cls, path: str | os.PathLike) -> PolicySchedule:
        """Read a policy file.

        Raises:
            FileNotFoundError: There is no such file.
            PolicyFileError: It is not a valid policy file.
        """
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(
                f'There is no policy file {str(path)!r}; a search writes policy.json to its work dir'
            )
        try:
            content = json.loads(path.read_bytes().decode('utf-8'))
        except (OSError, ValueError, RecursionError) as error:
            raise PolicyFileError(f'{path}: expected a JSON file, but {error}') from error
        return cls.from_dict(content, str(path))
