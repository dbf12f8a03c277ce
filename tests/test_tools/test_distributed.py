"""A search on several processes is the search on one with the same global batch."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mmengine.runner import Runner

from mmddas.core import PolicySchedule

ROOT = Path(__file__).parents[2]
# Nothing couples the images of a batch: BatchNorm does not learn, and FCOS normalises its losses over all processes.
UNCOUPLED_MODEL = dict(
    type='FCOS',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[100.0] * 3, std=[50.0] * 3, pad_size_divisor=32),
    backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8, norm_eval=True),
    neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=16, num_outs=4),
    bbox_head=dict(
        type='FCOSHead',
        num_classes=3,
        in_channels=16,
        feat_channels=16,
        stacked_convs=1,
        strides=[4, 8, 16, 32],
        regress_ranges=((-1, 16), (16, 32), (32, 64), (64, 1e8)),
        norm_cfg=dict(type='GN', num_groups=4),
    ),
)
# A hook by which every process writes its policy, not the first one only.
RANK_HOOK = """
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class WritePolicyOfRank(Hook):
    def after_train(self, runner):
        runner.train_loop.schedule.save(f'{runner.work_dir}/rank{runner.rank}.json')
"""


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return str(listener.getsockname()[1])


def config_of(search_config, name: str, batch_size: int):
    config = search_config({'train_cfg.num_sub_policies': 2, 'default_hooks.checkpoint.interval': 10}, name=name)
    config.model = UNCOUPLED_MODEL
    config.train_dataloader.batch_size = batch_size
    config.train_cfg.policy_dataloader.batch_size = batch_size
    return config


def probabilities(path: Path) -> np.ndarray:
    """``(T, K + 1)``: p_tp and p_o."""
    return np.array([[snapshot.total_prob, *snapshot.op_probs] for snapshot in PolicySchedule.load(path).snapshots])


def launched(config_file: Path, processes: int, *arguments: str, **environment: str) -> subprocess.Popen:
    """``tools/dist_search.sh CONFIG PROCESSES [ARGUMENT ...]``."""
    paths = dict(PATH=f'{Path(sys.executable).parent}:{os.environ["PATH"]}', PYTHONPATH=str(config_file.parent))
    usual = dict(OMP_NUM_THREADS='1', PYTHONWARNINGS='ignore', PORT=free_port())
    return subprocess.Popen(
        ['bash', str(ROOT / 'tools' / 'dist_search.sh'), str(config_file), str(processes), *arguments],
        env=os.environ | paths | usual | environment,
    )


@pytest.mark.slow  # test_several_processes.py has it without the launcher
def test_two_processes_search_as_one_with_the_same_global_batch(search_config, tmp_path):
    single = config_of(search_config, 'single', batch_size=4)
    Runner.from_cfg(single).train()

    double = config_of(search_config, 'double', batch_size=2)
    double.custom_imports.imports.append('write_policy_of_rank')
    double.custom_hooks = [dict(type='WritePolicyOfRank')]
    (tmp_path / 'write_policy_of_rank.py').write_text(RANK_HOOK)
    double.dump(tmp_path / 'double.py')
    assert launched(tmp_path / 'double.py', 2).wait() == 0
    work_dir = Path(double.work_dir)
    assert {path.name for path in work_dir.rglob('*.json') if 'vis_data' not in path.parts} == {
        'policy.json',
        'report.json',
        'rank0.json',
        'rank1.json',
    }
    ranks = [probabilities(work_dir / f'rank{rank}.json') for rank in (0, 1)]
    assert np.array_equal(*ranks)
    assert np.array_equal(ranks[0], probabilities(work_dir / 'policy.json'))
    expected = probabilities(Path(single.work_dir) / 'policy.json')
    assert np.ptp(expected[-1, 1:]) > 1e-3, 'the policy has not moved'
    np.testing.assert_allclose(ranks[0], expected, atol=1e-4)


@pytest.mark.slow
def test_two_machines_search_as_one(search_config, tmp_path):
    """Two launchers on this machine, as on two."""
    single, double = (config_of(search_config, name, batch_size=size) for name, size in (('single', 4), ('double', 2)))
    Runner.from_cfg(single).train()
    double.dump(tmp_path / 'double.py')
    port = free_port()
    machines = [
        launched(tmp_path / 'double.py', 1, NNODES='2', NODE_RANK=str(rank), MASTER_ADDR='127.0.0.1', PORT=port)
        for rank in (0, 1)
    ]
    assert [machine.wait() for machine in machines] == [0, 0]
    np.testing.assert_allclose(
        probabilities(Path(double.work_dir) / 'policy.json'),
        probabilities(Path(single.work_dir) / 'policy.json'),
        atol=1e-4,
    )


@pytest.mark.slow
def test_two_processes_that_are_told_to_stop_go_on_as_if_they_had_not_been(search_config, tmp_path):
    policies = []
    for name in ('whole', 'stopped'):
        config = config_of(search_config, name, batch_size=2)
        config.train_cfg.max_epochs = 6
        config.dump(tmp_path / f'{name}.py')
        process = launched(tmp_path / f'{name}.py', 2)
        work_dir = Path(config.work_dir)
        if name == 'stopped':
            while not (work_dir / 'policy.json').exists():
                time.sleep(0.05)
            process.terminate()
            assert process.wait(timeout=60) != 0
            assert len(PolicySchedule.load(work_dir / 'policy.json')) < 6
            assert (work_dir / (work_dir / 'last_checkpoint').read_text()).name == 'stopped.pth'
            process = launched(tmp_path / f'{name}.py', 2, '--resume')
        assert process.wait() == 0
        policies.append(probabilities(work_dir / 'policy.json'))
    assert np.array_equal(*policies)


ABORTS_WHEN_TAKEN_DOWN = """
import atexit, os, sys
import torch.distributed

from mmddas.cli.run import end_process

class Held:
    def __del__(self):
        os.abort()

held = Held()
atexit.register(print, 'as at any exit')
torch.distributed.init_process_group('gloo', init_method=f'file://{sys.argv[1]}', rank=0, world_size=1)
end_process()
"""


def test_a_process_that_has_done_its_work_is_not_taken_down_with_what_threads_hold(tmp_path):
    command = [sys.executable, '-c', ABORTS_WHEN_TAKEN_DOWN, str(tmp_path / 'store')]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, 'as at any exit\n'), done.stderr
