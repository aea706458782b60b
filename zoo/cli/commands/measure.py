"""`zoo measure`: how long a trained network takes to answer on this machine, in torch and as files."""

from __future__ import annotations

from collections.abc import Sequence

import click

from zoo.cli import options


@click.command(short_help="Time a trained network on this machine, in torch and as files.")
@click.argument("name")
@click.option("--form", "forms", multiple=True, metavar="FORM", help="eager, pt2, onnx, onnx-int8; can be repeated.")
@click.option(
    "--batch", "batches", type=click.IntRange(1), multiple=True, show_default="1 and 64", help="Images at once."
)
@click.option(
    "--rounds", type=click.IntRange(1), default=15, show_default=True, help="Rounds in which forms take turns."
)
@click.option("--baseline", default="eager", show_default=True, help="The form that the others are told in.")
@options.overrides
@options.as_json
def measure(
    name: str,
    forms: Sequence[str],
    batches: Sequence[int],
    rounds: int,
    baseline: str,
    overrides: Sequence[str],
    as_json: bool,
) -> None:
    """Time a trained network on this machine, in torch and as files.

    NAME is a published entry, or the folder of a run. Milliseconds per image at batch 1, and images a second in larger
    batches, with one thread and with all; medians over rounds in which all forms take turns, with the quartiles. ratio
    is that of the times within a round: below 1 is faster than the baseline.
    """
    from zoo import api
    from zoo.cli.terminal import Terminal
    from zoo.delivery.export import delivery
    from zoo.delivery.latency import measure as time_forms

    trained = api.load(name, overrides=overrides)
    made = delivery(trained, say=Terminal("status").line)
    found = time_forms(made, forms=forms, batches=batches or (1, 64), rounds=rounds, baseline=baseline)
    if as_json:
        options.print_json(found)
        return
    terminal = Terminal()
    machine = found["machine"]
    terminal.line(f"{found['name']} on {machine['processor']}, {machine['cores']} cores; {rounds} rounds")
    terminal.line()
    columns = ("form", "threads", "batch", "ms per image", "quartiles", "images/s", f"of {baseline}")
    rows = [
        (
            one["form"],
            str(one["threads"]),
            str(one["batch"]),
            f"{one['median']:.3f}",
            f"{one['low']:.3f}-{one['high']:.3f}",
            f"{one['per_second']:,.0f}",
            f"{one['ratio']:.2f}x",
        )
        for one in found["timings"]
    ]
    terminal.table(columns, rows, right=columns[1:], drop=("quartiles", "images/s"))
