"""Click groups whose commands are imported when they run, and that take in the commands of plugins."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import click

from zoo.errors import closest
from zoo.plugins import installed
from zoo.registry import Provider
from zoo.text import visible


class Closed(Exception):
    """Nobody reads what is printed any more; of a BrokenPipeError click would make the exit code 1."""


class Lazy(NamedTuple):
    """A command that is not imported yet: "package.module:attribute" and its line in the help."""

    target: str
    summary: str

    def load(self) -> click.Command:
        module, _, attribute = self.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


class Group(click.Group):
    """A group that shows its help when nothing follows, and the closest command when an unknown one does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(visible(ctx.get_help()))
            ctx.exit()
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            names = self.list_commands(ctx)
            ctx.fail(f"no command is called {name!r}; {closest(name, names) or 'there are: ' + ', '.join(names)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> None:
        """Run the command and drop what it returns: an exit code is raised, not returned."""
        try:
            super().invoke(ctx)
        except BrokenPipeError as error:
            raise Closed from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class PluginGroup(Group):
    """The group of all commands: the built-in ones from a table, and those that plugins add."""

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], **options: Any) -> None:
        super().__init__(*args, **options)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.lazy, *self.added()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.lazy:
            return self.lazy[cmd_name].load()
        return self.added().get(cmd_name, (None,))[0]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.summary) for name, one in self.lazy.items()])
        added = self.added()
        if added:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(
                    [
                        (name, f"{command.get_short_help_str(200)} [{provider}]")
                        for name, (command, provider) in added.items()
                    ]
                )

    def added(self) -> dict[str, tuple[click.Command, Provider]]:
        """Return the commands of plugins with their providers; what is no command is left out with a warning.

        So is one that has the name of a built-in command.
        """
        found = {}
        for name, (command, provider) in installed().commands().items():
            if name in self.lazy:
                wrong = f"command {name!r} of plugin {provider} has the name of a built-in one, and is left out"
            elif isinstance(command, click.Command):
                found[name] = (command, provider)
                continue
            else:
                wrong = f"plugin {provider}: zoo_commands returned {command!r}; wanted a click command"
            print(visible(f"warning: {wrong}"), file=sys.stderr)
        return found
