"""The DCGAN loop that a user writes first, after PyTorch's tutorial: sigmoid and BCELoss, five figures read a step.

Frozen; written for torch 2.15 and torchvision 0.29. The generator runs once a step; its images serve both updates.
"""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.baselines import BATCH_SIZE, LEARNING_RATE, Setting
from benchmarks.baselines.loading import gan_loader
from benchmarks.baselines.networks import LATENT_SIZE, discriminator, generator


def train(setting: Setting) -> None:
    """Train the DCGAN for ever."""
    device = torch.device(setting.device)
    loader = gan_loader(setting)
    net_g, net_d = generator().to(device), discriminator(sigmoid=True).to(device)
    criterion = nn.BCELoss()
    optimizer_g = torch.optim.Adam(net_g.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(net_d.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.999))
    schedules = [torch.optim.lr_scheduler.StepLR(one, 1000, 0.95) for one in (optimizer_g, optimizer_d)]
    ones, zeros = torch.ones(BATCH_SIZE, device=device), torch.zeros(BATCH_SIZE, device=device)
    setting.pause()
    while True:
        sums = [0.0] * 5
        for images, _ in loader:
            real = images.to(device)
            fake = net_g(torch.randn(BATCH_SIZE, LATENT_SIZE, 1, 1, device=device))

            net_d.zero_grad()
            on_real = net_d(real)
            loss_real = criterion(on_real, ones)
            loss_real.backward()
            on_fake = net_d(fake.detach())
            loss_fake = criterion(on_fake, zeros)
            loss_fake.backward()
            optimizer_d.step()

            net_g.zero_grad()
            judged = net_d(fake)
            loss_g = criterion(judged, ones)
            loss_g.backward()
            optimizer_g.step()

            for schedule in schedules:
                schedule.step()
            read = (loss_real + loss_fake, loss_g, on_real.mean(), on_fake.mean(), judged.mean())
            sums = [total + one.item() for total, one in zip(sums, read, strict=True)]
            setting.pause()
