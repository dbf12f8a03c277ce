"""MMDetection's common detectors, two-stage, anchor-free and with masks, can be searched with."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.runner import Runner
from pycocotools import mask as coco_mask
from small_detectors import small_model

# Operations that move pixels, some of them within boxes only.
MOVES = [('Rotate_BBox', 6), ('TranslateX_BBox', 4), ('ShearY_BBox', 4), ('Rotate_Only_BBoxes', 6)]


@pytest.mark.parametrize('detector', ['faster_rcnn', 'mask_rcnn', 'fcos', 'atss'])
def test_detector_can_be_searched_with(search_config, detector):
    """Two steps: the losses are finite, and network and policy learn from them."""
    config = search_config({'train_cfg.max_epochs': 1, 'train_cfg.search_space': [*MOVES, ('Solarize', 0)]})
    config.model = small_model(detector)
    if 'rcnn' in detector:
        config.model.train_cfg.rcnn.sampler.num = 32
    config.train_dataloader.dataset.indices = 8
    for loader in (config.train_dataloader, config.train_cfg.policy_dataloader):
        loader.dataset.pipeline[1].with_mask = detector == 'mask_rcnn'
    runner = Runner.from_cfg(config)
    runner.train()
    logged = {
        key: runner.message_hub.get_scalar(f'train/{key}').data[0]
        for key in ('loss_clean', 'loss_augmented', 'loss_val', 'skipped_updates')
    }
    assert all(len(values) == 2 and np.isfinite(values).all() for values in logged.values())
    assert logged['skipped_updates'][-1] == 0
    assert all(parameter.isfinite().all() for parameter in runner.model.parameters())
    op_probs = runner.train_loop.policy.op_probs
    assert op_probs.isfinite().all() and op_probs.max() > op_probs.min()


SIZE = 64
GREYS = (40, 90, 200)  # of the three classes; none of them is that of the ground, nor what comes in from outside
CORNERS = (
    [(6, 6), (26, 8), (10, 26)],
    [(38, 8), (58, 6), (58, 28), (50, 28), (50, 14), (40, 16)],
    [(20, 38), (44, 40), (40, 56), (28, 58)],
)


@pytest.fixture
def flat_scenes(tmp_path) -> Path:
    """Four images with one polygon of each class, all of whose pixels, and no others, have the grey of the class."""
    content = dict(images=[], annotations=[], categories=[])
    content['categories'] = [dict(id=i + 1, name=name) for i, name in enumerate(('disc', 'rectangle', 'triangle'))]
    for number in range(4):
        image = np.full((SIZE, SIZE, 3), 255, np.uint8)
        content['images'].append(dict(id=number, file_name=f'{number}.png', height=SIZE, width=SIZE))
        for label, corners in enumerate(CORNERS):
            polygon = (np.array(corners, float) + number).ravel().tolist()
            encoded = coco_mask.frPyObjects([polygon], SIZE, SIZE)[0]
            image[coco_mask.decode(encoded) == 1] = GREYS[label]
            content['annotations'].append(
                dict(
                    id=3 * number + label + 1,
                    image_id=number,
                    category_id=label + 1,
                    segmentation=[polygon],
                    bbox=coco_mask.toBbox(encoded).tolist(),
                    area=int(coco_mask.area(encoded)),
                    iscrowd=0,
                )
            )
        cv2.imwrite(str(tmp_path / f'{number}.png'), image)
    (tmp_path / 'annotations.json').write_text(json.dumps(content))
    return tmp_path


def test_masks_move_with_the_pixels_of_their_instances(search_config, flat_scenes):
    config = search_config({'train_cfg.search_space': MOVES, 'train_cfg.num_sub_policies': 8})
    dataset = config.train_dataloader.dataset
    dataset.update(data_root=str(flat_scenes), ann_file='annotations.json', data_prefix=dict(img=''))
    dataset.pipeline[1].update(with_mask=True)
    runner = Runner.from_cfg(config)
    batch = next(iter(runner.build_train_loop(runner._train_loop).dataloader))['data']
    clean_masks, moved = [], 0
    for number, view in enumerate(batch['views']):
        for i, (image, sample) in enumerate(zip(view['inputs'], view['data_samples'], strict=True)):
            instances = sample.gt_instances
            assert len(instances.masks) == len(instances.bboxes) == len(instances.labels) <= len(GREYS)
            for label, mask in zip(instances.labels, instances.masks.masks, strict=True):
                assert np.array_equal(mask == 1, image[0].numpy() == GREYS[label])
            if number == 0:
                assert len(instances) == len(GREYS)
                clean_masks.append(instances.masks.masks)
            else:
                moved += not np.array_equal(instances.masks.masks, clean_masks[i])
    assert moved > len(clean_masks)
