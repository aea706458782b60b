"""The classifier in a loop after timm's train script: channels_last, a schedule's update and meters each step, the
metrics read every 50 steps; no mixed precision, no averaged weights. It is modelled on that script and needs no timm.

Frozen; written after timm 1.0, for torch 2.15 and torchvision 0.29.
"""

from __future__ import annotations

import logging
import time

import torch
from torch import nn

from benchmarks.baselines import LEARNING_RATE, Setting
from benchmarks.baselines.loading import classifier_loader
from benchmarks.baselines.networks import Classifier

LOG_INTERVAL = 50
_log = logging.getLogger(__name__)


class AverageMeter:
    """Keeps the last value and the mean."""

    def __init__(self) -> None:
        self.value = self.mean = self.sum = self.count = 0.0

    def update(self, value: float, count: int = 1) -> None:
        self.value = value
        self.sum += value * count
        self.count += count
        self.mean = self.sum / self.count


def train(setting: Setting) -> None:
    """Train the classifier for ever."""
    device = torch.device(setting.device)
    loader = classifier_loader(setting)
    network = Classifier().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    network.train()
    updates = 0
    setting.pause()
    while True:
        data_time, update_time, losses = AverageMeter(), AverageMeter(), AverageMeter()
        data_start = time.time()
        for images, labels in loader:
            images = images.to(device).contiguous(memory_format=torch.channels_last)
            labels = labels.to(device)
            data_time.update(time.time() - data_start)
            loss = criterion(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            updates += 1
            schedule.step()
            update_time.update(time.time() - data_start, len(images))
            if updates % LOG_INTERVAL == 0:
                losses.update(loss.item(), len(images))
                _log.info("%d %.4f %.4f %.4f", updates, losses.mean, update_time.mean, data_time.mean)
            setting.pause()
            data_start = time.time()
