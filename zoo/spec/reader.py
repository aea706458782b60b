"""The one way in: a file, a text or Python data becomes nodes that know their places, or a SpecError."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from zoo.errors import Position, Problem, SpecError, closest
from zoo.spec.document import DEPTH_LIMIT, BadValue, Node, join, kind, place
from zoo.spec.scalars import string

Format = Literal["yaml", "json"]

FORMATS: dict[str, Format] = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}
LARGEST_FILE_BYTES = 2**20
_WANTED = "a spec file (.yaml, .yml or .json)"


def read(path: Path, *, name: str | None = None, last: str | None = None) -> Node:
    """Read the spec file at `path`; its places carry `name`, or else the path as it is given.

    last: a key after which the rest of the file need not be read. Raises SpecError with all problems.
    """
    name = name or str(path)
    content = _content(path, name)
    format = FORMATS.get(path.suffix.lower())
    if format is None:
        found = f"found the extension {path.suffix!r}" if path.suffix else "found a file without an extension"
        raise _refusal(name, found, _WANTED)
    return read_text(_decoded(content, name), name, format, last)


def read_text(text: str, name: str, format: Format, last: str | None = None) -> Node:
    """Read a spec from `text`; its places carry `name`. With `last`, what follows that key may be left out.

    Raises SpecError with all problems.
    """
    text = text.removeprefix("\ufeff")
    if format == "json":
        from zoo.spec.json_reader import read_json

        return read_json(text, name)
    from zoo.spec.yaml_reader import read_yaml

    return read_yaml(text, name, last)


def read_data(data: Mapping[str, Any], name: str = "<python>") -> Node:
    """Turn plain Python data into nodes, under the rules that hold for a file.

    Raises SpecError with all problems.
    """
    at = Position(name, 0, 0)
    problems: list[Problem] = []

    def node(value: Any, path: str, depth: int) -> Node:
        try:
            if depth > DEPTH_LIMIT:
                raise BadValue(f"found more than {DEPTH_LIMIT} levels, or data that holds itself", "fewer")
            if isinstance(value, Mapping):
                return Node({key: child(key, item, path, depth) for key, item in value.items()}, at)
            if isinstance(value, (list, tuple)):
                items = enumerate(value)
                return Node([node(item, join(path, index), depth + 1) for index, item in items], at)
            return Node(_scalar(value), at)
        except BadValue as error:
            problems.append(error.problem(at, path))
            return Node(None, at)

    def child(key: Any, item: Any, path: str, depth: int) -> Node:
        if not isinstance(key, str):
            raise BadValue(f"found {kind(key)} as a key", "a string")
        found = node(item, join(path, key), depth + 1)
        return Node(found.value, found.at, at)

    document = node(data, "", 1)
    if problems:
        raise SpecError(problems)
    return document


def nearest_file(path: Path) -> str:
    """Return "did you mean 'x'?" for the spec beside `path` whose name is nearest to its name, or ""."""
    try:
        names = [other.name for other in path.parent.iterdir() if other.suffix.lower() in FORMATS]
    except OSError:
        return ""
    return closest(path.name, names)


def _content(path: Path, name: str) -> bytes:
    try:
        if path.is_dir():
            raise _refusal(name, "found a folder", _WANTED)
        if path.exists() and not path.is_file():
            # A pipe or a device may be read for ever.
            raise _refusal(name, "found a pipe or a device", _WANTED)
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except FileNotFoundError:
        raise _refusal(name, "found no such file", _WANTED, nearest_file(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refusal(name, f"found a file that cannot be read ({reason})", _WANTED) from None
    if len(content) > LARGEST_FILE_BYTES:
        raise _refusal(name, "found a file of more than 1 MiB", "a small spec")
    return content


def _decoded(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = content[: error.start].decode()
        at, found = (
            place(text, len(text), name),
            f"found a byte that is not UTF-8 (0x{content[error.start]:02x})",
        )
    else:
        if "\0" not in text:
            return text
        at, found = place(text, text.index("\0"), name), "found a NUL byte"
    raise SpecError([Problem(at, "", found, "text in UTF-8")])


def _refusal(name: str, found: str, wanted: str, hint: str = "") -> SpecError:
    return SpecError([Problem(Position(name, 0, 0), "", found, wanted, hint)])


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return string(str(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        raise BadValue(f"found {float(value)}", "a finite number")
    raise BadValue(f"found a value of the type {type(value).__name__}", "plain data")
