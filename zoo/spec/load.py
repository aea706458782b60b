"""From a file, a shipped name or a mapping to a Spec, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.registry import Registry
from zoo.spec import shipped
from zoo.spec.compose import compose
from zoo.spec.resolve import Resolver
from zoo.spec.schema import Spec


def load_spec(
    source: str | Path | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    registry: Registry,
    folders: Sequence[Path] = (),
) -> Spec:
    """Return the resolved spec. `folders` are searched for shipped names, beside those that Zoo ships.

    Raises SpecError with all problems.
    """
    document = compose(
        source,
        overrides=overrides,
        find=lambda name: shipped.find(name, folders),
        names=lambda: shipped.names(folders),
    )
    return Resolver(registry).spec(document)
