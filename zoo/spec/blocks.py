"""Named blocks: layers with parameters, written once under `blocks` and used like any layer."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from zoo.errors import Position, Problem, SpecError, closest
from zoo.registry import NAME
from zoo.spec.document import BadValue, Node, Scoped, join, kind
from zoo.spec.expression import CONSTANTS, ExpressionError, names_used
from zoo.spec.variables import fill

MOST_USES = 10_000  # of blocks in a spec, those inside other blocks included
MOST_NODES = 50_000  # values in all those uses together
DEEPEST = 32  # blocks inside each other


@dataclass(frozen=True)
class Block:
    """A block's parameters with their defaults, null where a use has to give one, and its layers.

    A default may mention the parameters before it.
    """

    name: str
    parameters: Mapping[str, Node]
    layers: Node

    @cached_property
    def nodes(self) -> int:
        """How many values its layers hold."""
        return sum(1 for _ in self.layers.places())


class Blocks:
    """The blocks of one spec. `problems` are those of their definitions."""

    def __init__(self, node: Node | None = None) -> None:
        self.problems: list[Problem] = []
        self._blocks: dict[str, Block | None] = {}  # None: its definition has a problem, and its uses are passed over
        self._open: list[str] = []  # those that are being expanded, the outermost first
        self._uses = self._nodes = 0
        self._variables: Mapping[str, Any] = node.variables if isinstance(node, Scoped) else {}
        if node is None or node.value is None:
            return
        if not node.is_mapping:
            self._report(node.at, "blocks", f"found {kind(node.value)}", "a mapping from names to blocks")
            return
        for name, one in node.value.items():
            path = join("blocks", name)
            if not NAME.match(name):
                self._report(one.key_at or one.at, path, f"found the name {name!r}", "lower case, digits and '_'")
            else:
                known = len(self.problems)
                block = self._defined(name, one, path)
                self._blocks[name] = block if len(self.problems) == known else None

    def __contains__(self, name: object) -> bool:
        return name in self._blocks

    def __iter__(self) -> Iterator[str]:
        return iter(self._blocks)

    def restart(self) -> None:
        """Count the uses from nothing, for another spec with the same blocks."""
        self._uses = self._nodes = 0

    def refuse(self, name: str, options: Node, at: Position) -> list[Problem]:
        """Return what is wrong with the parameters that one use of a block is given."""
        block = self._blocks[name]
        return [] if block is None else list(self._misuses(block, options, at))

    def enter(self, name: str, options: Node, at: Position) -> Node:
        """Return the layers of a block as this use of it fills them in; `leave` has to follow.

        Raises SpecError when the use does not fit, or when blocks use each other.
        """
        self._uses += 1
        if name in self._open:
            turn = " -> ".join([*self._open[self._open.index(name) :], name])
            raise SpecError([Problem(at, name, f"found blocks that use each other: {turn}", "blocks that end")])
        block = self._blocks[name]
        if block is None:
            raise SpecError([])
        if self._uses > MOST_USES or self._nodes > MOST_NODES:
            raise SpecError([])  # it was told when the bound was passed
        self._nodes += block.nodes
        if self._uses == MOST_USES or self._nodes > MOST_NODES:
            self._uses = max(self._uses, MOST_USES)
            many = self._nodes > MOST_NODES
            found = (
                f"blocks of more than {MOST_NODES:,} values, written out" if many else f"{MOST_USES:,} uses of blocks"
            )
            raise SpecError([Problem(at, name, f"found {found}", "repeat, or fewer")])
        if len(self._open) >= DEEPEST:
            found = f"found blocks more than {DEEPEST} deep inside each other"
            raise SpecError([Problem(at, name, found, "fewer")])
        layers = fill(block.layers, self._values(block, options), f"blocks.{name}.layers", self._variables)
        self._open.append(name)
        return layers

    def leave(self) -> None:
        """End the use that was entered last."""
        self._open.pop()

    def _defined(self, name: str, node: Node, path: str) -> Block | None:
        """Return a block as it was written, and note what is wrong with it."""
        if node.is_list:  # a block without parameters is its layers
            node = Node({"layers": node}, node.at, node.key_at)
        if not node.is_mapping:
            self._report(node.at, path, f"found {kind(node.value)}", "layers, or a mapping of parameters and layers")
            return None
        for key, one in node.value.items():
            if key not in ("parameters", "layers"):
                hint = closest(key, ("parameters", "layers"))
                self._report(one.key_at or one.at, path, f"found the unknown key {key!r}", "parameters, layers", hint)
        parameters, layers = node.value.get("parameters"), node.value.get("layers")
        if layers is None:
            self._report(node.key_at or node.at, path, "found no 'layers'", "a list of layers")
            return None
        if not layers.is_list or not layers.value:
            found = "an empty list" if layers.is_list else kind(layers.value)
            self._report(layers.at, join(path, "layers"), f"found {found}", "a list of 1 or more layers")
            return None
        if parameters is not None and not parameters.is_mapping:
            self._report(parameters.at, join(path, "parameters"), f"found {kind(parameters.value)}", "a mapping")
            return None
        given: dict[str, Node] = parameters.value if parameters is not None else {}
        for key, one in given.items():
            if not _is_name(key):
                found = f"found the name {key!r}"
                wanted = "lower case, digits and '_', and no reserved word"
                self._report(one.key_at or one.at, join(path, "parameters"), found, wanted)
        if any(not _is_name(key) for key in given):
            return None
        before: set[str] = set()
        for key, one in given.items():
            self.problems += _unknown(one, before, self._variables, f"{path}.parameters.{key}")
            before.add(key)
        self.problems += _unknown(layers, before, self._variables, join(path, "layers"))
        return Block(name, given, layers)

    def _misuses(self, block: Block, options: Node, at: Position) -> Iterator[Problem]:
        given = options.value if options.value is not None else {}
        if not isinstance(given, dict):
            if not block.parameters:
                wanted = "nothing: this block has no parameters"
                yield Problem(options.at, block.name, f"found {kind(options.value)}", wanted)
                return
            given = {next(iter(block.parameters)): options}
        known = ", ".join(block.parameters)
        wanted = f"one of {known}" if known else "nothing: this block has no parameters"
        for key, one in given.items():
            if key not in block.parameters:
                hint = closest(key, block.parameters)
                yield Problem(one.key_at or one.at, block.name, f"found the unknown parameter {key!r}", wanted, hint)
        for key, default in block.parameters.items():
            if default.value is None and key not in given:
                yield Problem(at, block.name, f"found no {key!r}", "a value: this parameter has no default")

    def _values(self, block: Block, options: Node) -> dict[str, Node]:
        """Return the value of each parameter for one use that was not refused."""
        given = options.value if options.value is not None else {}
        if not isinstance(given, dict):
            given = {next(iter(block.parameters)): replace(options, key_at=None)}
        values: dict[str, Node] = {}
        for key, default in block.parameters.items():
            path = f"blocks.{block.name}.parameters.{key}"
            values[key] = given.get(key) or fill(default, values, path, self._variables)
        return values

    def _report(self, at: Position, path: str, found: str, wanted: str, hint: str = "") -> None:
        self.problems.append(Problem(at, path, found, wanted, hint))


def _is_name(text: str) -> bool:
    """Return whether an expression can mention a parameter of this name."""
    return bool(NAME.match(text)) and not keyword.iskeyword(text) and text not in CONSTANTS


def _unknown(node: Node, known: Set[str], variables: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Yield a problem for each `${...}` that mentions what is neither a parameter nor a variable."""
    if node.is_mapping or node.is_list:
        for key, item in node.value.items() if node.is_mapping else enumerate(node.value):
            yield from _unknown(item, known, variables, join(path, key))
    elif isinstance(node.value, str) and "${" in node.value:
        try:
            for name in sorted(names_used(node.value) - known - variables.keys()):
                wanted = f"one of the block's parameters ({', '.join(sorted(known)) or 'none'}) or a variable of let"
                hint = closest(name, {*known, *variables})
                yield BadValue(f"found the unknown variable {name!r}", wanted, hint).problem(node.at, path)
        except ExpressionError as error:
            yield error.problem(node.at, path)
