"""From a source to one document: what it extends, and what `--set` changes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.errors import Problem, SpecError, closest
from zoo.spec.document import BadValue, Node, join, kind, unseparated
from zoo.spec.merge import merge
from zoo.spec.overrides import override
from zoo.spec.reader import FORMATS, nearest_file, read, read_data

_DEEPEST_EXTENDS = 16
_MOST_EXTENDS = 64  # in one list
_MOST_FILES = 256  # in all

Find = Callable[[str], Path | None]
Names = Callable[[], Iterable[str]]


def compose(
    source: str | Path | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    find: Find,
    names: Names | None = None,
    noun: str = "spec",
) -> Node:
    """Return the document of `source`: a file, a shipped spec's name, or plain data; its variables stay.

    What it extends is laid under it, then `overrides` ("a.b.c=value") are applied. `find` gives a shipped spec's
    file, `names` the names that exist, for a hint; `noun` is what messages call it. Raises SpecError with all problems
    of the first step that has any.
    """
    sources = _Sources(find, names or tuple, noun)
    document = sources.load(source)
    problems: list[Problem] = []
    for text in overrides:
        try:
            document = override(document, text)
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return document


def content_hash(data: Any) -> str:
    """Return the SHA-256 of plain `data` as hexadecimal text.

    Two values have one hash if their JSON with sorted keys is the same: the order of keys does not count, the
    type of a number does (1 is not 1.0).
    """
    import hashlib

    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class _Sources:
    """Finds and reads specs with all that they extend; a file is read once."""

    def __init__(self, find: Find, names: Names, noun: str) -> None:
        self._find = find
        self._names = names
        self._noun = noun
        self._wanted = f"a file or a shipped {noun}"
        self._loaded: dict[Path, Node] = {}

    def load(self, source: str | Path | Mapping[str, Any]) -> Node:
        if isinstance(source, Mapping):
            return self._extended(read_data(source), Path(), ())
        try:
            path = source if isinstance(source, Path) else self._locate(source, Path())
        except BadValue as error:
            raise SpecError([error.problem(None, "")]) from None
        return self._file(path, ())

    def _locate(self, text: str, folder: Path) -> Path:
        """Return the file that `text` names: a path from `folder`, or a shipped spec's name."""
        path = folder / text
        if "/" in text or os.sep in text or path.suffix.lower() in FORMATS or path.is_file():
            return path
        found = self._find(text)
        if found is None:
            beside = [path.with_name(path.name + suffix) for suffix in FORMATS]
            files = [f"did you mean the file {str(one)!r}?" for one in beside if one.is_file()]
            hint = files[0] if files else closest(text, self._names())
            raise BadValue(f"found the unknown {self._noun} {text!r}", self._wanted, hint)
        return found

    def _file(self, path: Path, below: tuple[Path, ...]) -> Node:
        real = path.resolve()
        if real not in self._loaded:
            self._loaded[real] = self._extended(read(path), path.parent, (*below, real))
        return self._loaded[real]

    def _extended(self, document: Node, folder: Path, below: tuple[Path, ...]) -> Node:
        """Return the document laid over what it extends; `below` are the files that led here, itself last."""
        if not document.is_mapping:
            wanted = f"a mapping: the keys of a {self._noun}"
            hint = unseparated(document.value)
            raise SpecError([Problem(document.at, "", f"found {kind(document.value)}", wanted, hint)])
        parents = document.value.get("extends")
        own = replace(document, value={key: node for key, node in document.value.items() if key != "extends"})
        if parents is None:
            return own
        result: Node | None = None
        problems: list[Problem] = []
        if parents.is_list and len(parents.value) > _MOST_EXTENDS:
            found = f"found {len(parents.value):,} {self._noun}s to extend"
            raise SpecError([Problem(parents.at, "extends", found, f"at most {_MOST_EXTENDS}")])
        for index, node in enumerate(parents.value if parents.is_list else [parents]):
            try:
                parent = self._parent(node, folder, below)
                result = parent if result is None else merge(result, parent)
            except BadValue as error:
                path = join("extends", index) if parents.is_list else "extends"
                problems.append(error.problem(node.at, path))
            except SpecError as error:
                problems += error.problems
        if problems:
            raise SpecError(problems)
        return own if result is None else merge(result, own)

    def _parent(self, node: Node, folder: Path, below: tuple[Path, ...]) -> Node:
        if not isinstance(node.value, str):
            raise BadValue(f"found {kind(node.value)}", self._wanted)
        path = self._locate(node.value, folder)
        if not path.exists():
            raise BadValue(f"found no file {str(path)!r}", self._wanted, nearest_file(path))
        real = path.resolve()
        if real in below:
            names = " extends ".join(file.name for file in (*below[below.index(real) :], real))
            raise BadValue(f"found a {self._noun} that extends itself: {names}")
        if len(below) > _DEEPEST_EXTENDS:
            raise BadValue(f"found more than {_DEEPEST_EXTENDS} {self._noun}s that extend each other", "fewer")
        if len(self._loaded) + len(below) > _MOST_FILES:
            raise BadValue(f"found more than {_MOST_FILES} {self._noun}s that it extends", "fewer")
        return self._file(path, below)
