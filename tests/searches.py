"""What tests of searches share."""

import json
from pathlib import Path

from mmengine.config import Config


def final_policy(config: Config) -> dict:
    """The policy file that a search wrote, less what names the run."""
    content = json.loads(Path(config.work_dir, 'policy.json').read_text())
    content['meta'].pop('config')
    return content
