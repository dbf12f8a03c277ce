"""Outlines of masks, against the masks themselves and against areas of regular grids of points."""

import cv2
import numpy as np
import pytest
from mmdet.structures.mask import PolygonMasks

from mmddas.datasets.polygons import clipped, traced


def area(points):
    x, y = np.reshape(points, (-1, 2)).T
    return abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2


@pytest.mark.parametrize('seed', range(20))
def test_what_is_clipped_is_the_part_within_the_image(seed):
    """Its area is that of the points of a fine grid that lie in the polygon and in the image."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    radii = rng.uniform(5, 40, (9, 1))
    points = rng.uniform(-5, 45, 2) + radii * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = clipped(points, 50, 30)
    fine = np.zeros((300, 500), np.uint8)
    cv2.fillPoly(fine, [np.round(points * 10 - 0.5).astype(np.int32)], 1)
    assert area(found) == pytest.approx(fine.sum() / 100, abs=8)
    assert (found >= 0).all() and (found <= [50, 30]).all()
    assert np.array_equal(clipped(found, 50, 30), found)


def test_nothing_is_left_of_what_lies_outside():
    square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
    assert len(clipped(square - 9, 50, 30)) == 0 and len(clipped(square + 60, 50, 30)) == 0
    assert np.array_equal(clipped(square, 50, 30), square)


@pytest.mark.parametrize('seed', range(10))
def test_a_traced_mask_is_drawn_as_it_was(seed):
    rng = np.random.default_rng(seed)
    mask = np.zeros((60, 80), np.uint8)
    for _ in range(3):
        centre, axes = rng.integers(5, 55, 2).tolist(), rng.integers(1, 20, 2).tolist()
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    mask[3, 3] = 1  # a single pixel
    mask[58:, 70:] = 1  # at the border
    drawn = PolygonMasks([traced(mask)], 60, 80).to_bitmap().masks[0]
    holes_filled = cv2.drawContours(
        mask.copy(), cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], -1, 1, -1
    )
    assert np.array_equal(drawn, holes_filled)
