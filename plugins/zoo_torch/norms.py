"""torch's norms. Names and defaults are torch's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from zoo.api import Cost, Field, Finding, Layer, Setting, Shape, ShapeError, batch_of_one, elements, spatial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

Epsilon = Annotated[float, Field(gt=0, description="Added to the variance.")]
Affine = Annotated[bool, Field(description="With a learned scale and shift.")]


@dataclass(frozen=True, kw_only=True)
class BatchNorm(Layer):
    """Normalise each channel over the batch; torch.nn.BatchNorm1d, BatchNorm2d or BatchNorm3d, as the shape is.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167.
    """

    normalizes: ClassVar[bool] = True
    momentum: Annotated[float, Field(ge=0, le=1)] = 0.1
    eps: Epsilon = 1e-5
    affine: Affine = True

    def shape(self, input: Shape, /) -> Shape:
        if not 1 <= len(input) <= 4:
            raise ShapeError(
                "batch_norm takes a vector, a sequence, an image or a volume, channels first, but the shape here is "
                f"{tuple(input)}"
            )
        return input

    def cost(self, input: Shape, /) -> Cost:
        channels = self.shape(input)[0]
        return Cost.operation(
            input,
            input,
            parameters=2 * channels * self.affine,
            # Running mean and variance, and the count of batches.
            buffers=2 * channels + 1,
            tensors=3 + 2 * self.affine,
        )

    def centers(self, input: Shape, /) -> bool:
        return True

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        return _affine(input[:1]) if self.affine else {}

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        yield from batch_of_one(setting.input, setting, self.label)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        kind = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[len(self.shape(input)) - 1]
        return kind(input[0], self.eps, self.momentum, self.affine)


@dataclass(frozen=True, kw_only=True)
class GroupNorm(Layer):
    """Normalise groups of channels of each image; torch.nn.GroupNorm. Source: Wu and He 2018, arXiv:1803.08494."""

    normalizes: ClassVar[bool] = True
    groups: Annotated[int, Field(ge=1)] = 8
    eps: Epsilon = 1e-5
    affine: Affine = True

    def shape(self, input: Shape, /) -> Shape:
        if input[0] % self.groups:
            raise ShapeError(f"group_norm: groups {self.groups} does not divide {input[0]} channels")
        if elements(input) == self.groups:
            raise ShapeError(f"group_norm: groups {self.groups} leaves one value in each group of {tuple(input)}")
        return input

    def cost(self, input: Shape, /) -> Cost:
        channels = self.shape(input)[0]
        return Cost.operation(input, input, parameters=2 * channels * self.affine, tensors=2 * self.affine)

    def centers(self, input: Shape, /) -> bool:
        return self.groups == input[0]

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        return _affine(input[:1]) if self.affine else {}

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        return nn.GroupNorm(self.groups, self.shape(input)[0], self.eps, self.affine)


@dataclass(frozen=True, kw_only=True)
class InstanceNorm(Layer):
    """Normalise each channel of each image; torch.nn.InstanceNorm1d, InstanceNorm2d or InstanceNorm3d."""

    normalizes: ClassVar[bool] = True
    eps: Epsilon = 1e-5
    affine: Affine = False

    def shape(self, input: Shape, /) -> Shape:
        if elements(spatial(input, "instance_norm")) == input[0]:
            raise ShapeError("instance_norm needs more than one pixel in a channel; here is one")
        return input

    def cost(self, input: Shape, /) -> Cost:
        weights = 2 * self.shape(input)[0] * self.affine
        cost = Cost.operation(input, input, parameters=weights, tensors=2 * self.affine)
        # torch repeats scale and shift for each image of the batch.
        return cost._replace(peak=cost.peak + weights, held_peak=cost.held_peak + weights)

    def centers(self, input: Shape, /) -> bool:
        return True

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        return _affine(input[:1]) if self.affine else {}

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        kind = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)[len(self.shape(input)) - 2]
        return kind(input[0], self.eps, affine=self.affine)


@dataclass(frozen=True, kw_only=True)
class LocalResponseNorm(Layer):
    """Divide by (k + alpha times the mean square of `size` channels around)^beta; torch.nn.LocalResponseNorm.

    Source: Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks", section 3.3.
    """

    normalizes: ClassVar[bool] = True
    size: Annotated[int, Field(ge=1, le=2**20, description="Channels that are looked at, the own one among them.")] = 5
    alpha: Annotated[float, Field(ge=0, description="What their mean square is multiplied by.")] = 1e-4
    beta: Annotated[float, Field(description="The power that is divided by.")] = 0.75
    k: Annotated[float, Field(gt=0, description="Added to the mean square.")] = 1.0

    def shape(self, input: Shape, /) -> Shape:
        return spatial(input, "local_response_norm")

    def cost(self, input: Shape, /) -> Cost:
        # Beside the input, torch holds the squares, and these again with zeros around the channels.
        channels, size = self.shape(input)[0], elements(input)
        peak = 2 * size + size // channels * (channels + self.size - 1)
        return Cost(peak=peak, held_peak=peak)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        return nn.LocalResponseNorm(self.size, self.alpha, self.beta, self.k)


@dataclass(frozen=True, kw_only=True)
class LayerNorm(Layer):
    """Normalise all values of each image or vector together; torch.nn.LayerNorm over its whole shape.

    Over the channels, each pixel is normalised by itself, as in vision transformers and ConvNeXt, and scale and shift
    are one for each channel. For vectors both are the same.

    Source: Ba et al. 2016, arXiv:1607.06450; over the channels Liu et al. 2022, arXiv:2201.03545, section 2.6.
    """

    normalizes: ClassVar[bool] = True
    eps: Epsilon = 1e-5
    affine: Affine = True
    over: Annotated[
        Literal["all", "channels"],
        Field(description="all: the values of an image together; channels: those of each pixel by itself."),
    ] = "all"

    def _by_pixel(self, input: Shape) -> bool:
        return self.over == "channels" and len(input) > 1

    def cost(self, input: Shape, /) -> Cost:
        weights = input[0] if self._by_pixel(input) else elements(input)
        cost = Cost.operation(input, input, parameters=2 * weights * self.affine, tensors=2 * self.affine)
        # torch normalises the last dimension; bringing the channels back in front of the pixels is a second tensor.
        return cost._replace(held_peak=cost.held_peak + elements(input) * self._by_pixel(input))

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        return _affine(input[:1] if self._by_pixel(input) else input) if self.affine else {}

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        input = setting.input
        if (input[0] if self._by_pixel(input) else elements(input)) == 1:
            yield Finding("found layer_norm over one value, of which nothing is left", "more channels", warning=True)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        from zoo_torch.modules.norms import ChannelLayerNorm

        if self._by_pixel(input):
            return ChannelLayerNorm(input[0], self.eps, self.affine)
        return nn.LayerNorm(input, self.eps, self.affine)


@dataclass(frozen=True, kw_only=True)
class RMSNorm(Layer):
    """Divide the channels of each pixel, or the features of a vector, by the root of their mean square.

    torch.nn.RMSNorm over the channels; its eps is the machine's epsilon unless told, here that of the other norms.

    Source: Zhang and Sennrich 2019, arXiv:1910.07467.
    """

    normalizes: ClassVar[bool] = True
    eps: Annotated[float, Field(gt=0, description="Added to the mean square.")] = 1e-5
    affine: Annotated[bool, Field(description="With a learned scale for each channel.")] = True

    def cost(self, input: Shape, /) -> Cost:
        channels, size = input[0], elements(input)
        cost = Cost.operation(input, input, parameters=channels * self.affine, tensors=int(self.affine))
        # The squares, or the divided values, stand beside the input and one number for each pixel.
        peak = cost.peak + size // channels
        return cost._replace(peak=peak, held_peak=cost.held_peak + size if self.affine else peak)

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        return {"weight": input[:1]} if self.affine else {}

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        if setting.input[0] == 1:
            yield Finding("found rms_norm over one channel, which leaves its sign", "more channels", warning=True)

    def module(self, input: Shape, /) -> nn.Module:
        from zoo_torch.modules.norms import RMSNorm as Module

        return Module(input[0], self.eps, self.affine)


@dataclass(frozen=True, kw_only=True)
class NoNorm(Layer):
    """Hands its input on, where a norm is asked for."""

    def cost(self, input: Shape, /) -> Cost:
        return Cost.view(input)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        return nn.Identity()


def _affine(shape: Shape) -> dict[str, Shape]:
    """Return the shapes of scale and shift."""
    return {"weight": tuple(shape), "bias": tuple(shape)}
