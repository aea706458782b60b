"""`zoo report`: one page about runs, entries or a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from zoo.cli import options


@click.command(short_help="Write a page with curves, figures and pictures of runs.")
@click.argument("names", nargs=-1, required=True, metavar="RUN...")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="The page; report.html in the folder of the run or study unless named.")  # fmt: skip
@options.as_json
def report(names: Sequence[str], out: Path | None, as_json: bool) -> None:
    """Write a page with curves, figures and pictures of runs.

    RUN is the folder of a run or of a study, or an entry of the shelf; several are compared. The page is one HTML file
    that opens offline. The networks are asked about the images that were held out (train.validation); figures of test
    images are those that were measured before. It needs an extra: pip install 'speczoo[report]'.
    """
    from zoo import api
    from zoo.cli.terminal import Terminal

    path = api.report(names, to=out)
    if as_json:
        options.print_json({"report": str(path)})
    else:
        Terminal().line(str(path))
