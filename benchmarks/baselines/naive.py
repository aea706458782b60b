"""The loop that a user writes first: a DataLoader without workers, Adam as it comes, the loss read every step.

Frozen; written for torch 2.15 and torchvision 0.29.
"""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.baselines import LEARNING_RATE, Setting
from benchmarks.baselines.loading import classifier_loader
from benchmarks.baselines.networks import Classifier


def train(setting: Setting) -> None:
    """Train the classifier for ever."""
    device = torch.device(setting.device)
    loader = classifier_loader(setting)
    network = Classifier().to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    network.train()
    setting.pause()
    while True:
        running_loss, correct = 0.0, 0.0
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            logits = network(images)
            loss = criterion(logits, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            correct += (logits.argmax(1) == labels).float().mean().item()
            setting.pause()
