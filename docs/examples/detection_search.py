"""DDAS for a detector of torchvision's, with nothing of OpenMMLab: PyTorch, torchvision, mmddas and pycocotools.

Shapes are drawn, and S_val is their photographic negative: of Zoph et al.'s 25 operations Solarize is the one that
helps, since at level 0 it is that negative. A RetinaNet on ResNet-18 begins at random weights.

    python tools/dataset_tools/make_shapes.py --out-dir data/shapes    # the data set
    python docs/examples/detection_search.py
"""

import argparse

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2
from torchvision.models import resnet18
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.transforms import v2

from mmddas import PolicyTransform
from mmddas.core import (
    AugmentationPolicy,
    PolicySchedule,
    SearchSpace,
    ShrinkageEstimator,
    ViewGradients,
    expected_loss_weights,
    sample_sub_policies,
)

BATCH, NUM_SUB_POLICIES = 4, 3
SPACE = SearchSpace.preset('detection')

# What comes before the operations is the same for all views of an image.
BEFORE = v2.Compose([v2.RandomHorizontalFlip(), v2.ToImage()])
# Of the transform only the operations are used: what they do to image and boxes.
OPERATIONS = PolicyTransform('uniform:detection', reference_size=640)  # lengths made for 640 pixels


def dataset(root: str, part: str) -> torch.utils.data.Dataset:
    """Images (3, H, W) of uint8, each with ``dict(boxes, labels)``."""
    images = CocoDetection(f'{root}/{part}', f'{root}/annotations/{part}.json', transforms=BEFORE)
    return wrap_dataset_for_transforms_v2(images, target_keys=['boxes', 'labels'])


def detector(num_labels: int) -> RetinaNet:
    """For images of 128x128. Its norms are of groups, so that neither views nor S_val change what others see."""
    body = resnet18(norm_layer=lambda channels: nn.GroupNorm(8, channels))
    layers = {'layer2': '0', 'layer3': '1', 'layer4': '2'}
    backbone = BackboneWithFPN(body, layers, [128, 256, 512], out_channels=64)
    sizes = ((16, 20, 25), (32, 40, 50), (64, 80, 101), (128, 161, 203))
    anchors = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))
    return RetinaNet(backbone, num_labels, min_size=128, max_size=128, anchor_generator=anchors)


def loss(model: RetinaNet, samples: list[tuple[Tensor, dict]]) -> Tensor:
    """The mean over the images."""
    images, targets = zip(*samples, strict=True)
    return sum(model([image / 255 for image in images], list(targets)).values())


def batches(data: torch.utils.data.Dataset, size: int):
    """Without an end."""
    loader = torch.utils.data.DataLoader(data, size, shuffle=True, drop_last=True, collate_fn=list)
    while True:
        yield from loader


def search(root: str, epochs: int, seed: int = 0) -> PolicySchedule:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    s_train, s_val = dataset(root, 'train'), dataset(root, 'val')
    train_batches, val_batches = batches(s_train, BATCH), batches(s_val, 2 * BATCH)

    model = detector(num_labels=4).train()  # labels count from 1
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    policy = AugmentationPolicy(SPACE)
    estimator = ShrinkageEstimator(policy)
    gradients = ViewGradients(optimizer, NUM_SUB_POLICIES)
    schedule = PolicySchedule(SPACE)
    schedule.meta = dict(task='detection', operation_options=OPERATIONS.options)

    for epoch in range(epochs):
        for _ in range(len(s_train) // BATCH):
            samples = next(train_batches)
            sub_policies = sample_sub_policies(SPACE, NUM_SUB_POLICIES)  # phi_1..phi_L^: (L^, N_o)
            weights = expected_loss_weights(policy, sub_policies).detach()  # w_0..w_L^: (L^ + 1,)  (Eq. 12)

            gradients.add_view(0, loss(model, samples))  # g_0
            for view, phi in enumerate(sub_policies, start=1):
                chosen = [SPACE.candidates[k] for k in phi]
                augmented = [OPERATIONS.augment(sample, chosen, rng) for sample in samples]
                gradients.add_view(view, loss(model, augmented))  # g_0 - g_l
            gradients.expected(weights)  # sum_l w_l g_l: (P,)  (Eq. 5)
            gradients.assign()
            optimizer.step()  # theta_{t+1}  (Eq. 6)

            gradients.validation(loss(model, next(val_batches)))  # g_val: (P,)
            alignments = gradients.alignments(estimator.direction(gradients))  # a_l: (L^,)
            estimator.update(sub_policies, alignments)

        schedule.append(policy)
        schedule.findings = estimator.evidence.findings()
        probs = schedule.snapshots[-1].op_probs
        leading = ', '.join(f'{SPACE.candidates[k]} x{len(SPACE) * probs[k]:.1f}' for k in (-probs).argsort()[:3])
        print(f'epoch {epoch + 1}: leading {leading}')
    print(schedule.findings.sentence(len(schedule)))
    return schedule


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', default='data/shapes', help='folder of the drawn data set')
    parser.add_argument('--epochs', type=int, default=8)
    parser.add_argument('--out', default='policy.json', help='the policy')
    args = parser.parse_args()
    search(args.data, args.epochs).save(args.out)
    print(f'{args.out}: use it as mmddas.PolicyTransform({args.out!r}, epochs=...)')
