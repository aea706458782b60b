"""The entry point: help without heavy imports, commands of plugins, errors and their exit codes."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from cli_support import Zoo, write_distribution
from support import ROOT

import zoo
from zoo.cli.main import COMMANDS, cli
from zoo.errors import (
    BudgetError,
    DataError,
    Interrupted,
    PluginError,
    Position,
    Problem,
    RunError,
    ShapeError,
    SpecError,
    TrainingError,
    ZooError,
)

HEAVY = ("torch", "torchvision", "pydantic", "numpy", "rich")
PROBE = """
import sys
from zoo.cli.main import main
code = main(sys.argv[2:])
loaded = [name for name in sys.argv[1].split(",") if name in sys.modules]
sys.exit(f"loaded: {loaded}" if loaded else code)
"""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS if group is cli else group.commands:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], HEAVY),
        (["list"], ("torch", "numpy", "pydantic")),
        (["check", "quickstart", "cifar100-resnet-silu", "--layers"], ("torch", "torchvision", "pydantic")),
        (["schema"], ("torch", "torchvision")),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_nothing_heavy_is_imported(
    python: Callable[..., subprocess.Popen[str]], arguments: list[str], heavy: tuple[str, ...]
) -> None:
    process = python(PROBE, ",".join(heavy), *arguments)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_says_what_the_command_says(name: str) -> None:
    command = COMMANDS[name].load()
    assert command.short_help == COMMANDS[name].summary
    assert (command.help or "").startswith(COMMANDS[name].summary)


OPTIONS = {
    "list": ["KIND", "FOLDER", "--json"],
    "show": ["NAMES", "--svg", "--html", "--json"],
    "check": ["SPECS", "--set", "--challenge", "--layers", "--lint", "--json"],
    "diff": ["BEFORE", "AFTER", "--set", "--json"],
    "fit": ["SPEC", "--set", "--use", "--top", "--candidates", "--seconds", "--out", "--json"],
    "eject": ["SPEC", "--set", "--out", "--json"],
    "train": ["SPEC", "--set", "--run", "--profile", "--verify-determinism", "--other-data", "--json"],
    "evaluate": ["NAME", "--split", "--set", "--other-data", "--json"],
    "sample": [
        "NAME",
        "--count",
        "--seed",
        "--label",
        "--out",
        "--best",
        "--nearest",
        "--film",
        "--set",
        "--other-data",
        "--json",
    ],
    "predict": ["NAME", "IMAGES", "--top", "--ground", "--range", "--set", "--other-data", "--json"],
    "publish": ["RUNS", "--name", "--to", "--note", "--json"],
    "interpolate": [
        "NAME",
        "--rows",
        "--columns",
        "--way",
        "--seed",
        "--label",
        "--out",
        "--set",
        "--other-data",
        "--json",
    ],
    "sweep": ["SPEC", "--set", "--workers", "--storage", "--study", "--heartbeat", "--json"],
    "compare": ["NAMES", "--figure", "--csv", "--latex", "--html", "--json"],
    "report": ["NAMES", "--out", "--json"],
    "export": [
        "NAME",
        "--to",
        "--out",
        "--outputs",
        "--pixels",
        "--label",
        "--int8",
        "--opset",
        "--set",
        "--other-data",
        "--json",
    ],
    "measure": ["NAME", "--form", "--batch", "--rounds", "--baseline", "--set", "--json"],
    "calibrate": ["METRIC", "--data", "--images", "--other-data", "--json"],
    "leaderboard": ["--challenge", "--html", "--measure", "--json"],
    "reproduce": ["NAME", "--run", "--seeds", "--seed", "--challenge", "--set", "--other-data", "--json"],
    "data": [],
    "data list": ["--json"],
    "data add": [
        *("NAME", "--from", "--size", "--ground", "--range", "--skip-corrupt", "--test-fraction"),
        *("--target", "--as", "--without", "--items", "--tokens", "--test", "--json"),
    ],
    "data show": ["NAME", "--json"],
    "data verify": ["NAME", "--json"],
    "data remove": ["NAME", "--yes"],
    "data path": [],
    "schema": [],
    "new": [],
    "new spec": ["NAME", "--folder"],
    "new plugin": ["NAME", "--folder"],
    "plugins": ["--json"],
    "doctor": ["--json"],
}


def test_what_can_be_tuned_is_in_the_spec_and_no_option_of_a_command() -> None:
    found = {
        name: [one.opts[0] if isinstance(one, click.Option) else (one.name or "").upper() for one in command.params]
        for name, command in commands(cli)
    }
    assert found == OPTIONS


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_has_a_help(name: str) -> None:
    command = dict(commands(cli))[name]
    assert command.help
    assert [one.opts for one in command.params if isinstance(one, click.Option) and not one.help] == []


def test_without_arguments_the_help_is_shown(zoo_command: Zoo) -> None:
    assert zoo_command() == zoo_command("--help")
    assert zoo_command("data").out.startswith("Usage: zoo data ")
    assert zoo_command("--help").code == 0


def test_the_version(zoo_command: Zoo) -> None:
    assert zoo_command("--version") == (0, f"zoo {zoo.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chek"], "error: no command is called 'chek'; did you mean 'check'?; see `zoo --help`\n"),
        (["data", "ad"], "error: no command is called 'ad'; did you mean 'add'?; see `zoo data --help`\n"),
        (["check"], "error: missing argument 'SPEC...'; see `zoo check --help`\n"),
        (["train", "a", "b"], "error: got unexpected extra argument (b); see `zoo train --help`\n"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exits_2(zoo_command: Zoo, arguments: list[str], message: str) -> None:
    assert zoo_command(*arguments) == (2, "", message)


def failing(error: BaseException) -> Callable[..., None]:
    def command(*_: object) -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ZooError("what"), 1),
        (SpecError([Problem(None, "", "what")]), 3),
        (ShapeError("what"), 3),
        (PluginError("what"), 4),
        (DataError("what"), 5),
        (RunError("what"), 6),
        (TrainingError("what"), 7),
        (BudgetError("what", 10), 10),
    ],
)
def test_each_error_has_its_exit_code(
    zoo_command: Zoo, monkeypatch: pytest.MonkeyPatch, error: ZooError, code: int
) -> None:
    monkeypatch.setattr(COMMANDS["schema"].load(), "callback", failing(error))
    assert zoo_command("schema") == (code, "", "error: what\n")


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_being_stopped_is_no_error_but_has_an_exit_code(
    zoo_command: Zoo, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    monkeypatch.setattr(COMMANDS["schema"].load(), "callback", failing(Interrupted("saved", name)))
    assert zoo_command("schema") == (code, "", "saved\n")


def test_all_problems_of_a_spec_are_told_and_counted(zoo_command: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = [Problem(Position("r.yaml", line, 1), "train", "found 0", "1 or more") for line in (1, 2)]
    monkeypatch.setattr(COMMANDS["schema"].load(), "callback", failing(SpecError(problems)))
    assert zoo_command("schema") == (
        3,
        "",
        "r.yaml:1:1: train: found 0; wanted 1 or more\n"
        "r.yaml:2:1: train: found 0; wanted 1 or more\n"
        "error: 2 problems in r.yaml\n",
    )


def test_a_bug_is_one_line_that_says_how_to_see_more(zoo_command: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(COMMANDS["schema"].load(), "callback", failing(KeyError("lr")))
    assert zoo_command("schema") == (
        1,
        "",
        "error: KeyError: 'lr'\n    this is a bug in Zoo or a plugin; repeat with ZOO_TRACEBACK=1 for the traceback\n",
    )


def test_the_traceback_is_shown_on_request(zoo_command: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(COMMANDS["schema"].load(), "callback", failing(KeyError("lr")))
    monkeypatch.setenv("ZOO_TRACEBACK", "1")
    assert zoo_command("schema").err.startswith("Traceback (most recent call last):")


def test_ctrl_c_exits_130(zoo_command: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(COMMANDS["schema"].load(), "callback", failing(KeyboardInterrupt()))
    code, out, err = zoo_command("schema")
    assert (code, out, err.strip()) == (130, "", "stopped")


def test_a_reader_that_goes_away_is_no_error(python: Callable[..., subprocess.Popen[str]]) -> None:
    process = python("import sys; from zoo.cli.main import main; sys.exit(main())", "schema")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141


@pytest.mark.parametrize("arguments", [["check", "quickstart"], ["list"], ["show", "conv", "--json"], ["doctor"]])
def test_a_reader_that_goes_away_is_no_error_of_any_command(
    python: Callable[..., subprocess.Popen[str]], arguments: list[str]
) -> None:
    process = python("import sys; from zoo.cli.main import main; sys.exit(main())", *arguments)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141


@pytest.mark.parametrize("arguments", [["-h"], ["check", "-h"], ["data", "add", "-h"]])
def test_help_is_short_too(zoo_command: Zoo, arguments: list[str]) -> None:
    assert zoo_command(*arguments) == zoo_command(*arguments[:-1], "--help")


def test_the_module_is_the_command(python: Callable[..., subprocess.Popen[str]]) -> None:
    process = python("import runpy, sys; sys.argv[1:] = ['--version']; runpy.run_module('zoo', run_name='__main__')")
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, f"zoo {zoo.__version__}\n", "")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.svg"), "a.svg: No space left on device\n    make room"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device\n    make room, or name a place"),
        (
            PermissionError(errno.EACCES, "Permission denied", "run"),
            "run: Permission denied\n    it belongs to somebody",
        ),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300), "File name too long\n    choose a shorter name"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", b"a/b"), "a/b: Not a directory\n    look at the path"),
    ],
)
def test_what_the_system_refuses_is_no_bug(
    zoo_command: Zoo, monkeypatch: pytest.MonkeyPatch, error: OSError, told: str
) -> None:
    monkeypatch.setattr(COMMANDS["schema"].load(), "callback", failing(error))
    code, out, err = zoo_command("schema")
    assert (code, out) == (1, "")
    assert told in err and "bug" not in err


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("show", "quickstart", "--svg"), "a.svg"),
        (("show", "quickstart", "--html"), "a.html"),
        (("leaderboard", "--html"), "board.html"),
        (("eject", "quickstart", "--out"), "net.py"),
    ],
)
def test_a_full_disk_names_the_file(
    zoo_command: Zoo, here: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], name: str
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("zoo.files.os.fsync", full)
    code, _, err = zoo_command(*command, name)
    assert code == 1
    assert err.startswith(f"error: {name}: No space left on device\n    make room")
    assert list(here.iterdir()) == []


def test_an_error_moves_no_cursor(zoo_command: Zoo, here: Path) -> None:
    (here / "a\x1b[2J.yaml").write_text('zoo: 1\nname: "b\\u009b1m"\n')
    code, out, err = zoo_command("check", "a\x1b[2J.yaml")
    assert (code, out) == (3, "")
    assert "\x1b" not in err and "\x9b" not in err
    assert r"a\u001b[2J.yaml:2:7" in err


def test_nothing_is_printed_raw() -> None:
    """Text reaches a terminal through the class Terminal, or cleaned by `visible`, as `describe` does."""
    printed = re.compile(r"(?:\bprint|click\.echo)\((?!\s*visible\(|\s*describe\()")
    raw = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / "zoo").rglob("*.py"))
        for line in path.read_text().splitlines()
        if printed.search(line) and "templates" not in path.parts and path.name != "terminal.py"
    ]
    assert raw == []


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_a_signal_leaves_through_every_finally(
    name: str, code: int, zoo_command: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def look() -> list[Any]:
        try:
            os.kill(os.getpid(), signal.Signals[name])
            return []
        finally:
            seen.append("cleared away")

    monkeypatch.setattr("zoo.cli.diagnosis.examine", look)
    found = zoo_command("doctor")
    assert (found.code, seen) == (code, ["cleared away"])
    assert found.err.strip() == ("stopped" if name == "SIGINT" else f"stopped by {name}")


@pytest.mark.parametrize("name", ["run.json", "metrics.jsonl", "result.json", "certificate.json"])
def test_a_pipe_is_not_waited_for(name: str, zoo_command: Zoo, here: Path) -> None:
    folder = here / "runs" / "one"
    folder.mkdir(parents=True)
    (folder / "spec.yaml").write_text("zoo: 1\nname: one\n")
    (folder / "run.json").write_text('{"spec_hash": "a", "versions": {}, "python": "3", "command": []}')
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    code, _, err = zoo_command("compare", "runs/one")
    assert code in (3, 6, 8) and "bug in Zoo" not in err


def test_a_summary_moves_no_cursor(zoo_command: Zoo, here: Path) -> None:
    folder = here / "shelf" / "mine"
    folder.mkdir(parents=True)
    (folder / "certificate.json").write_text("{}")
    (folder / "spec.yaml").write_text('zoo: 1\nname: mine\nsummary: "red \\e[31m \\u009b1m"\n')
    for arguments in (("list", "shelf"), ("list", "shelf", "--json")):
        out = zoo_command(*arguments).out
        assert r"\u001b[31m \u009b1m" in out
        assert "\x1b" not in out and "\x9b" not in out


GREET = """
import click
from zoo import hookimpl

@click.command(short_help="Say hello.")
def greet():
    click.echo("hello")

@hookimpl
def zoo_commands():
    return [greet]
"""


def test_the_command_of_a_plugin_is_listed_with_its_provider_and_runs(zoo_command: Zoo, site: Path) -> None:
    (site / "polite_zoo.py").write_text(GREET)
    write_distribution(site, "zoo-polite", "1.2", {"polite": "polite_zoo"})
    assert "Commands of plugins:\n  greet  Say hello. [polite (zoo-polite 1.2)]\n" in zoo_command("--help").out
    assert zoo_command("greet") == (0, "hello\n", "")


def test_a_plugin_cannot_take_the_name_of_a_command(zoo_command: Zoo, site: Path) -> None:
    (site / "rude_zoo.py").write_text(GREET.replace("greet", "check"))
    write_distribution(site, "zoo-rude", "1.0", {"rude": "rude_zoo"})
    warning = "warning: command 'check' of plugin rude (zoo-rude 1.0) has the name of a built-in one, and is left out\n"
    code, out, err = zoo_command("--help")
    assert (code, "[rude" in out) == (0, False)
    assert err.endswith(warning)
    assert zoo_command("check", "quickstart").code == 0


def test_a_command_that_is_none_leaves_the_help_whole(zoo_command: Zoo, site: Path) -> None:
    (site / "odd_zoo.py").write_text(GREET.replace("return [greet]", "return [greet, 5, None]"))
    write_distribution(site, "zoo-odd", "1.0", {"odd": "odd_zoo"})
    code, out, err = zoo_command("--help")
    assert (code, "  greet  Say hello." in out) == (0, True)
    assert "warning: plugin odd (zoo-odd 1.0): zoo_commands returned 5; wanted a click command" in err


def test_a_broken_plugin_stops_nothing_else(zoo_command: Zoo, site: Path) -> None:
    (site / "sick_zoo.py").write_text("1 / 0")
    write_distribution(site, "zoo-sick", "1.0", {"sick": "sick_zoo"})
    code, out, err = zoo_command("--help")
    assert (code, "  check " in out) == (0, True)
    assert err == (
        "warning: plugin sick (zoo-sick 1.0) was dropped: its import failed: ZeroDivisionError: division by zero\n"
    )


def test_an_error_that_a_plugin_raises_names_it(zoo_command: Zoo, site: Path, here: Path) -> None:
    text = "from zoo import Component, hookimpl\n\n@hookimpl\ndef zoo_components():\n"
    text += "    yield Component('architecture', 'odd', 'faulty_zoo:odd')\n\n"
    text += "def odd(input, output, /):\n    return {}['width']\n"
    (site / "faulty_zoo.py").write_text(text)
    write_distribution(site, "zoo-odd", "1.0", {"odd": "faulty_zoo"})
    (here / "odd.yaml").write_text("extends: quickstart\nnetworks: {classifier: {architecture: odd}}\n")
    code, out, err = zoo_command("check", "odd.yaml")
    assert (code, out) == (1, ""), err
    assert err == (
        "error: KeyError: 'width'\n    it comes from the plugin odd (zoo-odd 1.0) (faulty_zoo.py:8, odd); "
        "repeat with ZOO_TRACEBACK=1 for the traceback\n"
    )
