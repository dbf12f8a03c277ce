import pytest
from reports import facts, policy


@pytest.fixture
def work_dir(tmp_path):
    policy().save(tmp_path / 'policy.json')
    facts().save(tmp_path)
    log = tmp_path / '20260101_000000' / 'run.log'
    log.parent.mkdir()
    head = '2026/01/01 00:00:00 - mmengine'
    log.write_text(
        f'{head} - WARNING - S_val has no object of <b>\n{head} - INFO - all is well\n'
        f'{head} - WARNING - "FileClient" will be deprecated\n{head} - WARNING - S_val has no object of <b>\n'
    )
    return tmp_path
