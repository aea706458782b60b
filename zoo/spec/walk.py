"""How a document is gone through: each text with the names that may wait for a shape where it stands."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
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
            return Node(roles, node.at, node.key_at)

        return self._once(node, "networks", changed)

    def _network(self, node: Node, path: str, waiting: Waiting) -> Node:
        if not node.is_mapping:
            return self.node(node, path, None)

        def changed() -> Node:
            parts = {
                key: self.node(one, join(path, key), waiting if key == "architecture" else None)
                for key, one in node.value.items()
            }
            return Node(parts, node.at, node.key_at)

        return self._once(node, "network", changed)

    def node(self, node: Node, path: str, waiting: Waiting, bound: frozenset[str] = frozenset()) -> Node:
        """Return a node with every text changed, itself where none is; `bound` are the names that its `layers` may
        mention besides.
        """
        if _holds_nothing(node):
            return node
        return self._once(node, (waiting, bound), lambda: self._changed(node, path, waiting, bound))

    def _changed(self, node: Node, path: str, waiting: Waiting, bound: frozenset[str]) -> Node:
        if isinstance(node.value, str):
            return self._change(node, path, waiting)
        if node.is_list:
            items: list[Node] = []
            for index, item in enumerate(node.value):
                found = item if _holds_nothing(item) else self.node(item, join(path, index), waiting)
                spread = isinstance(item.value, str) and found.is_list and splice(item.value) is not None
                items += found.value if spread else [found]
            same = len(items) == len(node.value) and all(map(operator.is_, items, node.value))
            return node if same else Node(items, node.at, node.key_at)
        changed = {}
        for key, item in node.value.items():
            if not _holds_nothing(item):
                inner = bound_names(key, item) if waiting is not None and len(node.value) == 1 else frozenset()
                here = waiting | bound if waiting is not None and key == "layers" else waiting
                found = self.node(item, join(path, key), here, inner)
                if found is not item:
                    changed[key] = found
        return Node({**node.value, **changed}, node.at, node.key_at) if changed else node


def _holds_nothing(node: Node) -> bool:
    """Whether a value is a scalar without `${`."""
    value = node.value
    return "${" not in value if isinstance(value, str) else not isinstance(value, (dict, list))


def mentions(node: Node, path: str, waiting: Waiting) -> Iterator[tuple[Node, str, Waiting]]:
    """Yield each text of a node that holds `${`, with its path and the names that may wait in it."""
    found: list[tuple[Node, str, Waiting]] = []

    def change(one: Node, place: str, names: Waiting) -> Node:
        found.append((one, place, names))
        return one

    Walk(change).node(node, path, waiting)
    yield from found
