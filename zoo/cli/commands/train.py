"""`zoo train`: check a spec, train it, and say what came out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options
from zoo.errors import TrainingError, listing

if TYPE_CHECKING:
    from zoo.cli.terminal import Terminal
    from zoo.spec.schema import Spec
    from zoo.training.run import Run
    from zoo.training.task import Task


@click.command(short_help="Train a spec; one that was stopped goes on.")
@click.argument("spec")
@options.overrides
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The run's folder; runs/<name>-<hash> unless named.",
)
@click.option("--profile", is_flag=True, help="Train a few steps, keep nothing, and show where their time goes.")
@click.option(
    "--verify-determinism", "verify", is_flag=True, help="Train a few steps again and again, and compare all bits."
)
@options.other_data
@options.as_json
@click.pass_context
def train(
    context: click.Context,
    spec: str,
    overrides: Sequence[str],
    folder: Path | None,
    profile: bool,
    verify: bool,
    other_data: bool,
    as_json: bool,
) -> None:
    """Train a spec; one that was stopped goes on.

    SPEC is a file or the name of a shipped spec. Ctrl-C saves the state and stops; the same command goes on from
    there, bit for bit, on the data that it was begun on; --other-data takes those that are here now. A finished run
    prints its result again.
    """
    if profile and verify:
        raise click.UsageError("--profile and --verify-determinism are two commands; leave one of them out")
    if (profile or verify) and folder:
        raise click.UsageError(f"--{'profile' if profile else 'verify-determinism'} keeps no run; leave --run out")
    from zoo.training.allocator import keep_memory

    keep_memory()
    from zoo import api
    from zoo.cli.progress import TrainingDisplay
    from zoo.cli.summary import show_report
    from zoo.cli.terminal import Terminal

    status = Terminal("status")
    loaded = api.load_spec(spec, overrides=overrides)
    if profile:
        _profile(loaded, as_json)
        return
    if verify:
        context.exit(_verify(loaded, as_json))
    report = api.check(loaded)
    show_report(report, status)
    status.line()
    run = api.train(loaded, run=folder, other_data=other_data, reporter=TrainingDisplay(status, report))
    status.line()
    result = run.result() or {}
    if as_json:
        options.print_json({"run": str(run.folder), "check": report.to_data(), "result": result})
    else:
        task = api.Builder(_registry()).bind(loaded.task)
        _show(run, result, task, Terminal())


def _profile(spec: Spec, as_json: bool) -> None:
    """Print where the time of a step goes."""
    from zoo import api
    from zoo.cli.terminal import Terminal
    from zoo.training.profile import profile

    Terminal("status").line("taking the first steps; where they are compiled, that comes first")
    found = profile(spec, api.Builder(_registry()))
    if as_json:
        options.print_json(found.to_data())
        return
    terminal = Terminal()
    step = found.step_milliseconds
    terminal.line(
        f"{spec.name} on {found.engine}, medians of {found.steps} steps of {found.images} images", style="bold"
    )
    terminal.line()
    whole = sum(found.phases.values())
    rows = [(name, f"{value:.2f}", f"{value / whole:.1%}") for name, value in found.phases.items()]
    terminal.table(("phase", "ms a step", "share"), rows, right=("ms a step", "share"))
    terminal.line()
    rate = found.operations / step * 1000
    terminal.line(
        f"a whole step: {step:.2f} ms, {found.images / step * 1000:,.0f} images/s; {found.page_faults:,.0f} page faults"
    )
    terminal.line(
        f"{found.operations / 1e9:.2f} GFLOP a step are {rate / 1e9:,.0f} GFLOP/s, {found.share_of_peak:.1%} of the "
        f"{found.peak / 1e9:,.0f} that the faster of two probes reached"
    )


def _verify(spec: Spec, as_json: bool) -> int:
    """Print whether the same steps give the same bits; return the exit code."""
    from zoo import api
    from zoo.cli.terminal import Terminal
    from zoo.training.determinism import verify

    Terminal("status").line("taking the first steps several times")
    found = verify(spec, api.Builder(_registry()))
    if as_json:
        options.print_json(found.to_data())
    else:
        terminal = Terminal()
        terminal.line(f"{spec.name}: {found.steps} steps on {found.engine}, {found.tensors} tensors", style="bold")
        for one in found.comparisons:
            differs = f"{len(one.different)} tensors differ, by {one.largest:.2g} at most: {listing(one.different, 3)}"
            promise = "" if one.promised else " (not promised)"
            terminal.line(f"{one.way}{promise}: {'the same bits' if one.same else differs}")
    return 0 if found.kept else TrainingError.exit_code


def _registry() -> Any:
    from zoo.plugins import installed

    return installed().registry


def _show(run: Run, result: dict[str, Any], task: Task, terminal: Terminal) -> None:
    from zoo import api
    from zoo.cli import units
    from zoo.cli.results import headline, show_figures, show_seeds, show_validation
    from zoo.reports.account import Account
    from zoo.training.task import GenerativeTask

    steps, seconds = units.count(result["steps"]), units.duration(result["seconds"])
    seeds = list(result.get("seeds", ()))
    each = f" from each of {len(seeds)} seeds" if seeds else ""
    terminal.line(f"trained {steps} steps{each} in {seconds} on {result['engine']}")
    if seeds:
        show_seeds(result, result["seeds"], terminal)
    if "test" in result:
        line = headline(task, {"test": result["test"]})
        if line:
            terminal.line(line, style="bold")
            terminal.line()
        show_figures({"test": result["test"]}, terminal)
        terminal.line()
    account = Account.of(run, api.Builder(_registry()))
    show_validation(account, terminal)
    terminal.line(f"run:  {run.folder}")
    commands = [f"zoo report {run.folder}"]
    if isinstance(task, GenerativeTask):
        commands.append(f"zoo sample {next(iter(account.runs.values())).folder}")
    elif account.spec.train.validation:
        # The test images were looked at, or are to be kept for what was chosen.
        commands.append(f"zoo evaluate {run.folder} --split validation")
    for index, command in enumerate(commands):
        terminal.line(f"{'' if index else 'next:':5} {command}")
