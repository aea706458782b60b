"""How a document is gone through: each text with the names that may wait for a shape where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from zoo.spec.document import Node, join
from zoo.spec.expression import splice
from zoo.spec.pending import bound_names

Waiting = frozenset[str] | None  # names that may stay without a value; None where there is no running shape
Change = Callable[[Node, str, Waiting], Node]


class Walk:
    """Goes through a part of a document with the names that may wait in each text of it.

    `change` is made to each text that holds `${`; `once` can keep what a node became.
    """

    def __init__(self, change: Change, once: Callable[[Node, Any, Callable[[], Node]], Node] | None = None) -> None:
        self._change = change
        self._once = once or (lambda node, where, make: make())

    def networks(self, node: Node, path: str, waiting: Waiting) -> Node:
        """Return the networks of a spec, where only architectures know the running shape."""
        if not node.is_mapping:
            return self.node(node, path, None)

        def changed() -> Node:
            roles = {role: self._network(one, join(path, role), waiting) for role, one in node.value.items()}
            return replace(node, value=roles)

        return self._once(node, "networks", changed)

    def _network(self, node: Node, path: str, waiting: Waiting) -> Node:
        if not node.is_mapping:
            return self.node(node, path, None)

        def changed() -> Node:
            parts = {
                key: self.node(one, join(path, key), waiting if key == "architecture" else None)
                for key, one in node.value.items()
            }
            return replace(node, value=parts)

        return self._once(node, "network", changed)

    def node(self, node: Node, path: str, waiting: Waiting, bound: frozenset[str] = frozenset()) -> Node:
        """Return a node with every text changed; `bound` are the names that its `layers` may mention besides."""
        return self._once(node, (waiting, bound), lambda: self._changed(node, path, waiting, bound))

    def _changed(self, node: Node, path: str, waiting: Waiting, bound: frozenset[str]) -> Node:
        if node.is_list:
            items: list[Node] = []
            for index, item in enumerate(node.value):
                found = self.node(item, join(path, index), waiting)
                spread = found.is_list and isinstance(item.value, str) and splice(item.value) is not None
                items += found.value if spread else [found]
            return replace(node, value=items)
        if not node.is_mapping:
            return self._change(node, path, waiting) if isinstance(node.value, str) and "${" in node.value else node
        changed = {}
        for key, item in node.value.items():
            inner = bound_names(key, item) if waiting is not None and len(node.value) == 1 else frozenset()
            here = waiting | bound if waiting is not None and key == "layers" else waiting
            changed[key] = self.node(item, join(path, key), here, inner)
        return replace(node, value=changed)


def mentions(node: Node, path: str, waiting: Waiting) -> Iterator[tuple[Node, str, Waiting]]:
    """Yield each text of a node that holds `${`, with its path and the names that may wait in it."""
    found: list[tuple[Node, str, Waiting]] = []

    def change(one: Node, place: str, names: Waiting) -> Node:
        found.append((one, place, names))
        return one

    Walk(change).node(node, path, waiting)
    yield from found
