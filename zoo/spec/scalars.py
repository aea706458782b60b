"""What a plain scalar means: the core schema of YAML 1.2, less the texts at which readers differ."""

from __future__ import annotations

import math
import re

from zoo.spec.document import BadValue, shorten

Scalar = None | bool | int | float | str

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED_INTEGER = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt\s].*)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_NUMBER = 100


def plain(text: str) -> Scalar:
    """Return what the unquoted scalar `text` stands for. Raises BadValue where readers of YAML disagree."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return string(text)
    if _INTEGER.fullmatch(text) or _BASED_INTEGER.fullmatch(text):
        return integer(text)
    if _FLOAT.fullmatch(text):
        return real(text)
    if _NOT_FINITE.fullmatch(text):
        raise BadValue(f"found {text!r}", "a finite number")
    if _DATE.fullmatch(text):
        raise BadValue(f"found the date {shorten(text)!r}", "quotes around it")
    bare = text.replace("_", "")
    if bare != text and (_FLOAT.fullmatch(bare) or _BASED_INTEGER.fullmatch(bare)):
        raise BadValue(f"found {shorten(text)!r}", f"a number without underscores: {shorten(bare)}")
    return string(text)


def integer(text: str) -> int:
    """Return the integer that `text` writes in base 10, or in base 8 or 16 with its prefix."""
    if len(text) > _LONGEST_NUMBER:
        raise BadValue(f"found a number of {len(text)} digits", f"at most {_LONGEST_NUMBER} digits")
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def real(text: str) -> float:
    """Return the float nearest to what `text` writes."""
    value = float(text)
    if not math.isfinite(value):
        raise BadValue(f"found {shorten(text)!r}", "a finite number")
    return value


def string(text: str) -> str:
    """Return `text` if it can be written to a file."""
    if _SURROGATE.search(text):
        raise BadValue("found half of a surrogate pair", "the character itself")
    return text
