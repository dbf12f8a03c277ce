"""A search on 1, 2 and 4 processes, with 0, 1 and 4 data workers: one policy; and what processes send each other."""

import multiprocessing
import os
import socket
import traceback
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.registry import DATASETS, MODELS, OPTIM_WRAPPERS, TRANSFORMS
from mmengine.runner import Runner
from torch.distributed.nn.functional import all_reduce

from mmddas.core import ESTIMATORS, PolicySchedule
from mmddas.datasets.search import BrokenDataError, KeyedDataset, SkippedSamples
from mmddas.engine.checks import preconditions

STEPS, BATCH, SAMPLES = 25, 8, 40
NUM_SUB_POLICIES = 3
SPACE = [('Rotate_BBox', 8), ('Solarize', 0), ('Cutout', 4), ('Color', 8), ('TranslateX_BBox', 6), 'Equalize']


@DATASETS.register_module()
class Patches(BaseDataset):
    """Drawn samples of two classes: bright above, or bright to the left."""

    def __init__(self, seed: int, num_samples: int = SAMPLES, **kwargs) -> None:
        self.seed, self.num_samples = seed, num_samples
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        rng = np.random.default_rng(self.seed)
        samples = []
        for label in rng.integers(0, 2, self.num_samples):
            image = rng.integers(0, 128, (16, 16, 3), dtype=np.uint8)
            image[(slice(0, 8), slice(None)) if label else (slice(None), slice(0, 8))] += 100
            samples.append(dict(img=image, label=int(label)))
        return samples


@TRANSFORMS.register_module()
class PackPatch:
    def __call__(self, results: dict) -> dict:
        return dict(inputs=torch.from_numpy(results['img'].transpose(2, 0, 1).copy()), data_samples=results['label'])


class SynchronizedNorm(torch.nn.BatchNorm2d):
    """BatchNorm over the batches of all processes, as SyncBN, which PyTorch has on GPUs only."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        if not torch.distributed.is_initialized():
            return super().forward(features)
        moments = torch.stack([features.mean(dim=(0, 2, 3)), features.square().mean(dim=(0, 2, 3))])
        mean, square = all_reduce(moments) / torch.distributed.get_world_size()
        normalized = (features - mean[:, None, None]) / (square - mean**2 + self.eps).sqrt()[:, None, None]
        return normalized * self.weight[:, None, None] + self.bias[:, None, None]


@MODELS.register_module()
class PatchNet(BaseModel):
    """Its loss is a mean over images; without a norm nothing couples the images of a batch."""

    def __init__(self, norm: bool = False) -> None:
        super().__init__()
        norms = [SynchronizedNorm(8)] if norm else []
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3), *norms, torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(8 * 14 * 14, 2)
        )

    def forward(self, inputs, data_samples=None, mode='tensor'):
        scores = self.layers(torch.stack(inputs).to(self.layers[0].weight.dtype) / 128 - 1)
        return dict(loss=torch.nn.functional.cross_entropy(scores, torch.tensor(data_samples)))


def loader(seed: int, batch_size: int, pipeline: list) -> dict:
    return dict(
        batch_size=batch_size,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=dict(type='Patches', seed=seed, pipeline=pipeline),
    )


def config_of(work_dir: Path, processes: int, **loop) -> Config:
    batch_size = BATCH // processes
    return Config(
        dict(
            default_scope='mmdet',
            model=dict(type='PatchNet'),
            train_dataloader=loader(0, batch_size, [dict(type='DDASAugment'), dict(type='PackPatch')]),
            train_cfg=dict(
                type='DDASSearchLoop',
                max_epochs=STEPS * BATCH // SAMPLES,
                policy_dataloader=loader(1, batch_size, [dict(type='PackPatch')]),
                search_space=SPACE,
                num_sub_policies=NUM_SUB_POLICIES,
                **loop,
            ),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.05)),
            randomness=dict(seed=0),
            launcher='pytorch' if processes > 1 else 'none',
            # What the tools set where there is no GPU.
            model_wrapper_cfg=dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False),
            custom_hooks=[dict(type='PolicyFigureHook', interval=100)],
            log_level='ERROR',
            work_dir=str(work_dir),
            experiment_name=work_dir.name,
        )
    )


def run_process(config: Config, rank: int, processes: int, port: int, dtype: torch.dtype, sent, change) -> None:
    """One process of a search, in its own process; the bytes that it gives to all-reduces go to ``sent``."""
    torch.set_num_threads(1)
    torch.set_default_dtype(dtype)
    if processes > 1:
        os.environ.update(
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(processes),
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=str(port),
        )
        torch.distributed.init_process_group('gloo')
        all_reduce = torch.distributed.all_reduce

        def counted(tensor, *args, **kwargs):
            sent[rank] += tensor.numel() * tensor.element_size()
            return all_reduce(tensor, *args, **kwargs)

        torch.distributed.all_reduce = counted
    if change is not None:
        change(config, rank)
    try:
        runner = Runner.from_cfg(config)
        runner.train()
        runner.train_loop.schedule.save(Path(config.work_dir, f'rank{rank}.json'))
    except Exception:
        Path(config.work_dir, f'error{rank}.txt').write_text(traceback.format_exc())
        raise


def search(folder: Path, processes: int, dtype: torch.dtype = torch.float64, change=None, **loop):
    """Search on forked processes; their schedules, and the bytes a step that each has sent."""
    work_dir = folder / f'processes{processes}'
    work_dir.mkdir(parents=True)
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        port = listener.getsockname()[1]
    fork = multiprocessing.get_context('fork')
    sent = fork.Array('q', processes, lock=False)
    started = [
        fork.Process(target=run_process, args=(config, rank, processes, port, dtype, sent, change), daemon=True)
        for rank, config in enumerate([config_of(work_dir, processes, **loop)] * processes)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(timeout=240)
    errors = [path.read_text() for path in sorted(work_dir.glob('error*.txt'))]
    if errors or any(process.exitcode for process in started):
        raise RuntimeError('\n'.join(errors) or [process.exitcode for process in started])
    schedules = [PolicySchedule.load(work_dir / f'rank{rank}.json') for rank in range(processes)]
    assert all(schedule.snapshots == schedules[0].snapshots for schedule in schedules)
    assert {path.name for path in work_dir.glob('*.json')} == {
        'policy.json',
        'report.json',
        *(f'rank{rank}.json' for rank in range(processes)),
    }
    return schedules[0], [count / STEPS for count in sent]


def probabilities(schedule: PolicySchedule) -> np.ndarray:
    return np.array([[snapshot.total_prob, *snapshot.op_probs] for snapshot in schedule.snapshots])


@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [(torch.float64, 1e-10), pytest.param(torch.float32, 1e-5, marks=pytest.mark.slow)],
    ids=['float64', 'float32'],
)
def test_the_policy_does_not_depend_on_the_number_of_processes(tmp_path, dtype, tolerance):
    alone = probabilities(search(tmp_path, 1, dtype)[0])
    assert len(alone) * SAMPLES == STEPS * BATCH
    assert np.ptp(alone[-1, 1:]) > 1e-2, 'the policy has not moved'
    for processes in (2, 4):
        difference = np.abs(probabilities(search(tmp_path, processes, dtype)[0]) - alone).max()
        print(f'{processes} processes, {dtype}: {difference:.1e} at most from one process after {STEPS} steps')
        assert difference <= tolerance


def test_the_policy_does_not_depend_on_the_number_of_data_workers(tmp_path):
    """To the bit: what is random depends on the seed and the position, and not on who loads it."""
    found = []
    for workers in (0, 1, 4):
        config = config_of(tmp_path / f'workers{workers}', 1)
        config.train_cfg.max_epochs = 2
        for part in (config.train_dataloader, config.train_cfg.policy_dataloader):
            part.update(num_workers=workers, persistent_workers=workers > 1)
        Runner.from_cfg(config).train()
        found.append(probabilities(PolicySchedule.load(f'{config.work_dir}/policy.json')))
    assert np.ptp(found[0][-1, 1:]) > 1e-3, 'the policy has not moved'
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


def evidence(schedule: PolicySchedule) -> np.ndarray:
    findings = schedule.findings
    return np.array(
        [[e.draws, e.effect, e.std_error] for e in (findings.candidate_effects, findings.operation_effects)]
    )


@pytest.mark.slow
@pytest.mark.parametrize('name', ESTIMATORS)
def test_estimators_and_their_evidence_do_not_depend_on_the_number_of_processes(tmp_path, name):
    (alone, _), (together, _) = (search(tmp_path, processes, estimator=dict(type=name)) for processes in (1, 2))
    assert alone.findings.steps == STEPS
    np.testing.assert_allclose(probabilities(together), probabilities(alone), atol=1e-10)
    np.testing.assert_allclose(evidence(together), evidence(alone), rtol=1e-7, atol=1e-9)


def use_norm(config: Config, rank: int) -> None:
    config.model.norm = True


@pytest.mark.slow
def test_processes_whose_networks_talk_in_every_pass_keep_in_step(tmp_path):
    """A synchronised BatchNorm, forward and backward, of every view and of S_val: as one process with BatchNorm."""
    alone = probabilities(search(tmp_path, 1, change=use_norm)[0])
    together = probabilities(search(tmp_path, 2, change=use_norm)[0])
    assert np.ptp(alone[-1, 1:]) > 1e-2, 'the policy has not moved'
    assert np.abs(together - alone).max() <= 1e-10


def test_a_step_sends_two_gradients_and_a_number_for_every_sub_policy(tmp_path):
    """And, with the first gradient, one for every parameter: whether any process has a gradient of it."""
    tensors = list(PatchNet().parameters())
    parameters = sum(parameter.numel() for parameter in tensors)
    _, sent = search(tmp_path, 2)
    naive = (NUM_SUB_POLICIES + 2) * parameters * 8
    print(f'{sent[0]:.0f} bytes a step for {parameters} parameters of 8 bytes; an all-reduce a view: {naive}')
    assert sent == [(2 * parameters + len(tensors) + NUM_SUB_POLICIES + 1) * 8] * 2


@pytest.mark.slow
def test_processes_with_sub_policies_of_their_own_end_with_one_policy(tmp_path):
    shared = probabilities(search(tmp_path / 'shared', 2)[0])
    own = probabilities(search(tmp_path / 'own', 2, sub_policies_per_rank=True)[0])
    assert np.isfinite(own).all() and np.abs(own - shared).max() > 1e-4


def set_sizes(config: Config, rank: int) -> None:
    config.train_dataloader.dataset.num_samples = 43
    config.train_cfg.policy_dataloader.dataset.num_samples = 21
    config.train_cfg.max_epochs = 3


def test_last_batches_may_be_uneven_and_s_val_of_another_length(tmp_path):
    """Samplers make the shards equal: the processes go on in step, and end with one policy (as ``search`` checks)."""
    schedule, _ = search(tmp_path, 2, change=set_sizes)
    assert len(schedule) == 3 and np.isfinite(probabilities(schedule)).all()


def set_rate(config: Config, rank: int) -> None:
    config.optim_wrapper.optimizer.lr = 0.05 + rank


def test_processes_that_disagree_end_before_the_first_step(tmp_path):
    message = 'config optim_wrapper.optimizer.lr: 0.05 on rank 0, 1.05 on rank 1'
    with pytest.raises(RuntimeError, match=f'(?s)(The processes of this search disagree.*{message}.*){{2}}'):
        search(tmp_path, 2, change=set_rate)


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """What AmpOptimWrapper does (it asks for a GPU): autocast, and a loss scaler that takes its scale off in steps."""

    def __init__(self, optimizer) -> None:
        super().__init__(optimizer)
        self.loss_scaler = torch.amp.GradScaler('cpu', init_scale=2.0**16)

    @contextmanager
    def optim_context(self, model):
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield

    def step(self) -> None:
        self.loss_scaler.step(self.optimizer)
        self.loss_scaler.update()


def use_mixed_precision(config: Config, rank: int) -> None:
    config.optim_wrapper.type = 'BFloat16OptimWrapper'


@pytest.mark.slow
def test_mixed_precision_on_two_processes(tmp_path):
    """They end with one policy (as ``search`` checks), near that of float32."""
    expected = probabilities(search(tmp_path / 'float32', 2, torch.float32)[0])
    found = probabilities(search(tmp_path / 'mixed', 2, torch.float32, change=use_mixed_precision)[0])
    difference, moved = np.abs(found - expected).max(), np.ptp(expected[-1, 1:])
    print(f'bfloat16: {difference:.1e} at most from float32, where the candidates differ by {moved:.1e}')
    assert 0 < difference < 0.1 * moved


def break_data(config: Config, rank: int) -> None:
    """Of the processes, which are forked, the last one."""
    if rank == 0:
        return
    calls = iter(range(100))

    def note(self, found) -> None:
        if next(calls) >= 5:
            raise BrokenDataError('too much is broken here')

    SkippedSamples.note = note


def test_a_process_with_broken_data_ends_all_with_a_checkpoint(tmp_path):
    with pytest.raises(RuntimeError, match='BrokenDataError: too much is broken here') as raised:
        search(tmp_path, 2, change=break_data)
    assert str(raised.value).count('Traceback') == 1, 'the other process is to end in good order'
    assert (tmp_path / 'processes2' / 'stopped.pth').exists()


def break_five(config: Config, rank: int) -> None:
    """Of 40, where four are allowed; each process meets fewer."""
    load = KeyedDataset.load

    def broken(self, key):
        if key.index < 5:
            raise ValueError(f'sample {key.index} is broken')
        return load(self, key)

    KeyedDataset.load = broken


def test_broken_data_that_only_all_processes_together_have_too_much_of(tmp_path):
    with pytest.raises(RuntimeError, match='(?s)(5 of the 40 samples of S_train.*){2}'):
        search(tmp_path, 2, change=break_five)
    assert (tmp_path / 'processes2' / 'stopped.pth').exists()


def fill_disk(config: Config, rank: int) -> None:
    def check_folder(folder, *args) -> None:
        raise OSError(28, 'The work dir has 0 MiB left', folder)

    if rank == 0:
        preconditions.check_folder = check_folder


def test_what_rank_0_finds_in_the_work_dir_ends_all_processes(tmp_path):
    with pytest.raises(RuntimeError, match='(?s)(The work dir has 0 MiB left.*){2}'):
        search(tmp_path, 2, change=fill_disk)
