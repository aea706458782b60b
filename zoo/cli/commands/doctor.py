"""`zoo doctor`: what works on this machine, and what to do about the rest."""

from __future__ import annotations

from dataclasses import asdict

import click

from zoo.cli import options

STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


@click.command(short_help="Say what works on this machine, and what does not.")
@options.as_json
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Say what works on this machine, and what does not.

    The exit code is 1 when something is a problem; a warning is none.
    """
    from zoo.cli.diagnosis import examine
    from zoo.cli.terminal import Terminal

    findings = list(examine())
    if as_json:
        options.print_json([asdict(one) for one in findings])
    else:
        terminal = Terminal()
        for one in findings:
            terminal.line(
                f"{one.level:8} {one.subject}: {one.text}", style=STYLES[one.level] if one.level != "ok" else ""
            )
            if one.advice:
                terminal.line(f"{'':8} {one.advice}")
    context.exit(1 if any(one.level == "problem" for one in findings) else 0)
