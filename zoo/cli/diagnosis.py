"""What `zoo doctor` looks at: each function examines one thing and yields what it found."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import zoo
from zoo import distribution
from zoo.cli.units import size
from zoo.errors import listing

Level = Literal["ok", "warning", "problem"]
PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "pydantic",
    "pluggy",
    "click",
    "rich",
    "safetensors",
    "pillow",
    "ruamel.yaml",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `advice` says what to do unless all is well."""

    subject: str
    level: Level
    text: str
    advice: str = ""


def examine() -> Iterator[Finding]:
    """Yield all findings. A look that fails itself is a problem, and the others go on."""
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python,
        _packages,
        _namesake,
        _arithmetic,  # before anything is computed here
        _torchvision,
        _cpu,
        _gpu,
        _compiler,
        _allocator,
        _data,
        _plugins,
        _working_folder,
        _leftovers,
    )
    for look in looks:
        try:
            yield from look()
        except Exception as error:
            yield Finding(look.__name__.strip("_"), "problem", f"{type(error).__name__}: {error}")


def _python() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()}, {sys.executable}")


def _packages() -> Iterator[Finding]:
    found, missing = [], []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    yield Finding("packages", "ok", ", ".join(found))
    if missing:
        yield Finding("packages", "problem", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")


def _namesake() -> Iterator[Finding]:
    """The package `zoo` of the index is another program, whose module would lie in the place of this one."""
    found = distribution.namesake()
    again = f"pip uninstall zoo, then install {distribution.NAME} again"
    if found is None:
        yield Finding("zoo", "ok", f"{zoo.__version__}, in {Path(zoo.__file__).parent}")
    elif found[1]:
        text = f"{zoo.__version__}; it is installed under its earlier name, zoo {found[0]}"
        yield Finding("zoo", "warning", text, again)
    else:
        text = f"the package zoo {found[0]} is another program with a module of the same name, in the same place"
        yield Finding("zoo", "problem", text, again)


def _torchvision() -> Iterator[Finding]:
    """torchvision's compiled part fits one version of torch alone; a small operation shows whether it does."""
    torch_version, vision_version = version("torch"), version("torchvision")
    try:
        import torch

        # Without torchvision itself, whose models load the compiler.
        for library in _compiled("torchvision"):
            torch.ops.load_library(str(library))
        torch.ops.torchvision.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
    except Exception as error:
        wanted = fitting_torchvision(torch_version)
        yield Finding(
            "torchvision",
            "problem",
            f"{vision_version} does not fit torch {torch_version}: {str(error).splitlines()[0]}",
            f"pip install {wanted}, from the index that torch came from",
        )
    else:
        yield Finding("torchvision", "ok", f"{vision_version} fits torch {torch_version}")


def _compiled(package: str) -> list[Path]:
    """Return the libraries of operations that a package brings, without importing it."""
    found = importlib.util.find_spec(package)
    folders = found.submodule_search_locations if found else None
    return [path for folder in folders or () for path in Path(folder).glob("_C*") if path.suffix in (".so", ".pyd")]


def fitting_torchvision(torch_version: str) -> str:
    """Return the requirement of the torchvision that is built for a version of torch: 2.11 goes with 0.26."""
    release = torch_version.partition("+")[0].split(".")
    if release[0] != "2":
        return "torch torchvision"
    return f"torchvision==0.{int(release[1]) + 15}.*"


def _cpu() -> Iterator[Finding]:
    import torch

    from zoo.training.devices import bf16_units

    capable = torch.backends.cpu.get_cpu_capability()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = torch.get_num_threads()
    bf16 = bf16_units(torch.device("cpu")) or "emulated"
    text = f"{usable} of {os.cpu_count()} cores, {threads} threads, {capable}, bf16: {bf16}"
    if usable and threads > usable:
        yield Finding("cpu", "warning", text, f"more threads than cores: set OMP_NUM_THREADS={usable}")
    else:
        yield Finding("cpu", "ok", text)


def _arithmetic() -> Iterator[Finding]:
    """Libraries compute some operations wrongly on some machines; Zoo goes around those that it knows."""
    from zoo.training.selfcheck import examine as compute

    found = compute()
    wrong = [one for one in found.faults if not one.avoided]
    threads = " and ".join(map(str, found.threads))
    if not wrong:
        text = f"outputs and gradients of {found.operations} operations are right, in threads: {threads}"
        yield Finding("arithmetic", "ok", text)
    for one in wrong:
        advice = "train what uses it on another machine, or with another version of torch; please report this"
        yield Finding(f"arithmetic of {one.operation}", "problem", one.text, advice)
    for one in found.faults:
        if one.avoided:
            text = f"avoided: left to the library it would go wrong ({one.text}); Zoo rewrites it"
            yield Finding(f"arithmetic of {one.operation}", "ok", text)


def _gpu() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            yield _cuda_device(index)
    elif torch.backends.mps.is_available():
        yield Finding("gpu", "ok", "Apple GPU (mps)")
    elif shutil.which("nvidia-smi"):
        built = torch.version.cuda
        why = (
            f"torch {torch.__version__} is built for CUDA {built}"
            if built
            else f"torch {torch.__version__} is built for CPUs"
        )
        advice = "update the driver, or install the torch that fits it: https://pytorch.org/get-started/locally"
        yield Finding("gpu", "warning", f"there is an NVIDIA driver, but torch sees no device; {why}", advice)
    else:
        yield Finding("gpu", "ok", "none; training runs on the CPU")


def _cuda_device(index: int) -> Finding:
    import torch

    subject = f"cuda:{index}"
    facts = torch.cuda.get_device_properties(index)
    free, _ = torch.cuda.mem_get_info(index)
    memory = f"{size(free)} of {size(facts.total_memory)} free"
    bf16 = "yes" if torch.cuda.is_bf16_supported() else "no"
    text = f"{facts.name}, compute {facts.major}.{facts.minor}, {memory}, CUDA {torch.version.cuda}, bf16: {bf16}"
    try:
        torch.ones(8, device=subject).sum().item()
    except RuntimeError as error:
        return Finding(subject, "problem", f"{text}; it does not compute: {str(error).splitlines()[0]}")
    return Finding(subject, "ok", text)


def _compiler() -> Iterator[Finding]:
    """torch.compile writes C++ for CPUs, and Triton kernels for GPUs."""
    name = os.environ.get("CXX") or next((one for one in ("g++", "clang++", "c++") if shutil.which(one)), "")
    if not name or not shutil.which(name):
        advice = "install g++ for `engine: compile` on a CPU; `eager` needs none"
        yield Finding("compiler", "warning", f"{name or 'g++'} was not found", advice)
        return
    shown = subprocess.run([name, "--version"], capture_output=True, text=True, timeout=10, check=False)
    yield Finding("compiler", "ok", (shown.stdout.splitlines() or [name])[0])


def _allocator() -> Iterator[Finding]:
    from zoo.training.allocator import applies

    if os.environ.get("ZOO_ALLOCATOR") == "system":
        yield Finding("allocator", "ok", "the system's, as ZOO_ALLOCATOR=system asks; training on a CPU is slower")
    elif applies():
        yield Finding("allocator", "ok", "glibc; training keeps freed memory")
    else:
        yield Finding("allocator", "ok", "not glibc; left as it is")


def _data() -> Iterator[Finding]:
    from zoo.cli.sets import known_sets
    from zoo.data.store import data_folder

    folder = data_folder()
    above = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if os.access(above, os.W_OK):
        yield Finding("data folder", "ok", f"{folder}, {_free(above)} free")
    else:
        yield Finding("data folder", "problem", f"{folder} cannot be written", "name another one with ZOO_DATA=FOLDER")
    sets = known_sets()
    here = ", ".join(one["name"] for one in sets if one["info"])
    yield Finding("data sets", "ok", f"here: {here or 'none'}")
    for one in sets:
        if not one["info"]:
            yield Finding(f"data set {one['name']}", "warning", "not on this machine", f"bring it in: {one['problem']}")


def _plugins() -> Iterator[Finding]:
    from zoo.errors import PluginError
    from zoo.plugins import assemble, discover

    found = discover()
    for plugin in found:
        if plugin.error:
            advice = f"mend or uninstall {plugin.provider.distribution or plugin.provider.plugin}"
            yield Finding(f"plugin {plugin.provider.plugin}", "problem", plugin.error, advice)
    try:
        registry = assemble([plugin for plugin in found if not plugin.error]).registry
    except PluginError as error:
        yield Finding("plugins", "problem", str(error))
        return
    names = ", ".join(plugin.provider.plugin for plugin in found if not plugin.error)
    if len(registry):
        yield Finding("plugins", "ok", f"{len(registry)} components of {names}")
    else:
        yield Finding("plugins", "problem", "none was found", "install Zoo with pip: its own plugins come with it")


def _working_folder() -> Iterator[Finding]:
    here = Path.cwd()
    try:
        with tempfile.TemporaryFile(dir=here):
            pass
    except OSError as error:
        advice = "change to another folder, or name one with --run"
        yield Finding("working folder", "problem", f"{here} cannot be written ({error.strerror})", advice)
    else:
        yield Finding("working folder", "ok", f"{here}, {_free(here)} free")


def _leftovers() -> Iterator[Finding]:
    """What killed writers left behind, and checkpoints that were found damaged."""
    from zoo.data.store import data_folder
    from zoo.files import is_leftover
    from zoo.spec.shipped import OWN_SHELF

    folders = [data_folder(), OWN_SHELF, *Path("runs").glob("**/")]
    found = sorted({path for folder in folders if folder.is_dir() for path in folder.iterdir() if is_leftover(path)})
    damaged = sorted(Path("runs").glob("**/*.safetensors.damaged"))
    if found:
        text = f"{len(found)} that a killed command left: {listing(map(str, found), 3)}"
        yield Finding(
            "leftovers", "warning", text, "no command reads them, and the next that writes there removes them"
        )
    if damaged:
        text = f"{len(damaged)} checkpoints that were passed over: {listing(map(str, damaged), 3)}"
        yield Finding("damaged files", "warning", text, "look at the disk that they lie on, then delete them")
    if not found and not damaged:
        yield Finding("leftovers", "ok", "none in the data folder, ./runs and ./shelf")


def _free(path: Path) -> str:
    return size(shutil.disk_usage(path).free)
