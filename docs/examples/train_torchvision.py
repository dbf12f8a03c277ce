"""Train a detector of torchvision's on the built-in data set, with a policy or without; nothing of OpenMMLab is used.

python tools/dataset_tools/make_shapes.py --out-dir data/shapes    # the data set
python docs/examples/train_torchvision.py zoph_v1
"""

import sys

import torch
from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2
from torchvision.models.detection import ssdlite320_mobilenet_v3_large
from torchvision.transforms import v2

from mmddas import PolicyTransform

policy = [PolicyTransform(sys.argv[1], epochs=2)] if len(sys.argv) > 1 else []
transforms = v2.Compose([*policy, v2.RandomHorizontalFlip(), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
shapes = CocoDetection('data/shapes/train', 'data/shapes/annotations/train.json', transforms=transforms)
shapes = wrap_dataset_for_transforms_v2(shapes, target_keys=['boxes', 'labels'])
loader = torch.utils.data.DataLoader(shapes, batch_size=8, shuffle=True, drop_last=True, collate_fn=list)
model = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4).train()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
for epoch in range(2):
    for transform in policy:
        transform.set_epoch(epoch)
    for samples in loader:
        images, targets = zip(*samples, strict=True)
        loss = sum(model(list(images), list(targets)).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f'epoch {epoch + 1}: loss {loss.item():.2f}')
