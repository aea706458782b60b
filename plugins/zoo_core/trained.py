"""Networks that were trained before: their layers as an architecture, their weights as a beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from zoo.api import Field, RunError, Shape, load_spec

if TYPE_CHECKING:
    from torch import nn

SourceName = Annotated[str, Field(description="A published entry by its name, or a run by its folder or its spec.")]
Role = Annotated[str, Field(description='The network among several of the source; "": the only one.')]


def architecture(input: Shape, output: Shape, /, *, source: SourceName, role: Role = "") -> list[Any]:
    """Return the layers of a network that was trained before; `init: {trained: ...}` gives it its weights."""
    from zoo.api import source as find

    networks = load_spec(find(source).spec_path).networks
    return [networks[_role(source, role, networks)].architecture]


def initializer(network: nn.Module, /, *, source: SourceName, role: Role = "") -> None:
    """Take the weights of a network that was trained before, the averaged ones where there are any.

    Raises RunError when they are of another network.
    """
    from zoo.api import load

    networks = load(source, other_data=True).networks
    held = networks[_role(source, role, networks)].state_dict()
    own = network.state_dict()
    if [one.shape for one in own.values()] != [one.shape for one in held.values()]:
        raise RunError(f"{source}: its weights are those of another network; wanted `architecture: {{trained: ...}}`")
    for tensor, kept in zip(own.values(), held.values(), strict=True):
        tensor.copy_(kept)


def _role(source: str, role: str, networks: Any) -> str:
    if role in networks or (not role and len(networks) == 1):
        return role or next(iter(networks))
    found = f"no network {role!r}" if role else "several networks"
    raise RunError(f"{source}: found {found}; say with role which: it has {', '.join(networks)}")
