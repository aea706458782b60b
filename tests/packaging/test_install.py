"""What is built and installed: the wheel's content, a stranger's plugin, and the plugin that `zoo new` writes."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from support import ROOT, builtin_plugins

from zoo import __version__

SPECS = ROOT / "specs"
pytestmark = [
    pytest.mark.install,
    # One worker builds and installs once for all tests here.
    pytest.mark.xdist_group("install"),
    pytest.mark.skipif("ZOO_TEST_WHEEL" in os.environ, reason="the wheel under test was built by this very step"),
]


def run(*command: object, cwd: Path | None = None) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, env=clean())
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def clean() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "ZOO_PLUGINS")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def environment(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with Zoo's wheel, the example plugin and a newly written one, all installed by pip.

    The large packages that they need are lent by the environment of the tests, which has them already.
    """
    folder = tmp_path_factory.mktemp("fresh")
    run(sys.executable, "-m", "venv", folder / "env")
    python = folder / "env" / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    lent = folder / "lent"
    lent.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        # Neither Zoo itself nor the hooks by which an editable install would bring it back.
        if not path.name.startswith(("zoo", "_zoo", "speczoo", "_speczoo", "pip", "__")) and path.suffix != ".pth":
            (lent / path.name).symlink_to(path)
    (site / "lent.pth").write_text(f"{lent}\n")
    wheel = next(built.glob("*.whl"))
    run(python, "-m", "pip", "install", "--no-deps", wheel)
    run(folder / "env" / "bin" / "zoo", "new", "plugin", "shiny", "--folder", folder)
    for plugin in (ROOT / "examples" / "zoo-snake", folder / "zoo-shiny"):
        # hatchling is not among what is lent: pip builds in an environment of its own.
        run(python, "-m", "pip", "install", "--no-deps", plugin)
    return folder


def test_the_wheel_holds_specs_templates_and_types(built: Path) -> None:
    names = set(zipfile.ZipFile(next(built.glob("*.whl"))).namelist())
    assert {"zoo/shipped/quickstart.yaml", "zoo/shipped/cifar100-resnet-silu.yaml", "zoo/py.typed"} <= names
    shipped = {f"zoo/shipped/{path.relative_to(SPECS)}" for path in SPECS.rglob("*") if path.is_file()}
    assert shipped <= names, "entries of the shelf come with all their files"
    assert {"zoo/templates/plugin/pyproject.toml.tmpl", "zoo_torch/__init__.py", "zoo_classifier/resnet.py"} <= names
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"zoo", *builtin_plugins().values()}


def test_wheel_and_source_bear_the_name_on_the_index(built: Path) -> None:
    assert sorted(path.name for path in built.iterdir()) == [
        f"speczoo-{__version__}-py3-none-any.whl",
        f"speczoo-{__version__}.tar.gz",
    ]


def test_what_is_installed_knows_its_own_name(environment: Path) -> None:
    code = "import zoo.plugins as p, zoo; print({str(one.provider) for one in p.discover() if one.provider.plugin == 'core'})"
    assert run(environment / "env" / "bin" / "python", "-c", code) == f"{{'core (speczoo {__version__})'}}\n"


def test_the_source_distribution_holds_what_the_tests_need(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "tests/conftest.py",
        "specs/quickstart.yaml",
        "README.md",
        "CONTRIBUTING.md",
        "constraints.txt",
        "Makefile",
    } <= names


def test_plugins_are_found_beside_the_builtin_ones(environment: Path) -> None:
    told = run(environment / "env" / "bin" / "zoo", "plugins", cwd=environment)
    assert all(name in told for name in ("zoo-snake 0.1.0", "zoo-shiny 0.1.0", "classifier", "torch"))


def test_the_example_trains_from_its_own_spec_and_command(environment: Path, tmp_path: Path) -> None:
    zoo = environment / "env" / "bin" / "zoo"
    assert "width   12" in run(zoo, "widths", "shapes-serpent", "--values", "8,12", cwd=tmp_path)
    small = ["data={shapes: {train_images: 200, test_images: 100}}", "train.steps=4", "train.validation=50"]
    told = run(
        zoo,
        "train",
        "shapes-serpent",
        "--run",
        "run",
        *(word for one in small for word in ("--set", one)),
        cwd=tmp_path,
    )
    assert "run" in told
    assert "top1" in run(zoo, "evaluate", "run", cwd=tmp_path)


def test_the_tests_of_a_new_plugin_pass(environment: Path) -> None:
    python = environment / "env" / "bin" / "python"
    told = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=environment / "zoo-shiny")
    assert "7 passed" in told, told
