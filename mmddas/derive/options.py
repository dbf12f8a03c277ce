"""The options of a derived search."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class SearchOptions:
    """The options of ``mmddas search`` for a search that is derived from a training.

    Args:
        val_share: S_val's share of the images; None: a third.
        num_train, num_val: Images of S_train and S_val, instead of the share.
        val_ann, val_data_root, val_images: S_val from this annotation file, or from below this folder, with its images
            in this one.
        budget: What the search may cost, as a share of the training's cost.
        epochs: The search's length, instead of the budget.
        space: A preset of candidates; None: the one that fits the task and the images.
        split_seed: The seed by which S_train and S_val are drawn.

    Raises:
        ValueError: A number is out of its range, or two options exclude each other.
    """

    val_share: float | None = None
    num_train: int | None = None
    num_val: int | None = None
    val_ann: str | None = None
    val_data_root: str | None = None
    val_images: str | None = None
    budget: float = 0.25
    epochs: int | None = None
    space: str | None = None
    split_seed: int = 0

    def __post_init__(self) -> None:
        if self.val_share is not None and not 0 < self.val_share < 1:
            raise ValueError(f'--val-share is a share of the images, between 0 and 1, got {self.val_share}')
        if not (math.isfinite(self.budget) and self.budget > 0):
            raise ValueError(f'--budget is a share of the cost of the training, above 0, got {self.budget}')
        for name, least in (('num_train', 1), ('num_val', 1), ('epochs', 1), ('split_seed', 0)):
            number = getattr(self, name)
            if number is not None and number < least:
                raise ValueError(f'--{name.replace("_", "-")} is a number of at least {least}, got {number}')
        for name in ('num_val', 'val_share'):
            if getattr(self, name) is not None and self.is_elsewhere:
                raise ValueError(
                    f'--{name.replace("_", "-")} is for images drawn from the training; with --val-ann or '
                    '--val-data-root S_val has all images of the annotation file'
                )
        if self.val_images is not None and not self.is_elsewhere:
            raise ValueError('--val-images goes with --val-ann or --val-data-root')

    @property
    def is_elsewhere(self) -> bool:
        """Whether S_val is not drawn from the training's images."""
        return self.val_ann is not None or self.val_data_root is not None
