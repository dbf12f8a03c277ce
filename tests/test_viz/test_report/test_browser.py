"""The report in a browser: no error in the console, and nothing over anything else, on a telephone and on a desk."""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

from mmddas.viz.report import write_report

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason='there is no Chromium (Debian: apt install chromium)')
# Texts that lie over each other, and what is wider than the window.
LOOK = """
<script>
addEventListener('load', () => {
  const boxes = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.textContent.trim() || /^(SCRIPT|STYLE)$/.test(node.parentElement.tagName)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) boxes.push([node.textContent.trim(), rect]);
  }
  for (const image of document.images) boxes.push([image.alt, image.getBoundingClientRect()]);
  const over = [];
  for (let i = 0; i < boxes.length; i++) for (let j = 0; j < i; j++) {
    const [a, b] = [boxes[i][1], boxes[j][1]];
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1 && high > 4) over.push([boxes[j][0], boxes[i][0]]);
  }
  const found = { over, texts: boxes.length, width: innerWidth, wide: document.documentElement.scrollWidth };
  parent.document.body.setAttribute('data-found', encodeURIComponent(JSON.stringify(found)));
});
</script>
"""


def look(path: Path, width: int, addition: str = '') -> tuple[dict, str]:
    """What the script above finds, and what the console says."""
    copy = path.with_name('looked_at.html')
    page = path.read_text().replace('</body>', f'{addition}{LOOK}</body>')
    # In a frame, since a window has a smallest width.
    frame = f'<iframe style="border: 0; width: {width}px; height: 4000px" srcdoc="{html.escape(page)}"></iframe>'
    copy.write_text(f'<!doctype html><body>{frame}</body>')
    options = ['--headless', '--no-sandbox', '--disable-gpu', '--enable-logging=stderr', '--window-size=1600,2000']
    done = subprocess.run(
        [CHROMIUM, *options, '--dump-dom', copy.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | dict(HOME=str(path.parent)),
    )
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found, done.stderr
    console = [line for line in done.stderr.splitlines() if 'CONSOLE' in line]
    return json.loads(unquote(found[1])), '\n'.join(console)


@pytest.mark.parametrize('width', [400, 1400])
def test_nothing_overlaps_and_the_console_is_silent(work_dir, width):
    found, console = look(write_report(work_dir), width)
    assert console == ''
    assert found['over'] == [] and found['texts'] > 40
    assert found['width'] == width and found['wide'] <= width


def test_the_look_would_see_it(work_dir):
    spoilt = '<p style="position:absolute;top:28px">over the heading</p><script>nothing.there()</script>'
    found, console = look(write_report(work_dir), 400, spoilt)
    assert 'nothing is not defined' in console
    assert any('over the heading' in texts for texts in found['over'])
