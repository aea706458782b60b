"""Strict YAML 1.2: nodes composed from the parser's events, so that each of our rules knows line and column.

Imports ruamel.yaml, and is itself imported when the first YAML text is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

from zoo.errors import Position, Problem, SpecError
from zoo.spec.document import DEPTH_LIMIT, BadValue, Node, join, kind, place, shorten
from zoo.spec.scalars import plain, string
from zoo.spec.yaml_scanner import TOO_DEEP, TabScanner

NODE_LIMIT = 20_000  # which take a second to read; a spec has hundreds


def read_yaml(text: str, name: str, last: str | None = None) -> Node:
    """Read the one YAML document in `text`, or its top mapping up to the key `last`.

    Raises SpecError with all problems.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = TabScanner
    composer = _Composer(name, yaml.parse(text), last)
    try:
        document = composer.document()
    except _Stop:
        document = None
    except MarkedYAMLError as error:
        composer.problems.append(_syntax_problem(error, text, name))
    except ReaderError as error:
        found = f"found the character U+{error.character:04X}"
        composer.problems.append(Problem(place(text, error.position, name), "", found, "printable text"))
    except (ValueError, OverflowError):
        # The parser turns an escape such as \UFFFFFFFF into a character without looking at its number.
        escape = re.search(r"\\U(?!000|0010)[0-9a-fA-F]{8}", text)
        at = place(text, escape.start() if escape else 0, name)
        found = f"found the escape '{escape[0] if escape else 'U'}'"
        composer.problems.append(Problem(at, "", found, "a character up to U+10FFFF"))
    if composer.problems or document is None:
        raise SpecError(composer.problems)
    return document


class _Stop(Exception):
    """The rest of the document cannot be read; the problem is already noted."""


class _Anchored(NamedTuple):
    node: Node
    nodes: int
    levels: int


class _Composer:
    """Composes nodes from events.

    Nodes and levels are counted through aliases, because that is how the document is walked later.
    """

    def __init__(self, name: str, events: Iterator[Any], last_key: str | None) -> None:
        self.name = name
        self.events = events
        self.last_key = last_key
        self.problems: list[Problem] = []
        self.last = Position(name, 1, 1)  # where the latest event begins
        self._anchors: dict[str, _Anchored | None] = {}
        self._nodes = 0

    def document(self) -> Node:
        top = Position(self.name, 1, 1)
        self._next()
        start = self._next()
        if isinstance(start, StreamEndEvent):
            self._stop(top, "found an empty document", "a spec")
        if start.version is not None and tuple(start.version) != (1, 2):
            self._report(top, "", "found a %YAML directive for another version", "YAML 1.2")
        root = self._next()
        if _is_empty(root):
            self._stop(top, "found an empty document", "a spec")
        node, _ = self._node(root, "", 1)
        if self.last_key is not None:
            return node
        self._next()
        after = self._next()
        if isinstance(after, DocumentStartEvent):
            self._report(self.last, "", "found a second document", "one spec in each file")
        return node

    def _node(self, event: Any, path: str, depth: int, empty_at: Position | None = None) -> tuple[Node, int]:
        """Compose the node that begins with `event`; return it with the levels that it spans."""
        at = empty_at if empty_at and _is_empty(event) else self.last
        if isinstance(event, AliasEvent):
            return self._alias(event.anchor, at, path, depth)
        if event.ctag is not None:
            tag = str(event.ctag).replace("tag:yaml.org,2002:", "!!")
            self._report(at, path, f"found the tag {shorten(tag)!r}", "plain data, without tags")
        before = self._nodes
        self._count(1, depth, at, path)
        if event.anchor:
            self._anchors[event.anchor] = None
        value, levels = self._value(event, at, path, depth)
        node = Node(value, at)
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(node, self._nodes - before, levels)
        return node, levels

    def _value(self, event: Any, at: Position, path: str, depth: int) -> tuple[Any, int]:
        if isinstance(event, SequenceStartEvent):
            return self._list(path, depth)
        if isinstance(event, MappingStartEvent):
            return self._mapping(path, depth)
        try:
            return (plain(event.value) if event.implicit[0] else string(event.value)), 1
        except BadValue as error:
            self.problems.append(error.problem(at, path))
            return event.value, 1

    def _list(self, path: str, depth: int) -> tuple[list[Node], int]:
        items: list[Node] = []
        deepest = 0
        while not isinstance(event := self._next(), SequenceEndEvent):
            node, levels = self._node(event, join(path, len(items)), depth + 1)
            items.append(node)
            deepest = max(deepest, levels)
        return items, deepest + 1

    def _mapping(self, path: str, depth: int) -> tuple[dict[str, Node], int]:
        items: dict[str, Node] = {}
        deepest = 0
        while not isinstance(event := self._next(), MappingEndEvent):
            key_at = self.last
            key = self._key(event, key_at, path, depth)
            place = join(path, key) if isinstance(key, str) else path
            node, levels = self._node(self._next(), place, depth + 1, empty_at=key_at)
            deepest = max(deepest, levels)
            if not isinstance(key, str):
                continue
            if key in items:
                first = items[key].key_at
                hint = f"the first stands in line {first.line}" if first else ""
                self._report(key_at, place, f"found the key {shorten(key)!r} twice", "each key once", hint)
            else:
                items[key] = Node(node.value, node.at, key_at)
            if depth == 1 and key == self.last_key:
                break
        return items, deepest + 1

    def _key(self, event: Any, at: Position, path: str, depth: int) -> Any:
        key = self._node(event, path, depth + 1)[0].value
        if not isinstance(key, str):
            quoted = f"quotes: '{event.value}'" if getattr(event, "value", None) else "a name"
            self._report(at, path, f"found {kind(key)} as a key", quoted)
        elif key == "<<" and getattr(event, "implicit", (False,))[0]:
            hint = "use 'extends' to build on another spec"
            self._report(at, path, "found the merge key '<<'", "each key written out", hint)
            return None
        return key

    def _alias(self, name: str, at: Position, path: str, depth: int) -> tuple[Node, int]:
        if name not in self._anchors:
            self._report(at, path, f"found the alias '*{name}'", f"an anchor '&{name}' before it")
            return Node(None, at), 1
        anchored = self._anchors[name]
        if anchored is None:
            found = f"found the alias '*{name}' inside what it stands for"
            self._report(at, path, found, "an alias to another part")
            return Node(None, at), 1
        self._count(anchored.nodes, depth + anchored.levels - 1, at, path)
        return anchored.node, anchored.levels

    def _count(self, nodes: int, depth: int, at: Position, path: str) -> None:
        self._nodes += nodes
        if self._nodes > NODE_LIMIT:
            found = f"found more than {NODE_LIMIT:,} values, counted through aliases"
            self._stop(at, found, "a small spec")
        if depth > DEPTH_LIMIT:
            self._stop(at, f"found more than {DEPTH_LIMIT} levels, one inside the other", "fewer levels")

    def _next(self) -> Any:
        event = next(self.events)
        self.last = Position(self.name, event.start_mark.line + 1, event.start_mark.column + 1)
        return event

    def _report(self, at: Position, path: str, found: str, wanted: str, hint: str = "") -> None:
        self.problems.append(Problem(at, path, found, wanted, hint))

    def _stop(self, at: Position, found: str, wanted: str) -> NoReturn:
        self._report(at, "", found, wanted)
        raise _Stop


def _is_empty(event: Any) -> bool:
    return isinstance(event, ScalarEvent) and not event.value and event.implicit[0] and not event.ctag


class _Syntax(NamedTuple):
    """What the parser says (a pattern), what we say, and whether the place is where the part began."""

    said: str
    found: str
    wanted: str
    at_start: bool = False


_SYNTAX = (
    _Syntax(r"found character '(.)' that", "found {0!r} at the start of a value", "quotes around the value"),
    _Syntax("an alias: expected", "found '*' at the start of a value", "quotes around the value", True),
    _Syntax("an anchor: expected", "found '&' at the start of a value", "quotes around the value", True),
    _Syntax(
        "mapping values are not allowed",
        "found ':' where no key can stand",
        "quotes around the text, or another indentation",
    ),
    _Syntax("sequence entries are not allowed", "found an item '-' after its key", "a line for each item"),
    _Syntax("expected the node content, but found '(.)'", "found {0!r}", "a value"),
    _Syntax(
        "flow sequence.*expected ','",
        "found a list '[' that is not closed",
        "',' or ']' after each value",
        True,
    ),
    _Syntax(
        "flow mapping.*expected ','",
        "found a mapping '{{' that is not closed",
        "',' or '}}' after each value",
        True,
    ),
    _Syntax("quoted scalar.*unexpected end", "found a quote that is not closed", "the same quote at the end", True),
    _Syntax(
        "unknown escape character '(.)'",
        "found the unknown escape '\\{0}'",
        "single quotes, or '\\\\' for a backslash",
    ),
    _Syntax(
        "^mid-line.*expected <block end>",
        "found text after the end of a value",
        "quotes around the whole value",
    ),
    _Syntax(
        "expected (?:<block end>|'<document start>')",
        "found text that is in line with nothing above",
        "the next key or item",
    ),
)


def _syntax_problem(error: Any, text: str, name: str) -> Problem:
    """Say in one short sentence of ours what the parser met."""
    mark, began = error.problem_mark or error.context_mark, error.context_mark
    if error.problem == TOO_DEEP:
        return Problem(_position(name, mark), "", TOO_DEEP, "fewer levels")
    lines = [*text.splitlines(), *[""] * (mark.line + 1)]
    line = lines[mark.line]
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation or "found a tab" in str(error.problem):
        column = mark.column if "found a tab" in str(error.problem) else indentation.index("\t")
        return Problem(Position(name, mark.line + 1, column + 1), "", "found a tab in the indentation", "spaces")
    if began is not None and _is_no_key(error, lines[began.line][: began.column]):
        return _no_key(lines[began.line], _position(name, began))
    said = f"{'mid-line ' if line[: mark.column].strip() else ''}{error.context}: {error.problem}"
    for syntax in _SYNTAX:
        if match := re.search(syntax.said, said):
            if syntax.at_start:
                mark = error.context_mark or mark
            found, wanted = (text.format(*match.groups()) for text in (syntax.found, syntax.wanted))
            return Problem(_position(name, mark), "", found, wanted)
    return Problem(_position(name, mark), "", f"found text that is not YAML ({error.problem})", "YAML 1.2")


def _position(name: str, mark: Any) -> Position:
    return Position(name, mark.line + 1, mark.column + 1)


def _is_no_key(error: Any, before: str) -> bool:
    """Return whether the parser met a line of text, with `before` in front of it, where a key is wanted."""
    if "could not find expected ':'" in error.problem:
        return True
    joined = "mapping values are not allowed" in error.problem and error.context_mark.line < error.problem_mark.line
    return joined and not before.strip(" \t-")


def _no_key(line: str, at: Position) -> Problem:
    """Say why the line from `at` on is no key with its value."""
    rest = line[at.column - 1 :]
    colon = re.search("[:\uff1a]", rest)
    if colon is None:
        return Problem(at, "", "found a line without ':'", "a key with its value")
    at, after = at._replace(column=at.column + colon.start()), rest[colon.end() :][:1]
    if colon[0] != ":":
        return Problem(at, "", "found a full-width colon (U+FF1A)", "':' and a blank")
    if after.isspace():
        return Problem(
            at._replace(column=at.column + 1), "", f"found the blank U+{ord(after):04X} after ':'", "a space"
        )
    return Problem(at, "", "found ':' without a blank after it", "a key, ':', a blank, and its value")
