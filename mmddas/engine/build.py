"""Build the parts of a search from its config: settings, space, schedule, optimizers of the policy, estimator."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmengine.registry import OPTIMIZERS
from mmengine.runner import Runner

from mmddas import ops
from mmddas.core import ESTIMATORS, AugmentationPolicy, PolicyEstimator, PolicySchedule, SearchSpace, build_estimator
from mmddas.version import __version__

from .checks.preconditions import check_whole_numbers
from .tasks import TASKS

# The rates and betas of the authors' released code.
POLICY_OPTIM = dict(
    op=dict(type='Adam', lr=0.005, betas=(0.5, 0.999)),
    total=dict(type='Adam', lr=0.001, betas=(0.5, 0.999)),
)


@dataclass(frozen=True)
class SearchSettings:
    """The settings of a search in ``train_cfg``, besides its data and its length.

    Args:
        search_space: A preset's name, or a list of ``(operation, level)`` pairs.
        num_ops: N_o, operations in a sub-policy.
        num_sub_policies: L^, sub-policies per step.
        init_total_prob: p_tp at the start.
        policy_optim: Optimizers of alpha_o (``op``) and alpha_tp (``total``); what is left out is ``POLICY_OPTIM``'s.
            None for ``total`` keeps p_tp fixed.
        estimator: Name (``type``) and settings of what turns alignments into a step of the policy. None: the paper's,
            ``dict(type='PaperEstimator')``.
        normalize, scale_by_lr: The estimator's settings of these names, where the config has them here.
        max_skipped_in_a_row: A step whose gradients are not finite, or whose alignments are all 0, changes neither
            the policy nor, in the first case, the network, and is counted (``skipped_updates`` in the log). So many
            in a row end the search with a FloatingPointError.
        sub_policies_per_rank: Every process draws its own sub-policies, so that a step sees more of the space. By
            default they are shared.
        max_broken_share: Share of the samples of S_train, and of S_val, that may be broken; more end the search with
            a BrokenDataError that lists them.

    Raises:
        ValueError: A number or a switch has no such value.
    """

    search_space: str | list | SearchSpace = 'detection'
    num_ops: int = 2
    num_sub_policies: int = 3
    init_total_prob: float = 0.35
    policy_optim: dict | None = None
    estimator: dict | None = None
    normalize: bool | None = None
    scale_by_lr: bool | None = None
    max_skipped_in_a_row: int = 50
    sub_policies_per_rank: bool = False
    max_broken_share: float = 0.1

    def __post_init__(self) -> None:
        check_whole_numbers(num_sub_policies=self.num_sub_policies, max_skipped_in_a_row=self.max_skipped_in_a_row)
        if not isinstance(self.sub_policies_per_rank, bool):
            raise ValueError(f'sub_policies_per_rank must be True or False, got {self.sub_policies_per_rank!r}')

    def build_policy(self) -> tuple[AugmentationPolicy, PolicyEstimator]:
        """Build the policy and the estimator that steps it.

        Raises:
            ValueError: There is no such search space, operation, optimizer, estimator or setting.
        """
        policy = AugmentationPolicy(build_search_space(self.search_space, self.num_ops), self.init_total_prob)
        given = self.estimator
        if given is not None and not (isinstance(given, dict) and isinstance(given.get('type'), str)):
            raise ValueError(f"estimator must be dict(type='PaperEstimator', ...) or the like, got {given!r}")
        beside = dict(normalize=self.normalize, scale_by_lr=self.scale_by_lr)
        given = {name: value for name, value in beside.items() if value is not None} | (given or {})
        kind = ESTIMATORS.get(given.get('type'))
        optimizers = []
        if kind is None or kind.uses_optimizers:
            optimizers = build_policy_optimizers(policy, self.policy_optim)
        elif self.policy_optim is not None:
            raise ValueError(f'{kind.__name__} takes no policy_optim: leave it out, or choose another estimator')
        return policy, build_estimator(policy, optimizers, **given)


def build_search_space(search_space: str | list | SearchSpace, num_ops: int) -> SearchSpace:
    """Build the search space that a config names or lists; ValueError where an operation or a level is not known."""
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
    """Build the empty schedule that a search fills, with the metadata of its file."""
    meta = dict(
        mmddas=__version__,
        task=TASKS.get(runner.default_scope.scope_name),
        config=runner.experiment_name.removesuffix(f'_{runner.timestamp}'),  # alike in a search that is run again
        seed=runner.seed,
        num_sub_policies=num_sub_policies,
        operation_options=operation_options,
    )
    return PolicySchedule(space, meta=meta)


def build_policy_optimizers(policy: AugmentationPolicy, policy_optim: dict | None) -> list[torch.optim.Optimizer]:
    """Build the optimizers of alpha_o and, unless ``policy_optim`` fixes p_tp, of alpha_tp."""
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
