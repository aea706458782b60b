"""Layers that write layers: `repeat` with a round, `for` over a table, `when`, and `let` inside a network.

Where their values are known, they are written out as what they stand for; else they wait for the shape.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.errors import Position, Problem, SpecError
from zoo.registry import NAME, Component
from zoo.spec.blocks import fresh
from zoo.spec.document import Node, join, kind
from zoo.spec.expression import CONSTANTS, names_used
from zoo.spec.pending import ROUND, RUNNING, Pending, Symbol, running_values, waiting_in
from zoo.spec.schema import ComponentSpec, to_data
from zoo.spec.variables import settle
from zoo.spec.walk import mentions

if TYPE_CHECKING:
    from zoo.spec.resolve import Resolver

MOST_ROUNDS = 10_000
Scope = dict[str, Any]


class Use(NamedTuple):
    """One of these layers as it is written: where, and with which options."""

    kinds: tuple[str, ...]
    component: Component
    given: Mapping[str, Node]
    at: Position
    path: str

    def has(self, *names: str) -> bool:
        """Return whether its options are just these, as far as they are needed."""
        return set(names) <= self.given.keys()


class Written(NamedTuple):
    """What became of a use; None after a problem."""

    found: ComponentSpec | None


def _repeat(resolver: Resolver, use: Use) -> Written | None:
    """Rounds that differ are written out one by one; no round at all hands the input on."""
    if not use.has("times", "layers") or not use.given.keys() <= {"times", "layers", "shared"}:
        return None
    times, layers = use.given["times"], use.given["layers"]
    if type(times.value) is int and times.value == 0:
        return _sequence(resolver, use, Node([], layers.at))
    if not _mentions_round(layers):
        return None
    if (shared := use.given.get("shared")) is not None and shared.value is not False:
        raise _problem(use, "shared", shared, "found rounds that share weights but mention round", "false")
    if isinstance(times.value, Pending):
        count = Pending("${range(" + times.value.removeprefix("${").removesuffix("}") + ")}")
        component = resolver.registry.get("layer", "for")
        given = {"each": Node(ROUND, use.at), "of": Node(count, times.at), "layers": layers}
        written = _for(resolver, use._replace(component=component, given=given))
        found = None if written is None else written.found
        return Written(None if found is None else replace(found, label="repeat"))
    if type(times.value) is not int or not 0 <= times.value <= MOST_ROUNDS:
        return None
    return _rounds(resolver, use, [{ROUND: number} for number in range(times.value)], layers)


def _mentions_round(layers: Node) -> bool:
    return any(
        isinstance(one.value, Pending) and ROUND in names_used(one.value) and ROUND not in (bound or ())
        for one, _, bound in mentions(layers, "", frozenset())
    )


def _for(resolver: Resolver, use: Use) -> Written | None:
    """The layers once for each item of a list, which has a name; or, being a list itself, a name for each part."""
    if not use.has("each", "of", "layers") or len(use.given) > 3:
        return None
    each, of, layers = (use.given[name] for name in ("each", "of", "layers"))
    names = [one.value for one in each.value] if each.is_list else [each.value]
    if not names or not all(map(_is_name, names)) or len(set(names)) < len(names):
        found = f"found {kind(each.data()) if not each.is_list else ', '.join(map(str, names)) or 'an empty list'}"
        raise _problem(use, "each", each, found, "a name, or a list of names, each another")
    if waiting_in(of):
        return _waiting(resolver, use, "of", of, names, layers)
    return _rounds(resolver, use, list(scopes("for", each, of, use.path)), layers)


def _when(resolver: Resolver, use: Use) -> Written | None:
    """The layers where a condition holds, and others where it does not; only those that stand there are looked at."""
    condition = use.given.get("condition")
    if condition is None or not isinstance(condition.value, bool) or "layers" not in use.given:
        return None
    if not use.given.keys() <= {"condition", "layers", "otherwise"}:
        return None
    chosen = use.given["layers"] if condition.value else use.given.get("otherwise", Node([], use.at))
    return _sequence(resolver, use, chosen)


def _let(resolver: Resolver, use: Use) -> Written | None:
    """Names for values, in the layers inside."""
    if not use.has("values", "layers") or len(use.given) > 2:
        return None
    values, layers = use.given["values"], use.given["layers"]
    if not values.is_mapping:
        raise _problem(use, "values", values, f"found {kind(values.data())}", "a mapping from names to values")
    for name, one in values.value.items():
        if not _is_name(name):
            wanted = "lower case, digits and '_', and no reserved word"
            raise _problem(use, "values", one, f"found the name {name!r}", wanted)
    known = {name: one for name, one in values.value.items() if not waiting_in(one)}
    names = [name for name in values.value if name not in known]
    inside = settle(layers, known, join(use.path, "layers"))
    if not names:
        return _sequence(resolver, use, inside)
    given = replace(values, value={name: values.value[name] for name in names})
    return _waiting(resolver, use, "values", given, names, inside)


def _waiting(resolver: Resolver, use: Use, option: str, node: Node, names: list[str], layers: Node) -> Written:
    """Return a layer whose layers wait for names that get their values with a shape."""
    taken = {*resolver.bound, *RUNNING}
    symbols = {name: Symbol(fresh(name, taken)) for name in names}
    inside = settle(layers, symbols, join(use.path, "layers"))
    options: dict[str, Any] = {}
    if option == "values":
        node = replace(node, value={symbols[name]: one for name, one in node.value.items()})
    else:
        each = [str(symbols[name]) for name in names]
        options["each"] = each if use.given["each"].is_list else each[0]
    before, resolver.bound = resolver.bound, resolver.bound | set(symbols.values())
    try:
        found = resolver.many(use.component, "layers", inside, use.path)
    finally:
        resolver.bound = before
    if found is None:
        return Written(None)
    options |= {option: to_data(node.data()), "layers": found}
    spec = ComponentSpec(use.component, options, use.at, pending={option: node})
    return Written(resolver.bounded(spec, use.path))


def scopes(name: str, each: Node, of: Node, path: str) -> Iterator[Scope]:
    """Yield the values of the names in each round of a `for`; of a `let`, in the one that it has.

    Raises SpecError when an item does not fit.
    """
    if name == "let":
        yield dict(of.value)
        return
    path = join(path, "of")
    if not of.is_list:
        raise SpecError([Problem(of.at, path, f"found {kind(of.data())}", "a list")])
    if len(of.value) > MOST_ROUNDS:
        raise SpecError([Problem(of.at, path, f"found a list of {len(of.value):,}", f"at most {MOST_ROUNDS:,}")])
    for index, item in enumerate(of.value):
        if not each.is_list:
            yield {each.value: item}
            continue
        names = [one.value for one in each.value]
        if not item.is_list or len(item.value) != len(names):
            found = f"found a list of {len(item.value)}" if item.is_list else f"found {kind(item.data())}"
            wanted = f"a list of {len(names)}: {', '.join(names)}"
            raise SpecError([Problem(item.at, join(path, index), found, wanted)])
        yield dict(zip(names, item.value, strict=True))


def settled(
    resolver: Resolver, spec: ComponentSpec, scope: Scope, input: tuple[int, ...], output: tuple[int, ...]
) -> Iterator[tuple[Any, Scope]]:
    """Yield what a layer that waited is where `input` reaches it: components, each with what names in it stand for.

    Raises SpecError when its values do not fit.
    """
    at = spec.at or Position("", 0, 0)
    known = {name: Node(value, at) for name, value in running_values(input, output).items()}
    values = {**known, **scope}
    nodes = {key: settle(node, values, join(spec.name, key)) for key, node in spec.pending.items()}
    for key, node in nodes.items():
        for name in sorted(waiting_in(node)):
            found = f"found {name!r}, which the shape {tuple(input)} does not have"
            raise SpecError([Problem(node.at, join(spec.name, key), found, f"one of {', '.join(sorted(known))}")])
    if spec.component.kind == "layer" and spec.name in ("let", "for"):
        each = Node.of(spec.options.get("each"), at)
        (values_or_rows,) = nodes.values()
        for names in scopes(spec.name, each, values_or_rows, spec.name):
            yield spec.options["layers"], {**scope, **names}
    else:
        yield resolver.settled(spec, nodes), scope


def _rounds(resolver: Resolver, use: Use, rounds: list[Scope], layers: Node) -> Written:
    """Return the layers of each round, one round after another; a round of one layer is that layer."""
    if not layers.is_list or not layers.value:
        raise _problem(
            use,
            "layers",
            layers,
            f"found {kind(layers.data()) if layers.value else 'an empty list'}",
            "a list of 1 or more layers",
        )
    nodes = sum(1 for _ in layers.places())
    written: list[Node] = []
    for scope in rounds:
        resolver.spend(nodes, use.component.name, use.at)
        inside = settle(layers, scope, join(use.path, "layers"))
        written.append(inside.value[0] if len(inside.value) == 1 else Node(inside.value, use.at))
    found = _sequence(resolver, use, Node(written, layers.at)).found
    return Written(None if found is None else _apart(resolver, found))


def _apart(resolver: Resolver, rounds: ComponentSpec) -> ComponentSpec:
    """Return rounds with the names that each gives kept to itself."""
    if not rounds.gives_names:
        return rounds
    scope = resolver.registry.get("layer", "scope")
    each = [
        replace(one, component=scope) if one.name == "sequence" else ComponentSpec(scope, {"layers": (one,)}, one.at)
        if one.gives_names else one
        for one in rounds.options["layers"]
    ]  # fmt: skip
    return replace(rounds, options={"layers": tuple(each)})


def _sequence(resolver: Resolver, use: Use, layers: Node) -> Written:
    """Return the layers one after another, by the name of what wrote them."""
    found = resolver.sequence(use.kinds, layers, use.at, use.path)
    return Written(None if found is None else replace(found, label=use.component.name))


def _problem(use: Use, option: str, node: Node, found: str, wanted: str) -> SpecError:
    return SpecError([Problem(node.at, join(use.path, option), found, wanted)])


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(NAME.match(name)) and not keyword.iskeyword(name) and name not in CONSTANTS


#: By the name of the layer; what gives None is a layer like any other.
FORMS: dict[str, Callable[[Any, Use], Written | None]] = {"repeat": _repeat, "for": _for, "when": _when, "let": _let}
