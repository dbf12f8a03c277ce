"""The batches of S_train and S_val in pairs, and the count of their broken samples."""

from __future__ import annotations

from collections.abc import Iterator

from mmengine.dist import all_gather_object, get_world_size
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmddas.datasets.search import BrokenDataError, SkippedSamples, end_workers, policy_loader

from .checkpoints import save_now


class SearchBatches:
    """The source of a search's batches.

    Args:
        runner: The runner, whose seed the search has.
        loader: S_train's, as :func:`~mmddas.datasets.search_loader` makes it.
        plain_policy_loader: S_val's, as the config describes it.
        max_broken_share: Share of the samples of either that may be broken.
    """

    def __init__(
        self, runner: Runner, loader: DataLoader, plain_policy_loader: DataLoader, max_broken_share: float
    ) -> None:
        self.runner = runner
        self.loader = loader
        self.plain_policy_loader = plain_policy_loader
        self.skipped_samples = {
            name: SkippedSamples(name, len(loader.dataset), max_broken_share)
            for name, loader in (('S_train', loader), ('S_val', plain_policy_loader))
        }
        # Too much is broken: to be raised after the step at hand, which other processes are waiting in.
        self.failure: BrokenDataError | None = None
        self._batches: Iterator[dict] | None = None
        self._policy_batches: Iterator[dict] | None = None

    def start(self, iteration: int) -> None:
        """Begin S_val at the batch of this iteration, from 0; ValueError where it has no batches."""
        self._policy_batches = iter(policy_loader(self.plain_policy_loader, self.runner.seed, start=iteration))

    def epoch(self, epoch: int, first_batch: int = 0) -> Iterator[tuple[dict, object]]:
        """Yield the pairs of one pass over S_train, from batch number ``first_batch`` on.

        Each is of L^ + 1 views and their sub-policies, as :func:`~mmddas.datasets.ddas_collate` makes them, and of a
        batch of S_val, which goes round without end.
        """
        self.loader.batch_sampler.set_epoch(epoch, first_batch)
        self._batches = iter(self.loader)
        for batch in self._taken(self._batches):
            policy_batch = next(self._taken(self._policy_batches))
            try:
                self.skipped_samples['S_train'].note(batch['broken'])
                self.skipped_samples['S_val'].note(policy_batch['broken'])
            except BrokenDataError as error:
                self.failure = error
            yield batch['data'], policy_batch['data']

    def _taken(self, batches: Iterator[dict]) -> Iterator[dict]:
        """Yield the batches; where too few samples are whole for one, save the search and raise.

        With several processes nothing is saved: the others are in a step that they cannot finish.
        """
        try:
            yield from batches
        except BrokenDataError:
            if get_world_size() == 1:
                save_now(self.runner)
            raise

    def share_skipped_samples(self) -> None:
        """Share the skipped samples with all processes; where together they are too many, save the search and raise."""
        try:
            for skipped in self.skipped_samples.values():
                if get_world_size() > 1:
                    for found in all_gather_object(list(skipped.samples.values())):
                        skipped.note(found)
        except BrokenDataError:
            save_now(self.runner)
            raise

    def shut_down(self) -> None:
        """End the data workers."""
        for batches in (self._batches, self._policy_batches):
            end_workers(batches)
