"""DDAS in a hand-written PyTorch loop: which operation turns the training images into the likeness of S_val?

Letters of 16x16 pixels are trained on upright and validated lying on their side, the paper's sanity check in small.
Of eight candidates, a rotation by 90 degrees is the one that helps.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from mmddas.core import (
    AugmentationPolicy,
    PaperEstimator,
    PolicySchedule,
    SearchSpace,
    ViewGradients,
    expected_loss_weights,
    sample_sub_policies,
)

EPOCHS, STEPS, BATCH, NUM_SUB_POLICIES = 6, 50, 16, 3
T, L, U = [1, 1, 1, 0, 1, 0, 0, 1, 0], [1, 0, 0, 1, 0, 0, 1, 1, 1], [1, 0, 1, 1, 0, 1, 1, 1, 1]
LETTERS = np.array([T, L, U]).reshape(3, 3, 3)

# What the candidates do is the loop's own business: any function of a batch (N, 1, 16, 16) and a level.
OPERATIONS = {
    'identity': lambda images, level: images,
    'invert': lambda images, level: 1 - images,
    'flip': lambda images, level: images.flip(-1),
    'rotate': lambda images, level: images.rot90(level // 90, dims=(-2, -1)),
    'shift': lambda images, level: images.roll(level, dims=-1),
    'brighten': lambda images, level: (images + level).clamp(0, 1),
}
SPACE = SearchSpace(
    ['identity', 'invert', 'flip', ('rotate', 90), ('rotate', 180), ('rotate', 270), ('shift', 3), ('brighten', 0.2)],
    num_ops=1,
)


def draw(count: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """T, L and U at random places on noise: images ``(count, 1, 16, 16)`` in [0, 1] and classes ``(count,)``."""
    images = rng.uniform(0.0, 0.3, (count, 1, 16, 16))
    classes = rng.integers(len(LETTERS), size=count)
    for image, letter in zip(images[:, 0], LETTERS[classes], strict=True):
        x, y = rng.integers(2, 6, size=2)
        image[y : y + 9, x : x + 9] += 0.7 * np.kron(letter, np.ones((3, 3)))
    return torch.from_numpy(images).float(), torch.from_numpy(classes)


def augment(images: torch.Tensor, sub_policy: torch.Tensor) -> torch.Tensor:
    """phi(D_0): the candidates of one sub-policy ``(N_o,)``, one after the other."""
    for op, level in (SPACE.candidates[k] for k in sub_policy):
        images = OPERATIONS[op](images, level)
    return images


def search(seed: int = 0) -> PolicySchedule:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    images, classes = draw(1024, rng)  # S_train
    val_images, val_classes = draw(512, rng)  # S_val
    val_images = val_images.rot90(1, dims=(-2, -1))

    network = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * 4 * 4, 3)),
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9)
    policy = AugmentationPolicy(SPACE, init_total_prob=0.35)
    policy_optimizers = [
        torch.optim.Adam([policy.op_logits], lr=0.02, betas=(0.5, 0.999)),
        torch.optim.Adam([policy.total_logit], lr=0.004, betas=(0.5, 0.999)),
    ]
    estimator = PaperEstimator(policy, policy_optimizers)
    gradients = ViewGradients(optimizer, NUM_SUB_POLICIES)
    schedule = PolicySchedule(SPACE)

    for epoch in range(EPOCHS):
        for _ in range(STEPS):
            batch, val_batch = torch.randint(len(images), (BATCH,)), torch.randint(len(val_images), (BATCH,))
            sub_policies = sample_sub_policies(SPACE, NUM_SUB_POLICIES)  # phi_1..phi_L^, uniform: (L^, N_o)
            weights = expected_loss_weights(policy, sub_policies).detach()  # w_0..w_L^: (L^ + 1,)  (Eq. 12)

            views = [images[batch]] + [augment(images[batch], phi) for phi in sub_policies]
            for view, view_images in enumerate(views):
                gradients.add_view(view, cross_entropy(network(view_images), classes[batch]))  # g_0, g_0 - g_l
            gradients.expected(weights)  # sum_l w_l g_l: (P,)  (Eq. 5)
            gradients.assign()
            optimizer.step()  # theta_{t+1}  (Eq. 6)

            gradients.validation(cross_entropy(network(val_images[val_batch]), val_classes[val_batch]))  # g_val: (P,)
            alignments = gradients.alignments(estimator.direction(gradients))  # a_l = g_val . (g_0 - g_l): (L^,)
            estimator.update(sub_policies, alignments)  # (Eq. 15, 16, 17)

        schedule.append(policy)
        probs = schedule.snapshots[-1].op_probs
        leading = ', '.join(f'{SPACE.candidates[k]} {probs[k]:.2f}' for k in (-probs).argsort()[:3])
        print(f'epoch {epoch + 1}: p_tp {policy.total_prob.item():.2f}, leading {leading}')
    return schedule


if __name__ == '__main__':
    search().save('policy.json')
