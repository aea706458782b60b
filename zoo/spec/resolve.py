"""From a document to a Spec: names are looked up, options checked, defaults filled in; all errors come at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from zoo.annotations import describe, within
from zoo.errors import PluginError, Position, Problem, SpecError, closest, listing
from zoo.options import Option, Options
from zoo.registry import Component, Registry
from zoo.spec.blocks import Blocks
from zoo.spec.document import DEPTH_LIMIT, Node
from zoo.spec.free import is_free
from zoo.spec.schema import ComponentSpec, Spec

NOWHERE = Position("<default>", 0, 0)
MOST_COMPONENTS = 100_000  # in one, blocks written out: as many lines has the resolved spec
DEEPEST = (DEPTH_LIMIT - 10) // 3  # components inside each other, so that a resolved spec can be read again
PLAIN = (str, int, float, list, dict, type(None))


class Resolver:
    """Resolves nodes against one registry and gathers the problems that it meets.

    What it found is kept for its life: the options of a target, and what a node without problems resolves to. So a
    node that stands in many documents is resolved once.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.problems: list[Problem] = []
        self._options: dict[Any, Options] = {}
        self._blocks = self._no_blocks = Blocks()
        # By the identities of nodes, which are kept beside what was found, so that no other takes their place.
        self._found: dict[Any, tuple[Any, Any]] = {}
        self._failed: set[Any] = set()  # what has problems in this spec

    def spec(self, document: Node) -> Spec:
        """Return the Spec that `document` describes, with the layers of its blocks in place of their names.

        Raises SpecError with all problems.
        """
        blocks = document.value.get("blocks")
        self._blocks = self._once(("blocks", id(blocks)), blocks, lambda: Blocks(blocks))
        self._blocks.restart()
        self._failed.clear()
        self.problems += self._blocks.problems
        rest = {key: node for key, node in document.value.items() if key != "blocks"}
        spec: Spec | None = self.section(Spec, replace(document, value=rest), "")
        self._blocks = self._no_blocks
        if self.problems or spec is None:
            problems, self.problems = self.problems, []
            raise SpecError(problems)
        object.__setattr__(spec, "document", document)
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
            named = partial(self._named, kinds, value, Node({}, node.at), node.at, path)
            return self._once((kinds, value, node.at, id(self._blocks)), None, named)
        if isinstance(value, dict) and len(value) == 1:
            ((name, options),) = value.items()
            named = partial(self._named, kinds, name, options, options.key_at or node.at, path)
            return self._once((kinds, id(node), id(self._blocks)), node, named)
        if isinstance(value, list) and "layer" in kinds:  # layers stand for a sequence of them
            listed = partial(self._registered, kinds, "sequence", Node({"layers": node}, node.at), node.at, path)
            return self._once((kinds, id(node), id(self._blocks)), node, listed)
        found = show(value)
        if isinstance(value, dict) and value:
            found = f"found {len(value)} names ({', '.join(value)})"
        self._report(node.at, path, found, f"one {kinds[0]}: its name, or its name with its options")
        return None

    def section(self, schema: type, node: Node, path: str) -> Any:
        """Resolve a fixed part of a spec into an instance of `schema`; None after a problem."""
        if not node.is_mapping:
            self._report(node.at, path, show(node.value), "a mapping")
            return None

        def made() -> Any:
            values = self._values(self.options(schema), node.value, node.at, path)
            return None if values is None else schema(**values)

        return self._once((schema, id(node), id(self._blocks)), node, made)

    def options(self, target: Any) -> Options:
        """Return the options of a Component or of a section's class. Raises PluginError when it has a bad signature."""
        found = self._options.get(target)
        if found is None:
            loaded = target.load() if isinstance(target, Component) else target
            found = self._options[target] = Options(loaded, target.name if isinstance(target, Component) else "")
        return found

    def _once(self, key: tuple[Any, ...], node: Any, find: Callable[[], Any]) -> Any:
        """Return what was found under `key`, or find it now; what has problems is None, and they are told once."""
        if key in self._found:
            return self._found[key][1]
        found = None if key in self._failed else find()
        if found is None:
            self._failed.add(key)
        else:
            self._found[key] = (node, found)
        return found

    def _named(self, kinds: tuple[str, ...], name: str, options: Node, at: Position, path: str) -> ComponentSpec | None:
        # What the spec itself calls so comes before a layer of that name, which a plugin may have brought since.
        if "layer" in kinds and name in self._blocks:
            return self._block(kinds, name, options, at, path)
        return self._registered(kinds, name, options, at, path)

    def _registered(
        self, kinds: tuple[str, ...], name: str, options: Node, at: Position, path: str
    ) -> ComponentSpec | None:
        component = self.registry.find(kinds, name)
        if component is None:
            blocks = list(self._blocks) if "layer" in kinds else []
            names = [*self.registry.names(*kinds), *blocks]
            told = f"one of {listing(names)}"
            if len(kinds) > 1:
                own = f"a block ({listing(blocks)}), " if blocks else ""
                told = f"{own}a {kinds[0]} (`zoo list {kinds[0]}` names them), {', '.join(kinds[1:-1])} or {kinds[-1]}"
            self._report(at, path, f"found the unknown {kinds[0]} {name!r}", told, closest(name, names))
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
        values = self._values(schema, given, at, path)
        if values is None:
            return None
        found = ComponentSpec(component, values, at)
        size, depth = found.extent
        if size > MOST_COMPONENTS:
            self._report(at, path, f"found more than {MOST_COMPONENTS:,} components, blocks written out", "fewer")
            return None
        if depth > DEEPEST:
            self._report(
                at, path, f"found layers more than {DEEPEST} deep inside each other, blocks written out", "fewer"
            )
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
        return ("layer" in kinds and name in self._blocks) or self.registry.find(kinds, name) is not None

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
                layers = self._blocks.enter(name, options, at)
            except SpecError as error:
                self.problems += error.problems
                return None
            try:
                node = Node({"layers": layers}, at)
                return self._registered(kinds, "sequence", node, at, f"{path}.{name}" if path else name)
            finally:
                self._blocks.leave()

        values = options.value if isinstance(options.value, dict) else {"": options}
        if not all(isinstance(value.value, (str, int, float)) for value in values.values()):
            found = expanded()
        else:
            given = tuple((key, type(value.value), value.value) for key, value in values.items())
            # What is wrong inside a block is told once, not at each of its uses.
            found = self._once((kinds, id(self._blocks), name, given), None, expanded)
        return None if found is None else replace(found, label=name, at=at)

    def _values(self, schema: Options, given: Mapping[str, Node], at: Position, path: str) -> dict[str, Any] | None:
        """Return every option's value in signature order; None when any of them has a problem."""
        before = len(self.problems)
        plain: dict[str, Node] = {}
        values: dict[str, Any] = {}
        for key, node in given.items():
            option = schema.by_name.get(key)
            if option is None:
                hint = closest(key, schema.by_name)
                wanted = f"one of {', '.join(schema.by_name)}" if schema.by_name else "no options here"
                self._report(node.key_at or node.at, path, f"found the unknown key {key!r}", wanted, hint)
            elif option.form == "value":
                plain[key] = node
            else:
                values[key] = self._held(option, node, _join(path, key))
        for option in schema:
            if option.name in given or option.form == "value":
                continue
            if option.required:
                self._report(at, path, f"found no {option.name!r}", option.wanted)
            else:
                values[option.name] = self._default(option, path)
        values.update(self._plain(schema, plain, at, path))
        return {name: values[name] for name in schema.by_name} if len(self.problems) == before else None

    def _default(self, option: Option, path: str) -> Any:
        default = option.default
        if option.optional and default is None:
            return None
        held = partial(self._held, option, Node.of(default, NOWHERE), _join(path, option.name))
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
            return {key: self.section(option.section, item, _join(path, key)) for key, item in node.value.items()}
        return {
            key: self._named(option.kinds, key, item, item.key_at or item.at, path) for key, item in node.value.items()
        }

    def _plain(self, schema: Options, given: Mapping[str, Node], at: Position, path: str) -> dict[str, Any]:
        data = {key: node.data() for key, node in given.items()}
        values = schema.take(data)
        if values is not None:
            return values
        from pydantic import ValidationError

        try:
            return dict(schema.model.model_validate_json(json.dumps(data)))
        except ValidationError as error:
            seen: set[tuple[Position, str]] = set()
            for one in error.errors(include_url=False, include_context=False):
                problem = self._plain_problem(schema, given, one, at, path)
                if (problem.at or NOWHERE, problem.path) not in seen:
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
        if is_free(node):
            return Problem(node.at, place, "found a free variable", describe(wanted), "free variables stand under let")
        return Problem(node.at, place, show(node.value), describe(wanted), hint)

    def _report(self, at: Position, path: str, found: str, wanted: str = "", hint: str = "") -> None:
        self.problems.append(Problem(at, path, found, wanted, hint))


def show(value: Any) -> str:
    """Say what was found, short enough for one line."""
    if isinstance(value, dict):
        return "found a mapping" if value else "found an empty mapping"
    if isinstance(value, list):
        return "found a list" if value else "found an empty list"
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return f"found {text if len(text) <= 60 else text[:57] + '...'}"


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
