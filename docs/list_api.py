"""Write docs/api.md: every public name with its signature or its fields. `make docs` runs it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import zoo.api

PAGE = Path(__file__).with_name("api.md")
HEAD = """\
# All public names

What `zoo` and `zoo.api` promise, with fields and signatures; [plugins.md](plugins.md) says how long. A change of this page is one
that somebody's plugin or notebook may notice. It is written by `make docs`.
"""


def page() -> str:
    """Return the text of the page."""
    parts = {"Functions": [], "Types": [], "Errors": [], "Options": []}  # type: dict[str, list[str]]
    for name in sorted(zoo.api.__all__):
        value = getattr(zoo.api, name)
        if isinstance(value, type) and issubclass(value, Exception):
            parts["Errors"].append(f"- `{name}`: {_said(value)}")
        elif isinstance(value, type):
            parts["Types"] += [f"- `{name}`: {_said(value)}", *_members(value)]
        elif inspect.isroutine(value):
            parts["Functions"].append(f"- `{name}{_signature(value)}`: {_said(value)}")
        else:
            parts["Options"].append(f"- `{name}`")
    sections = ("\n".join([f"## {title}", "", *lines, ""]) for title, lines in parts.items())
    return "\n".join([HEAD, *sections])


def _members(kind: type) -> Iterator[str]:
    if is_dataclass(kind):
        names = [one.name for one in fields(kind) if one.init and not one.name.startswith("_")]
    else:
        names = list(getattr(kind, "_fields", ()))
    if names:
        yield f"  - fields: {', '.join(f'`{one}`' for one in names)}"
    for name, value in vars(kind).items():
        if name.startswith("_") or name in names:
            continue
        plain = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        if isinstance(value, property):
            yield f"  - `{name}`"
        elif inspect.isfunction(plain) and plain.__module__.startswith("zoo"):
            yield f"  - `{name}{_signature(plain)}`"


def _signature(value: Any) -> str:
    # Annotations are text already, and private aliases are no part of what is promised.
    text = " ".join(str(inspect.signature(value)).split())
    return (
        re.sub(r"(?<=: |> )'([^']*)'", r"\1", text)
        .replace("_Sequence", "Sequence")
        .replace("_Path", "Path")
        .replace("_Any", "Any")
    )


def _said(value: Any) -> str:
    text = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    return text.split(". ")[0].rstrip(".") + "." if text else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
