"""Progressive resizing: which size a step sees, and that a training runs through all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from zoo.builder import Builder
from zoo.checking import check
from zoo.errors import SpecError
from zoo.spec.schema import Spec
from zoo_images.resizing import ProgressiveResizing

STAGES = [(0.0, 16), (0.49, 16), (0.5, 16), (0.65, 24), (0.79, 28), (0.8, 32), (0.999, 32)]


@pytest.mark.parametrize(("progress", "size"), STAGES)
def test_the_scale_rises_in_a_line_after_the_delay_and_is_whole_at_the_end(progress: float, size: int) -> None:
    assert ProgressiveResizing().stage(progress, 32, 32) == (size, size)


def test_sizes_are_multiples_of_the_increment_but_for_the_whole_one() -> None:
    resizing = ProgressiveResizing(initial_scale=0.3, delay_fraction=0, finetune_fraction=0.1, size_increment=8)
    sizes = {resizing.stage(step / 100, 30, 42) for step in range(100)}
    assert sizes == {(8, 8), (8, 16), (16, 16), (16, 24), (16, 32), (24, 32), (24, 40), (30, 42)}


def test_no_line_to_rise_along_is_a_jump() -> None:
    resizing = ProgressiveResizing(delay_fraction=0.6, finetune_fraction=0.4)
    assert [resizing.stage(one, 32, 32) for one in (0.0, 0.59, 0.6)] == [(16, 16), (16, 16), (32, 32)]


def test_a_small_image_is_a_mean_of_the_large_one() -> None:
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    small = ProgressiveResizing().apply(images, torch.Generator(), (4, 4))
    assert small.shape == (2, 3, 4, 4)
    torch.testing.assert_close(small.mean(), images.mean(), rtol=0.02, atol=0)
    assert ProgressiveResizing().apply(images, torch.Generator(), (8, 8)) is images


@pytest.mark.parametrize("capturing", [False, True])
def test_a_training_goes_through_the_sizes(
    run: Callable[..., object], captured: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capturing: bool
) -> None:
    if capturing:
        captured()
    seen: list[int] = []
    apply = ProgressiveResizing.apply

    def watched(self: ProgressiveResizing, images: torch.Tensor, generator: torch.Generator, stage: object) -> object:
        found = apply(self, images, generator, stage)
        seen.append(found.shape[-1])
        return found

    monkeypatch.setattr(ProgressiveResizing, "apply", watched)
    resizing = {"delay_fraction": 0.25, "finetune_fraction": 0.25, "size_increment": 8}
    run(augment=[{"progressive_resizing": resizing}])
    # A recording is work done without a trace and done again: one size for each step all the same.
    assert set(seen) == {16, 24, 32}
    assert seen == sorted(seen)


def refused(spec: Callable[..., object], builder: Builder, **parts: object) -> str:
    with pytest.raises(SpecError) as error:
        check(spec(**parts), builder)
    return str(error.value)


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        (["flatten", {"linear": 100}], "16x16, for which the classifier would be another network"),
        (
            [{"conv": {"channels": 100, "kernel": 32, "padding": 0}}, "flatten"],
            "16x16, which the classifier cannot take",
        ),
    ],
)
def test_a_network_for_one_size_alone_is_refused(
    spec: Callable[..., Spec], builder: Builder, layers: list[object], told: str
) -> None:
    message = refused(
        spec, builder, augment=["progressive_resizing"], networks__classifier__architecture={"layers": layers}
    )
    assert f"augment.0.progressive_resizing: found images of {told}" in message


def test_shares_of_more_than_all_steps_are_refused(spec: Callable[..., Spec], builder: Builder) -> None:
    shares = {"progressive_resizing": {"delay_fraction": 0.7, "finetune_fraction": 0.4}}
    assert "found shares of 0.7 and 0.4 of the steps; wanted at most 1 together" in refused(
        spec, builder, augment=[shares]
    )
