"""`zoo compare`: runs, entries and studies side by side."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options

if TYPE_CHECKING:
    from zoo.sweeps.comparison import Comparison, Row


@click.command(short_help="Compare runs, entries and studies: what differs, figures, costs.")
@click.argument("names", nargs=-1, required=True, metavar="RUN...")
@click.option("--figure", "figures", multiple=True, metavar="NAME",
              help="A figure to show, such as validation_top1; can be repeated.")  # fmt: skip
@click.option("--csv", "form", flag_value="csv", help="Print comma-separated values.")
@click.option("--latex", "form", flag_value="latex", help="Print a table for LaTeX, with booktabs.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write a page with the table and charts; needs speczoo[report].")  # fmt: skip
@options.as_json
def compare(names: Sequence[str], figures: Sequence[str], form: str | None, html: Path | None, as_json: bool) -> None:
    """Compare runs, entries and studies: what differs, figures, costs.

    RUN is the folder of a run or of a study, or an entry of the shelf. Runs that differ in the seed alone are one row:
    mean ± sample standard deviation over n seeds. A column stands for each key in which the specs differ. `*` marks
    rows that no other beats in the first figure that all have, parameters and MACs together. The difference from the
    first row is paired: over the seeds that both have.
    """
    from zoo import api
    from zoo.cli.terminal import Terminal
    from zoo.text import visible

    found = api.compare(names, figures=figures)
    if html is not None:
        from zoo.reports.study import comparison_page
        from zoo.reports.write import need, write

        need()
        write(comparison_page(found), html)
    if as_json:
        options.print_json(found.to_data())
    elif html is not None:
        Terminal().line(str(html))
    elif form == "csv":
        click.echo(visible(_csv(found)), nl=False)
    elif form == "latex":
        click.echo(visible(_latex(found)), nl=False)
    else:
        _show(found, Terminal())


def _columns(found: Comparison) -> list[str]:
    from zoo.sweeps.plan import short_names

    short = short_names(found.keys)
    paired = [f"{one} - first" for one in found.shown if any(row.paired(found.rows[0], one) for row in found.rows)]
    return ["run", "best", *found.shown, *paired, "n", "parameters", "MACs", *(short[key] for key in found.keys)]


def _row(row: Row, found: Comparison) -> list[str]:
    from zoo.sweeps.comparison import value_text

    paired = [one for one in found.shown if any(other.paired(found.rows[0], one) for other in found.rows)]
    return [
        row.label + ("" if row.finished else " (unfinished)"),
        "*" if row.pareto else "",
        *(_spread(row.mean(one), row.std(one)) for one in found.shown),
        *(_difference(row.paired(found.rows[0], one)) for one in paired),
        str(row.seeds),
        f"{row.costs['parameters']:,}",
        f"{row.costs['macs']:,}",
        *(value_text(row.changes.get(key)) for key in found.keys),
    ]


def _spread(mean: float | None, std: float | None) -> str:
    return "" if mean is None else f"{mean:.4f}" if std is None else f"{mean:.4f} ± {std:.4f}"


def _difference(paired: tuple[float, float | None, int] | None) -> str:
    if paired is None:
        return ""
    mean, std, number = paired
    return f"{mean:+.4f}" + (f" ± {std:.4f}" if std is not None else "") + f" (n = {number})"


def _show(found: Comparison, terminal: Any) -> None:
    columns = _columns(found)
    right = columns[2 : len(columns) - len(found.keys)]
    rows = [_row(row, found) for row in found.rows]
    terminal.table(columns, rows, right=right, drop=[*columns[::-1][: len(found.keys)], "MACs"], shorten=("run",))
    looks = sum(row.looks for row in found.rows)
    terminal.line()
    terminal.line(f"looks at the test images: {looks}")


def _csv(found: Comparison) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    figures = [part for one in found.shown for part in (one, f"{one}_std")]
    writer.writerow(["run", "pareto", *figures, "n", "parameters", "macs", "test_looks", *found.keys])
    for row in found.rows:
        values = [part for one in found.shown for part in (row.mean(one), row.std(one))]
        changes = [_plain(row.changes.get(key)) for key in found.keys]
        costs = [row.costs["parameters"], row.costs["macs"], row.looks]
        writer.writerow([row.label, int(row.pareto), *values, row.seeds, *costs, *changes])
    return text.getvalue()


def _plain(value: Any) -> Any:
    import json

    return value if value is None or isinstance(value, (int, float, str)) else json.dumps(value)


def _latex(found: Comparison) -> str:
    columns = _columns(found)
    right = len(columns) - len(found.keys) - 2
    lines = [
        rf"\begin{{tabular}}{{ll{'r' * right}{'l' * len(found.keys)}}}",
        r"\toprule",
        " & ".join(map(_escaped, columns)) + r" \\",
        r"\midrule",
        *(" & ".join(map(_escaped, _row(row, found))) + r" \\" for row in found.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


_LATEX = {"\\": r"\textbackslash{}", "±": r"$\pm$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(one, f"\\{one}" if one in "&%$#_{}" else one) for one in text)
