"""Plain data as readable YAML 1.2 or as JSON; the reader gives back exactly what was written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from zoo.spec.document import BadValue
from zoo.spec.scalars import plain

_WIDTH = 100
_PLAIN_TEXT = re.compile(r"[A-Za-z_][\w./()%+-]*( [\w./()%+-]+)*", re.ASCII)
# Words that are no strings to readers of YAML 1.1, of which there are many.
_OLD_WORDS = re.compile(r"y|n|yes|no|on|off", re.IGNORECASE)
_PRINTABLE = "\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff"
_SINGLE_QUOTED = re.compile(f"[{_PRINTABLE}]*")
_UNPRINTABLE = re.compile(f"[^{_PRINTABLE}]")


def write_yaml(data: Any) -> str:
    """Return plain `data` as YAML: an entry a line, and short lists and mappings of scalars in one line.

    Raises ValueError for NaN and infinities, TypeError for what is no plain data.
    """
    if isinstance(data, (Mapping, list, tuple)) and data:
        return "\n".join(_block(data, 0)) + "\n"
    return write_line(data) + "\n"


def write_json(data: Any) -> str:
    """Return plain `data` as indented JSON. Raises ValueError for NaN and infinities."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _block(data: Any, indent: int) -> list[str]:
    """Return the lines of a collection that is not empty, each entry on lines of its own."""
    lines: list[str] = []
    mapping = isinstance(data, Mapping)
    for key, item in data.items() if mapping else ((None, item) for item in data):
        head = " " * indent + (f"{_key(key)}:" if mapping else "-")
        if _is_leaf(item) and (len(line := f"{head} {write_line(item)}") <= _WIDTH or not _is_filled(item)):
            lines.append(line)
        elif mapping:
            lines += [head, *_block(item, indent + 2)]
        else:
            first, *rest = _block(item, indent + 2)
            lines += [f"{head} {first.lstrip(' ')}", *rest]
    return lines


def _is_leaf(data: Any) -> bool:
    """Whether `data` may stand in one line: a scalar, a list of scalars, or a mapping to such."""
    if isinstance(data, Mapping):
        return all(not (isinstance(item, Mapping) and item) and _is_leaf(item) for item in data.values())
    return not isinstance(data, (list, tuple)) or not any(map(_is_filled, data))


def _is_filled(data: Any) -> bool:
    return isinstance(data, (Mapping, list, tuple)) and bool(data)


def write_line(data: Any) -> str:
    """Return plain `data` as YAML in one line, however long."""
    if isinstance(data, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {write_line(item)}" for key, item in data.items()) + "}"
    if isinstance(data, (list, tuple)):
        return "[" + ", ".join(map(write_line, data)) + "]"
    if isinstance(data, str):
        return _text(data)
    if data is None or isinstance(data, bool):
        return {None: "null", True: "true", False: "false"}[data]
    if isinstance(data, int):
        return int.__repr__(data)
    if isinstance(data, float):
        if math.isfinite(data):
            return float.__repr__(data)
        raise ValueError(f"{data} cannot be written to a spec")
    raise TypeError(f"{type(data).__name__} is no plain data")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"the key {key!r} is no string")
    return _text(key)


def _text(text: str) -> str:
    """Return `text` without quotes where every reader takes it for a string, else in quotes."""
    if _PLAIN_TEXT.fullmatch(text) and not _OLD_WORDS.fullmatch(text) and _reads_as_string(text):
        return text
    if _SINGLE_QUOTED.fullmatch(text) and "'" not in text:
        return f"'{text}'"
    return _UNPRINTABLE.sub(_escape, json.dumps(text, ensure_ascii=False))


def _reads_as_string(text: str) -> bool:
    try:
        return plain(text) == text
    except BadValue:
        return False


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
