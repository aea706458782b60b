"""How one document is laid over another: what `extends` does with files, `--set` does with single values."""

from __future__ import annotations

from dataclasses import replace

from zoo.spec.document import Node

Path = tuple[str, ...]

#: Where a component stands; "*" is any one name.
COMPONENT_PATHS: tuple[Path, ...] = (
    ("task",),
    ("data",),
    ("loss",),
    ("networks", "*", "architecture"),
    ("networks", "*", "init"),
    ("networks", "*", "optimizer"),
    ("networks", "*", "schedule"),
)


def is_component_place(path: Path) -> bool:
    """Whether a component, a name with or without options, stands at `path`."""
    return any(
        len(path) == len(pattern) and all(want in ("*", part) for want, part in zip(pattern, path, strict=True))
        for pattern in COMPONENT_PATHS
    )


def merge(parent: Node, child: Node, path: Path = ()) -> Node:
    """Return `parent` with `child` laid over it.

    - Mappings merge key by key; `null` in the child removes the key.
    - Lists and scalars are replaced whole, and so is a block: its parameters belong to its layers.
    - A component of the same name takes over the parent's options, each replaced whole by the child's, where
      `null` is a value like any other; a component of another name replaces the parent's.
    """
    if is_component_place(path):
        return _merge_component(parent, child)
    if not (parent.is_mapping and child.is_mapping) or (len(path) == 2 and path[0] == "blocks"):
        return child
    items = dict(parent.value)
    for key, node in child.value.items():
        if node.value is None:
            items.pop(key, None)
        elif key in items:
            items[key] = replace(merge(items[key], node, (*path, key)), key_at=node.key_at)
        else:
            items[key] = node
    return replace(child, value=items)


def component(node: Node) -> tuple[str, Node] | None:
    """Return a component's name and options (an empty mapping for none); None if it is no component."""
    if isinstance(node.value, str):
        return node.value, Node({}, node.at, node.at)
    if node.is_mapping and len(node.value) == 1:
        ((name, options),) = node.value.items()
        return name, replace(options, value={}) if options.value is None else options
    return None


def _merge_component(parent: Node, child: Node) -> Node:
    old, new = component(parent), component(child)
    if old is None or new is None or old[0] != new[0]:
        return child
    name, options = new
    if not (old[1].is_mapping and options.is_mapping):
        return child
    return replace(child, value={name: replace(options, value={**old[1].value, **options.value})})
