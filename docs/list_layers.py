"""Write docs/layer-list.md: every layer with its options, from the registry. `make docs` runs it."""

from __future__ import annotations

from pathlib import Path

from zoo.api import Registry
from zoo.distribution import EARLIER, NAME
from zoo.options import Option, canonical
from zoo.plugins import assemble, discover
from zoo.registry import LAYER_FAMILY, Component
from zoo.spec.resolve import Resolver
from zoo.spec.writer import write_line

PAGE = Path(__file__).with_name("layer-list.md")
TITLES = {
    "layer": "Layers",
    "norm": "Norms",
    "activation": "Activations",
    "architecture": "Architectures",
}
HEAD = """\
# All layers

What can stand in a network of layers, with all options. One without a value has to be given; the others show their
default. A value that is no mapping is that of the first. `zoo show conv` says more of each; [layers.md](layers.md) shows how
they go together. This page is written by `make docs`.
"""


def page(registry: Registry) -> str:
    """Return the text of the page."""
    resolver = Resolver(registry)
    parts = [HEAD]
    for kind in LAYER_FAMILY:
        rows = [_row(one, resolver) for one in registry if one.kind == kind]
        parts.append("\n".join([f"## {TITLES[kind]}", "", "| name | options | |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def _row(component: Component, resolver: Resolver) -> str:
    options = ", ".join(map(_option, resolver.options(component)))
    return f"| `{component.name}` | {options} | {_cell(component.summary)} |"


def _option(option: Option) -> str:
    text = option.name if option.required else f"{option.name}: {write_line(canonical(option.default))}"
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def own(registry: Registry) -> Registry:
    """Return the part of a registry that ships with Zoo."""
    found = Registry()
    for one in registry:
        provider = registry.provider(one)
        if provider.distribution in (NAME, EARLIER):
            found.add(one, provider)
    return found


if __name__ == "__main__":
    PAGE.write_text(page(own(assemble(discover()).registry)), encoding="utf-8")
