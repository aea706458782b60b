"""From a document to a Spec: names are looked up, options checked, defaults filled in; all errors come at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from zoo.annotations import describe, within
from zoo.errors import MOST_PROBLEMS, PluginError, Position, Problem, SpecError, closest, listing
from zoo.options import Option, Options, with_article
from zoo.registry import LAYER_FAMILY, Component, Registry
from zoo.spec.blocks import Blocks
from zoo.spec.document import DEPTH_LIMIT, Node, shorten, unseparated
from zoo.spec.forms import FORMS, Use
from zoo.spec.free import STUDY
from zoo.spec.pending import Pending, waiting_in
from zoo.spec.schema import SCALARS, ComponentSpec, Spec, to_data

NOWHERE = Position("<default>", 0, 0)
MOST_COMPONENTS = 100_000  # in one, blocks written out: as many lines has the resolved spec
DEEPEST = (DEPTH_LIMIT - 10) // 3  # components inside each other, so that a resolved spec can be read again
MOST_FOUND = 100_000  # nodes whose meaning is kept
MOST_LISTED = 20  # names in a message; of more, the command that lists them
PLAIN = (str, int, float, list, dict, type(None))


class Resolver:
    """Resolves nodes against one registry and gathers the problems that it meets.

    What a node without problems resolves to is kept for its life: one that stands in many documents is resolved once.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.problems: list[Problem] = []
        self._blocks = self._no_blocks = Blocks()
        self._depth = 0  # of components inside each other that are being resolved
        self.bound: frozenset[str] = frozenset()  # names that get values with a shape, around what is being resolved
        # By the identities of nodes, which are kept beside what was found, so that no other takes their place.
        self._found: dict[Any, tuple[Any, Any]] = {}
        # By what they are and where they stand, the last sections, with their nodes and the blocks that were known.
        self._sections: dict[tuple[type, str], tuple[Node, Blocks, Any]] = {}
        # The options of components of plain values alone, by these; the registry keeps the components.
        self._alike: dict[Any, dict[str, Any]] = {}
        self._failed: set[Any] = set()  # what has problems in this spec
        self._passed_over = 0  # how often something stood where it was not told again that it has

    def spec(self, document: Node) -> Spec:
        """Return the Spec that `document` describes, with the layers of its blocks in place of their names.

        Raises SpecError with all problems.
        """
        if len(self._found) > MOST_FOUND:
            self._found.clear()
            self._alike.clear()
        blocks = document.value.get("blocks")
        self._blocks = self._once(("blocks", id(blocks)), blocks, lambda: Blocks(blocks, self._names_of))
        self._blocks.restart()
        self._failed.clear()
        self.problems += self._blocks.problems
        warnings = tuple(self._blocks.warnings)
        rest = {key: node for key, node in document.value.items() if key not in ("blocks", STUDY)}
        spec: Spec | None = self.section(Spec, Node(rest, document.at), "")
        self._blocks = self._no_blocks
        if self.problems or spec is None:
            problems, self.problems = self.problems, []
            raise SpecError(problems)
        object.__setattr__(spec, "document", document)
        object.__setattr__(spec, "warnings", warnings)
        return spec

    def component_from(self, kinds: tuple[str, ...], data: Any, at: Position = NOWHERE) -> ComponentSpec:
        """Return the component that plain `data` (a name, or a name with options) describes.

        Raises SpecError with all problems.
        """
        kept, self.problems = self.problems, []
        failed, self._failed = self._failed, set()
        try:
            found = self.component(kinds, Node.of(data, at), "")
            if found is None:
                raise SpecError(self.problems)
            return found
        finally:
            self.problems, self._failed = kept, failed

    def component(self, kinds: tuple[str, ...], node: Node, path: str) -> ComponentSpec | None:
        """Resolve "name", "{name: options}" or "{name: value of the first option}"; None after a problem.

        An object that is no plain data, such as a layer that an architecture was given, stands for itself.
        """
        value: Any = node.value
        if not isinstance(value, PLAIN):
            return value
        if isinstance(value, str):
            named = partial(self.named, kinds, value, Node({}, node.at), node.at, path)
            # Plain data has no places of its own: what is wrong in two parts of it is told of both.
            told = None if node.at.line else (kinds, id(node))
            return self._once((kinds, value, node.at, id(self._blocks)), None, named, told)
        if isinstance(value, dict) and len(value) == 1:
            ((name, options),) = value.items()
            named = partial(self.named, kinds, name, options, options.key_at or node.at, path)
            return self._once((kinds, id(node), id(self._blocks)), node, named)
        if isinstance(value, list) and "layer" in kinds:  # layers stand for a sequence of them
            listed = partial(self.registered, kinds, "sequence", Node({"layers": node}, node.at), node.at, path)
            return self._once((kinds, id(node), id(self._blocks)), node, listed)
        found = show(value)
        if isinstance(value, dict) and value:
            found = f"found {len(value)} names ({', '.join(value)})"
        self._report(node.at, path, found, f"one {kinds[0]}: its name, or its name with its options")
        return None

    def section(self, schema: type, node: Node, path: str) -> Any:
        """Resolve a fixed part of a spec into an instance of `schema`; None after a problem."""
        if not node.is_mapping:
            self._report(node.at, path, show(node.value), "a mapping", unseparated(node.value))
            return None

        def made() -> Any:
            faults, options = self._faults, self.options(schema)
            before, changed = self._before(schema, node, path)
            if before is None:
                values = self._values(options, node.value, node.at, path)
                found = None if values is None else schema(**values)
            else:
                held = {key: self._held(options.by_name[key], node.value[key], _join(path, key)) for key in changed}
                found = replace(before, **held) if self._faults == faults else None
            if found is not None:
                self._sections[schema, path] = node, self._blocks, found
            return found

        return self._once((schema, id(node), id(self._blocks)), node, made)

    def _before(self, schema: type, node: Node, path: str) -> tuple[Any, list[str]]:
        """Return the last section in a place, and the keys of what it holds that is another now; None where more is."""
        before, blocks, found = self._sections.get((schema, path), (node, None, None))
        if blocks is not self._blocks or before.value.keys() != node.value.keys():
            return None, []
        changed = [key for key, one in node.value.items() if one is not before.value[key]]
        options = self.options(schema).by_name
        return (None, []) if any(options[key].form == "value" for key in changed) else (found, changed)

    def options(self, target: Any) -> Options:
        """Return the options of a Component or of a section's class. Raises PluginError when it has a bad signature."""
        known = self.registry.options
        if id(target) not in known:
            loaded = target.load() if isinstance(target, Component) else target
            known[id(target)] = target, Options(loaded, target.name if isinstance(target, Component) else "")
        found: Options = known[id(target)][1]
        return found

    @property
    def _faults(self) -> int:
        """How often something was met that has problems, told or not."""
        return len(self.problems) + self._passed_over

    def _once(self, key: tuple[Any, ...], node: Any, find: Callable[[], Any], told: Any = None) -> Any:
        """Return what was found under `key`, or find it now; what has problems is None, and they are told once for
        `told`, or else for `key`.
        """
        if key in self._found:
            return self._found[key][1]
        told = told or key
        if told in self._failed:
            self._passed_over += 1
            return None
        found = find()
        if found is None:
            self._failed.add(told)
        else:
            self._found[key] = (node, found)
        return found

    def spend(self, nodes: int, name: str, at: Position) -> None:
        """Count a round of a loop that writes out so many values. Raises SpecError when there are too many."""
        self._blocks.spend(nodes, name, at)

    def _names_of(self, kind: str) -> list[str]:
        return self.registry.names(*(LAYER_FAMILY if kind in LAYER_FAMILY else (kind,)))

    @contextmanager
    def _without_blocks(self) -> Iterator[None]:
        """Look names up in the registry alone: what plugins wrote does not mean the blocks of a spec."""
        before, self._blocks = self._blocks, self._no_blocks
        try:
            yield
        finally:
            self._blocks = before

    def named(self, kinds: tuple[str, ...], name: str, options: Node, at: Position, path: str) -> ComponentSpec | None:
        """Resolve a component, or a use of a block, by its name and its options; None after a problem."""
        # What the spec itself calls so comes before a layer of that name, which a plugin may have brought since.
        if self._blocks.fits(name, kinds):
            return self._block(kinds, name, options, at, path)
        return self.registered(kinds, name, options, at, path)

    def sequence(self, kinds: tuple[str, ...], layers: Node, at: Position, path: str) -> ComponentSpec | None:
        """Resolve layers that are written out in the place of one; names that they give mean nothing outside."""
        found = self.registered(kinds, "sequence", Node({"layers": layers}, at), at, path)
        if found is None or not found.gives_names:
            return found
        return replace(found, component=self.registry.get("layer", "scope"))

    def registered(
        self, kinds: tuple[str, ...], name: str, options: Node, at: Position, path: str
    ) -> ComponentSpec | None:
        component = self.registry.find(kinds, name)
        if component is None and name in self._blocks:
            held = with_article(self._blocks.kind(name))
            self._report(at, path, f"found the block {name!r}, which holds {held}", with_article(kinds[0]))
            return None
        if component is None:
            names = [*self.registry.names(*kinds), *self._blocks.named(kinds)]
            lists = "zoo list" if len(kinds) > 1 else f"zoo list {kinds[0]}"
            wanted = (
                f"one of {listing(names, MOST_LISTED)}" if len(names) <= MOST_LISTED else f"one that `{lists}` names"
            )
            hint = unseparated(name) or _own_set(kinds, name) or self._closest(name, names)
            self._report(at, path, f"found the unknown {kinds[0]} {name!r}", wanted, hint)
            return None
        path = f"{path}.{name}" if path else name
        try:
            schema = self.options(component)
        except PluginError as error:
            self._report(at, path, str(error))
            return None
        given = options.value if options.value is not None else {}
        if not isinstance(given, dict):
            if schema.first is None:
                self._report(options.at, path, show(given), f"nothing: {name} has no options")
                return None
            given = {schema.first.name: replace(options, key_at=None)}
        elif self._is_component(schema, given):
            given = {schema.first.name: options}  # type: ignore[union-attr]
        if component.kind == "layer" and name in FORMS:
            try:
                written = FORMS[name](self, Use(kinds, component, given, at, path))
            except SpecError as error:
                self.problems += error.problems
                return None
            if written is not None:
                return written.found
        if self._depth > DEEPEST:
            self.problems.append(self._blocks.too_deep(at, path, f"layers more than {DEEPEST}"))
            return None
        self._depth += 1
        try:
            found = self._made(component, schema, given, at, path)
        finally:
            self._depth -= 1
        return None if found is None else self.bounded(found, path)

    def _made(
        self, component: Component, schema: Options, given: Mapping[str, Node], at: Position, path: str
    ) -> ComponentSpec | None:
        # What is written alike, in plain values alone, says the same wherever it stands.
        plain = [(key, type(one.value), one.value) for key, one in given.items() if type(one.value) in SCALARS]
        alike = (id(component), *plain) if len(plain) == len(given) else None
        if alike in self._alike:
            return ComponentSpec(component, self._alike[alike], at)
        pending = self._pending(component, schema, given, path)
        if pending:
            rest = {key: node for key, node in given.items() if key not in pending}
            values = self._values(schema.part(schema.by_name.keys() - pending), rest, at, path)
            if values is not None:
                values |= {key: to_data(node.data()) for key, node in pending.items()}
                values = {key: values[key] for key in schema.by_name}
        else:
            values = self._values(schema, given, at, path)
            if values is not None and not self._agree(schema, values, at, path):
                return None
        if values is None:
            return None
        for option in schema.later:
            if values[option.name] == option.default:
                del values[option.name]
        if alike is not None and all(type(one) in SCALARS for one in values.values()):
            self._alike[alike] = values
        return ComponentSpec(component, values, at, pending=pending)

    def _agree(self, schema: Options, values: Mapping[str, Any], at: Position, path: str) -> bool:
        """Whether options go together, as far as a class itself looks at them and all of them are plain."""
        if not hasattr(schema.target, "__post_init__") or schema.held:
            return True
        try:
            schema.target(**values)
        except ValueError as error:
            self._report(at, path, str(error))
            return False
        return True

    def _pending(self, component: Component, schema: Options, given: Mapping[str, Node], path: str) -> dict[str, Node]:
        """Return the plain options of a layer that wait for the shape which reaches it."""
        pending = {
            key: node
            for key, node in given.items()
            if isinstance(node.value, (Pending, list, dict))
            and (option := schema.by_name.get(key)) is not None and option.form == "value" and waiting_in(node)
        }  # fmt: skip
        if not pending or component.kind in LAYER_FAMILY:
            return pending
        for key, node in pending.items():
            found = f"found {' and '.join(sorted(waiting_in(node)))}, which is known to layers only"
            self._report(node.at, _join(path, key), found, schema.by_name[key].wanted)
        return {}

    def settled(self, spec: ComponentSpec, values: Mapping[str, Node]) -> ComponentSpec:
        """Return a layer whose options waited with their values. Raises SpecError with all problems."""
        kept, self.problems = self.problems, []
        try:
            schema = self.options(spec.component).part(values)
            found = self._plain(schema, values, spec.at or NOWHERE, spec.name)
            if self.problems:
                raise SpecError(self.problems)
        finally:
            self.problems = kept
        return replace(spec, options={key: found.get(key, one) for key, one in spec.options.items()}, pending={})

    def bounded(self, found: ComponentSpec, path: str) -> ComponentSpec | None:
        """Return a component that is neither too large nor too deep; None after a problem."""
        at = found.at or NOWHERE
        size, depth = found.extent
        if size > MOST_COMPONENTS:
            self._report(at, path, f"found more than {MOST_COMPONENTS:,} components, blocks written out", "fewer")
            return None
        if depth > DEEPEST:
            self.problems.append(self._blocks.too_deep(at, path, f"layers more than {DEEPEST}"))
            return None
        return found

    def _is_component(self, schema: Options, given: Mapping[str, Node]) -> bool:
        """Whether a mapping is no options, but what the first option wants: `spectral_norm: {conv: 8}`."""
        if len(given) != 1 or schema.first is None or schema.first.form != "one":
            return False
        (name,) = given
        if name in schema.by_name:
            return False
        kinds = schema.first.kinds
        return self._blocks.fits(name, kinds) or self.registry.find(kinds, name) is not None

    def _block(self, kinds: tuple[str, ...], name: str, options: Node, at: Position, path: str) -> ComponentSpec | None:
        """Resolve a use of a block: a sequence of its layers, which goes by the block's name.

        Uses with the same values have the same layers; what stands around them, and where, is their own.
        """

        misuses = self._blocks.refuse(name, options, at)
        if misuses:
            self.problems += misuses
            return None

        def expanded() -> ComponentSpec | None:
            try:
                held = self._blocks.enter(name, options, at, self.bound)
            except SpecError as error:
                self.problems += error.problems
                return None
            try:
                if held.is_list:
                    return self.sequence(kinds, held, at, _join(path, name))
                if _names_values(held):
                    return self.registered((*kinds, "layer"), "let", held.value["let"], at, _join(path, name))
                return self.component(kinds, held, _join(path, name))
            finally:
                self._blocks.leave()

        values = options.value if isinstance(options.value, dict) else {"": options}
        if not all(isinstance(value.value, (str, int, float)) for value in values.values()):
            found = expanded()
        else:
            given = tuple((key, type(value.value), value.value) for key, value in values.items())
            # What is wrong inside a block is told once, not at each of its uses.
            found = self._once((kinds, id(self._blocks), name, given, self.bound), None, expanded)
        return None if found is None else replace(found, label=name, at=at)

    def many(self, component: Component, name: str, node: Node, path: str) -> Any:
        """Resolve the value of an option that holds a list of layers; None after a problem."""
        before = self._faults
        found = self._held(self.options(component).by_name[name], node, _join(path, name))
        return found if self._faults == before else None

    def _values(self, schema: Options, given: Mapping[str, Node], at: Position, path: str) -> dict[str, Any] | None:
        """Return every option's value in signature order; None when any of them has a problem."""
        before = self._faults
        plain: dict[str, Node] = {}
        values: dict[str, Any] = {}
        for key, node in given.items():
            option = schema.by_name.get(key)
            if option is None:
                hint = self._closest(key, schema.by_name)
                wanted = f"one of {', '.join(schema.by_name)}" if schema.by_name else "no options here"
                self._report(node.key_at or node.at, path, f"found the unknown key {key!r}", wanted, hint)
            elif option.form == "value":
                plain[key] = node
            else:
                values[key] = self._held(option, node, _join(path, key))
        for option in schema.held:
            if option.name in given:
                continue
            if option.required:
                self._report(at, path, f"found no {option.name!r}", option.wanted)
            else:
                values[option.name] = self._default(option, path)
        values.update(self._plain(schema, plain, at, path))
        return {name: values[name] for name in schema.by_name} if self._faults == before else None

    def _default(self, option: Option, path: str) -> Any:
        default = option.default
        if option.optional and default is None:
            return None
        held = partial(self._held, option, Node.of(default, NOWHERE), _join(path, option.name))
        with self._without_blocks():
            return self._once(("default", id(option)), option, held)

    def _held(self, option: Option, node: Node, path: str) -> Any:
        """Resolve an option that holds components or sections."""
        if option.optional and node.value is None:
            return None
        if option.form == "one":
            return self.component(option.kinds, node, path)
        if option.form == "section":
            assert option.section is not None
            return self.section(option.section, node, path)
        if option.form == "list":
            if not node.is_list:
                self._report(node.at, path, show(node.value), option.wanted)
                return None
            if len(node.value) < option.least:
                self._report(node.at, path, show(node.value), option.wanted)
                return None
            return tuple(self.component(option.kinds, item, f"{path}.{index}") for index, item in enumerate(node.value))
        if not node.is_mapping:
            self._report(node.at, path, show(node.value), option.wanted)
            return None
        if option.form == "sections":
            assert option.section is not None
            return {key: self._one_of_sections(option.section, node, key, path) for key in node.value}
        return {
            key: self.named(option.kinds, key, item, item.key_at or item.at, path) for key, item in node.value.items()
        }

    def _one_of_sections(self, schema: type, node: Node, key: str, path: str) -> Any:
        """Resolve one of several sections; one that lacks something may be another, whose name is misspelt."""
        before, place = len(self.problems), _join(path, key)
        found = self.section(schema, node.value[key], place)
        if found is not None:
            return found
        hint = closest(key, [one for one in node.value if one != key])
        for index in range(before, len(self.problems) if hint else before):
            one = self.problems[index]
            if one.path == place and one.found.startswith("found no ") and not one.hint:
                self.problems[index] = replace(one, hint=hint)
        return found

    def _plain(self, schema: Options, given: Mapping[str, Node], at: Position, path: str) -> dict[str, Any]:
        data = {key: node.data() for key, node in given.items()}
        values = schema.take(data)
        if values is not None:
            return values
        if strange := [key for key, value in data.items() if not _is_plain(value)]:
            for key in strange:
                found = f"found {shorten(repr(data[key]))}, which is no plain data but a {type(data[key]).__name__}"
                self._report(given[key].at, _join(path, key), found, schema.by_name[key].wanted)
            return {}
        from pydantic import ValidationError

        try:
            return dict(schema.model.model_validate_json(json.dumps(data)))
        except ValidationError as error:
            seen: set[tuple[Position, str]] = set()
            told = error.errors(include_url=False, include_context=False)
            problems = [self._plain_problem(schema, given, one, at, path) for one in told]
            for problem in problems:
                # Where what stands inside is wrong, that it is none of a type's other forms says nothing.
                inside = any(one.path.startswith(f"{problem.path}.") for one in problems)
                if not inside and (problem.at or NOWHERE, problem.path) not in seen:
                    seen.add((problem.at or NOWHERE, problem.path))
                    self.problems.append(problem)
            return {}

    def _plain_problem(
        self, schema: Options, given: Mapping[str, Node], error: Any, at: Position, path: str
    ) -> Problem:
        """Say in our words what pydantic found; its union tags are no keys of ours and are passed over."""
        location = error["loc"]
        option = schema.by_name.get(str(location[0])) if location else None
        if option is None:
            return Problem(at, path, f"found text that is not valid JSON ({error['msg']})", "plain data")
        if error["type"] == "missing" and option.name not in given:
            return Problem(at, path, f"found no {option.name!r}", option.wanted)
        node, place, wanted = given[option.name], _join(path, option.name), option.annotation
        for part in location[1:]:
            inside = range(len(node.value)) if node.is_list else node.value if node.is_mapping else ()
            if part in inside:
                node, place, wanted = node.value[part], f"{place}.{part}", within(wanted, part)
        hint = error["msg"].removeprefix("Value error, ") if error["type"] == "value_error" else ""
        found = show(node.value)
        if node.is_list and node.value and describe(wanted).startswith("a list of "):
            found += f" of {len(node.value)}"
        return Problem(node.at, place, found, describe(wanted), hint)

    def _closest(self, name: str, names: Iterable[str]) -> str:
        """Return a hint while problems are few enough to be told; to look for one takes long."""
        return closest(name, names) if len(self.problems) < MOST_PROBLEMS else ""

    def _report(self, at: Position, path: str, found: str, wanted: str = "", hint: str = "") -> None:
        self.problems.append(Problem(at, path, found, wanted, hint))


def _own_set(kinds: tuple[str, ...], name: str) -> str:
    """Return how a data set of one's own is written, where it is named as those of plugins are."""
    if "dataset" not in kinds:
        return ""
    from zoo.data.store import stored

    return f"a set of your own is written data: {{images: {name}}}" if name in stored() else ""


def _names_values(node: Node) -> bool:
    return node.is_mapping and set(node.value) == {"let"}


def show(value: Any) -> str:
    """Say what was found, short enough for one line."""
    if isinstance(value, dict):
        return "found a mapping" if value else "found an empty mapping"
    if isinstance(value, list):
        return "found a list" if value else "found an empty list"
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return f"found {text if len(text) <= 60 else text[:57] + '...'}"


def _is_plain(value: Any) -> bool:
    """Return whether a value is data that a file could hold; what an architecture writes may be anything."""
    if isinstance(value, (list, tuple, dict)):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return value is None or isinstance(value, (bool, int, float, str))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
