"""From the words of a config to the parts of a search: space, schedule, the policy's optimizers, the estimator."""

from __future__ import annotations

import torch
from mmengine.registry import OPTIMIZERS
from mmengine.runner import Runner

from mmddas import ops
from mmddas.core import ESTIMATORS, AugmentationPolicy, PolicyEstimator, PolicySchedule, SearchSpace, build_estimator
from mmddas.version import __version__

from .tasks import TASKS

# The rates and betas of the authors' released code.
POLICY_OPTIM = dict(
    op=dict(type='Adam', lr=0.005, betas=(0.5, 0.999)),
    total=dict(type='Adam', lr=0.001, betas=(0.5, 0.999)),
)


def build_search_space(search_space: str | list | SearchSpace, num_ops: int) -> SearchSpace:
    """The search space that a config names or lists; ValueError where an operation or a level is not known."""
    if isinstance(search_space, SearchSpace):
        space = search_space
    elif isinstance(search_space, str):
        space = SearchSpace.preset(search_space, num_ops)
    elif isinstance(search_space, (list, tuple)):
        space = SearchSpace(search_space, num_ops)
    else:
        raise ValueError(
            f"search_space must be a preset's name or a list of (operation, level) pairs, got {search_space!r}"
        )
    ops.check_candidates(space.candidates)
    return space


def build_schedule(
    runner: Runner, space: SearchSpace, num_sub_policies: int, operation_options: dict
) -> PolicySchedule:
    """The schedule that a search fills, with what its file tells of where it comes from."""
    meta = dict(
        mmddas=__version__,
        task=TASKS.get(runner.default_scope.scope_name),
        config=runner.experiment_name.removesuffix(f'_{runner.timestamp}'),  # alike in a search that is run again
        seed=runner.seed,
        num_sub_policies=num_sub_policies,
        operation_options=operation_options,
    )
    return PolicySchedule(space, meta=meta)


def build_policy_estimator(
    policy: AugmentationPolicy, policy_optim: dict | None, estimator: dict | None, **settings: bool | None
) -> PolicyEstimator:
    """The estimator that steps ``policy``.

    Args:
        policy: The policy.
        policy_optim: Optimizers of alpha_o (``op``) and alpha_tp (``total``); what is left out is ``POLICY_OPTIM``'s.
        estimator: Its name (``type``) and its settings.
        **settings: Settings of the estimator that stand beside it in the config; None: not there.

    Raises:
        ValueError: There is no such optimizer, estimator or setting.
    """
    if estimator is not None and not (isinstance(estimator, dict) and isinstance(estimator.get('type'), str)):
        raise ValueError(f"estimator must be dict(type='PaperEstimator', ...) or the like, got {estimator!r}")
    given = {name: value for name, value in settings.items() if value is not None} | (estimator or {})
    kind = ESTIMATORS.get(given.get('type'))
    if kind is not None and not kind.uses_optimizers:
        if policy_optim is not None:
            raise ValueError(f'{kind.__name__} takes no policy_optim: leave it out, or choose another estimator')
        return build_estimator(policy, (), **given)
    return build_estimator(policy, build_policy_optimizers(policy, policy_optim), **given)


def build_policy_optimizers(policy: AugmentationPolicy, policy_optim: dict | None) -> list[torch.optim.Optimizer]:
    """The optimizers of alpha_o and, unless p_tp is to stay as it is, alpha_tp."""
    parameters = dict(op=policy.op_logits, total=policy.total_logit)
    configs = {} if policy_optim is None else policy_optim
    if not isinstance(configs, dict) or not set(configs) <= set(parameters):
        found = sorted(configs) if isinstance(configs, dict) else configs
        raise ValueError(f"policy_optim takes the keys 'op' and 'total', got {found!r}")
    optimizers = []
    for name, parameter in parameters.items():
        config = configs.get(name, {})
        if config is None and name == 'total':
            continue
        if not isinstance(config, dict):
            raise ValueError(f"policy_optim['{name}'] must be an optimizer's config, dict(type=...), got {config!r}")
        # Another type has other settings: those of the default go with the default's type.
        config = config if 'type' in config else POLICY_OPTIM[name] | config
        optimizers.append(OPTIMIZERS.build(dict(config, params=[parameter])))
    return optimizers
