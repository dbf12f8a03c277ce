"""What is left of the package where others are missing. Who may import whom is ``lint-imports``' business."""

import pytest
from without_packages import OPENMMLAB, run_without


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


def test_what_needs_openmmlab_says_so():
    done = run_without(
        OPENMMLAB,
        'import importlib, mmddas\n'
        "for name in ('datasets', 'engine', 'viz.augment_sheet'):\n"
        "    try:\n        importlib.import_module(f'mmddas.{name}')\n"
        '    except ImportError as error:\n        print(error)\n'
        'try:\n    mmddas.engine\nexcept AttributeError as error:\n    print(error)\n',
    )
    *imports, attribute = done.stdout.splitlines()
    assert len(imports) == 3 and all(line.startswith('mmddas needs mmengine >= ') for line in imports), done.stderr
    assert attribute.startswith('mmddas.engine is not there: mmddas needs mmengine')


def test_where_some_of_openmmlab_is_there_the_rest_is_asked_for():
    done = run_without({'mmcv'}, 'import mmddas')
    assert 'ImportError: mmddas needs mmcv >= ' in done.stderr.splitlines()[-1]


def test_a_missing_opencv_is_named():
    done = run_without({'cv2'}, 'import mmddas')
    assert 'mmddas needs OpenCV' in done.stderr and 'opencv-python-headless' in done.stderr.splitlines()[-1]


def test_everything_is_there_with_openmmlab():
    import mmddas

    parts = {'core', 'ops', 'transforms', 'datasets', 'engine', 'models'}
    assert set(mmddas.__all__) == {'__version__', 'PolicyTransform'} | parts
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        mmddas.nothing  # noqa: B018
