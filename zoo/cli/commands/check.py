"""`zoo check`: whether specs can work, what they cost, and whether they keep their limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options

if TYPE_CHECKING:
    from zoo.checking import Report
    from zoo.errors import ZooError


@click.command(short_help="Check specs and their limits, without data or GPU.")
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@options.overrides
@click.option("--challenge", metavar="NAME", help="Judge submissions by the rules of a challenge, by name or file.")
@click.option("--layers", is_flag=True, help="Show each layer with its shape and cost.")
@click.option("--lint", is_flag=True, help="Say what could be saved, with the exact number of parameters.")
@options.as_json
@click.pass_context
def check(
    context: click.Context,
    specs: Sequence[str],
    overrides: Sequence[str],
    challenge: str | None,
    layers: bool,
    lint: bool,
    as_json: bool,
) -> None:
    """Check specs and their limits, without data or GPU.

    SPEC is a file, a folder (every spec in it and below), or the name of a shipped spec. All are checked; the exit
    code is the first that is not 0: 3 for a spec that cannot work, 5 for data that is not known, 10 to 15 for a
    broken limit. Warnings, of what is allowed but surely not meant, go to stderr; they and what --lint finds change no
    exit code.

    With --challenge, SPEC may also be the folder of a run or a published entry; each rule is kept, broken, or not
    checked, and a broken rule that is no limit exits with 16.
    """
    if challenge is not None:
        if layers or lint:
            raise click.UsageError("--challenge judges by rules alone; leave --layers and --lint out")
        from zoo.cli.judging import judge

        context.exit(judge(challenge, specs, overrides, as_json))
    from zoo import api
    from zoo.cli.specs import expand
    from zoo.errors import ZooError

    code, documents = 0, []
    for index, source in enumerate(expand(specs)):
        found: Report | ZooError
        try:
            found = api.check(source, overrides=overrides)
        except ZooError as error:
            found = error
        code = code or found.exit_code
        if as_json:
            documents.append({"spec": source, **_data(found, layers, lint)})
        else:
            _show(found, layers, lint, first=index == 0)
    if as_json:
        options.print_json(documents)
    context.exit(code)


def _show(found: Report | ZooError, layers: bool, lint: bool, *, first: bool) -> None:
    from zoo.checking import Report
    from zoo.cli.errors import describe
    from zoo.cli.summary import show_advice, show_layers, show_report, show_warnings
    from zoo.cli.terminal import Terminal

    if not isinstance(found, Report):
        click.echo(describe(found), err=True)
        return
    terminal = Terminal()
    if not first:
        terminal.line()
    show_report(found, terminal)
    show_warnings(found, Terminal("status"))
    for role in found.networks if layers else ():
        terminal.line()
        show_layers(found, role, terminal)
    if lint:
        terminal.line()
        show_advice(found, terminal)


def _data(found: Report | ZooError, layers: bool, lint: bool) -> dict[str, Any]:
    from zoo.checking import Report
    from zoo.cli.errors import error_data
    from zoo.cli.summary import advice_data, layers_data

    if not isinstance(found, Report):
        return error_data(found)
    data = {"exit_code": found.exit_code, **found.to_data()}
    for role, one in found.networks.items() if layers else ():
        data["networks"][role]["layers"] = layers_data(one)
    if lint:
        data["advice"] = advice_data(found)
    return data
