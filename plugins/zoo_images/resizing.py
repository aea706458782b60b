"""Progressive resizing: small images first, whole ones at the end."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from zoo.api import Field, Finding, Setting, ShapeError, Staged

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ANY_SIZE = "a network for images of any size, as one that ends in global_average_pool is"
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class ProgressiveResizing(Staged):
    """Train on smaller images first: a step costs what its pixels cost, and the last steps see them whole.

    The scale stays at `initial_scale` for the share `delay_fraction` of the steps, rises in a line, and is 1 for the
    last `finetune_fraction`. A network must take images of any size, as one that ends in a global pooling does; norms
    that keep running statistics see whole images last.

    Source: MosaicML's Composer, the method card of ProgressiveResizing; Howard 2018 (fast.ai's DAWNBench entry).
    """

    initial_scale: Annotated[float, Field(gt=0, le=1, description="Scale of both sides at the first step.")] = 0.5
    delay_fraction: Annotated[Share, Field(description="Share of the steps before the scale rises.")] = 0.5
    finetune_fraction: Annotated[Share, Field(description="Share of the steps, the last, at full size.")] = 0.2
    size_increment: Annotated[int, Field(ge=1, le=4096, description="Sizes are multiples of this many pixels.")] = 4

    def check(self, setting: Setting) -> Iterator[Finding]:
        if self.delay_fraction + self.finetune_fraction > 1:
            found = f"found shares of {self.delay_fraction} and {self.finetune_fraction} of the steps"
            yield Finding(found, "at most 1 together", "delay_fraction")
        channels, *sides = setting.info.image
        height, width = (self._size(self.initial_scale, side) for side in sides)
        small = f"found images of {width}x{height}"
        for role, (network, input) in setting.networks.items():
            if tuple(input) != tuple(setting.info.image):
                yield Finding(f"found a {role} that takes no images of the data", "networks that do")
                continue
            try:
                before, after = (
                    (network.shape(one), network.cost(one).parameters) for one in (input, (channels, height, width))
                )
            except ShapeError as error:
                yield Finding(f"{small}, which the {role} cannot take ({error})", ANY_SIZE)
                continue
            if before != after:
                yield Finding(f"{small}, for which the {role} would be another network", ANY_SIZE)

    def stage(self, progress: float, height: int, width: int) -> Hashable:
        """Return the (height, width) of the images at `progress`."""
        rising = 1 - self.finetune_fraction - self.delay_fraction
        risen = 1.0 if progress >= 1 - self.finetune_fraction else 0.0
        if not risen and rising > 0:
            risen = min(1.0, max(0.0, (progress - self.delay_fraction) / rising))
        scale = self.initial_scale + (1 - self.initial_scale) * risen
        return tuple(self._size(scale, side) for side in (height, width))

    def apply(self, images: Tensor, generator: torch.Generator, stage: Hashable) -> Tensor:
        from torch.nn import functional

        if stage == tuple(images.shape[2:]):
            return images
        # Antialiased: without it most pixels would be left out.
        return functional.interpolate(images, size=stage, mode="bilinear", antialias=True)  # type: ignore[arg-type]

    def _size(self, scale: float, side: int) -> int:
        """Return the multiple of `size_increment` below the scaled side, but one at least, and at most the side."""
        step = self.size_increment
        return side if scale == 1 else min(side, max(step, int(side * scale + 1e-6) // step * step))
