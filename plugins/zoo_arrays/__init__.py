"""Built-in plugin: data sets of arrays and tables, and such as are drawn or made of others."""

from __future__ import annotations

from collections.abc import Iterator

from zoo import Component, hookimpl

FRIEDMAN = "Friedman 1991, Multivariate Adaptive Regression Splines, section 4.3"


@hookimpl
def zoo_components() -> Iterator[Component]:
    """Return the data sets."""
    for name, target, summary, source in (
        ("arrays", "Arrays", "Your own tables and arrays, brought in with `zoo data add NAME --from FILE`.", ""),
        ("friedman", "Friedman", "Drawn vectors of 10 features, and a number that five of them decide.", FRIEDMAN),
        ("with_superclasses", "WithSuperclasses", "Another set, each item with its class and its superclass.", ""),
    ):
        yield Component("dataset", name, f"zoo_arrays.datasets:{target}", summary, source)
