"""What runs against what: the baselines, and Zoo with each engine and precision that this machine has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks import data
from benchmarks.candidate import UNSAVED
from benchmarks.environment import lacking
from benchmarks.runner import Variant
from zoo import api
from zoo.errors import TrainingError
from zoo.training.allocator import applies
from zoo.training.engine import Engine, choose

SPECS = {"classifier": "cifar100-resnet-silu", "dcgan": "cifar100-dcgan"}
ENGINES = {
    "classifier": (
        ("eager", "fp32"),
        ("eager", "bf16"),
        ("compile", "fp32"),
        ("compile", "bf16"),
        ("graph", "tf32"),
        ("graph", "bf16"),
        ("compiled_graph", "bf16"),
    ),
    # Compiling gains nothing for it on a CPU.
    "dcgan": (("eager", "fp32"), ("eager", "bf16"), ("graph", "tf32"), ("graph", "bf16")),
}
LOADING_WORKERS = 8  # of the baseline that loads beside a GPU


@dataclass(frozen=True)
class Field:
    """All variants of a model: those to be run, and those that are not, with the reason. `names` is their order."""

    names: tuple[str, ...]
    variants: tuple[Variant, ...]
    reasons: dict[str, str] = field(default_factory=dict)
    same_as: dict[str, str] = field(default_factory=dict)


def assemble(model: str, device: str, only: Sequence[str] = ()) -> Field:
    """Return what there is to run for a model; `only` keeps those named, and the first baseline."""
    names: list[str] = []
    variants: list[Variant] = []
    reasons: dict[str, str] = {}
    same_as: dict[str, str] = {}
    engines: dict[str, Engine] = {}

    def wanted(name: str) -> bool:
        if only and names and name not in only:
            return False
        names.append(name)
        return True

    for variant, reason in _baselines(model, device):
        if wanted(variant.name):
            reasons |= {variant.name: reason} if reason else {}
            variants += [] if reason else [variant]
    for engine, precision in ENGINES[model]:
        name = f"zoo {engine} {precision}"
        if not wanted(name):
            continue
        variant = _zoo(name, model, device, (f"train.engine={engine}", f"train.precision={precision}"))
        try:
            engines[name] = _engine(variant)
        except TrainingError as error:
            reasons[name] = str(error).partition(": ")[2].partition("; wanted")[0]
        else:
            variants.append(variant)
    if wanted("zoo auto"):
        variant = _zoo("zoo auto", model, device, ())
        chosen = _engine(variant)
        twins = [name for name, one in engines.items() if one.describe() == chosen.describe()]
        if twins:
            same_as["zoo auto"] = twins[0]
        else:
            variants.append(variant)
    return Field(tuple(names), tuple(variants), reasons, same_as)


def _baselines(model: str, device: str) -> list[tuple[Variant, str]]:
    """Return the baselines, the one that all are compared with first, and why each cannot run here."""
    package = "benchmarks.baselines"

    def baseline(name: str, module: str, **options: Any) -> Variant:
        return Variant(
            name=name,
            loop=f"{package}.{module}:train",
            device=device,
            spec=SPECS[model],
            overrides=tuple(data.overrides()),
            pictures=True,
            **options,
        )

    unkept = "" if applies() else "this system has another allocator"
    if model == "dcgan":
        return [(baseline("naive", "naive_gan"), "")]
    missing = lacking("lightning")
    found = [
        (baseline("naive", "naive"), ""),
        (baseline("naive, memory kept", "naive", keep_memory=True), unkept),
        (baseline("timm style", "timm_style"), ""),
        (baseline("lightning", "lightning_loop"), missing),
    ]
    if device != "cpu":
        found.append((baseline("lightning, 8 workers", "lightning_loop", workers=LOADING_WORKERS), missing))
    return [*found, (baseline("by hand, fp32", "by_hand", keep_memory=True), "")]


def _zoo(name: str, model: str, device: str, overrides: tuple[str, ...]) -> Variant:
    return Variant(
        name=name,
        loop="benchmarks.candidate:train",
        device=device,
        spec=SPECS[model],
        overrides=(*data.overrides(), *UNSAVED, f"train.device={device}", *overrides),
        keep_memory=True,
    )


def _engine(variant: Variant) -> Engine:
    spec = api.load_spec(variant.spec, overrides=variant.overrides)
    return choose(spec.train, len(spec.networks))
