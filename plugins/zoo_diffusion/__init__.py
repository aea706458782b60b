"""Built-in plugin: diffusion, trained by flow matching, and its small U-Net."""

from __future__ import annotations

from collections.abc import Iterator

from zoo import Component, hookimpl


@hookimpl
def zoo_components() -> Iterator[Component]:
    """Return the task and its architecture."""
    yield Component(
        "task",
        "diffuse",
        "zoo_diffusion.task:Diffuse",
        "Images out of noise along straight paths: flow matching.",
        "Lipman et al. 2022, arXiv:2210.02747",
    )
    yield Component(
        "architecture",
        "unet",
        "zoo_diffusion.unet:unet",
        "Depthwise U-Net that is called with a time, and with a label or not.",
        "Ronneberger et al. 2015, arXiv:1505.04597",
    )
