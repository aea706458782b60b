"""What `check`, `show` and `train` print of a spec: its figures, its limits, its layers."""

from __future__ import annotations

from typing import Any

from zoo.checking import NetworkReport, Report, rows
from zoo.cli import units
from zoo.cli.terminal import Terminal
from zoo.linting import lint

NETWORK = ("network", "parameters", "buffers", "MACs", "memory", "file", "updates")


def show_report(report: Report, terminal: Terminal) -> None:
    """Print the verdict on a spec in a line, then its networks and its limits."""
    broken = [verdict for verdict in report.verdicts if not verdict.kept]
    if broken:
        told = ", ".join(_broken(verdict, report) for verdict in broken)
        terminal.line(f"{report.spec.name}: breaks {_limits(len(broken))}: {told}", style="bold red")
    elif report.verdicts:
        terminal.line(f"{report.spec.name}: keeps {_limits(len(report.verdicts))}", style="bold green")
    else:
        terminal.line(f"{report.spec.name}: works; it has no limits", style="bold green")
    terminal.line()
    networks = [
        _network(one, report.spec.networks[role].architecture.name + (", frozen" if one.frozen else ""))
        for role, one in report.networks.items()
    ]
    if len(networks) > 1:
        networks.append(_total(report))
    terminal.table(NETWORK, networks, right=NETWORK[1:], drop=("updates", "buffers", "file", "memory", "MACs"))
    if report.verdicts:
        terminal.line()
        columns = ("limit", "figure", "bound", "verdict")
        terminal.table(columns, map(_verdict, report.verdicts), right=columns[1:3], fold=("verdict",))
    if report.advice:
        terminal.line()
        terminal.line(report.advice)


def show_warnings(report: Report, terminal: Terminal) -> None:
    """Print what is allowed and surely not meant, one after another."""
    for one in report.warnings:
        terminal.line(f"warning: {one}", style="yellow")


def show_layers(report: Report, role: str, terminal: Terminal) -> None:
    """Print a network as a tree, composites before their parts; each line counts what is inside it."""
    one = report.networks[role]
    bound, limit = report.cap(role)
    lines = []
    for row in rows(one.network, one.input):
        name = f"{row.name}: {row.layer}" if row.name else row.layer
        times = (
            f" ({row.times} of them, each)" if row.times > 1 else f" (used {row.uses} times)" if row.uses > 1 else ""
        )
        share = f"{row.cost.parameters / bound:.1%}" if bound and row.cost.parameters else ""
        figures = (units.count(row.cost.parameters), share, units.count(row.cost.macs))
        lines.append(("  " * row.depth + name + times, row.options, units.shape(row.output), *figures))
    terminal.line(f"{role}, input {units.shape(one.input)}" + (f", limit {limit} parameters" if limit else ""))
    columns = ("layer", "options", "output", "parameters", "of limit" if limit else "share", "MACs")
    drop = ("options", columns[4], "MACs", "output")
    terminal.table(columns, lines, right=columns[3:], fold=("options",), drop=drop, shorten=("layer",))


def layers_data(one: NetworkReport) -> list[dict[str, Any]]:
    """Return a network's layers as plain data, from the top down."""
    return [
        {
            "depth": row.depth,
            "name": row.name,
            "layer": row.layer,
            "options": row.options,
            "output": list(row.output),
            "parameters": row.cost.parameters,
            "buffers": row.cost.buffers,
            "macs": row.cost.macs,
            "uses": row.uses,
            "times": row.times,
        }
        for row in rows(one.network, one.input)
    ]


def show_advice(report: Report, terminal: Terminal) -> None:
    """Print what could be saved, a line each."""
    advice = lint(report)
    if not advice:
        terminal.line("nothing to save was found")
        return
    for one in advice:
        terminal.line(str(one))


def advice_data(report: Report) -> list[dict[str, Any]]:
    """Return what could be saved as plain data."""
    return [{**vars(one), "at": str(one.at) if one.at else None} for one in lint(report)]


def _limits(number: int) -> str:
    return f"{number} {units.plural('limit', number)}"


def _network(one: NetworkReport, architecture: str) -> tuple[str, ...]:
    return (f"{one.role} ({architecture})", *_figures(one.figures, one.cost.buffers))


def _total(report: Report) -> tuple[str, ...]:
    buffers = sum(one.cost.buffers for one in report.networks.values())
    return ("together", *_figures(report.total, buffers))


def _figures(figures: Any, buffers: int) -> tuple[str, ...]:
    return (
        units.count(figures.parameters),
        units.count(buffers),
        units.count(figures.macs),
        units.size(figures.memory),
        units.size(figures.file_size),
        units.count(figures.steps),
    )


def _broken(verdict: Any, report: Report) -> str:
    """Name a limit and where it was written."""
    path = f"networks.{verdict.network}.budget.{verdict.limit}" if verdict.network else f"budget.{verdict.limit}"
    place = report.spec.places.get(path)
    return f"{path} ({place})" if place and place.line else path


def _verdict(verdict: Any) -> tuple[str, ...]:
    name = f"{verdict.network} {verdict.limit}" if verdict.network else verdict.limit
    figure = f"{verdict.figure:,} {verdict.unit}".rstrip()
    text = str(verdict).rpartition(", ")[2] if verdict.kept else f"broken: {str(verdict).rpartition(', ')[2]}"
    return (name, figure, verdict.most, text)
