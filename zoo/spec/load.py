"""From a file, a shipped name or a mapping to a Spec, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import Problem, SpecError
from zoo.registry import Registry
from zoo.spec import shipped
from zoo.spec.compose import compose
from zoo.spec.document import Node
from zoo.spec.resolve import Resolver
from zoo.spec.schema import Spec
from zoo.spec.variables import substitute


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
    return Resolver(registry).spec(substitute(load_document(source, overrides=overrides, folders=folders)))


def load_document(
    source: str | Path | Mapping[str, Any], *, overrides: Sequence[str] = (), folders: Sequence[Path] = ()
) -> Node:
    """Return the document of a spec with what it extends and what is overridden, its variables as they are."""
    document = compose(
        source,
        overrides=overrides,
        find=lambda name: shipped.find(name, folders),
        names=lambda: shipped.names(folders),
    )
    if "challenge" in document.value and "zoo" not in document.value:
        hint = "`zoo check --challenge FILE SUBMISSION` judges a submission by it"
        raise SpecError([Problem(document.at, "", "found a challenge", "a spec", hint)])
    return document
