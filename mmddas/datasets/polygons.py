"""Outlines of masks: ``(M, 2)`` points x, y in pixels, from 0 at the left edge of the image to its width."""

from __future__ import annotations

import cv2
import numpy as np


def clipped(points: np.ndarray, width: float, height: float) -> np.ndarray:
    """Clip a polygon to the image, one side after another (Sutherland and Hodgman, 1974).

    Returns:
        ``(M', 2)``, no points where nothing is left.
    """
    for axis, limit, sign in ((0, 0, -1), (0, width, 1), (1, 0, -1), (1, height, 1)):
        beyond = sign * (points[:, axis] - limit)
        if not (beyond > 0).any():
            continue
        next_points, next_beyond = np.roll(points, -1, axis=0), np.roll(beyond, -1)
        crosses = (beyond > 0) != (next_beyond > 0)
        share = beyond / np.where(crosses, beyond - next_beyond, 1)
        crossings = points + share[:, None] * (next_points - points)
        crossings[:, axis] = limit  # exactly
        # Of every point: itself, if it is inside, and where its edge to the next one crosses the side.
        both, kept = np.stack([points, crossings], axis=1), np.stack([beyond <= 0, crosses], axis=1)
        points = both[kept]
    return points


def traced(mask: np.ndarray) -> list[np.ndarray]:
    """Trace the outlines of a mask ``(H, W)`` along the edges of its pixels; holes are filled.

    Drawn again they give the mask. MMDetection's ``bitmap_to_polygon`` goes through the middles of pixels, and loses a
    part of its border.

    Returns:
        Flat ``x, y, x, y, ...`` of each connected part, as MMDetection's polygons are.
    """
    # OpenCV's outlines go through pixels. Of a mask of twice the size the left and right half of a pixel are told
    # apart, and with them its edges: 2x is at x, and 2x + 1 at x + 1.
    mask = mask.astype(np.uint8, copy=False)
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        return []
    twice = np.repeat(np.repeat(mask[y : y + height, x : x + width], 2, axis=0), 2, axis=1)
    outlines, _ = cv2.findContours(twice, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(2 * x, 2 * y))
    return [((outline.reshape(-1) + 1) // 2).astype(np.float64) for outline in outlines]
