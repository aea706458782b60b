"""A JSON Schema of whole specs, from what is installed: editors complete and underline with it.

It is a little more lenient than `zoo check`: an option that a component cannot do without is not asked for inside
components, since a spec that extends another one need not repeat it; and any scalar may be a `${...}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from zoo.errors import PluginError
from zoo.options import REQUIRED, Option, Options, canonical
from zoo.registry import KINDS, LAYER_FAMILY, NAME, Component, Registry
from zoo.spec.blocks import HELD
from zoo.spec.free import STUDY
from zoo.spec.resolve import Resolver
from zoo.spec.schema import NetworkSpec, Spec, TrainSpec
from zoo.spec.study import SweepSpec

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
SECTIONS: dict[type, str] = {NetworkSpec: "network", TrainSpec: "train", SweepSpec: STUDY}
EXPRESSION: Schema = {"$ref": "#/$defs/expression"}
NULL: Schema = {"type": "null"}
SCALARS = ["number", "string", "boolean", "null"]
PARAMETERS: Schema = {
    "description": "With their defaults; in a mapping null is for none, in a list a name alone has none.",
    "anyOf": [
        {"type": "object"},
        {
            "type": "array",
            "items": {"anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1, "maxProperties": 1}]},
        },
    ],
}
FREE: Schema = {
    "type": "object",
    "description": "A free value, for `zoo fit` and `zoo sweep`: a range with both ends, or a list of values.",
    "properties": {
        "free": {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {
                        "from": {"type": "number"},
                        "to": {"type": "number"},
                        "step": {"type": "number", "exclusiveMinimum": 0},
                        "log": {"type": "boolean"},
                    },
                    "required": ["from", "to"],
                    "additionalProperties": False,
                },
                {"type": "array", "minItems": 1},
            ]
        }
    },
    "required": ["free"],
    "additionalProperties": False,
}


def spec_schema(registry: Registry) -> Schema:
    """Return the JSON Schema of a whole spec, in plain data."""
    resolver = Resolver(registry)
    definitions: Schema = {
        "expression": {
            "description": "An expression over the variables of `let`, such as ${width * 2}; or a free value.",
            "anyOf": [{"type": "string", "pattern": r"\$\{.*\}"}, FREE],
        }
    }
    definitions["values"] = {"type": "array", "items": {"anyOf": [{"type": SCALARS}, {"$ref": "#/$defs/values"}]}}
    definitions |= {kind: _kind(kind, registry) for kind in KINDS}
    for component in registry:
        definitions[_name(component)] = _component(component, resolver, definitions)
    for section, name in SECTIONS.items():
        definitions[name] = _section(resolver.options(section), registry, definitions, name)
    top = _section(resolver.options(Spec), registry, definitions, "spec")
    layers: Schema = {"type": "array", "minItems": 1}
    held = {kind: {"description": f"One {kind}, in place of layers."} for kind in HELD if kind != "layers"}
    top["properties"] |= {
        STUDY: {"$ref": f"#/$defs/{STUDY}"},
        "extends": {"type": "string", "description": "Another spec, by file or name, that this one changes."},
        "blocks": {
            "type": "object",
            "description": "Layers with parameters, used by their name like any layer.",
            "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
            "additionalProperties": {
                "anyOf": [
                    layers,
                    {
                        "type": "object",
                        "properties": {"parameters": PARAMETERS, "layers": layers, **held},
                        "oneOf": [{"required": [name]} for name in ("layers", *held)],
                        "additionalProperties": False,
                    },
                ]
            },
        },
        "let": {
            "type": "object",
            "description": "Variables for ${...}.",
            "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
            "additionalProperties": {"anyOf": [{"type": SCALARS}, {"$ref": "#/$defs/values"}, FREE]},
        },
    }
    whole = {"anyOf": [{"required": ["extends"]}, _required(resolver, Spec)]}
    return {"$schema": DIALECT, "title": "Zoo spec", **top, **whole, "$defs": definitions}


def _kind(kind: str, registry: Registry) -> Schema:
    """Return the schema of one component of a kind: its name, or its name with its options."""
    components = [one for one in registry if one.kind == kind]
    names = [one.name for one in components]
    mapping: Schema = {
        "type": "object",
        "properties": {one.name: {"$ref": f"#/$defs/{_name(one)}"} for one in components},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    forms: list[Schema] = [{"enum": names}, mapping, EXPRESSION]
    if kind == "layer":  # or a block, by a name that only the spec knows, or a list for a sequence
        forms += [{"type": "string", "pattern": NAME.pattern.replace(r"\Z", "$")}]
        forms += [{"type": "array", "items": _any([{"$ref": f"#/$defs/{one}"} for one in LAYER_FAMILY])}]
        others = {"not": {"enum": registry.names(*LAYER_FAMILY)}}
        forms += [{"type": "object", "minProperties": 1, "maxProperties": 1, "propertyNames": others}]
    return {"description": f"{kind}: {KINDS[kind]}", "anyOf": forms}


def _component(component: Component, resolver: Resolver, definitions: Schema) -> Schema:
    """Return the schema of what stands after a component's name: its options, or the value of the first one."""
    source = f"Source: {component.source}" if component.source else ""
    description = " ".join(text for text in (component.summary, source) if text)
    try:
        options = resolver.options(component)
        properties = dict(_properties(options, resolver.registry, definitions, _name(component)))
    except PluginError as error:
        return {"description": f"broken: {error}"}
    forms: list[Schema] = [{"type": "object", "properties": properties, "additionalProperties": False}, NULL]
    if options.first is not None:
        forms.append(properties[options.first.name])
    return {"description": description, "anyOf": forms}


def _section(options: Options, registry: Registry, definitions: Schema, name: str) -> Schema:
    """Return the schema of a fixed part of a spec; null takes away what an extended spec says there."""
    properties = {
        key: {**_outer(schema), "anyOf": [_inner(schema), NULL]}
        for key, schema in _properties(options, registry, definitions, name)
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _properties(options: Options, registry: Registry, definitions: Schema, owner: str) -> Iterator[tuple[str, Schema]]:
    plain = _plain(options, definitions, owner)
    for option in options:
        schema = plain[option.name] if option.form == "value" else _held(option, registry)
        if option.description:
            schema = {"description": option.description, **schema}
        if option.form != "value" and option.default not in (REQUIRED, None):
            schema = {**schema, "default": canonical(option.default)}
        yield option.name, schema


def _plain(options: Options, definitions: Schema, owner: str) -> dict[str, Schema]:
    """Return the schemas of the options that hold plain values, from their pydantic model."""
    from pydantic import PydanticUserError

    try:
        whole = options.model.model_json_schema(ref_template=f"#/$defs/{owner}.{{model}}")
    except PydanticUserError:
        # A type without a schema: anything may stand there, in the words of its option.
        return {option.name: {"description": option.wanted} for option in options if option.form == "value"}
    definitions |= {f"{owner}.{name}": schema for name, schema in whole.get("$defs", {}).items()}
    found = {}
    for name, schema in whole.get("properties", {}).items():
        schema.pop("title", None)
        found[name] = _or_expression(schema)
    return found


def _held(option: Option, registry: Registry) -> Schema:
    """Return the schema of an option that holds components or sections."""
    if option.form in ("section", "sections"):
        assert option.section is not None
        inner: Schema = {"$ref": f"#/$defs/{SECTIONS[option.section]}"}
        return inner if option.form == "section" else {"type": "object", "additionalProperties": inner}
    if option.form == "mapping":
        named = [one for one in registry if one.kind in option.kinds]
        refs = {one.name: {"$ref": f"#/$defs/{_name(one)}"} for one in named}
        return {"type": "object", "properties": refs, "additionalProperties": False}
    one = _any([{"$ref": f"#/$defs/{kind}"} for kind in option.kinds])
    if option.form == "list":
        return {"anyOf": [{"type": "array", "items": one}, EXPRESSION]}
    return _any([one, NULL]) if option.optional else one


def _required(resolver: Resolver, section: type) -> Schema:
    """Return what a spec that extends no other must hold, in its sections too."""
    options = resolver.options(section)
    properties: Schema = {}
    for option in options:
        if option.section is not None:
            inner = _required(resolver, option.section)
            properties[option.name] = inner if option.form == "section" else {"additionalProperties": inner}
    found: Schema = {"required": [option.name for option in options if option.required]}
    return {**found, "properties": properties} if properties else found


def _or_expression(schema: Schema) -> Schema:
    """Let each scalar in `schema` be a `${...}` as well."""
    if "items" in schema and "prefixItems" not in schema:
        whole = {**_inner(schema), "items": _or_expression(schema["items"])}
        return {**_outer(schema), "anyOf": [whole, EXPRESSION]}
    if "prefixItems" in schema:
        whole = {**_inner(schema), "prefixItems": [_or_expression(one) for one in schema["prefixItems"]]}
        return {**_outer(schema), "anyOf": [whole, EXPRESSION]}
    if isinstance(schema.get("additionalProperties"), Mapping):
        return {**schema, "additionalProperties": _or_expression(schema["additionalProperties"])}
    if "anyOf" in schema:
        forms = [one for part in schema["anyOf"] for one in _forms(_or_expression(part))]
        return {**schema, "anyOf": [*_unique(forms)]}
    return {**_outer(schema), "anyOf": [_inner(schema), EXPRESSION]}


def _forms(schema: Schema) -> list[Schema]:
    return schema["anyOf"] if set(schema) == {"anyOf"} else [schema]


def _unique(schemas: Iterable[Schema]) -> list[Schema]:
    found: list[Schema] = []
    for one in schemas:
        if one not in found:
            found.append(one)
    # Last, so that an editor offers the plain values first.
    return sorted(found, key=lambda one: one == EXPRESSION)


def _outer(schema: Schema) -> Schema:
    """Return what a schema says about a value apart from which values there are."""
    return {key: schema[key] for key in ("description", "default") if key in schema}


def _inner(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in ("description", "default")}


def _any(schemas: list[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _name(component: Component) -> str:
    return f"{component.kind}.{component.name}"
