"""A policy with evidence, and the facts of its search, for tests of reports."""

import base64

import cv2
import numpy as np

from mmddas.core import Effects, Findings, PolicySchedule, PolicySnapshot, SearchSpace
from mmddas.viz.report import Example, Facts

SPACE = SearchSpace(['Equalize', ('Solarize', 2), ('Solarize', 8), ('Rotate_BBox', 4), 'Identity'])
OPERATIONS = ['Equalize', 'Solarize', 'Rotate_BBox', 'Identity']


def effects(values: list[float]) -> Effects:
    count = len(values)
    return Effects(np.full(count, 40.0), np.array(values), np.full(count, 0.1), np.full(count, 30.0))


def policy(epochs: int = 3, evidence: bool = True) -> PolicySchedule:
    """Solarize gains probability and helps significantly; Rotate_BBox hurts."""
    snapshots = []
    for epoch in range(epochs):
        probs = np.array([1.0, 1 + epoch, 1 + 2 * epoch, 1 / (1 + epoch), 1.0])
        snapshots.append(PolicySnapshot(0.35 + 0.1 * epoch, probs / probs.sum()))
    findings = Findings(90, OPERATIONS, effects([0.05, -0.9, 0.8, 0.0]), effects([0.05, -0.8, -1.0, 0.8, 0.0]))
    return PolicySchedule(SPACE, snapshots, dict(config='mine', task='detection'), findings if evidence else None)


def picture() -> str:
    return base64.b64encode(cv2.imencode('.jpg', np.full((24, 32, 3), 90, np.uint8))[1].tobytes()).decode()


def facts(**changes) -> Facts:
    settings = dict(
        config='my_search.py',
        training='my_training.py',
        task='detection',
        max_epochs=5,
        epochs_done=3,
        steps_per_epoch=30,
        passes_per_step=8,
        classes=[['class', 'S_train images'], ['a & b', '12'], ['all', '12']],
        epoch_seconds=[60.0, 62.0, 61.0],
        examples=[Example('Solarize', 'Solarize 8', picture(), picture())],
    )
    return Facts(**settings | changes)
