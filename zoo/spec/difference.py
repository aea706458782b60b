"""What changed from one spec to another, in the specs' own terms."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

MISSING = object()


class Change(NamedTuple):
    """A value that differs: where, what it was, what it is; MISSING where it is not there."""

    path: str
    before: Any
    after: Any


def differences(before: Any, after: Any, path: str = "") -> Iterator[Change]:
    """Yield the changes from one plain value to another, each as deep as the values are alike.

    The items of two lists are matched as well as can be, so that one that was put in is one change.
    """
    if isinstance(before, dict) and isinstance(after, dict) and _same_component(before, after):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from differences(before.get(key, MISSING), after.get(key, MISSING), f"{path}.{key}" if path else key)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, path)
    elif before is MISSING or after is MISSING or before != after or type(before) is not type(after):
        yield Change(path, before, after)


def _same_component(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Two components of different names differ as a whole, not in every option."""
    return not (len(before) == len(after) == 1 and before.keys() != after.keys())


def _lists(before: list[Any], after: list[Any], path: str) -> Iterator[Change]:
    old_keys, new_keys = ([json.dumps(one, sort_keys=True) for one in items] for items in (before, after))
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old_keys, new_keys, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for index in range(max(b - a, d - c)):
            old = before[a + index] if a + index < b else MISSING
            new = after[c + index] if c + index < d else MISSING
            yield from differences(old, new, f"{path}.{a + index}")
