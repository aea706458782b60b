"""Programs as files of torch.export (.pt2): to be loaded by torch alone, without Zoo."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.export import ExportedProgram

from zoo.files import json_text

FACTS = "zoo.json"


def content(exported: ExportedProgram, facts: Mapping[str, Any]) -> bytes:
    """Return a traced program with what is known of it, as the bytes of a file."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(exported, buffer, extra_files={FACTS: json_text(facts)})
    return buffer.getvalue()


class Pt2:
    """A file of torch.export, run by torch."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            self.module = torch.export.load(io.BytesIO(file.read())).module()

    def __call__(self, given: Mapping[str, Tensor]) -> np.ndarray:
        with torch.no_grad():
            output: Tensor = self.module(*given.values())
        return output.numpy()
