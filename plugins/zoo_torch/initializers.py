"""What weights begin with: functions that fill a module's weights in place, from torch's random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from zoo.api import Field, RunError, innermost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn


def default(network: nn.Module, /) -> None:
    """Leave the weights as torch's layers begin with them."""


def normal(
    network: nn.Module, /, *, std: Annotated[float, Field(gt=0, description="Standard deviation.")] = 0.02
) -> None:
    """Draw weights from N(0, std), scales of norms from N(1, std); set biases to zero.

    Source: Radford et al. 2015, arXiv:1511.06434, section 4; scales as in its authors' code.
    """
    from torch import nn

    for weight, bias in _weights(network):
        nn.init.normal_(weight, 1.0 if weight.dim() == 1 else 0.0, std)
        if bias is not None:
            nn.init.zeros_(bias)


def orthogonal(
    network: nn.Module, /, *, gain: Annotated[float, Field(gt=0, description="Factor on every matrix.")] = 1.0
) -> None:
    """Make each weight, as a matrix with a row for each index of its first dimension, orthogonal; biases become zero.

    Source: Saxe et al. 2013, arXiv:1312.6120; for generators Brock et al. 2018, arXiv:1809.11096.
    """
    from torch import nn

    for weight, bias in _weights(network):
        if weight.dim() > 1:
            nn.init.orthogonal_(weight, gain)
            if bias is not None:
                nn.init.zeros_(bias)


def trained(
    network: nn.Module,
    /,
    *,
    source: Annotated[str, Field(description="A published entry, or the folder of a run.")],
    role: Annotated[str, Field(description="Which of its networks, where it has several.")] = "",
    without: Annotated[
        list[str], Field(description="Names of weights, or of parts that hold some, that begin as they would by torch.")
    ] = [],  # noqa: B006
) -> dict[str, Any]:
    """Begin with the weights of a network that was trained before, by their names, statistics of norms included.

    What it is, and what it had seen, stands in the run and in the certificate. Raises RunError when the names or
    shapes are others.
    """
    from zoo.api import load

    found = load(source)
    if role not in found.networks and (role or len(found.networks) > 1):
        raise RunError(f"init: {source} has the networks {', '.join(found.networks)}; wanted one of them as role")
    role = role or next(iter(found.networks))
    theirs, own = (one.state_dict() for one in (found.networks[role], network))
    chosen = [name for name in {**theirs, **own} if innermost(name, without) is None]
    for name in chosen:
        shapes = [tuple(one[name].shape) if name in one else "none" for one in (theirs, own)]
        if shapes[0] != shapes[1]:
            part = name.rpartition(".")[0] or name
            raise RunError(
                f"init: {name} is {shapes[0]} in the {role} of {source} and {shapes[1]} in this network; where that is "
                f"meant, without: [{part}] lets it begin anew"
            )
    for name in chosen:
        own[name].copy_(theirs[name])
    return found.origin(role) | {"taken": len(chosen), "left": list(without)}


def _weights(network: nn.Module) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield the weight and the bias of each layer; of a weight that is computed, what it is computed from."""
    from torch import nn

    for module in network.modules():
        if isinstance(module, nn.PReLU):  # a slope is no weight
            continue
        held = module._parameters
        if isinstance(module, nn.RNNBase):
            names = [name for name in held if name.startswith("weight")]
            yield from ((held[name], held.get(name.replace("weight", "bias"))) for name in names)  # type: ignore[misc]
            continue
        if "parametrizations" in module._modules:
            held = held | {name: one.original for name, one in module.parametrizations.items()}  # type: ignore[union-attr,operator]
        weight = held.get("weight")
        if weight is not None:
            yield weight, held.get("bias")
