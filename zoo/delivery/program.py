"""What is delivered: trained networks with all that stands around them, as one module from pixels to answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from zoo.checking import Report, check
from zoo.data.sampler import generator
from zoo.errors import DeliveryError
from zoo.evaluation.trained import Trained
from zoo.network.graph import operations
from zoo.training import checkpoint
from zoo.training.task import GenerativeTask
from zoo.training.trainee import make_networks

Outputs = Literal["probabilities", "logits", "images"]
Pixels = Literal["uint8", "float"]
CLASSIFYING, GENERATING = ("probabilities", "logits"), ("images",)
BATCH = 3  # of the examples; one that is neither 1, which tracers take for a constant, nor a usual size


class Classifier(nn.Module):
    """Images (N, C, H, W), uint8 or float in 0..1, to the logits or the probabilities of the classes (N, classes)."""

    def __init__(self, trained: Trained, networks: nn.ModuleDict, outputs: str) -> None:
        super().__init__()
        self.task, self.info, self.networks, self.outputs = trained.task, trained.info, networks, outputs

    def forward(self, images: Tensor) -> Tensor:
        scaled = images if images.is_floating_point() else images.float() / 255
        logits = self.task.predict(self.networks, scaled, self.info).float()  # type: ignore[arg-type]
        return logits.softmax(1) if self.outputs == "probabilities" else logits


class Generator(nn.Module):
    """Latent values (N, ...), and labels (N,) where they are asked for, to images (N, C, H, W).

    label: the class of all images, where it is settled.
    """

    def __init__(self, trained: Trained, networks: nn.ModuleDict, pixels: str, label: int | None = None) -> None:
        super().__init__()
        self.task, self.info, self.networks = trained.generative, trained.info, networks
        self.pixels, self.label = pixels, label

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.label is not None:
            labels = latents.new_full((latents.shape[0],), self.label, dtype=torch.int64)
        images = self.task.generate(self.networks, latents, labels, self.info)  # type: ignore[arg-type]
        images = images.float().clamp(0, 1)
        return images.mul(255).round().to(torch.uint8) if self.pixels == "uint8" else images


@dataclass(frozen=True)
class Program:
    """A module with the names of its inputs and its output; `report` knows which layer stands where in the spec."""

    trained: Trained
    module: nn.Module
    inputs: tuple[str, ...]
    output: str
    pixels: str
    report: Report
    label: int | None = None

    @property
    def classifies(self) -> bool:
        return self.output != "images"

    def examples(self, count: int = BATCH) -> dict[str, Tensor]:
        """Return inputs that are drawn: the same ones each time, and the first the same whatever the count."""
        if self.classifies:
            info = self.trained.info
            drawn = [generator(0, "delivery", index).integers(0, 256, info.image) for index in range(count)]
            return self.of_images(np.stack(drawn).astype(np.uint8))
        given = {"latents": self.trained.latents(range(count))}
        if "labels" in self.inputs:
            given["labels"] = torch.tensor(self.trained.labels(range(count)), dtype=torch.int64)
        return given

    def of_images(self, images: np.ndarray) -> dict[str, Tensor]:
        """Return images (N, C, H, W) uint8 as the module takes them."""
        given = torch.from_numpy(np.array(images))
        return {"images": given if self.pixels == "uint8" else given.float() / 255}

    def run(self, given: Mapping[str, Tensor]) -> np.ndarray:
        """Return what the module gives, as Zoo computes it."""
        with torch.no_grad():
            output: Tensor = self.module(*(given[name] for name in self.inputs))
        return output.numpy()

    def layer_at(self, path: str) -> str:
        """Say which layer stands at `path`, a module's within `module`, and where in the spec it was written."""
        role, _, inside = path.removeprefix("networks.").partition(".")
        found = self.report.networks.get(role)
        for one in operations(found.network.graph(found.input))[0] if found else ():
            if one.path and (inside == one.path or inside.startswith(f"{one.path}.")):
                places = [at for at in (one.layer.at, *(step.layer.at for step in reversed(one.trail))) if at]
                return f"{role}, layer {one.path}: {one.layer.label}" + (f" ({places[0]})" if places else "")
        return f"{role}, module {inside}" if found and inside else role or "what stands around the networks"


def program(
    trained: Trained, *, outputs: str | None = None, pixels: str = "uint8", label: int | None = None
) -> Program:
    """Return the program of trained networks, on the CPU, with weights of its own.

    outputs: probabilities (unless given) or logits of a classifier, images of a generator. pixels: whether images are
    uint8 or float in 0..1. label: the class of all that a generator makes, so that it is not asked for. Raises
    DeliveryError where the task does not give that.
    """
    generates = isinstance(trained.task, GenerativeTask)
    if not generates and (trained.task.predicts != "class" or trained.info.items != "images"):
        raise DeliveryError(
            f"{trained.source.label}: {trained.spec.task.name} over {trained.info.items} cannot be delivered; wanted a "
            "classifier of images, or a generator"
        )
    known: Sequence[str] = GENERATING if generates else CLASSIFYING
    outputs = outputs or known[0]
    if outputs not in known:
        wanted, task = " or ".join(known), trained.spec.task.name
        raise DeliveryError(f"{trained.source.label}: {task} gives no {outputs}; wanted --outputs {wanted}")
    if label is not None and not (generates and trained.generative.conditional):
        raise DeliveryError(f"{trained.source.label}: it is asked for no class, so that none can be settled")
    report = check(trained.spec, trained.builder, trained.info)
    networks = _networks(trained, report)
    inputs: tuple[str, ...] = ("images",)
    module: nn.Module
    if generates:
        inputs = ("latents", "labels") if trained.generative.conditional and label is None else ("latents",)
        module = Generator(trained, networks, pixels, label)
    else:
        module = Classifier(trained, networks, outputs)
    found = Program(trained, module.eval(), inputs, outputs, pixels, report, label)
    # Once in plain torch: what a task computes only once, as statistics, is a tensor then and not a tracer's; and
    # networks that are not called, as a discriminator, do not travel.
    called = _called(networks, lambda: found.run(found.examples()))
    for role in [role for role in networks if role not in called]:
        del networks[role]
    return found


def _networks(trained: Trained, report: Report) -> nn.ModuleDict:
    made = make_networks(trained.spec, report, trained.builder, begin=False)
    held = {role: one for role, one in made.items() if not report.networks[role].frozen}
    checkpoint.load_networks(trained.checkpoint, held)
    for network in made.values():
        network.eval().requires_grad_(False)
        for one in [*network.modules()]:
            # A weight that is computed from others, as under spectral norm, is what it is once training has ended.
            for name in list(getattr(one, "parametrizations", ())):
                parametrize.remove_parametrizations(one, name, leave_parametrized=True)
    return nn.ModuleDict(made).requires_grad_(False)


def _called(networks: nn.ModuleDict, run: Any) -> set[str]:
    called: set[str] = set()
    hooks = [
        one.register_forward_pre_hook(lambda module, given, role=role: called.add(role))
        for role, one in networks.items()
    ]
    run()
    for hook in hooks:
        hook.remove()
    return called
