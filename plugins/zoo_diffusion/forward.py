"""The U-Net's forward pass on a tape, line by line with its torch module: what it costs, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from zoo.api import Handle, Tape, elements

FREQUENCIES = 16


def unet(
    tape: Tape,
    images: Handle,
    *,
    given: int,
    classes: int,
    widths: Sequence[int],
    blocks: int,
    expansion: int,
    kernel: int,
    groups: int,
    embedding: int,
    heads: int,
) -> Handle:
    """Record UNet."""
    angles = tape.operation((FREQUENCIES,), buffers=FREQUENCIES)
    embedded = tape.cat(tape.pointwise(angles), tape.pointwise(angles))
    embedded = tape.linear(tape.pointwise(tape.linear(embedded, embedding)), embedding)
    if classes:
        embedded = tape.pointwise(embedded, tape.embedding(classes, embedding))
    embedded = tape.pointwise(embedded)
    block = partial(_block, tape, embedded=embedded, expansion=expansion, kernel=kernel, groups=groups)
    images = tape.conv(images, widths[0], 3, padding=1)
    kept = []
    for level, width in enumerate(widths):
        if level:
            channels, height, across = images.shape
            images = tape.conv(tape.operation((channels, height // 2, across // 2), images), width, 1)
        for _ in range(blocks):
            images = block(images)
        kept.append(images)
    if heads:
        images = _attention(tape, images, heads=heads, groups=groups)
    for width, skipped in reversed([*zip(widths[:-1], kept, strict=False)]):
        images = tape.operation(skipped.shape, tape.conv(images, width, 1))
        images = tape.conv(tape.cat(images, skipped), width, 1)
        for _ in range(blocks):
            images = block(images)
    images = tape.pointwise(tape.group_norm(images, groups))
    return tape.conv(images, given, 3, padding=1)


def _block(tape: Tape, images: Handle, *, embedded: Handle, expansion: int, kernel: int, groups: int) -> Handle:
    width = images.shape[0]
    modulation = tape.linear(embedded, 2 * width)
    scale = shift = tape.view(modulation, (width, 1, 1))  # the halves of one tensor
    inner = tape.conv(tape.group_norm(images, groups), width, kernel, padding=kernel // 2, groups=width)
    inner = tape.pointwise(shift, inner, tape.pointwise(scale))
    inner = tape.pointwise(tape.conv(inner, expansion * width, 1))
    return tape.pointwise(images, tape.conv(inner, width, 1))


def _attention(tape: Tape, images: Handle, *, heads: int, groups: int) -> Handle:
    width, pixels = images.shape[0], elements(images.shape[1:])
    mixed = tape.conv(tape.group_norm(images, groups), 3 * width, 1)
    query = key = value = tape.view(mixed, (heads, pixels, width // heads))  # the thirds of one tensor
    # torch copies what was seen into the order of an image; far more than that is held when `mixed` is written.
    seen = tape.view(tape.attention(query, key, value), images.shape)
    return tape.pointwise(images, tape.conv(seen, width, 1))
