"""Imports point down only, plugins have no private door, and what need not be loaded is not."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ROOT, builtin_plugins

import zoo

PACKAGE = Path(zoo.__file__).parent
PLUGINS = PACKAGE.parent if (PACKAGE.parent / "zoo_torch").is_dir() else PACKAGE.parent / "plugins"

#: From the bottom up. A module imports from its own line and from those above it here.
LAYERS = [
    {
        "zoo",
        "zoo.distribution",
        "zoo.errors",
        "zoo.files",
        "zoo.hints",
        "zoo.isolation",
        "zoo.random",
        "zoo.signals",
        "zoo.text",
    },
    {"zoo.annotations", "zoo.registry", "zoo.options", "zoo.plugins", "zoo.requirements", "zoo.values"},
    {"zoo.spec", "zoo.scaffold"},
    {"zoo.network", "zoo.data"},
    {"zoo.budget", "zoo.local", "zoo.promises", "zoo.builder"},
    {"zoo.checking", "zoo.trainability"},
    {"zoo.ejection", "zoo.fitting", "zoo.linting", "zoo.drawing"},
    {"zoo.training", "zoo.evaluation", "zoo.generation"},
    {"zoo.publishing"},
    {"zoo.sweeps"},
    {"zoo.reports"},
    {"zoo.challenges", "zoo.delivery"},
    {"zoo.api"},
    {"zoo.testing"},
    {"zoo.cli", "zoo.__main__"},
]
#: Modules that are loaded only once something is computed, and may import torch at their top.
HEAVY = {
    "zoo.data.device",
    "zoo.delivery.latency",
    "zoo.delivery.onnx_file",
    "zoo.delivery.program",
    "zoo.delivery.pt2_file",
    "zoo.delivery.tracing",
    "zoo.delivery.verify",
    "zoo.ejection",
    "zoo.evaluation.calibration",
    "zoo.evaluation.measure",
    "zoo.evaluation.run",
    "zoo.evaluation.trained",
    "zoo.generation.draw",
    "zoo.generation.interpolation",
    "zoo.generation.neighbours",
    "zoo.network.measure",
    "zoo.network.modules",
    "zoo.network.source",
    "zoo.publishing.finished",
    "zoo.publishing.pictures",
    "zoo.publishing.publish",
    "zoo.publishing.spot_check",
    "zoo.testing.capture",
    "zoo.testing.kinds",
    "zoo.testing.trainings",
    "zoo.training.average",
    "zoo.training.callbacks",
    "zoo.training.checkpoint",
    "zoo.training.determinism",
    "zoo.training.devices",
    "zoo.training.engine",
    "zoo.training.graph",
    "zoo.training.guard",
    "zoo.training.loop",
    "zoo.training.memory",
    "zoo.training.norms",
    "zoo.training.optimizer_state",
    "zoo.training.profile",
    "zoo.training.seeds",
    "zoo.training.stepper",
    "zoo.training.strided",
    "zoo.training.tally",
    "zoo.training.trainee",
    "zoo_torch.modules.attention",
    "zoo_torch.modules.axes",
    "zoo_torch.modules.conditioning",
    "zoo_torch.modules.formulas",
    "zoo_torch.modules.norms",
    "zoo_torch.modules.pools",
    "zoo_torch.modules.recurrent",
    "zoo_torch.modules.reshaping",
    "zoo_torch.muon",
}


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(package: Path) -> list[Path]:
    return sorted(path for path in package.rglob("*.py") if "templates" not in path.parts)


def imports(path: Path, *, top_only: bool = False) -> Iterator[str]:
    """Yield the modules that a file imports, those for type checkers left out; with `top_only`, on loading it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        inside = top_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if typing_only or inside:
            skipped |= {id(child) for child in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (
                (f"{node.module}.{alias.name}" for alias in node.names) if node.module == "zoo" else [node.module]
            )


def level(name: str) -> int:
    for index, layer in enumerate(LAYERS):
        if any(name == one or (one != "zoo" and name.startswith(f"{one}.")) for one in layer):
            return index
    raise AssertionError(f"{name} stands in no layer")


@pytest.mark.parametrize("path", modules(PACKAGE), ids=lambda path: module_name(path, PACKAGE.parent))
def test_imports_point_down(path: Path) -> None:
    own = module_name(path, PACKAGE.parent)
    for name in imports(path, top_only=True):
        if name.partition(".")[0] == "zoo" and own != "zoo":
            assert level("zoo" if name.startswith("zoo.__") else name) <= level(own), f"{own} imports {name}"


@pytest.mark.parametrize("path", modules(PACKAGE), ids=lambda path: module_name(path, PACKAGE.parent))
def test_zoo_imports_no_plugin(path: Path) -> None:
    assert {name.partition(".")[0] for name in imports(path)} & set(builtin_plugins().values()) == set()


@pytest.mark.parametrize("plugin", sorted(builtin_plugins().values()))
def test_a_builtin_plugin_uses_only_what_is_public(plugin: str) -> None:
    for path in modules(PLUGINS / plugin):
        for name in imports(path):
            top = name.partition(".")[0]
            assert not top.startswith("zoo_") or top == plugin, f"{path.name} imports {name} of another plugin"
            if top == "zoo":
                assert name.startswith("zoo.api") or name in ("zoo.Component", "zoo.hookimpl"), f"{path.name}: {name}"


def test_only_the_terminal_knows_rich() -> None:
    found = {
        module_name(path, PACKAGE.parent)
        for path in modules(PACKAGE)
        for name in imports(path)
        if name.startswith("rich")
    }
    assert found == {"zoo.cli.terminal"}


def test_torch_is_imported_at_the_top_of_heavy_modules_only() -> None:
    found = set()
    for root, packages in ((PACKAGE.parent, ["zoo"]), (PLUGINS, builtin_plugins().values())):
        for package in packages:
            for path in modules(root / package):
                if any(name.partition(".")[0] in ("torch", "torchvision") for name in imports(path, top_only=True)):
                    found.add(module_name(path, root))
    assert found <= HEAVY


def loaded(code: str) -> set[str]:
    """Run `code` in a fresh process and return the top-level packages that it loaded."""
    script = f"import sys\n{code}\nprint('\\n'.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    paths = os.pathsep.join(str(path) for path in (PACKAGE.parent, PLUGINS))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", ["zoo", "zoo.api", "zoo.plugins", *sorted(builtin_plugins().values())])
def test_importing_loads_no_torch(name: str) -> None:
    assert loaded(f"import {name}") & {"torch", "torchvision", "numpy"} == set()


def test_importing_zoo_loads_next_to_nothing() -> None:
    assert loaded("import zoo") & {"click", "pluggy", "pydantic", "rich", "ruamel"} == set()


def test_checking_what_ships_loads_no_torch() -> None:
    code = f"sys.path.insert(0, {str(ROOT / 'tests')!r})\nfrom support import builtin_registry\nimport zoo\n"
    code += "from zoo.spec import shipped\nfor name in shipped.names():\n"
    code += "    assert zoo.check(name, registry=builtin_registry()).kept, name\n"
    code += "    assert 'torch' not in sys.modules, name"
    assert loaded(code) & {"torch", "torchvision", "numpy", "scipy"} == set()


def test_refusing_to_mix_labels_loads_no_torch() -> None:
    code = f"sys.path.insert(0, {str(ROOT / 'tests')!r})\nfrom support import builtin_registry\nimport zoo\n"
    code += "try:\n    zoo.check('cifar100-dcgan', overrides=['augment=[mixup]'], registry=builtin_registry())\n"
    code += "except zoo.SpecError as error:\n    assert 'found mixup' in str(error)\nelse:\n    raise AssertionError"
    assert loaded(code) & {"torch", "torchvision", "numpy", "scipy"} == set()


def test_judging_a_submission_loads_no_torch() -> None:
    code = f"sys.path.insert(0, {str(ROOT / 'tests')!r})\nfrom support import builtin_registry\nimport zoo\n"
    code += "challenge, spec = 'cifar100-classify-100k', 'cifar100-resnet8'\n"
    code += "assert zoo.judge_submission(challenge, spec, registry=builtin_registry()).kept"
    assert loaded(code) & {"torch", "torchvision", "numpy", "scipy"} == set()


def test_every_public_name_is_there() -> None:
    import zoo.api

    for name in zoo.api.__all__:
        assert getattr(zoo, name) is getattr(zoo.api, name)
