"""What `--set a.b.c=value` does: it lays a document with this one value over the spec."""

from __future__ import annotations

import re
from dataclasses import replace

from zoo.errors import Position, SpecError
from zoo.registry import FULL_NAME
from zoo.spec.document import DEPTH_LIMIT, BadValue, Node, kind
from zoo.spec.merge import Path, component, is_component_place, merge
from zoo.spec.reader import read_text


def override(document: Node, text: str) -> Node:
    """Return `document` with `text`, "a.b.c=value", applied; the value is YAML, a number steps into a list.

    Raises SpecError.
    """
    at = Position(f"--set {text}", 0, 0)
    path, equals, written = text.partition("=")
    path = path.strip()
    try:
        if not equals:
            raise BadValue("found no '='", "a.b.c=value")
        keys = tuple(path.split("."))
        if not all(keys):
            raise BadValue("found an empty name" if path else "found no name before '='", "a.b.c=value")
        if len(keys) > DEPTH_LIMIT:
            raise BadValue(f"found {len(keys)} names", f"at most {DEPTH_LIMIT}")
        if keys[0] == "extends":
            raise BadValue("found 'extends', which is read before --set", "another key")
        return _put(document, (), keys, _value(written, at))
    except BadValue as error:
        raise SpecError([error.problem(at, path if equals else "")]) from None


def _value(written: str, at: Position) -> Node:
    """Read a value as strict YAML; no text at all is null."""
    if re.search(r"(^|\s)#", written) and written.lstrip()[0] not in "'\"[{":
        raise BadValue("found '#', which begins a comment", "quotes around the value")
    try:
        value = read_text(written, at.file, "yaml") if written.strip() else Node(None, at)
    except SpecError as error:
        first = error.problems[0]
        raise BadValue(first.found, first.wanted, first.hint) from None
    return Node.of(value.data(), at, at)


def _put(node: Node, path: Path, keys: Path, value: Node) -> Node:
    """Return `node`, which stands at `path`, with `value` put where `keys` lead from there."""
    key, rest = keys[0], keys[1:]
    place = (*path, key)
    if node.is_list:
        items = list(node.value)
        if key not in map(str, range(len(items))):
            raise BadValue(f"found no item {key!r} among the {len(items)} of {'.'.join(path)}", "a number from 0 on")
        items[int(key)] = _put(items[int(key)], place, rest, value) if rest else replace(value, key_at=None)
        return replace(node, value=items)
    entered = _entered(node, path, key)
    if rest:
        inner = entered.get(key, Node({}, value.at, value.at))
        return replace(node, value={**entered, key: _put(inner, place, rest, value)})
    if any(is_component_place(path[:end]) for end in range(len(path))):
        return replace(node, value={**entered, key: value})
    return replace(node, value=merge(replace(node, value=entered), Node({key: value}, value.at), path).value)


def _entered(node: Node, path: Path, key: str) -> dict[str, Node]:
    """Return the entries of `node` as `key` steps into it; a component of another name gives way to `key`."""
    if node.value is None:
        return {}
    is_name = isinstance(node.value, str) and FULL_NAME.match(node.value)
    if (is_name or is_component_place(path)) and (found := component(node)):
        name, options = found
        return {key: options} if name == key else {}
    if node.is_mapping:
        return dict(node.value)
    raise BadValue(f"found {kind(node.value)} in {'.'.join(path)}", "a mapping or a list to step into")
