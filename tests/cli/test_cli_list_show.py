"""`zoo list`, `zoo show`, `zoo plugins`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_support import Zoo, write_distribution

from zoo import __version__
from zoo.registry import KINDS, Registry

PLUGIN = """
from zoo import Component, hookimpl

@hookimpl
def zoo_components():
    yield Component("tracker", "sharpness", "sharp:measure", summary="How sharp.", source="Nobody 2030")
"""
CODE = '''
from typing import Annotated
from zoo.api import Activation, Field

def measure(context, /, *, edges: Annotated[bool, Field(description="Only edges.")], bend: Activation = "relu"):
    """Measure."""
'''


@pytest.fixture
def sharp(site: Path) -> None:
    """A plugin with one tracker."""
    (site / "sharp_zoo.py").write_text(PLUGIN)
    (site / "sharp.py").write_text(CODE)
    write_distribution(site, "zoo-sharp", "0.3", {"sharp": "sharp_zoo"})


def test_a_kind_is_listed_with_its_providers(zoo_command: Zoo, sharp: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_PLUGINS", "sharp")
    assert zoo_command("list", "tracker") == (
        0,
        """\
tracker: a place outside the run folder that metrics are written to
name       from   summary
sharpness  sharp  How sharp.

""",
        "",
    )


def test_a_kind_can_be_named_in_the_plural(zoo_command: Zoo) -> None:
    assert zoo_command("list", "losses") == zoo_command("list", "loss")
    assert zoo_command("list", "spec") == zoo_command("list", "specs")


def test_without_a_kind_everything_is_listed(zoo_command: Zoo, registry: Registry) -> None:
    out = zoo_command("list").out
    for kind in KINDS:
        assert (f"{kind}: " in out) == bool(registry.names(kind))
    assert "\nspecs: " in out


def test_an_unknown_kind_names_the_closest(zoo_command: Zoo) -> None:
    assert zoo_command("list", "optimiser") == (
        2,
        "",
        "error: found 'optimiser'; did you mean 'optimizer'?; see `zoo list --help`\n",
    )


def test_list_as_json(zoo_command: Zoo, sharp: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_PLUGINS", "sharp")
    assert json.loads(zoo_command("list", "tracker", "--json").out) == [
        {
            "kind": "tracker",
            "name": "sharpness",
            "summary": "How sharp.",
            "source": "Nobody 2030",
            "provider": {"plugin": "sharp", "package": "zoo-sharp", "version": "0.3"},
        }
    ]


def test_shipped_specs_are_listed(zoo_command: Zoo) -> None:
    out = zoo_command("list", "specs").out
    assert "quickstart " in out
    assert "A small residual network on the built-in shapes" in out


def test_a_component_is_shown_with_its_options(zoo_command: Zoo, sharp: None) -> None:
    assert zoo_command("show", "sharpness") == (
        0,
        """\
tracker sharpness
How sharp.
Source: Nobody 2030
From: plugin sharp (zoo-sharp 0.3), sharp:measure

option  default     wanted         meaning
edges   (required)  true or false  Only edges.
bend    relu        an activation
""",
        "",
    )


def test_a_component_as_json(zoo_command: Zoo, sharp: None) -> None:
    (found,) = json.loads(zoo_command("show", "tracker/sharpness", "--json").out)
    assert found["options"][1] == {
        "name": "bend",
        "wanted": "an activation",
        "required": False,
        "default": "relu",
        "description": "",
    }


@pytest.mark.parametrize(
    ("name", "ends"), [("relu", ("4", "0", "-4", "4")), ("schedule/linear", ("1", "0.001", "0", "999"))]
)
def test_activations_and_schedules_are_drawn(
    name: str, ends: tuple[str, ...], zoo_command: Zoo, tmp_path: Path
) -> None:
    code, out, err = zoo_command("show", name)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    *curve, axis, scale = lines[-14:]
    assert (curve[0].split()[0], curve[-1].split()[0]) == ends[:2]
    assert (scale.split()[0], scale.split()[-1]) == ends[2:]
    assert all(" | " in line or line.endswith("|") for line in curve) and axis.strip().startswith("+-")
    path = tmp_path / "curve.svg"
    assert zoo_command("show", name, "--svg", path).out == f"{path}\n"
    assert path.read_text().startswith("<svg ") and "<polyline " in path.read_text()


def test_what_has_no_curve_is_not_drawn(zoo_command: Zoo, tmp_path: Path) -> None:
    code, _, err = zoo_command("show", "conv", "--svg", tmp_path / "curve.svg")
    assert code == 2
    assert "--svg draws a spec, or one activation or schedule; conv has no curve" in err


def test_every_component_can_be_shown(zoo_command: Zoo, registry: Registry) -> None:
    names = [f"{one.kind}/{one.name}" for one in registry]
    assert len(json.loads(zoo_command("show", *names, "--json").out)) == len(names)


def test_a_spec_is_shown_resolved_and_with_its_network(zoo_command: Zoo, tiny: Path) -> None:
    code, out, err = zoo_command("show", tiny)
    assert (code, err) == (0, "")
    assert "zoo: 1\nname: tiny\n" in out
    assert "    optimizer:\n" in out
    assert "classifier, input 3x32x32, limit 10000 parameters\n" in out


def test_an_unknown_name_names_the_closest(zoo_command: Zoo) -> None:
    assert zoo_command("show", "resnt") == (
        2,
        "",
        "error: no component or spec is called 'resnt'; did you mean 'resnet'?; see `zoo show --help`\n",
    )
    assert "no norm is called 'resnet'" in zoo_command("show", "norm/resnet").err


def test_plugins_are_listed_and_a_broken_one_with_its_reason(zoo_command: Zoo, site: Path, sharp: None) -> None:
    (site / "sick_zoo.py").write_text("import nowhere")
    write_distribution(site, "zoo-sick", "1.0", {"sick": "sick_zoo"})
    code, out, _ = zoo_command("plugins")
    lines = [line.split(maxsplit=3) for line in out.splitlines()]
    assert code == 0
    assert ["sharp", "zoo-sharp", "0.3", "1 tracker"] in lines
    assert ["core", "speczoo", __version__] in [line[:3] for line in lines]
    broken = "broken: its import failed: ModuleNotFoundError: No module named 'nowhere'"
    assert ["sick", "zoo-sick", "1.0", broken] in lines


def test_plugins_that_claim_one_name_are_both_listed_and_told(zoo_command: Zoo, site: Path, sharp: None) -> None:
    (site / "again_zoo.py").write_text(PLUGIN)
    write_distribution(site, "zoo-again", "1.0", {"again": "again_zoo"})
    code, out, err = zoo_command("plugins")
    assert code == 0
    assert "zoo-again 1.0" in out and "zoo-sharp 0.3" in out
    told = (
        "warning: tracker 'sharpness' of plugin sharp (zoo-sharp 0.3) is already the tracker 'sharpness' of plugin again "
        "(zoo-again 1.0); it is known as 'sharp:sharpness' here"
    )
    assert told in " ".join(err.split())
    assert "sharp:sharpness" in zoo_command("list", "trackers").out


def test_plugins_as_json(zoo_command: Zoo, sharp: None) -> None:
    found = {one["plugin"]: one for one in json.loads(zoo_command("plugins", "--json").out)}
    assert found["sharp"] == {
        "plugin": "sharp",
        "package": "zoo-sharp",
        "version": "0.3",
        "components": {"tracker": 1},
        "specs": [],
        "commands": [],
        "error": "",
    }
