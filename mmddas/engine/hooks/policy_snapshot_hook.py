"""Write the policy of a search after every epoch."""

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmddas.core import AugmentationPolicy, PolicySchedule
from mmddas.files import keep_other


def leading(schedule_or_policy: PolicySchedule | AugmentationPolicy, count: int = 3) -> str:
    """Return the likeliest candidates and their multiples of the uniform probability; ``'none'``, all alike."""
    if isinstance(schedule_or_policy, PolicySchedule):
        probs = schedule_or_policy.snapshots[-1].op_probs
    else:
        probs = schedule_or_policy.op_probs.detach().cpu().numpy()
    if probs.max() == probs.min():
        return 'none'
    candidates = schedule_or_policy.space.candidates
    order = (-probs).argsort(kind='stable')[:count]
    return ', '.join(f'{candidates[k]} x{probs[k] * len(probs):.2f}' for k in order)


@HOOKS.register_module()
class PolicySnapshotHook(Hook):
    """Keep a search's result: ``policy.json`` after every epoch, and the policy's state in every checkpoint.

    :class:`~mmddas.engine.DDASSearchLoop` registers it itself.

    Args:
        filename: The policy file, in the work dir.
    """

    priority = 'LOW'  # before CheckpointHook

    def __init__(self, filename: str = 'policy.json') -> None:
        self.filename = filename

    def before_train(self, runner: Runner) -> None:
        """Keep the policy of an earlier search, whose checkpoints may have been removed."""
        if runner.rank == 0 and runner.iter == 0:
            kept = keep_other(f'{runner.work_dir}/{self.filename}')
            if kept is not None:
                runner.logger.info(f'The policy of an earlier search that was there is kept: {kept}')

    def after_train_epoch(self, runner: Runner) -> None:
        schedule = runner.train_loop.schedule
        runner.logger.info(
            f'Policy after epoch {runner.epoch + 1}: p_tp {schedule.snapshots[-1].total_prob:.4f}, '
            f'leading {leading(schedule, 5)} (times uniform)'
        )
        runner.logger.info(f'Evidence of {schedule.findings.steps} steps: {schedule.findings.sentence(len(schedule))}')
        if runner.rank == 0:
            schedule.save(f'{runner.work_dir}/{self.filename}')

    def after_train(self, runner: Runner) -> None:
        schedule = runner.train_loop.schedule
        findings = schedule.findings
        if findings is None:  # nothing was left to search
            return
        few = 3 * findings.operation_effects.significant().sum() < len(findings.operations)
        advice = '. More epochs, fewer candidates or larger batches would tell more' if few else ''
        runner.logger.info(
            f'The policy is in {runner.work_dir}/{self.filename}: {findings.sentence(len(schedule))}{advice}'
        )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint['ddas'] = runner.train_loop.state_dict()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if runner._resume:  # the config lacks it where a Runner is built without one
            if 'ddas' not in checkpoint:
                raise ValueError('The checkpoint to resume from holds no policy: it was not saved by a search')
            runner.train_loop.load_state_dict(checkpoint['ddas'])
