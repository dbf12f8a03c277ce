"""Broken samples, unreadable images and annotations that are no boxes: found, named, counted."""

from __future__ import annotations

import errno
import logging
import traceback
from collections.abc import Iterable
from typing import NamedTuple

from mmengine.logging import print_log

from mmddas.core.validation import is_number

# Mistakes in a pipeline, or of the machine, and not in the data: they end the run at once, with their traceback.
_PROGRAMMING_ERRORS = (AttributeError, ImportError, LookupError, NameError, NotImplementedError, TypeError)
_MACHINE_ERRORS = {errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.ESTALE, errno.ETIMEDOUT}
# Samples that a message names.
_LISTED = 20


class BrokenDataError(RuntimeError):
    """More samples of a data set are broken than may be skipped; the message lists them."""


class BrokenSample(NamedTuple):
    """A sample that could not be used, by its file where its data set tells, and why."""

    name: str
    reason: str


class SkippedSamples:
    """The broken samples of one data set; each is logged once, and too many end the run.

    Args:
        data: The data set's name in messages.
        size: Its number of samples.
        max_share: Share of them that may be skipped.

    Raises:
        ValueError: ``max_share`` is no share.
    """

    def __init__(self, data: str, size: int, max_share: float) -> None:
        if not (is_number(max_share) and 0 <= max_share <= 1):
            raise ValueError(f'max_broken_share must be a number from 0 to 1, got {max_share!r}')
        self.data = data
        self.size = size
        self.max_share = max_share
        self.samples: dict[str, BrokenSample] = {}

    def note(self, found: Iterable[BrokenSample]) -> None:
        """Add broken samples, some of them perhaps known already.

        Raises:
            BrokenDataError: There are more than ``max_share`` of the data set.
        """
        for sample in found:
            if sample.name not in self.samples:
                self.samples[sample.name] = sample
                print_log(
                    f'{self.data}: skipped {sample.name}: {sample.reason}', logger='current', level=logging.WARNING
                )
        if len(self.samples) > self.max_share * self.size:
            raise BrokenDataError(
                f'{len(self.samples)} of the {self.size} samples of {self.data} are broken so far, and '
                f'max_broken_share={self.max_share:g} of train_cfg allows {int(self.max_share * self.size)}. Mend or '
                f'remove them, or raise max_broken_share:\n{listed(self.samples.values())}'
            )


def listed(samples: Iterable[BrokenSample]) -> str:
    """Write a line for each of the first few samples."""
    samples = list(samples)
    lines = [f'  {sample.name}: {sample.reason}' for sample in samples[:_LISTED]]
    if len(samples) > _LISTED:
        lines.append(f'  ... and {len(samples) - _LISTED} more')
    return '\n'.join(lines)


def is_of_the_data(error: Exception) -> bool:
    """Return whether an error is due to a sample, and not to the pipeline or the machine."""
    if isinstance(error, OSError) and error.errno in _MACHINE_ERRORS:
        return False
    return not isinstance(error, (*_PROGRAMMING_ERRORS, MemoryError))


def prepare_named(dataset: object, index: int) -> object:
    """Prepare a sample as a data set does; an error gets the name of the sample that it is of.

    Data sets replace rejected samples, and mixing transforms load others: the index asked for may not be the one that
    failed.
    """
    try:
        return type(dataset).prepare_data(dataset, index)
    except Exception as error:
        if not hasattr(error, 'sample_name'):
            error.sample_name = _name(dataset, index)
        raise


def _name(dataset: object, index: int) -> str:
    try:
        return str(dataset.get_data_info(index)['img_path'])
    except Exception:  # no file, or the annotation is what is broken
        return f'sample {index}'


def broken_sample(dataset: object, index: int, error: Exception) -> BrokenSample:
    """Describe the ``error`` that the sample ``index`` of ``dataset`` has raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    reason = ' '.join(str(error).split()) or f'in {last.name}, {last.filename}:{last.lineno}'
    name = getattr(error, 'sample_name', None) or _name(dataset, index)
    return BrokenSample(name, f'{type(error).__name__}: {reason}')
