"""`zoo show`: one component with its options, one spec with its networks, or one run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo import api
from zoo.checking import Report
from zoo.cli import options, units
from zoo.cli.specs import is_spec, shipped_specs
from zoo.cli.summary import layers_data, show_layers
from zoo.cli.terminal import Terminal
from zoo.errors import closest
from zoo.options import REQUIRED, Option, canonical
from zoo.plugins import installed
from zoo.registry import KINDS, Component, Registry
from zoo.spec.resolve import Resolver
from zoo.spec.schema import ComponentSpec
from zoo.spec.writer import write_yaml
from zoo.text import visible

if TYPE_CHECKING:
    from zoo.reports.account import Account

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(short_help="Show a component, a spec with its networks, or a run.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--svg", type=FILE, metavar="PATH", help="Draw a spec's networks: where the budget goes, as a picture.")
@click.option("--html", type=FILE, metavar="PATH", help="The same as a page, with the limits and the spec.")
@options.as_json
def show(names: Sequence[str], svg: Path | None, html: Path | None, as_json: bool) -> None:
    """Show a component, a spec with its networks, or a run.

    NAME is a component (`relu`; `norm/layer_norm` where several kinds have the name), a spec file, the name of a
    shipped spec, or the folder of a run: how far it is, its figures, its data. An activation or a schedule is drawn as
    a curve. With --svg or --html one spec is drawn instead, with --svg one such curve; a file that is there is written
    anew.
    """
    if svg or html:
        _draw(names, svg, html, as_json)
        return
    resolver = Resolver(installed().registry)
    found: list[Component | Report | Account] = []
    for name in names:
        if Path(name).is_dir():
            found.append(_account(name, resolver.registry))
            continue
        components = _components(resolver.registry, name)
        found += components
        if is_spec(name):
            found.append(api.check(name))
        elif not components:
            raise click.UsageError(_unknown(resolver.registry, name))
    data = [
        _component_data(resolver, one)
        if isinstance(one, Component)
        else _spec_data(one)
        if isinstance(one, Report)
        else {"kind": "run", **one.to_data(), "spec": one.spec.to_data()}
        for one in found
    ]
    if as_json:
        options.print_json(data)
        return
    terminal = Terminal()
    for index, (one, document) in enumerate(zip(found, data, strict=True)):
        if index:
            terminal.line()
        if isinstance(one, Report):
            _show_spec(one, terminal)
        elif isinstance(one, Component):
            _show_component(document, terminal)
            _show_curve(_default_spec(resolver, one), resolver.registry, terminal)
        else:
            _show_run(one, terminal)


def _account(name: str, registry: Registry) -> Account:
    from zoo.reports.account import Account
    from zoo.training.run import Run

    return Account.of(Run.open(Path(name)), api.Builder(registry))


def _show_run(one: Account, terminal: Terminal) -> None:
    """Print what the folder of a run tells."""
    from zoo.cli.results import show_splits, show_validation

    facts, spec = one.facts, one.spec
    terminal.line(f"run {one.run.folder}: {one.standing}", style="bold")
    machine = (facts.get("machine") or {}).get("processor", "")
    engine = ", ".join(part for part in (facts.get("engine", ""), machine) if part)
    for name, value in (
        ("spec", f"{spec.name} ({one.run.spec_hash[:8]}){f': {spec.summary}' if spec.summary else ''}"),
        ("data", one.data),
        (units.plural("seed", len(one.runs)), ", ".join(map(str, one.runs))),
        ("trained", f"{units.duration(one.seconds)}{engine and f' on {engine}'}"),
        ("begun", str(facts.get("started", ""))[:16].replace("T", " ")),
        ("looks at the test images", str(sum(one.run.looks().values()))),
    ):
        if value:
            terminal.line(f"{name}: {value}")
    terminal.line()
    show_splits(one, terminal)
    show_validation(one, terminal)
    terminal.line(f"next: zoo report {one.run.folder}")


def _draw(names: Sequence[str], svg: Path | None, html: Path | None, as_json: bool) -> None:
    """Write the pictures of one spec, and print their paths."""
    from zoo.drawing import waterfall
    from zoo.drawing.html import html as page_text
    from zoo.files import write_text

    if svg and not html and len(names) == 1 and not is_spec(names[0]):
        _draw_curve(names[0], svg, as_json)
        return
    if len(names) != 1 or not is_spec(names[0]):
        wanted = "--svg and --html draw one spec, and --svg one activation or schedule"
        raise click.UsageError(f"{wanted}; found {', '.join(names)}")
    report = api.check(names[0])
    written = []
    for path, draw in ((svg, waterfall.svg), (html, lambda found: page_text(waterfall.page(found)))):
        if path is not None:
            write_text(path, draw(report))
            written.append(str(path))
    if as_json:
        options.print_json({"spec": report.spec.name, "written": written})
    else:
        for one in written:
            Terminal().line(one)


def _draw_curve(name: str, path: Path, as_json: bool) -> None:
    """Write the curve of an activation or a schedule, and print its path."""
    from zoo.drawing import curve
    from zoo.files import write_text

    resolver = Resolver(installed().registry)
    builder = api.Builder(resolver.registry)
    specs = (_default_spec(resolver, one) for one in _components(resolver.registry, name))
    drawn = [found for spec in specs if spec is not None and (found := curve.curve_of(spec, builder)) is not None]
    if len(drawn) != 1:
        told = "several curves" if drawn else "no curve"
        raise click.UsageError(f"--svg draws a spec, or one activation or schedule; {name} has {told}")
    write_text(path, curve.svg(drawn[0]))
    if as_json:
        options.print_json({"component": name, "written": [str(path)]})
    else:
        click.echo(visible(str(path)))


def _default_spec(resolver: Resolver, component: Component) -> ComponentSpec | None:
    """Return an activation or a schedule with its defaults; None where it is neither, or needs to be told more."""
    if component.kind not in ("activation", "schedule") or any(one.required for one in resolver.options(component)):
        return None
    return resolver.component_from((component.kind,), component.name)


def _show_curve(spec: ComponentSpec | None, registry: Registry, terminal: Terminal, steps: int | None = None) -> None:
    """Draw an activation or a schedule, if there is something to be drawn."""
    from zoo.drawing import curve

    found = None if spec is None else curve.curve_of(spec, api.Builder(registry), steps or curve.STEPS)
    if found is None:
        return
    terminal.line()
    for line in curve.lines(found, dots=terminal.has(chr(curve.BLANK))):
        terminal.line(line)


def _components(registry: Registry, name: str) -> list[Component]:
    kind, slash, rest = name.rpartition("/")
    return [one for one in registry if one.name == rest and (not slash or one.kind == kind)]


def _unknown(registry: Registry, name: str) -> str:
    kind, slash, rest = name.rpartition("/")
    if slash and kind in KINDS:
        hint = closest(rest, registry.names(kind)) or f"`zoo list {kind}` lists all"
        return f"no {kind} is called {rest!r}; {hint}"
    names = [*registry.names(*KINDS), *(one["name"] for one in shipped_specs())]
    return f"no component or spec is called {name!r}; {closest(name, names) or '`zoo list` lists all'}"


def _component_data(resolver: Resolver, component: Component) -> dict[str, Any]:
    return {
        "kind": component.kind,
        "name": component.name,
        "summary": component.summary,
        "source": component.source,
        "provider": options.provider_data(resolver.registry.provider(component)),
        "target": component.target,
        "options": [_option_data(one) for one in resolver.options(component)],
    }


def _option_data(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "wanted": option.wanted,
        "required": option.required,
        "default": None if option.default is REQUIRED else canonical(option.default),
        "description": option.description,
    }


def _spec_data(report: Report) -> dict[str, Any]:
    networks = report.to_data()["networks"]
    for role, one in report.networks.items():
        networks[role]["layers"] = layers_data(one)
    spec = report.spec
    return {"kind": "spec", "name": spec.name, "hash": spec.hash, "spec": spec.to_data(), "networks": networks}


def _show_component(data: dict[str, Any], terminal: Terminal) -> None:
    terminal.line(f"{data['kind']} {data['name']}", style="bold")
    provider = data["provider"]
    package = f"{provider['package']} {provider['version']}".strip()
    for text in (
        data["summary"],
        data["source"] and f"Source: {data['source']}",
        f"From: plugin {provider['plugin']}{package and f' ({package})'}, {data['target']}",
    ):
        if text:
            terminal.line(text)
    terminal.line()
    if not data["options"]:
        terminal.line("It has no options.")
        return
    rows = [
        (
            one["name"],
            "(required)" if one["required"] else _default(one["default"]),
            one["wanted"],
            one["description"],
        )
        for one in data["options"]
    ]
    terminal.table(("option", "default", "wanted", "meaning"), rows, fold=("wanted", "meaning"), drop=("wanted",))


def _default(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _show_spec(report: Report, terminal: Terminal) -> None:
    spec = report.spec
    terminal.line(f"spec {spec.name} ({spec.hash[:8]}), with every default filled in", style="bold")
    terminal.line()
    for line in write_yaml(spec.to_data()).splitlines():
        terminal.line(line)
    for role in report.networks:
        terminal.line()
        show_layers(report, role, terminal)
    for role, section in spec.networks.items():
        if section.schedule.name != "constant":
            terminal.line()
            terminal.line(f"{role}, schedule {section.schedule.name}", style="bold")
            _show_curve(section.schedule, installed().registry, terminal, spec.train.steps)
