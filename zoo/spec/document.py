"""A document: plain data in which every value knows where it was written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import Position, Problem, ZooError

# Nesting is bounded where a document comes in, so that whatever walks it later may recurse.
DEPTH_LIMIT = 128


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a document with its place, and the place of its key if it stands in a mapping.

    `value` is a scalar (None, bool, int, float, str), a list of nodes, or a dict from str to nodes.
    """

    value: Any
    at: Position
    key_at: Position | None = None

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    def data(self) -> Any:
        """Return the value as plain Python data, without places."""
        if isinstance(self.value, dict):
            return {key: node.data() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.data() for node in self.value]
        return self.value

    def places(self, path: str = "") -> Iterator[tuple[str, Position]]:
        """Yield the dotted path of this value and of each value in it, with the place of its key, or its own."""
        yield path, self.key_at or self.at
        parts = self.value.items() if self.is_mapping else enumerate(self.value) if self.is_list else ()
        for key, item in parts:
            yield from item.places(join(path, key))

    @classmethod
    def of(cls, data: Any, at: Position, key_at: Position | None = None) -> Node:
        """Return `data` as a node that stands at `at` in all its parts."""
        kind = type(data)
        if kind is str or kind is int or kind is bool or kind is float or data is None:
            return cls(data, at, key_at)
        if kind is dict:
            return cls({str(key): cls.of(item, at, at) for key, item in data.items()}, at, key_at)
        if isinstance(data, Node):
            return data
        if isinstance(data, Mapping):
            return cls({str(key): cls.of(item, at, at) for key, item in data.items()}, at, key_at)
        if isinstance(data, (list, tuple)) or (isinstance(data, Sequence) and not isinstance(data, str)):
            return cls([cls.of(item, at) for item in data], at, key_at)
        return cls(data, at, key_at)


@dataclass(frozen=True, slots=True)
class Scoped(Node):
    """A part of a document whose expressions stay, with the variables that they may mention."""

    variables: Mapping[str, Any] = field(default_factory=dict)


class BadValue(ZooError):
    """A value that can stand nowhere; the caller, who knows its place, makes a Problem of it."""

    exit_code = 3

    def __init__(self, found: str, wanted: str = "", hint: str = "") -> None:
        self.found, self.wanted, self.hint = found, wanted, hint
        super().__init__("; ".join(part for part in (found, wanted and f"wanted {wanted}", hint) if part))

    def problem(self, at: Position | None, path: str) -> Problem:
        return Problem(at, path, self.found, self.wanted, self.hint)


def place(text: str, index: int, name: str) -> Position:
    """Return the place of the character `index` of `text`."""
    before = text[:index].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return Position(name, len(before), len(before[-1]) + 1)


def join(path: str, key: str | int) -> str:
    """Return the dotted path of `key` in the part of a document that stands at `path`."""
    return f"{path}.{key}" if path else str(key)


def kind(value: Any) -> str:
    """Name what `value` is, for a message: "a mapping", "a list", or a scalar itself, cut when it is long."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return shorten(repr(value) if value is not None and not isinstance(value, bool) else json.dumps(value))


def unseparated(value: Any) -> str:
    """Return a hint for text that was meant as a key with its value, such as "steps:5"; "" for what was not."""
    match = re.match(r"[a-z_]+:(?=\S)", value) if isinstance(value, str) else None
    return f"a key and its value have a blank between them: '{match[0]} {value[match.end() :]}'" if match else ""


def shorten(text: str, limit: int = 60) -> str:
    """Return `text`, cut to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 3] + "..."
