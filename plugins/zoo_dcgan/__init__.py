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
    yield Component(
        "architecture",
        "conditional_generator",
        "zoo_dcgan.conditional:conditional_generator",
        "Latent values and a label into an image; the label scales and shifts every norm.",
        "Miyato and Koyama 2018, arXiv:1802.05637",
    )
    yield Component(
        "architecture",
        "projection_discriminator",
        "zoo_dcgan.conditional:projection_discriminator",
        "An image and a label into a logit, by their inner product.",
        "Miyato and Koyama 2018, arXiv:1802.05637",
    )
