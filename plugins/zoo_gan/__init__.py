"""Built-in plugin: adversarial training, its losses and what keeps the game fair."""

from __future__ import annotations

from collections.abc import Iterator

from zoo import Component, hookimpl

LOSSES = {
    "bce": ("BCE", "Binary cross entropy; the generator maximises what it is taken for.", "arXiv:1406.2661"),
    "hinge": ("Hinge", "Margins of 1 on both sides.", "arXiv:1705.02894"),
    "least_squares": ("LeastSquares", "Squared distance from 1 and 0.", "arXiv:1611.04076"),
    "wasserstein": ("Wasserstein", "The difference of the means; wants a gradient penalty.", "arXiv:1701.07875"),
    "relativistic": ("Relativistic", "Each real image against one generated; wants R1 and R2.", "arXiv:1807.00734"),
}


@hookimpl
def zoo_components() -> Iterator[Component]:
    """Return the task and its losses."""
    yield Component(
        "task",
        "gan",
        "zoo_gan.task:Gan",
        "A generator against a discriminator, with or without labels.",
        "Goodfellow et al. 2014, arXiv:1406.2661",
    )
    for name, (target, summary, source) in LOSSES.items():
        yield Component("adversarial_loss", name, f"zoo_gan.losses:{target}", summary, source)
