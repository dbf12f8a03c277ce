"""Draw operations on the user's images, before and after, as small pictures."""

from __future__ import annotations

import base64
import copy
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from torch.utils.data import Dataset

from mmddas.core import Candidate
from mmddas.datasets.samples import check_sample
from mmddas.datasets.search.pipelines import SplitPoint
from mmddas.datasets.search.seeding import preserved_generators, seed_generators
from mmddas.viz.augment_sheet import boxes_drawn

WIDTH = 320
_SEED = 0
# The number of tries, since an operation may leave an image as it is (no box is chosen, a mild level).
_ATTEMPTS = 8
_QUALITY = 80


@dataclass
class Example:
    """An operation on one image.

    Args:
        op: Its name.
        candidate: Operation and level, as they are shown.
        before, after: JPEG files, in base64.
        changed: Whether any of the attempts has changed a pixel or a box.
    """

    op: str
    candidate: str
    before: str
    after: str
    changed: bool = True


def draw_examples(dataset: Dataset, candidates: Sequence[Candidate], images: int = 2) -> list[Example]:
    """Draw every candidate on some images of S_train, as a search applies it.

    Args:
        dataset: A search's training data set, with its pipelines cut where DDASAugment stood.
        candidates: What to show.
        images: Of each, chosen by a fixed seed among the first that have the most objects.

    Returns:
        ``images`` examples a candidate, in their order; fewer where samples cannot be loaded.
    """
    with preserved_generators():
        samples = _samples(dataset, images)
        return [
            _example(sample, candidate, number) for candidate in candidates for number, sample in enumerate(samples)
        ]


def _samples(dataset: Dataset, count: int) -> list[dict]:
    """Load samples as operations get them: of 16 those with the most objects, so that boxes are seen."""
    found = []
    for index in np.random.default_rng(_SEED).permutation(len(dataset))[:16].tolist():
        seed_generators(_SEED, 0, 0, index)
        try:
            sample = dataset[index]
            check_sample(sample)
        except Exception:  # a broken or rejected sample is reported where the search meets it
            continue
        found.append(sample)
    return sorted(found, key=lambda sample: -len(sample.get('gt_bboxes', ())))[:count]


def _example(sample: dict, candidate: Candidate, number: int) -> Example:
    augment = sample[SplitPoint.KEY].augment
    original = {key: value for key, value in sample.items() if key != SplitPoint.KEY}
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng((_SEED, number, attempt))
        result = augment.augment(copy.deepcopy(original), [candidate], rng)
        changed = not np.array_equal(result['img'], original['img'])
        if changed:
            break
    before, after = (_jpeg(shown, augment.shown(shown['img'])) for shown in (original, result))
    return Example(candidate.op, str(candidate), before, after, bool(changed))


def _jpeg(sample: dict, image: np.ndarray) -> str:
    labels = sample.get('gt_bboxes_labels')
    picture = boxes_drawn(image, sample.get('gt_bboxes'), labels, width=WIDTH)
    encoded = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return base64.b64encode(encoded.tobytes()).decode()
