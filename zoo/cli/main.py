"""The entry point `zoo`: commands are imported when they run, and every error leaves with its own exit code."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Sequence

import click

import zoo
from zoo.cli.errors import describe, exit_code, print_traceback
from zoo.cli.group import Closed, Lazy, PluginGroup
from zoo.signals import ending

CLOSED = 141  # as the shell has it for what ends because nobody reads on, such as after `| head`

#: Help texts stand here as well, so that `zoo --help` imports no command; a test holds them equal.
COMMANDS: dict[str, Lazy] = {
    "list": Lazy("zoo.cli.commands.list:list_components", "List what a spec can name, what ships, and runs."),
    "show": Lazy("zoo.cli.commands.show:show", "Show a component, a spec with its networks, or a run."),
    "check": Lazy("zoo.cli.commands.check:check", "Check specs and their limits, without data or GPU."),
    "diff": Lazy("zoo.cli.commands.diff:diff", "Show what changed between two specs, and what that costs."),
    "fit": Lazy("zoo.cli.commands.fit:fit", "Find values of free variables that use a budget best."),
    "eject": Lazy("zoo.cli.commands.eject:eject", "Write a spec's networks as Python that imports only torch."),
    "train": Lazy("zoo.cli.commands.train:train", "Train a spec; one that was stopped goes on."),
    "sweep": Lazy("zoo.cli.commands.sweep:sweep", "Train a spec for many values of what it leaves free."),
    "compare": Lazy(
        "zoo.cli.commands.compare:compare", "Compare runs, entries and studies: what differs, figures, costs."
    ),
    "report": Lazy("zoo.cli.commands.report:report", "Write a page with curves, figures and pictures of runs."),
    "evaluate": Lazy("zoo.cli.commands.evaluate:evaluate", "Measure a run's newest checkpoint, or a published entry."),
    "sample": Lazy("zoo.cli.commands.sample:sample", "Draw images from a trained generator."),
    "interpolate": Lazy("zoo.cli.commands.interpolate:interpolate", "Draw ways between images of a trained generator."),
    "predict": Lazy(
        "zoo.cli.commands.predict:predict", "Name the classes of image files, or predict the targets of tables."
    ),
    "publish": Lazy("zoo.cli.commands.publish:publish", "Make finished runs an entry of the shelf."),
    "export": Lazy("zoo.cli.commands.export:export", "Write a trained network as one file for where it will run."),
    "measure": Lazy(
        "zoo.cli.commands.measure:measure", "Time a trained network on this machine, in torch and as files."
    ),
    "calibrate": Lazy("zoo.cli.commands.calibrate:calibrate", "Show how a metric answers to damaged real images."),
    "leaderboard": Lazy("zoo.cli.commands.leaderboard:leaderboard", "Rank the published entries within their budgets."),
    "reproduce": Lazy("zoo.cli.commands.reproduce:reproduce", "Train a published entry again and compare its figures."),
    "data": Lazy("zoo.cli.commands.data:data", "Bring in, show and remove data sets."),
    "schema": Lazy("zoo.cli.commands.schema:schema", "Print the JSON Schema of specs, for editors."),
    "new": Lazy("zoo.cli.commands.new:new", "Begin a spec or a plugin of your own."),
    "plugins": Lazy("zoo.cli.commands.plugins:plugins", "List the plugins and what they offer."),
    "doctor": Lazy("zoo.cli.commands.doctor:doctor", "Say what works on this machine, and what does not."),
}


@click.group("zoo", cls=PluginGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(zoo.__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Networks under a budget: specs in, trained and measured PyTorch networks out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. `arguments` are those of the process unless given."""
    atexit.register(_leave_cycles)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter shows its code, and does not end the command.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        with ending():
            code = cli.main(arguments, prog_name="zoo", standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, Closed):
        _hush()
        return CLOSED
    except (Exception, KeyboardInterrupt) as error:
        print_traceback(error)
        with contextlib.suppress(OSError):
            print(describe(error), file=sys.stderr, flush=True)
        return exit_code(error)
    return code if isinstance(code, int) else 0


def _leave_cycles() -> None:
    """Spare a process that ends the search for cycles, which takes a sixth of the time of a short command."""
    # Extension modules may complain of what is left to them then.
    if "torch" not in sys.modules:
        gc.freeze()


def _hush() -> None:
    """Let Python's own flush at exit find a stdout that takes it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
