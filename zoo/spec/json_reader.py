"""Strict JSON with places: the same nodes and the same messages as for YAML."""

from __future__ import annotations

import re
from bisect import bisect_right
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NoReturn

from zoo.errors import Position, Problem, SpecError
from zoo.spec.document import DEPTH_LIMIT, BadValue, Node, join, shorten
from zoo.spec.scalars import integer, real, string

_WORD = re.compile(r"[-+.\w]+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"null": None, "true": True, "false": False}
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")


def read_json(text: str, name: str) -> Node:
    """Read the JSON document `text`. Raises SpecError with all problems."""
    reader = _JsonReader(text, name)
    try:
        document = reader.document()
    except _Stop:
        document = None
    if reader.problems or document is None:
        raise SpecError(reader.problems)
    return document


class _Stop(Exception):
    """The rest of the document cannot be read; the problem is already noted."""


class _JsonReader:
    """Reads one document from left to right; `index` is the place of the next character."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.index = 0
        self.problems: list[Problem] = []
        self._line_starts = [0, *(match.end() for match in re.finditer(r"\r\n?|\n", text))]

    def document(self) -> Node:
        if not self._peek():
            self._stop(0, "found an empty document", "a spec")
        node = self._node("", 1)
        if self._peek():
            self._stop(self.index, f"found {self._show()} after the end", "one spec in each file")
        return node

    def _node(self, path: str, depth: int, key_at: Position | None = None) -> Node:
        character = self._peek()
        start = self.index
        at = self._at(start)
        if depth > DEPTH_LIMIT:
            self._stop(start, f"found more than {DEPTH_LIMIT} levels, one inside the other", "fewer levels")
        if character == "{":
            return Node(self._mapping(path, depth), at, key_at)
        if character == "[":
            return Node(self._list(path, depth), at, key_at)
        try:
            return Node(self._scalar(character), at, key_at)
        except BadValue as error:
            self.problems.append(error.problem(at, path))
            return Node(None, at, key_at)

    def _mapping(self, path: str, depth: int) -> dict[str, Node]:
        items: dict[str, Node] = {}
        start = self.index
        self.index += 1
        while self._more(start, "}", first=not items):
            if self._peek() != '"':
                self._stop(self.index, f"found {self._show()}", "a key in double quotes")
            key_at = self._at(self.index)
            key = self._string()
            place = join(path, key)
            if self._peek() != ":":
                self._stop(self.index, f"found {self._show()} after a key", "':'")
            self.index += 1
            node = self._node(place, depth + 1, key_at)
            if key in items:
                first = items[key].key_at
                hint = f"the first stands in line {first.line}" if first else ""
                found = f"found the key {shorten(key)!r} twice"
                self.problems.append(Problem(key_at, place, found, "each key once", hint))
            else:
                items[key] = node
        return items

    def _list(self, path: str, depth: int) -> list[Node]:
        items: list[Node] = []
        start = self.index
        self.index += 1
        while self._more(start, "]", first=not items):
            items.append(self._node(join(path, len(items)), depth + 1))
        return items

    def _more(self, start: int, closing: str, *, first: bool) -> bool:
        """Step over the closing bracket (False), or over the comma before the next item (True)."""
        character = self._peek()
        if character == closing:
            self.index += 1
            return False
        if first and character:
            return True
        if not character:
            what = "a list '['" if closing == "]" else "a mapping '{'"
            self._stop(start, f"found {what} that is not closed", f"',' or {closing!r} after each value")
        if character != ",":
            self._stop(self.index, f"found {self._show()} after a value", f"',' or {closing!r}")
        comma = self.index
        self.index += 1
        if self._peek() == closing:
            self._stop(comma, f"found ',' before {closing!r}", "no comma after the last value")
        return True

    def _scalar(self, first: str) -> Any:
        if first == '"':
            return string(self._string())
        match = _WORD.match(self.text, self.index)
        word = match[0] if match else ""
        if word in _WORDS:
            self.index += len(word)
            return _WORDS[word]
        if word in _NOT_FINITE:
            self.index += len(word)
            raise BadValue(f"found {word}", "a finite number")
        number = _NUMBER.fullmatch(word)
        if number is None:
            self._stop(self.index, f"found {self._show()}", "a value: text stands in double quotes")
        self.index += len(word)
        return real(word) if number[1] or number[2] else integer(word)

    def _string(self) -> str:
        try:
            text, self.index = scanstring(self.text, self.index + 1, True)
        except JSONDecodeError as error:
            if error.msg.startswith("Unterminated"):
                self._stop(error.pos, "found a quote that is not closed", "the same quote at the end")
            if "control character" in error.msg:
                self._stop(error.pos, "found a control character in a text", "an escape such as \\n")
            self._stop(error.pos, "found an escape that JSON has not", "\\\\ for a backslash")
        return text

    def _peek(self) -> str:
        """Return the next character that is no space, or "" at the end."""
        character = self.text[self.index : self.index + 1]
        while character and character in " \t\r\n":
            self.index += 1
            character = self.text[self.index : self.index + 1]
        return character

    def _show(self) -> str:
        character = self._peek()
        if not character:
            return "the end of the file"
        if self.text.startswith(("//", "/*", "#"), self.index):
            return "a comment, which JSON has not"
        match = _WORD.match(self.text, self.index)
        return repr(shorten(match[0] if match else character))

    def _at(self, index: int) -> Position:
        line = bisect_right(self._line_starts, index)
        return Position(self.name, line, index - self._line_starts[line - 1] + 1)

    def _stop(self, index: int, found: str, wanted: str) -> NoReturn:
        self.problems.append(Problem(self._at(index), "", found, wanted))
        raise _Stop
