"""The layers of a network that was trained before, as an architecture."""

from __future__ import annotations

from typing import Annotated, Any

from zoo.api import Field, Shape, ZooError, load_spec


def architecture(
    input: Shape,
    output: Shape,
    /,
    *,
    source: Annotated[str, Field(description="A published entry, or the folder of a run.")],
    role: Annotated[str, Field(description="Which of its networks, where it has several.")] = "",
) -> Any:
    """Return the layers of a network that was trained before; `init: {trained: ...}` gives it its weights.

    Raises ValueError when there is no such network.
    """
    from zoo.api import source as find

    try:
        networks = load_spec(find(source).spec_path).networks
    except ZooError as error:
        raise ValueError(str(error)) from error
    if role not in networks and (role or len(networks) > 1):
        raise ValueError(f"{source} has the networks {', '.join(networks)}; wanted one of them as role")
    return networks[role or next(iter(networks))].architecture
