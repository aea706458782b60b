"""Watching the game between generator and discriminator, and saying in words when it goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

WON = 0.98  # share of right judgements, on both sides, from which the discriminator leaves the generator nothing
LOST = 0.05  # share of generated images found out, below which the discriminator teaches nothing
COLLAPSED = 0.4  # diversity, as a share of that of real images


def diversity(images: Tensor) -> Tensor:
    """Return the root of the mean squared distance between two of `images` (N, ...), N > 1, over all pairs."""
    flat = images.detach().float().flatten(1)
    # As flat.var(0).sum(), which walks the columns and takes many times as long.
    return (2 * (flat - flat.mean(0)).square().sum() / (len(flat) - 1)).sqrt()


def describe(figures: Mapping[str, float]) -> dict[str, str]:
    """Return in words what is wrong with the game, by the means since the last report; nothing when all is well."""
    real, fake = figures["accuracy_on_real"], figures["accuracy_on_fake"]
    found = {}
    if figures.get("diversity", 1.0) < COLLAPSED:
        found["collapse"] = (
            f"the generator is collapsing: its images differ from one another by {figures['diversity']:.0%} of what "
            "real ones do; try a smaller learning rate, spectral_norm in the discriminator, or labels"
        )
    if real > WON and fake > WON:
        found["discriminator won"] = (
            f"the discriminator has won: it is right about {real:.0%} of the real and {fake:.0%} of the generated "
            "images; try a smaller one, a smaller learning rate for it, label smoothing, or augment"
        )
    if fake < LOST:
        found["generator won"] = (
            f"the generator has won: {1 - fake:.0%} of its images pass for real; try a larger discriminator, or more "
            "discriminator_steps"
        )
    return found
