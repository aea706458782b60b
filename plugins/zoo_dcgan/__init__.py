"""Built-in plugin: generators and discriminators of the DCGAN family."""

from __future__ import annotations

from collections.abc import Iterator

from zoo import Component, hookimpl

SOURCE = "Radford et al. 2015, arXiv:1511.06434"


@hookimpl
def zoo_components() -> Iterator[Component]:
    """Return the architectures, with and without labels."""
    yield Component(
        "architecture",
        "dcgan_generator",
        "zoo_dcgan.plain:dcgan_generator",
        "Latent values into an image, by transposed or upsampled convolutions.",
        SOURCE,
    )
    yield Component(
        "architecture",
        "dcgan_discriminator",
        "zoo_dcgan.plain:dcgan_discriminator",
        "An image into logits, by strided convolutions.",
        SOURCE,
    )
