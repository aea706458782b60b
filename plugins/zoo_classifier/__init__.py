"""Built-in plugin: image classification, and the residual networks of the paper that Zoo starts from."""

from __future__ import annotations

from collections.abc import Iterator

from zoo import Component, hookimpl


@hookimpl
def zoo_components() -> Iterator[Component]:
    """Return the classifier's task, its architectures and a layer that they like."""
    yield Component(
        "task",
        "classify",
        "zoo_classifier.task:Classify",
        summary="Images into classes; top-1, top-5 and loss over whole sets.",
    )
    yield Component(
        "architecture",
        "resnet",
        "zoo_classifier.resnet:resnet",
        summary="Residual network of basic or bottleneck blocks.",
        source="He et al. 2015, arXiv:1512.03385",
    )
    yield Component(
        "layer",
        "squeeze_excitation",
        "zoo_classifier.squeeze:squeeze_excitation",
        summary="A factor for each channel from the means of all.",
        source="Hu et al. 2017, arXiv:1709.01507",
    )
