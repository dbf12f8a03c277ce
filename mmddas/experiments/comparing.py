"""Tell trainings apart by their data and settings, and compare the results of several policies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmengine.config import Config

from mmddas.config_nodes import annotation_files
from mmddas.core import PolicySchedule
from mmddas.stats.comparison import Comparison

from .trainings import Training, last_values

# Ends of the metrics that are compared where none is named.
USUAL = ('mAP', 'top1')


def digest(content: object) -> str:
    """Hash JSON content, in 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def data_digest(config: Config) -> str:
    """Hash the annotation files of a training and the checkpoint that it begins with.

    Labels that lie elsewhere, in Pascal VOC's XML files or folders of classes, are left out.
    """
    found = hashlib.sha256()
    nodes = [config.get(name) for name in ('train_dataloader', 'val_dataloader', 'val_evaluator')]
    for path in [*annotation_files(nodes), config.get('load_from') or '']:
        if Path(path).is_file():
            with Path(path).open('rb') as file:
                while part := file.read(1 << 20):
                    found.update(part)
    return found.hexdigest()[:16]


def settings_digest(config: Config, schedule: PolicySchedule | None) -> str:
    """Hash a training's config, without the policy file's path, and what of the policy the training depends on."""
    config = Config(config.to_dict())
    config.pop('policy_file', None)
    policy = None
    if schedule is not None:
        # Version 1, for results that were written when files had it.
        policy = dict(schedule.to_dict(), version=1, options=schedule.meta.get('operation_options'))
        for key in ('meta', 'evidence'):
            policy.pop(key, None)
    return digest([config.pretty_text, policy])


def search_cost(schedule: PolicySchedule | None) -> str:
    """Return a search's steps, and the passes of each, where the policy's file has them."""
    if schedule is None or schedule.findings is None or 'num_sub_policies' not in schedule.meta:
        return ''
    return f'{schedule.findings.steps} steps of {schedule.meta["num_sub_policies"] + 2} passes'


def choose_metric(metric: str | None, rows: Sequence[dict]) -> str:
    """Return the metric to compare: the given one, or else the usual one.

    Raises:
        ValueError: No training has a metric, or none has the given one.
    """
    given = list(dict.fromkeys(name for row in rows for name in last_values(row)))
    if not given:
        raise ValueError(
            'There is no metric to compare: no network detects anything when its training ends, or the evaluator gives '
            'no metric (format_only)'
        )
    if metric is not None and metric not in given:
        raise ValueError(f'--metric {metric}: the evaluator does not give it; it gives {", ".join(given)}')
    return metric or _usual_metric(given) or given[0]


def check_metric(metric: str | None, row: dict) -> None:
    """Raise ValueError where a network detects something, and its evaluator does not give the metric.

    Where a network detects nothing the evaluator gives no metrics, or other ones, such as those of proposals.
    """
    if _usual_metric(last_values(row)) is not None:
        choose_metric(metric, [row])


def _usual_metric(given: Iterable[str]) -> str | None:
    # Evaluators may list the values of single classes first.
    return next((name for name in given if name.endswith(USUAL) and not name.endswith('_precision')), None)


def compare_results(
    trainings: Sequence[Training], rows: Sequence[dict], metric: str | None, costs: dict[str, str]
) -> Comparison:
    """Compare the results of trainings.

    Args:
        trainings: All trainings that were asked for, one of the reference first.
        rows: The results.
        metric: As of :func:`choose_metric`.
        costs: The cost of each policy's search, in words.

    Raises:
        ValueError: There is no result, or no such metric.
    """
    found = [(training, row) for training in trainings if (row := training.result(rows)) is not None]
    if not found:
        raise ValueError('There is no result yet')
    metric = choose_metric(metric, [row for _, row in found])
    values, seconds = {}, {}
    for training, row in found:
        # COCO's evaluation gives nothing where nothing is detected: a mean of the others would be too good.
        values.setdefault(training.name, {})[training.seed] = last_values(row).get(metric, 0.0)
        seconds.setdefault(training.name, []).append(row['seconds'])
    names = list(dict.fromkeys(training.name for training in trainings))
    seeds = sorted({training.seed for training in trainings})
    nothing = [str(training) for training, row in found if metric not in last_values(row)]
    return Comparison(metric, names, values, seconds, costs, seeds, nothing)
