"""Who imports whom, as docs/architecture.md has it; and what is left of the package without OpenMMLab."""

import ast
import sys
from pathlib import Path

import pytest
from without_packages import OPENMMLAB, run_without

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'mmddas'


def table() -> dict[str, tuple[set[str], set[str]]]:
    """Part -> what it may import of the package and of others, from the page."""
    section = (ROOT / 'docs' / 'architecture.md').read_text(encoding='utf-8').split('## Who may import whom')[1]
    rules = {}
    for line in section.split('\n## ')[0].splitlines():
        cells = [cell.strip() for cell in line.strip('|').split(' | ')]
        if line.startswith('| `'):
            part, *allowed = cells
            rules[part.strip('`')] = tuple({name for name in cell.split(', ') if name != '-'} for cell in allowed)
    return rules


RULES = table()


def imports(path: Path) -> set[str]:
    """The full names of all that a module imports, in functions too."""
    package = path.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = '.'.join(package[: len(package) - node.level + 1]) if node.level else ''
            module = '.'.join(filter(None, (above, node.module)))
            # ``from mmddas import ops`` names a module, ``from mmddas.core import Candidate`` does not.
            found |= {f'{module}.{alias.name}' for alias in node.names} if module == 'mmddas' else {module}
    return found


def part_of(name: str) -> str:
    """The row of the table that a module ``mmddas...`` belongs to, the longest one."""
    parts = name.split('.')[1:]
    prefixes = ['.'.join(parts[:end]) for end in range(len(parts), 0, -1)]
    return next((prefix for prefix in prefixes if prefix in RULES), prefixes[-1] if prefixes else '')


def modules() -> list[Path]:
    return [path for path in PACKAGE.rglob('*.py') if path.parent != PACKAGE or path.stem in RULES]


@pytest.mark.parametrize('path', modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_what_its_row_allows(path):
    name = '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__')
    part = part_of(name)
    of_mmddas, of_others = RULES[part]
    for imported in imports(path):
        top = imported.split('.')[0]
        if top == 'mmddas':
            other = part_of(imported)
            # A package's own face shows what is in the packages within it.
            within = other == part or other.startswith(f'{part}.') and path.stem == '__init__' or imported == name
            through = other.split('.')[0] in of_mmddas or other in of_mmddas
            assert within or through, f'{part} must not import {imported}'
        else:
            assert top in of_others or top in sys.stdlib_module_names, f'{part} must not import {imported}'


def test_every_part_of_the_package_has_a_row():
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == '.py' or (path / '__init__.py').is_file()}
    assert parts - {'__init__', 'version'} == {part for part in RULES if '.' not in part}


def test_nothing_imports_the_tools():
    assert not [path for path in modules() for name in imports(path) if name.split('.')[0] == 'tools']


def test_method_operations_and_transform_are_there_without_openmmlab():
    done = run_without(
        OPENMMLAB | {'torchvision', 'PIL'},
        'import mmddas, numpy\n'
        "image, boxes = mmddas.ops.apply('Rotate_BBox', numpy.zeros((8, 8, 3), numpy.uint8), level=4)\n"
        "policy = mmddas.core.AugmentationPolicy(mmddas.core.SearchSpace.preset('detection'))\n"
        "target = dict(boxes=[[1, 1, 6, 6]], labels=['a'])\n"
        "image, target = mmddas.PolicyTransform('trivialaugment')(image, target)\n"
        "print(sorted(mmddas.__all__), len(policy.op_probs), sorted(set(sys.modules) & set(sys.argv[1].split(','))))\n",
    )
    assert done.stdout == "['PolicyTransform', '__version__', 'core', 'ops', 'transforms'] 113 []\n", done.stderr


def test_ops_are_there_without_pytorch_too():
    done = run_without(
        OPENMMLAB | {'torch'},
        'import mmddas.ops\n'
        "print(mmddas.__all__, len(mmddas.ops.list_ops('detection')))\n"
        'try:\n    mmddas.core\nexcept AttributeError as error:\n    print(error)\n',
    )
    assert done.stdout.splitlines() == [
        "['__version__', 'ops'] 30",
        'mmddas.core needs PyTorch, which is not installed: pip install torch',
    ], done.stderr


@pytest.mark.parametrize('code', ['import mmddas.datasets', 'from mmddas import engine', 'import mmddas.visualization'])
def test_what_needs_openmmlab_says_so(code):
    done = run_without(OPENMMLAB, code)
    assert 'ImportError: mmddas needs mmengine >= ' in done.stderr.splitlines()[-1]


def test_so_does_an_attribute_that_is_not_there():
    done = run_without(OPENMMLAB, 'import mmddas; mmddas.engine')
    assert done.stderr.splitlines()[-1].startswith('AttributeError: mmddas.engine is not there: mmddas needs mmengine')


@pytest.mark.parametrize('missing', ['mmcv', 'mmengine'])
def test_where_some_of_openmmlab_is_there_the_rest_is_asked_for(missing):
    done = run_without({missing}, 'import mmddas')
    assert f'ImportError: mmddas needs {missing} >= ' in done.stderr.splitlines()[-1]


def test_a_missing_opencv_is_named():
    done = run_without({'cv2'}, 'import mmddas')
    assert 'mmddas needs OpenCV' in done.stderr and 'opencv-python-headless' in done.stderr.splitlines()[-1]


def test_everything_is_there_with_openmmlab():
    import mmddas

    parts = {'core', 'ops', 'transforms', 'datasets', 'engine', 'models'}
    assert set(mmddas.__all__) == {'__version__', 'PolicyTransform'} | parts
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        mmddas.nothing  # noqa: B018
