"""Spectral norm: a layer around a layer with a weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.api import Cost, Layer, LayerOption, Shape, ShapeError, elements
from zoo_torch.conditioning import Embedding
from zoo_torch.layers import Conv, ConvTranspose, Linear

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class SpectralNorm(Layer):
    """A convolution, linear layer or embedding whose weight is divided by its largest singular value.

    The value is estimated by one power iteration in each training step; torch.nn.utils.parametrizations.spectral_norm.

    Source: Miyato et al. 2018, arXiv:1802.05957.
    """

    layer: LayerOption

    def _inside(self, input: Shape) -> Any:
        """Return the layer with the weight."""
        layer = self.layer.inner(input)
        if not isinstance(layer, (Conv, ConvTranspose, Linear, Embedding)):
            raise ShapeError(
                f"spectral_norm: {layer.label} is none of the layers with one weight that it can take; "
                "wanted conv, conv_transpose, linear or embedding"
            )
        return layer

    def _weight(self, input: Shape) -> tuple[int, int]:
        """Return rows and columns of the weight as a matrix of one row for each channel that comes out."""
        layer = self._inside(input)
        channels = layer.shape(input)[0]
        if isinstance(layer, Embedding):
            return layer.classes, channels
        weights = layer.cost(input).parameters - layer.bias * channels
        rows = channels // layer.groups if isinstance(layer, ConvTranspose) else channels
        return rows, weights // rows

    def shape(self, input: Shape, /) -> Shape:
        self._weight(input)
        output: Shape = self.layer.shape(input)
        return output

    def cost(self, input: Shape, /) -> Cost:
        rows, columns = self._weight(input)
        inner: Cost = self.layer.cost(input)
        # To find the value, torch copies both vectors, and a weight whose rows do not lie in order; then the divided
        # weight is a tensor of its own while the layer runs.
        turned = isinstance(self._inside(input), ConvTranspose) and rows > 1 and input[0] > 1 and columns > input[0]
        copied = rows * columns * turned
        reads = elements(input) if input else 0
        estimate = reads + copied + 2 * rows + columns
        peak = max(estimate, inner.peak + rows * columns)
        return inner._replace(
            buffers=inner.buffers + rows + columns, tensors=inner.tensors + 2, peak=peak, held_peak=peak
        )

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        inner = self.layer.weights(input)
        weight: Shape = inner.pop("weight")
        return {**inner, "parametrizations.weight.original": weight}

    def module(self, input: Shape, /) -> nn.Module:
        from torch.nn.utils.parametrizations import spectral_norm

        self._weight(input)
        return spectral_norm(self.layer.module(input))
