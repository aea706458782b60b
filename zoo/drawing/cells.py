"""What objects show in a notebook: small tables, with everything escaped that is not ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.checking import NetworkReport, Report


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table; numbers stand to the right."""
    lines = ["<table><thead><tr>", *(f"<th>{escape(one)}</th>" for one in head), "</tr></thead><tbody>"]
    for row in rows:
        cells = (
            f"<td style='text-align: {'right' if isinstance(one, (int, float)) else 'left'}'>{escape(_text(one))}</td>"
            for one in row
        )
        lines += ["<tr>", *cells, "</tr>"]
    return "".join([*lines, "</tbody></table>"])


def of_report(report: Report) -> str:
    """Return a report as a notebook shows it: its networks, and whether the limits are kept."""
    rows = [(role, *_costs(one)) for role, one in report.networks.items()]
    networks = table(("network", "parameters", "MACs", "memory"), rows)
    limits = [
        (one.limit, one.network or "all", one.figure, one.bound, "kept" if one.kept else "broken")
        for one in report.verdicts
    ]
    shown = table(("limit", "of", "figure", "bound", ""), limits) if limits else ""
    warnings = "".join(f"<p>warning: {escape(str(one))}</p>" for one in report.warnings)
    return f"<p><b>{escape(report.spec.name)}</b></p>{networks}{shown}{warnings}"


def of_network(report: NetworkReport) -> str:
    """Return a network as a notebook shows it: its layers with shapes and costs."""
    from zoo.checking import rows

    lines = [
        ("\u2003" * one.depth + (one.name or report.role), one.layer, one.options, str(one.output), one.cost.parameters)
        for one in rows(report.network, report.input)
    ]
    return table(("name", "layer", "options", "output", "parameters"), lines)


def of_run(name: str, folder: str, state: str, figures: Mapping[str, Any]) -> str:
    """Return a run as a notebook shows it: where it is, how far it is, and its figures."""
    numbers = [(key, f"{one:.4g}") for key, one in figures.items() if isinstance(one, float)]
    shown = table(("test", ""), numbers) if numbers else ""
    return f"<p><b>{escape(name)}</b>, {escape(state)}<br><code>{escape(folder)}</code></p>{shown}"


def _costs(one: NetworkReport) -> tuple[int, int, int]:
    return one.figures.parameters, one.figures.macs, one.figures.memory


def _text(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
