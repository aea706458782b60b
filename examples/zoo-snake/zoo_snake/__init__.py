"""The plugin snake: an activation, an architecture, a command and a spec."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from zoo import Component, hookimpl

SNAKE = "Ziyin, Hartwig and Ueda 2020, arXiv:2006.08195"


@hookimpl
def zoo_components() -> Iterable[Component]:
    """Return the components that this plugin adds."""
    return [
        Component("activation", "snake", "zoo_snake.activation:Snake", "x + sin^2(a x) / a, with a learned.", SNAKE),
        Component("architecture", "serpent", "zoo_snake.network:serpent", "Residual stages that concatenate."),
    ]


@hookimpl
def zoo_specs() -> Iterable[Path]:
    """Return the folder of the specs that come along."""
    return [Path(__file__).parent / "specs"]


@hookimpl
def zoo_commands() -> Iterable[click.Command]:
    """Return the command `zoo widths`."""
    from zoo_snake.command import widths

    return [widths]
