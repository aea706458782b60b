"""`zoo eject`: a spec's networks as Python that imports only torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from zoo.cli import options


@click.command(short_help="Write a spec's networks as Python that imports only torch.")
@click.argument("spec")
@options.overrides
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="PATH", help="A new .py to write.")
@options.as_json
def eject(spec: str, overrides: Sequence[str], out: Path | None, as_json: bool) -> None:
    """Write a spec's networks as Python that imports only torch.

    There is a function for each network; what it makes has the names and shapes of the weights that Zoo trains. SPEC is
    a file or the name of a shipped spec whose networks are written as layers. Without --out the text is printed.
    """
    from zoo import api
    from zoo.files import write_text
    from zoo.text import visible

    if out is not None and out.suffix != ".py":
        raise click.UsageError(f"--out {out}: wanted the name of a .py")
    if out is not None and out.exists():
        raise click.UsageError(f"--out {out} is there already; choose another name, or remove it")
    text = api.eject(spec, overrides=overrides)
    if out is not None:
        write_text(out, text)
    if as_json:
        options.print_json({"spec": spec, "out": out and str(out), "text": text})
    else:
        click.echo(visible(str(out) if out is not None else text), nl=out is not None)
