"""docs/cli.md says what the code says."""

from __future__ import annotations

import re

import click
from cli_support import Zoo
from support import ROOT

from zoo import errors
from zoo.budget import Cost, Figures, Verdict
from zoo.builder import Builder
from zoo.challenges.judging import Ruling
from zoo.challenges.reproduction import OUTSIDE
from zoo.cli.main import COMMANDS

PAGE = (ROOT / "docs" / "cli.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def classes(of: type[errors.ZooError] = errors.ZooError) -> set[type[errors.ZooError]]:
    return {of}.union(*(classes(one) for one in of.__subclasses__()))


def test_the_exit_codes_are_those_of_the_code(builder: Builder) -> None:
    stated = dict(re.findall(r"^\| (\d+) \| (.*) \|$", section("Exit codes"), re.MULTILINE))
    codes = {one.exit_code for one in classes() if one.__module__.startswith("zoo.")}
    codes |= {errors.Interrupted("", name).exit_code for name in ("SIGINT", "SIGTERM", "SIGHUP")}
    codes |= {
        0,
        click.UsageError.exit_code,
        Verdict("", 0, "", True, 0).exit_code,
        Ruling("", "broken").exit_code,
        OUTSIDE,
    }
    figures = Figures.of(Cost(parameters=1, tensors=1, macs=1, peak=1), steps=1)
    for name in builder.registry.names("limit"):
        limit = builder.bind(builder.resolver.component_from(("limit",), {name: 0}))
        code = limit(figures).exit_code
        assert stated[str(code)] == f"the limit `{name}` is broken"
        codes.add(code)
    assert sorted(map(int, stated)) == sorted(codes)


def test_every_command_is_there_with_its_options() -> None:
    table = section("Commands")
    for name, lazy in COMMANDS.items():
        command = lazy.load()
        parts = command.commands.items() if isinstance(command, click.Group) else [("", command)]
        for part, one in parts:
            assert f"`zoo {name} {part}".rstrip() in table
            for parameter in one.params:
                if isinstance(parameter, click.Option) and parameter.opts[0] not in ("--json", "--set"):
                    assert parameter.opts[0] in table, f"{name} {part} {parameter.opts[0]}"


def test_every_command_that_is_shown_exists(zoo_command: Zoo) -> None:
    for line in re.findall(r"^\$ zoo (\S+)", PAGE, re.MULTILINE):
        assert line in COMMANDS
