"""Every generative spec that ships goes from training to pictures, on the embedded data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from support import builtin_registry

from zoo.builder import Builder
from zoo.checking import check
from zoo.evaluation.trained import Trained
from zoo.generation.draw import generate
from zoo.generation.pictures import cells
from zoo.spec.load import load_spec
from zoo.spec.shipped import names
from zoo.training.loop import train
from zoo.training.task import GenerativeTask

torch.set_num_threads(1)

SMALL = ["train.batch_size=4", "train.steps=2"]
DATA = "data={shapes: {train_images: 100, test_images: 100}}"

#: A diffusion begins as nothing and learns slowly; here it has two steps.
QUICK = {
    "diffuse": [
        "task.diffuse.sampling_steps=2",
        "networks.denoiser.schedule=constant",
        "networks.denoiser.optimizer.adamw.lr=0.05",
        "networks.denoiser.ema=null",
    ]
}


def generative() -> list[str]:
    registry = builtin_registry()
    builder = Builder(registry)
    specs = {name: load_spec(name, registry=registry) for name in names(())}
    return [name for name, spec in specs.items() if isinstance(builder.bind(spec.task), GenerativeTask)]


@pytest.mark.parametrize("name", generative())
def test_a_shipped_generator_trains_draws_and_judges(name: str, builder: Builder, tmp_path: Path) -> None:
    shipped = load_spec(name, registry=builder.registry)
    overrides = [*SMALL, *QUICK.get(shipped.task.name, []), "train.device=cpu", "train.sample_every=1"]
    # Noise needs no archive, and stays for a network that is made for another size.
    overrides += [] if shipped.data.name == "noise" else [DATA]
    spec = load_spec(name, overrides=overrides, registry=builder.registry)
    run = train(spec, builder, tmp_path / "run")
    result = run.result() or {}
    assert set(result["updates"]) == set(spec.networks)
    assert result["steps"] == 2
    assert json.loads((run.folder / "metrics.jsonl").read_text().splitlines()[-1])["updates"] == result["updates"]
    pictures = sorted(run.samples.glob("step-*.png"))
    assert [path.stem for path in pictures] == ["step-00000001", "step-00000002"]
    trained = Trained.load(run, builder)
    images = trained.draw(range(3), seed=5)
    assert images.shape == (3, *trained.info.image)
    assert cells(Image.open(pictures[0]), 64, *trained.info.image[1:]).shape[0] == 64
    assert torch.equal(images, trained.draw(range(3), seed=5))
    if trained.generative.conditional:
        latents = trained.latents([0], seed=5).repeat(2, *[1] * len(trained.generative.latent(trained.info)))
        one, other = generate(
            trained.generative, trained.networks, trained.info, latents, torch.tensor([0, 1]), trained.device
        )
        assert not torch.equal(one, other)


@pytest.mark.parametrize("name", [name for name in generative() if name != "dcgan64"])
def test_a_shipped_generator_keeps_the_budget_of_the_paper(name: str, builder: Builder) -> None:
    report = check(load_spec(name, registry=builder.registry), builder)
    assert report.kept
    assert report.total.parameters < 1_000_000
    assert report.total.steps == 50_000


def test_the_dcgan_of_the_paper_has_its_parameters(builder: Builder) -> None:
    report = check(load_spec("cifar100-dcgan", registry=builder.registry), builder)
    assert {role: one.figures.parameters for role, one in report.networks.items()} == {
        "generator": 884_992,
        "discriminator": 44_480,
    }
    assert report.total.parameters == 929_472
