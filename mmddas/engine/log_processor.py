"""The log lines of a search."""

import resource

from mmengine.device import is_cuda_available
from mmengine.registry import LOG_PROCESSORS
from mmengine.runner import LogProcessor, Runner

from .hooks.policy_snapshot_hook import leading


@LOG_PROCESSORS.register_module()
class DDASLogProcessor(LogProcessor):
    """MMEngine's log line, ended by the policy's leading candidates and, without a GPU, the memory in use.

    Args:
        num_leading: How many candidates to name.
        **kwargs: Arguments of ``LogProcessor``.
    """

    def __init__(self, num_leading: int = 3, **kwargs) -> None:
        super().__init__(**kwargs)
        self.num_leading = num_leading

    def get_log_after_iter(self, runner: Runner, batch_idx: int, mode: str) -> tuple[dict, str]:
        tag, text = super().get_log_after_iter(runner, batch_idx, mode)
        if not is_cuda_available():
            tag['memory'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # KiB on Linux
            text += f'  memory: {tag["memory"]}'
        policy = getattr(runner.train_loop, 'policy', None) if mode == 'train' else None
        if policy is not None:
            text += f'  leading: {leading(policy, self.num_leading)}'
        return tag, text
