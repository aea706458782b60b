"""Named blocks: layers with parameters, written once under `blocks` and used like any layer."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from zoo.errors import Position, Problem, SpecError, closest
from zoo.options import with_article
from zoo.registry import KINDS, LAYER_FAMILY, NAME
from zoo.spec.document import BadValue, Node, Scoped, join, kind
from zoo.spec.expression import CONSTANTS, NUMBERS, names_used
from zoo.spec.functions import ExpressionError
from zoo.spec.pending import RUNNING, Symbol, waiting_in
from zoo.spec.variables import fill
from zoo.spec.walk import mentions

MOST_USES = 10_000  # of blocks in a spec, those inside other blocks included
MOST_NODES = 50_000  # values in all those uses together
DEEPEST = 32  # blocks inside each other
#: What a block can hold: a list of layers, or one component of a kind.
HELD = ("layers", *(kind for kind in KINDS if kind != "layer"))


@dataclass(frozen=True)
class Block:
    """A block's parameters with their defaults, and what it holds: layers, or one component of another kind.

    A parameter without a default is None. A default may mention the parameters before it.
    """

    name: str
    parameters: Mapping[str, Node | None]
    layers: Node
    kind: str = "layer"

    @cached_property
    def nodes(self) -> int:
        """How many values its layers hold."""
        return sum(1 for _ in self.layers.places())


class Blocks:
    """The blocks of one spec. `problems` and `warnings` are those of their definitions."""

    def __init__(self, node: Node | None = None, taken: Callable[[str], Iterable[str]] = lambda kind: ()) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []  # blocks that hide what plugins call so: a plugin may have brought it since
        self._blocks: dict[str, Block | None] = {}  # None: its definition has a problem, and its uses are passed over
        self._open: list[tuple[str, dict[str, Node]]] = []  # written out now, with their values, the outermost first
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
                if block is not None and name in taken(block.kind):
                    found = f"found a block with the name of {with_article(block.kind)}, which it hides"
                    self.warnings.append(Problem(one.key_at or one.at, path, found, "another name"))
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

    def fits(self, name: str, kinds: tuple[str, ...]) -> bool:
        """Return whether a block can stand where a component of `kinds` is wanted; one with a problem always can."""
        block = self._blocks.get(name)
        return name in self._blocks and (block is None or block.kind in kinds)

    def named(self, kinds: tuple[str, ...]) -> list[str]:
        """Return the blocks that can stand where a component of `kinds` is wanted."""
        return [name for name in self._blocks if self.fits(name, kinds)]

    def kind(self, name: str) -> str:
        """Return the kind of component that a block stands for."""
        block = self._blocks[name]
        return "layer" if block is None else block.kind

    def enter(self, name: str, options: Node, at: Position, bound: Set[str] = frozenset()) -> Node:
        """Return what a block holds as this use of it fills it in; `leave` has to follow.

        Layers whose values wait for a shape stand in a `let` that gives them names, none of which is in `bound`. Raises
        SpecError when the use does not fit, or when blocks use each other without an end.
        """
        block = self._blocks[name]
        if block is None:
            raise SpecError([])
        self.spend(block.nodes, name, at)
        values = self._values(block, options)
        same = [index for index, (other, given) in enumerate(self._open) if other == name and _alike(given, values)]
        if same:
            turn = " -> ".join([*(other for other, _ in self._open[same[0] :]), name])
            raise SpecError([Problem(at, name, f"found blocks that use each other: {turn}", "blocks that end")])
        if len(self._open) >= DEEPEST:
            raise SpecError([self.too_deep(at, name, f"blocks more than {DEEPEST}")])
        path = join(f"blocks.{name}", "layers" if block.kind == "layer" else block.kind)
        if block.kind not in LAYER_FAMILY:
            filled = fill(block.layers, values, path, self._variables, running=False)
        else:
            waiting = {key: one for key, one in values.items() if waiting_in(one, layers=False)}
            symbols = {key: Symbol(fresh(key, {*bound, *RUNNING})) for key in waiting}
            filled = fill(block.layers, {**values, **symbols}, path, self._variables)
            if waiting:
                given = Node({symbols[key]: one for key, one in waiting.items()}, at)
                layers = filled if filled.is_list else Node([filled], filled.at)
                filled = Node({"let": Node({"values": given, "layers": layers}, at)}, at)
        self._open.append((name, values))
        return filled

    def spend(self, nodes: int, name: str, at: Position) -> None:
        """Count one use of a block, or a round of a loop, that writes out so many values.

        Raises SpecError when there are too many.
        """
        self._uses += 1
        if self._uses > MOST_USES or self._nodes > MOST_NODES:
            raise SpecError([])  # it was told when the bound was passed
        self._nodes += nodes
        if self._uses == MOST_USES or self._nodes > MOST_NODES:
            self._uses = max(self._uses, MOST_USES)
            many = self._nodes > MOST_NODES
            found = (
                f"blocks of more than {MOST_NODES:,} values, written out" if many else f"{MOST_USES:,} uses of blocks"
            )
            raise SpecError([Problem(at, name, f"found {found}", "repeat, or fewer")])

    def too_deep(self, at: Position, path: str, what: str) -> Problem:
        """Return what to say of things too deep inside each other: which block it is that goes on, if one does."""
        names = [name for name, _ in self._open]
        again = max(names, key=names.count, default="")
        if names.count(again) < 2:
            return Problem(at, path, f"found {what} deep inside each other, blocks written out", "fewer")
        found = f"found the block {again!r} {names.count(again)} times inside itself"
        wanted = "an argument that shrinks, and a `when` (or a `repeat` of 0 times) where it ends"
        return Problem(at, path, found, wanted)

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
        held = [key for key in node.value if key in HELD]
        for key, one in node.value.items():
            if key not in ("parameters", *HELD):
                hint = closest(key, ("parameters", *HELD))
                self._report(one.key_at or one.at, path, f"found the unknown key {key!r}", "parameters, layers", hint)
        if len(held) != 1:
            found = f"found {' and '.join(held)}" if held else "found no 'layers'"
            wanted = "one of them" if held else "a list of layers"
            self._report(node.key_at or node.at, path, found, wanted)
            return None
        what, layers = held[0], node.value[held[0]]
        if what == "layers" and not (layers.is_list and layers.value):
            found = "an empty list" if layers.is_list else kind(layers.value)
            self._report(layers.at, join(path, "layers"), f"found {found}", "a list of 1 or more layers")
            return None
        given = self._parameters(node.value.get("parameters"), join(path, "parameters"))
        if given is None:
            return None
        running = frozenset(RUNNING) if what in ("layers", *LAYER_FAMILY) else None
        before: set[str] = set()
        for key, one in given.items():
            if one is not None:
                self.problems += _unknown(one, before, self._variables, f"{path}.parameters.{key}", running)
            before.add(key)
        self.problems += _unknown(layers, before, self._variables, join(path, what), running)
        return Block(name, given, layers, "layer" if what == "layers" else what)

    def _parameters(self, node: Node | None, path: str) -> dict[str, Node | None] | None:
        """Return the parameters with their defaults; None after a problem.

        In a mapping, null stands for no default; in a list, a name alone has none, and null is a default like others.
        """
        if node is None:
            return {}
        given: dict[str, Node | None] = {}
        known = len(self.problems)
        if node.is_mapping:
            named = [(key, one, one if one.value is not None else None) for key, one in node.value.items()]
        elif node.is_list:
            named = []
            for one in node.value:
                if isinstance(one.value, str):
                    named.append((one.value, one, None))
                elif one.is_mapping and len(one.value) == 1:
                    named += [(key, default, default) for key, default in one.value.items()]
                else:
                    self._report(one.at, path, f"found {kind(one.value)}", "a name, or a name with its default")
        else:
            self._report(node.at, path, f"found {kind(node.value)}", "a mapping, or a list of names")
            return None
        for key, one, default in named:
            if not _is_name(key):
                wanted = "lower case, digits and '_', and no reserved word"
                self._report(one.key_at or one.at, path, f"found the name {key!r}", wanted)
            elif key in given:
                self._report(one.key_at or one.at, path, f"found {key!r} twice", "each name once")
            given[key] = default
        return given if len(self.problems) == known else None

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
            if default is None and key not in given:
                yield Problem(at, block.name, f"found no {key!r}", "a value: this parameter has no default")

    def _values(self, block: Block, options: Node) -> dict[str, Node]:
        """Return the value of each parameter for one use that was not refused."""
        given = options.value if options.value is not None else {}
        if not isinstance(given, dict):
            given = {next(iter(block.parameters)): replace(options, key_at=None)}
        values: dict[str, Node] = {}
        for key, default in block.parameters.items():
            path = f"blocks.{block.name}.parameters.{key}"
            if key in given:
                values[key] = given[key]
            elif default is not None:
                values[key] = fill(default, values, path, self._variables, running=block.kind in LAYER_FAMILY)
        return values

    def _report(self, at: Position, path: str, found: str, wanted: str, hint: str = "") -> None:
        self.problems.append(Problem(at, path, found, wanted, hint))


def _is_name(text: str) -> bool:
    """Return whether an expression can mention a parameter of this name."""
    return bool(NAME.match(text)) and not keyword.iskeyword(text) and text not in CONSTANTS


def _alike(one: Mapping[str, Node], other: Mapping[str, Node]) -> bool:
    return all(one[key].data() == other[key].data() for key in one)


def fresh(name: str, taken: Set[str]) -> str:
    """Return a name like `name` that is not taken."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def _unknown(
    node: Node, known: Set[str], variables: Mapping[str, Any], path: str, running: frozenset[str] | None
) -> Iterator[Problem]:
    """Yield a problem for each `${...}` that mentions what is neither a parameter nor a variable, nor waits."""
    for one, place, waiting in mentions(node, path, running):
        try:
            for name in sorted(names_used(one.value) - known - variables.keys() - NUMBERS.keys() - (waiting or set())):
                wanted = f"one of the block's parameters ({', '.join(sorted(known)) or 'none'}) or a variable of let"
                wanted += "" if running is None else f", or of the running shape: {', '.join(RUNNING)}"
                hint = closest(name, {*known, *variables, *(waiting or ())})
                yield BadValue(f"found the unknown variable {name!r}", wanted, hint).problem(one.at, place)
        except ExpressionError as error:
            yield error.problem(one.at, place)
