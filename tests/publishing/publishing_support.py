"""Ways to tamper with what was trained or published."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

CLASSIFIER: dict[str, Any] = {
    "zoo": 1,
    "name": "tiny",
    "summary": "Tells shapes apart.",
    "task": "classify",
    "data": {"shapes": {"train_images": 200, "test_images": 100}},
    "networks": {
        "classifier": {
            "architecture": {"resnet": {"stem": 4, "widths": [4, 8], "depths": [1, 1]}},
            "ema": 0.5,
        }
    },
    "train": {"steps": 6, "batch_size": 16, "device": "cpu", "validation": 100, "evaluate_every": 3},
    "budget": {"parameters": "<10000", "steps": 6},
}


def edit(path: Path, before: str, after: str) -> None:
    """Replace a text that stands in a file once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{before!r} stands {text.count(before)} times in {path}"
    path.write_text(text.replace(before, after), encoding="utf-8")


def change(folder: Path, where: str, value: Any) -> None:
    """Replace a value in a certificate; `where` is its dotted place."""
    path = folder / "certificate.json"
    data = json.loads(path.read_text())
    *above, last = where.split(".")
    inner = data
    for key in above:
        inner = inner[int(key) if isinstance(inner, list) else key]
    inner[int(last) if isinstance(inner, list) else last] = value
    path.write_text(json.dumps(data))


def rewrite(
    path: Path, facts: dict[str, Any] | None = None, tensors: Callable[[str, Tensor], Tensor] | None = None
) -> None:
    """Write a checkpoint anew with changed facts or tensors."""
    held = load_file(path)
    with safe_open(path, framework="pt") as file:
        stated = json.loads(file.metadata()["zoo"])
    made = {name: tensors(name, one) if tensors else one for name, one in held.items()}
    save_file(made, path, {"zoo": json.dumps(stated | (facts or {}))})
