"""From trained networks to a file that is run before it is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from zoo.data.dataset import Dataset
from zoo.delivery import onnx_file, pt2_file, verify
from zoo.delivery.program import Program, program
from zoo.delivery.tracing import trace
from zoo.errors import DataError, DeliveryError, closest
from zoo.evaluation.trained import Trained
from zoo.files import json_text, write_atomically, write_text
from zoo.publishing.shelf import Entry
from zoo.training.run import Run, machine

TARGETS = {"onnx": ".onnx", "pt2": ".pt2"}
Say = Callable[[str], object]


@dataclass(frozen=True)
class Delivered:
    """A file that was written and run. `facts` stand beside it, in a file of its name with .json behind."""

    path: Path
    facts: dict[str, Any]


class Delivery:
    """One program on its way into files: it is traced once, and its data are looked for once."""

    def __init__(self, made: Program, say: Say = lambda text: None) -> None:
        self.program, self.say = made, say
        self.label = made.trained.source.label

    @cached_property
    def exported(self) -> Any:
        self.say("tracing")
        return trace(self.program)

    @cached_property
    def data(self) -> tuple[Dataset | None, str]:
        """The data that it was trained on, or why they are not used."""
        try:
            return self.program.trained.dataset(), ""
        except DataError as error:
            return None, str(error)

    def onnx(self, *, opset: int | None = None, int8: bool = False) -> tuple[Any, dict[str, Any]]:
        """Return an onnx.ModelProto with what is known of it inside, and what int8 did to it."""
        onnx_file.require(opset)
        proto = onnx_file.model(self.program, self.exported, opset)
        quantized: dict[str, Any] = {}
        if int8:
            from zoo.delivery.int8 import quantize

            self.say("calibrating on training images")
            proto, quantized = quantize(proto, self.program, self.data)
        onnx_file.set_facts(proto, self.metadata | ({"int8": quantized} if int8 else {}))
        return proto, quantized

    @cached_property
    def expected(self) -> np.ndarray:
        """The classes that Zoo names for the test images."""
        dataset = self.data[0]
        assert dataset is not None
        return verify.classes(self.program.run, self.program, dataset.test)

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """What travels inside the file."""
        made, trained = self.program, self.program.trained
        known = trained.data.class_names if trained.data else ()
        classes = list(known or (self.data[0].class_names if self.data[0] else ()))
        inputs = {
            name: [str(one.dtype).removeprefix("torch."), "N", *one.shape[1:]] for name, one in made.examples().items()
        }
        return {
            "name": self.label if isinstance(trained.source, Entry) else trained.spec.name,
            "summary": trained.spec.summary,
            "task": trained.spec.task.name,
            "classes": classes if made.label is None else [classes[made.label]] if classes else [],
            "inputs": inputs,
            "output": made.output,
            "images": f"{'0..255 uint8' if made.pixels == 'uint8' else '0..1 float32'}, channels first (C, H, W)",
            "spec_hash": trained.spec.hash,
            "weights_sha256": trained.sha256,
            "step": str(trained.step),
            "figures": figures(trained),
            "zoo_version": zoo.__version__,
        }

    def write(self, to: str, path: Path, *, opset: int | None = None, int8: bool = False) -> Delivered:
        """Write a file, run it against Zoo, measure it on the test images where they are here, and only then keep it.

        Raises DeliveryError when it cannot be made or does not agree, and OSError when it cannot be written.
        """
        if to not in TARGETS:
            raise DeliveryError(f"found the target {to!r}; {closest(to, TARGETS) or 'wanted ' + ' or '.join(TARGETS)}")
        if int8 and (to != "onnx" or not self.program.classifies):
            raise DeliveryError(f"int8 is for classifiers as ONNX; found {self.program.trained.spec.task.name} as {to}")
        if opset is not None and to != "onnx":
            raise DeliveryError(f"an opset is ONNX's; found {opset} for {to}")
        quantized: dict[str, Any] = {}
        if to == "onnx":
            proto, quantized = self.onnx(opset=opset, int8=int8)
            content = proto.SerializeToString()
        else:
            content = pt2_file.content(self.exported, self.metadata)
        found: dict[str, Any] = {}

        def write(temporary: Path) -> None:
            temporary.write_bytes(content)
            run = onnx_file.Onnx(temporary) if to == "onnx" else pt2_file.Pt2(temporary)
            found.update(self._looked_at(run, int8))

        write_atomically(path, write)
        facts = {
            "file": path.name,
            "target": to,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            **({"opset": opset or onnx_file.USUAL} if to == "onnx" else {}),
            **({"int8": quantized} if int8 else {}),
            **found,
            "metadata": self.metadata,
            "machine": machine(),
            "versions": onnx_file.versions(),
        }
        write_text(beside(path), json_text(facts) + "\n")
        return Delivered(path, facts)

    def _looked_at(self, run: verify.Run, int8: bool) -> dict[str, Any]:
        dataset, why = self.data
        images: np.ndarray | None = None
        measured = None
        if self.program.classifies and dataset is not None:
            images = np.array(dataset.test.images[: max(verify.BATCHES)])
        if not int8:
            agreed = verify.agreement(run, self.program, images)
        if self.program.classifies and dataset is not None:
            self.say(f"running it on {len(dataset.test.labels):,} test images")
            source = self.program.trained.source
            if isinstance(source, Run):
                source.looked("export")
            measured = verify.accuracy(run, self.program, dataset.test, self.expected)
        if int8:
            agreed = verify.require_close(self.program, run, measured)
        told = {"not_measured": why} if self.program.classifies and dataset is None else {}
        return {"agreement": agreed, **({"test": measured} if measured else {}), **told}


def figures(trained: Trained) -> Mapping[str, Mapping[str, Any]]:
    """Return what was measured of these very weights before, by split: single numbers alone."""
    source = trained.source
    if isinstance(source, Entry):
        seed = str(source.certificate.shipped_seed)
        stated = source.certificate.figures.items()
        return {split: {name: one.values.get(seed) for name, one in found.items()} for split, found in stated}
    found = source.evaluation() if isinstance(source, Run) else None
    if found is None or found["checkpoint_sha256"] != trained.sha256:
        return {}
    return {
        split: {name: value for name, value in one.items() if isinstance(value, (int, float))}
        for split, one in found["figures"].items()
    }


def beside(path: Path) -> Path:
    """Return the file that says what is known of a delivered one."""
    return path.with_name(f"{path.name}.json")


def default_path(trained: Trained, to: str, *, int8: bool = False) -> Path:
    """Return the name of a file in the working folder."""
    name = Path(trained.source.label).name
    return Path(f"{name}{'-int8' if int8 else ''}{TARGETS.get(to, '')}")


def delivery(
    trained: Trained,
    *,
    outputs: str | None = None,
    pixels: str = "uint8",
    label: int | None = None,
    say: Say = lambda text: None,
) -> Delivery:
    """Return trained networks on their way into files."""
    return Delivery(program(trained, outputs=outputs, pixels=pixels, label=label), say)
