"""`zoo new`: a spec or a plugin to begin with."""

from __future__ import annotations

import re
from pathlib import Path

import click

from zoo.cli.group import Group
from zoo.errors import ZooError
from zoo.text import visible

SPEC = """\
# Check it:  zoo check {name}.yaml
# Train it:  zoo train {name}.yaml
zoo: 1
name: {name}
summary: A small residual network on images that Zoo draws itself.

task: classify
data: shapes                      # or cifar100 after `zoo data add cifar100`; `zoo list dataset` names all
augment: [horizontal_flip]        # random changes, drawn for each image; `zoo list augmentation`

networks:
  classifier:
    architecture:                 # `zoo show resnet` lists the options; `layers: [...]` writes a network here
      resnet: {{stem: 16, widths: [16, 32, 64], depths: [1, 1, 1], activation: silu}}
    optimizer:
      adam: {{lr: 0.003}}
    schedule: cosine

train: {{steps: 600, batch_size: 64, validation: 1000, evaluate_every: 200}}

budget: {{parameters: 100000, steps: 1000}}  # `zoo check` holds the spec to it, before anything is trained
"""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*\Z")
folder = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default="here",
    help="Where to write.",
)


@click.group(cls=Group, short_help="Begin a spec or a plugin of your own.")
def new() -> None:
    """Begin a spec or a plugin of your own."""


@new.command("spec", short_help="Write a spec with comments to begin with.")
@click.argument("name")
@folder
def new_spec(name: str, folder: Path) -> None:
    """Write the spec NAME.yaml with comments to begin with; it can be trained as it is."""
    if not NAME.match(name):
        raise click.UsageError(f"found the name {name!r}; wanted lower-case letters, digits, '-', '_' and '.'")
    path = folder / f"{name}.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(SPEC.format(name=name))
    except FileExistsError:
        raise ZooError(f"{path}: it exists; choose another name or --folder") from None
    except OSError as error:
        raise ZooError(f"{path}: it cannot be written ({error.strerror}); choose another --folder") from error
    _say(f"wrote {path}\nnext:  zoo check {path}")


@new.command("plugin", short_help="Write a plugin package with tests to begin with.")
@click.argument("name")
@folder
def new_plugin(name: str, folder: Path) -> None:
    """Write a plugin package called NAME, with an architecture, an activation, a spec and tests that pass."""
    from zoo.scaffold import create_plugin

    written = create_plugin(name, folder)
    for path in written:
        _say(f"wrote {path}")
    top = written[0].relative_to(folder).parts[0]
    _say(f"next:  pip install -e {folder / top}")


def _say(text: str) -> None:
    click.echo(visible(text))
