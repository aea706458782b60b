"""Built-in plugin: image data sets and augmentations."""

from __future__ import annotations

from collections.abc import Iterator

from zoo import Component, hookimpl

CIFAR = "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images"

COMPOSER = "MosaicML Composer, method card of ProgressiveResizing"


@hookimpl
def zoo_components() -> Iterator[Component]:
    """Return the data sets and augmentations."""
    for name, target, summary, source in (
        ("cifar100", "CIFAR100", "60,000 photographs of 32x32 pixels in 100 classes.", CIFAR),
        ("cifar10", "CIFAR10", "60,000 photographs of 32x32 pixels in 10 classes.", CIFAR),
        ("images", "Images", "Your own images, brought in with `zoo data add NAME --from PATH`.", ""),
        ("noise", "Noise", "Random pixels in any shape, to check and to time networks.", ""),
        ("shapes", "Shapes", "Drawn images of 32x32 pixels: 10 shapes in 10 colourings; no download.", ""),
    ):
        yield Component("dataset", name, f"zoo_images.datasets:{target}", summary, source)
    jitter = "Change brightness, contrast, saturation and hue in a random order."
    resizing = "Small images first, whole ones at the end."
    trivial = "One of fourteen changes of shape or colour, of any strength."
    for name, target, summary, source in (
        ("horizontal_flip", "augmentations:HorizontalFlip", "Mirror left and right.", ""),
        ("random_crop", "augmentations:RandomCrop", "Pad all sides and cut out the old size somewhere.", ""),
        ("color_jitter", "augmentations:ColorJitter", jitter, ""),
        ("cutout", "augmentations:Cutout", "Grey out a square.", "DeVries and Taylor 2017, arXiv:1708.04552"),
        ("progressive_resizing", "resizing:ProgressiveResizing", resizing, COMPOSER),
        ("trivial_augment", "trivial:TrivialAugment", trivial, "Müller and Hutter 2021, arXiv:2103.10158"),
        (
            "mixup",
            "mixing:Mixup",
            "Blend with another image, labels too.",
            "Zhang et al. 2017, arXiv:1710.09412",
        ),
        (
            "cutmix",
            "mixing:CutMix",
            "Paste a box of another image in.",
            "Yun et al. 2019, arXiv:1905.04899",
        ),
    ):
        yield Component("augmentation", name, f"zoo_images.{target}", summary, source)
