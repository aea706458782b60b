"""The classifier in the quickest eager fp32 loop that we know how to write by hand, for this network and nothing else.

No baseline to be beaten but a mark to come near: it does what Zoo does for speed (images in memory, batched
augmentation, channels_last, fused Adam, memory that is kept) and none of what Zoo does besides: it counts nothing,
logs nothing, draws its randomness from one generator, and cannot be resumed. Frozen; written for torch 2.15.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.baselines import BATCH_SIZE, LEARNING_RATE, Setting
from benchmarks.baselines.networks import Classifier

GRAY = (0.2989, 0.587, 0.114)


class Pool(nn.Module):
    """The mean of each channel. torch's own pooling hands back a gradient in NCHW, which all that lies before it up to
    the last convolution then meets in the wrong layout.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).flatten(1, 2).mean(1)


def train(setting: Setting) -> None:
    """Train the classifier for ever."""
    device = torch.device(setting.device)
    pictures = setting.pictures
    images = torch.from_numpy(pictures.images).to(device)
    labels = torch.from_numpy(pictures.labels).to(device)
    mean, std = (torch.tensor(one, device=device).view(1, 1, 1, 3) for one in (pictures.mean, pictures.std))
    network = Classifier()
    network.pool = Pool()  # type: ignore[assignment]
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    setting.pause()
    while True:
        order = torch.randperm(len(images), device=device)
        for start in range(0, len(images) - BATCH_SIZE + 1, BATCH_SIZE):
            where = order[start : start + BATCH_SIZE]
            batch = (augmented(images[where].float().div_(255)) - mean) / std
            loss = functional.cross_entropy(network(batch.permute(0, 3, 1, 2)), labels[where])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            setting.pause()


def augmented(images: Tensor) -> Tensor:
    """Flip and jitter images (N, H, W, 3) in 0..1, each with numbers of its own, in a fixed order of operations."""
    count = (len(images), 1, 1, 1)
    images = torch.where(torch.rand(count, device=images.device) < 0.5, images.flip(2), images)
    brightness, contrast, saturation = (torch.empty(count, device=images.device).uniform_(0.9, 1.1) for _ in range(3))
    weights = torch.tensor(GRAY, device=images.device)
    images = images.mul(brightness).clamp_(0, 1)
    grey = (images @ weights).mean((1, 2)).view(count)
    images = torch.lerp(grey, images, contrast).clamp_(0, 1)
    return torch.lerp((images @ weights)[..., None], images, saturation).clamp_(0, 1)
