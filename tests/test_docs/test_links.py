"""Links between the documents lead to files and headings that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ('*.md', 'docs/**/*.md', 'configs/**/*.md', 'research/*.md')
    for path in ROOT.glob(pattern)
)


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub makes them: lower case, hyphens for spaces, letters, digits and hyphens alone."""
    text = re.sub(r'```.*?```', '', text, flags=re.DOTALL)
    headings = re.findall(r'^#+ (.+)$', text, flags=re.MULTILINE)
    return {re.sub(r'[^\w-]', '', heading.lower().replace(' ', '-')) for heading in headings}


@pytest.mark.parametrize('document', DOCUMENTS)
def test_links(document):
    text = (ROOT / document).read_text(encoding='utf-8')
    for link in re.findall(r'\]\(([^)\s]+)\)', text):
        if link.startswith(('http', 'mailto:')):
            continue
        name, _, anchor = link.partition('#')
        target = (ROOT / document).parent / name if name else ROOT / document
        assert target.exists(), f'{link}: no such file'
        if anchor:
            assert anchor in anchors(target.read_text(encoding='utf-8')), f'{link}: no such heading in {target.name}'
