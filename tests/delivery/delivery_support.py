"""Entries that were never trained, one of each kind that can be delivered."""

from __future__ import annotations

from typing import Any

import pytest
from entries import SPEC_DATA
from support import changed

SHAPES = {"shapes": {"train_images": 200, "test_images": 100}}
TRAIN = {"steps": 6, "batch_size": 16, "device": "cpu"}


def gan(**task: Any) -> dict[str, Any]:
    """Return the spec of a DCGAN, or of a conditional one under spectral norm."""
    conditional = bool(task)
    generator: dict[str, Any] = {"dcgan_generator": {"widths": [6, 4]}}
    discriminator: dict[str, Any] = {"dcgan_discriminator": {"widths": [4, 4]}}
    if conditional:
        generator = {"conditional_generator": {"widths": [6, 4], "embedding": 3}}
        discriminator = {"projection_discriminator": {"widths": [4, 4]}}
    return {
        "zoo": 1,
        "name": "tiny-cgan" if conditional else "tiny-gan",
        "task": {"gan": {"latent_size": 4, **task}},
        "data": SHAPES,
        "networks": {
            "generator": {"architecture": generator},
            "discriminator": {"architecture": discriminator},
        },
        "train": TRAIN,
    }


SPECS: dict[str, dict[str, Any]] = {
    "classifier": changed(SPEC_DATA, summary="Tells shapes apart."),
    "gan": gan(),
    "cgan": gan(conditioning="both"),
    "diffusion": {
        "zoo": 1,
        "name": "tiny-diffusion",
        "task": {"diffuse": {"sampling_steps": 2, "guidance": 2.0}},
        "data": SHAPES,
        "networks": {
            "denoiser": {
                "architecture": {
                    "unet": {"widths": [4, 8], "blocks": 1, "groups": 2, "embedding": 8, "attention_heads": 2}
                }
            }
        },
        "train": TRAIN,
    },
}


def needs_onnx() -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed (the extra `export`)")
