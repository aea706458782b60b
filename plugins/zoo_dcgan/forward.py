"""The forward passes of the torch modules on a tape, line by line: what they cost, without torch."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.api import Handle, Tape


def conditional_generator(
    tape: Tape,
    latents: Handle,
    *,
    channels: int,
    side: int,
    classes: int,
    widths: Sequence[int],
    embedding: int,
    in_latent: bool,
    in_norm: bool,
    spectral_norm: bool,
) -> Handle:
    """Record ConditionalGenerator."""
    embedded = tape.embedding(classes, embedding)
    first = tape.cat(latents, embedded) if in_latent else latents
    images = tape.linear(first, widths[0] * side * side, spectral_norm=spectral_norm)
    images = tape.view(images, (widths[0], side, side))
    for index, width in enumerate(widths):
        if index:
            images = tape.conv_transpose(images, width, 4, stride=2, padding=1, bias=False, spectral_norm=spectral_norm)
        if in_norm:
            images = _conditional_norm(tape, images, embedded, spectral_norm)
        else:
            images = tape.batch_norm(images)
        images = tape.pointwise(images)
    return tape.pointwise(tape.conv(images, channels, 3, padding=1, spectral_norm=spectral_norm))


def projection_discriminator(
    tape: Tape, images: Handle, *, classes: int, stem: int, widths: Sequence[int], spectral_norm: bool
) -> Handle:
    """Record ProjectionDiscriminator."""
    images = tape.pointwise(tape.conv(images, stem, 3, padding=1, spectral_norm=spectral_norm))
    for width in widths:
        images = tape.pointwise(tape.conv(images, width, 4, stride=2, padding=1, spectral_norm=spectral_norm))
    features = tape.operation((widths[-1],), images)
    logit = tape.linear(features, 1, spectral_norm=spectral_norm)
    product = tape.pointwise(tape.embedding(classes, widths[-1], spectral_norm=spectral_norm), features)
    return tape.pointwise(logit, tape.operation((1,), product))


def _conditional_norm(tape: Tape, images: Handle, embedded: Handle, spectral_norm: bool) -> Handle:
    width = images.shape[0]
    scale = tape.linear(embedded, width, spectral_norm=spectral_norm)
    shift = tape.linear(embedded, width, spectral_norm=spectral_norm)
    normed = tape.batch_norm(images, affine=False)
    factor = tape.pointwise(tape.view(scale, (width, 1, 1)))
    return tape.pointwise(tape.view(shift, (width, 1, 1)), normed, factor)
