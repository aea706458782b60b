"""Drawing: images that depend on their seed, number and label alone, and the pictures that are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from zoo.api import DataInfo, GenerativeTask, Shape
from zoo.errors import RunError
from zoo.generation import draw as drawing
from zoo.generation.draw import draw, generate, latents
from zoo.generation.film import film
from zoo.generation.interpolation import between
from zoo.generation.neighbours import nearest
from zoo.generation.pictures import GAP, cells, enlarged, grid, save_picture

torch.set_num_threads(1)

INFO = DataInfo(image=(3, 8, 8), classes=5, train_images=8, test_images=8, mean=(0.5,) * 3, std=(0.25,) * 3)
CPU = torch.device("cpu")


class Painter(GenerativeTask):
    """A task whose generator is a linear layer, and whose labels shift the latent values."""

    def __init__(self, *, conditional: bool = True, shape: Shape = (4,)) -> None:
        self._conditional, self._shape = conditional, shape

    @property
    def conditional(self) -> bool:
        return self._conditional

    def latent(self, info: DataInfo) -> Shape:
        return self._shape

    def generate(
        self, networks: Mapping[str, nn.Module], latents: Tensor, labels: Tensor | None, info: DataInfo
    ) -> Tensor:
        assert (labels is not None) == self._conditional
        shifted = latents.flatten(1) + (0 if labels is None else labels[:, None].float())
        images: Tensor = networks["generator"](shifted).unflatten(1, info.image).sigmoid()
        return images


def networks(inputs: int = 4) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"generator": nn.Sequential(nn.Linear(inputs, 3 * 8 * 8), nn.BatchNorm1d(3 * 8 * 8), nn.Dropout(0.5))}


def drawn(numbers: Any, seed: int = 0, labels: Any = None, task: GenerativeTask | None = None) -> Tensor:
    return draw(task or Painter(), networks(), INFO, numbers, seed, CPU, labels)


# What an image depends on


def test_images_are_bytes_of_the_datas_shape() -> None:
    images = drawn(range(3))
    assert (images.shape, images.dtype, images.device) == ((3, 3, 8, 8), torch.uint8, CPU)


def test_the_same_seed_gives_the_same_pixels_and_another_gives_others() -> None:
    assert torch.equal(drawn(range(4), seed=1), drawn(range(4), seed=1))
    assert not torch.equal(drawn(range(4), seed=1), drawn(range(4), seed=2))


def test_an_image_does_not_depend_on_how_many_are_drawn_or_in_which_order() -> None:
    whole = drawn(range(9))
    assert torch.equal(drawn([7, 2, 2]), whole[[7, 2, 2]])
    assert torch.equal(drawn([4]), whole[4:5])


@pytest.mark.parametrize("batch", [1, 2, 4, 100])
def test_an_image_does_not_depend_on_how_many_are_drawn_at_once(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn(range(9))
    monkeypatch.setattr(drawing, "BATCH", batch)
    assert torch.equal(drawn(range(9)), whole)


def test_an_image_depends_on_its_label() -> None:
    assert not torch.equal(drawn([3], labels=[0]), drawn([3], labels=[1]))
    assert torch.equal(drawn([3, 4], labels=[1, 0])[:1], drawn([3], labels=[1]))


def test_without_labels_the_classes_come_in_turn_by_number() -> None:
    assert torch.equal(drawn([4, 5, 11]), drawn([4, 5, 11], labels=[4, 0, 1]))


def test_a_task_without_labels_is_given_none() -> None:
    task = Painter(conditional=False)
    assert torch.equal(drawn(range(3), task=task), drawn(range(3), task=task, labels=[2, 2, 2]))


def test_no_numbers_give_no_images() -> None:
    assert drawn([]).shape == (0, 3, 8, 8)
    assert latents(Painter(), INFO, [], 0).shape == (0, 4)


def test_latents_are_normal_and_follow_from_seed_and_number() -> None:
    found = latents(Painter(shape=(2, 3)), INFO, range(3000), 7)
    assert (found.shape, found.dtype) == ((3000, 2, 3), torch.float32)
    assert float(found.mean()) == pytest.approx(0, abs=0.03)
    assert float(found.std()) == pytest.approx(1, abs=0.03)
    assert torch.equal(found[[5, 1]], latents(Painter(shape=(2, 3)), INFO, [5, 1], 7))


def test_networks_are_left_in_evaluation_mode_and_unchanged() -> None:
    made = networks()
    before = {name: one.clone() for name, one in made["generator"].state_dict().items()}
    draw(Painter(), made, INFO, range(3), 0, CPU)
    assert not made["generator"].training
    assert all(torch.equal(one, before[name]) for name, one in made["generator"].state_dict().items())


def test_values_are_rounded_and_those_beyond_the_range_are_cut_off() -> None:
    class Flat(Painter):
        def generate(
            self, networks: Mapping[str, nn.Module], latents: Tensor, labels: Tensor | None, info: DataInfo
        ) -> Tensor:
            return latents[:, :1, None, None].expand(-1, *info.image)

    values = torch.tensor([[-0.5], [0.0], [0.501 / 255], [0.499 / 255], [1.0], [7.0]])
    found = generate(Flat(), {}, INFO, values, torch.zeros(6, dtype=torch.int64), CPU)
    assert found[:, 0, 0, 0].tolist() == [0, 0, 1, 0, 255, 255]


# Grids


def random_images(count: int, channels: int, height: int, width: int) -> Tensor:
    random = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, channels, height, width), generator=random, dtype=torch.uint8)


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(1, 20),
    channels=st.sampled_from([1, 3]),
    height=st.integers(3, 70),
    width=st.integers(3, 70),
    columns=st.none() | st.integers(1, 7),
)
def test_what_goes_into_a_grid_comes_out(
    count: int, channels: int, height: int, width: int, columns: int | None
) -> None:
    images = random_images(count, channels, height, width)
    found = cells(grid(images, columns), count, height, width)
    assert np.array_equal(found, images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize(
    ("height", "width", "factor"), [(32, 32, 2), (64, 64, 1), (28, 20, 3), (1, 1, 64), (100, 8, 1)]
)
def test_small_images_are_enlarged_by_a_whole_factor(height: int, width: int, factor: int) -> None:
    assert enlarged(height, width) == factor
    size = (3 * (width + GAP) + GAP) * factor, (2 * (height + GAP) + GAP) * factor
    assert grid(random_images(5, 3, height, width)).size == size


def test_what_lies_between_images_is_white() -> None:
    picture = np.asarray(grid(torch.zeros(3, 3, 64, 64, dtype=torch.uint8)))
    assert (picture[:GAP] == 255).all() and (picture[:, 64 + GAP : 64 + 2 * GAP] == 255).all()
    assert (picture[64 + 2 * GAP : 2 * 64 + 2 * GAP, 64 + 2 * GAP :] == 255).all()  # the place of a fourth image
    assert (picture[GAP : 64 + GAP, GAP : 64 + GAP] == 0).all()


def test_one_channel_gives_a_grey_picture() -> None:
    assert grid(random_images(2, 1, 8, 8)).mode == "L"


def test_captions_stand_around_the_grid_and_leave_it_whole() -> None:
    images = random_images(4, 3, 32, 32)
    plain = grid(images, 2)
    captioned = grid(images, 2, title="t" * 100, rows=["one", "two"], heads=["a", "b"])
    assert captioned.width > plain.width and captioned.height == plain.height + 36
    whole, part = np.asarray(captioned), np.asarray(plain)
    left = next(at for at in range(captioned.width) if np.array_equal(whole[36:, at : at + plain.width], part))
    assert (whole[36:, :left] < 255).any() and (whole[:36] < 255).any()


@pytest.mark.parametrize("size", [(64, 65), (73, 72), (1, 1)])
def test_a_picture_that_is_no_grid_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError) as caught:
        cells(Image.new("RGB", size), 1, 64, 64)
    assert str(caught.value) == f"a picture of {size[0]}x{size[1]} is no grid of 64x64 images"


def test_a_grid_with_too_few_images_is_refused() -> None:
    with pytest.raises(ValueError, match="is no grid of 8x8 images"):
        cells(grid(random_images(4, 3, 8, 8)), 5, 8, 8)


def test_a_picture_is_written_with_the_folders_above_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "picture.png"
    save_picture(grid(random_images(1, 3, 8, 8)), path)
    assert Image.open(path).format == "PNG"
    assert [one.name for one in path.parent.iterdir()] == ["picture.png"]


# Ways between latents

POINTS = st.integers(0, 10_000).map(lambda seed: torch.randn(2, 6, generator=torch.Generator().manual_seed(seed)))


@settings(deadline=None)
@given(points=POINTS, count=st.integers(2, 9), way=st.sampled_from(["linear", "spherical"]))
def test_the_ends_of_a_way_are_the_ends(points: Tensor, count: int, way: Any) -> None:
    found = between(points[0], points[1], count, way)
    assert found.shape == (count, 6)
    torch.testing.assert_close(found[[0, -1]], points, rtol=1e-5, atol=1e-6)


@settings(deadline=None)
@given(points=POINTS)
def test_a_spherical_way_keeps_the_length_of_ends_of_equal_length(points: Tensor) -> None:
    start, end = points / points.norm(dim=1, keepdim=True) * 3
    norms = between(start, end, 9).norm(dim=1)
    torch.testing.assert_close(norms, torch.full((9,), 3.0), rtol=1e-4, atol=1e-4)


@settings(deadline=None)
@given(points=POINTS)
def test_a_linear_way_goes_through_the_middle(points: Tensor) -> None:
    torch.testing.assert_close(between(points[0], points[1], 3, "linear")[1], points.mean(0))


def test_a_spherical_way_turns_by_equal_angles() -> None:
    found = between(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0]), 4)
    angles = torch.rad2deg(torch.atan2(found[:, 1] / 2, found[:, 0]))
    torch.testing.assert_close(angles, torch.tensor([0.0, 30.0, 60.0, 90.0]), rtol=0, atol=1e-3)


@pytest.mark.parametrize("factor", [1.0, 2.0, 0.25])
def test_between_parallel_points_the_way_is_straight(factor: float) -> None:
    start = torch.tensor([1.0, -2.0, 0.5])
    straight = between(start, start * factor, 5, "linear")
    torch.testing.assert_close(between(start, start * factor, 5, "spherical"), straight)


@pytest.mark.parametrize(
    "factor",
    [-1.0, -2.0],
)
def test_between_opposite_points_the_way_is_straight(factor: float) -> None:
    start = torch.tensor([1.0, -2.0, 0.5])
    straight = between(start, start * factor, 5, "linear")
    torch.testing.assert_close(between(start, start * factor, 5, "spherical"), straight)


def test_a_way_to_the_origin_is_finite() -> None:
    assert torch.isfinite(between(torch.ones(3), torch.zeros(3), 5)).all()


def test_latents_of_any_shape_have_ways_between_them() -> None:
    start, end = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    flat = between(start.flatten(), end.flatten(), 5)
    assert torch.equal(between(start, end, 5), flat.unflatten(1, (3, 4, 4)))


# Nearest training images


@settings(deadline=None, max_examples=30)
@given(count=st.integers(1, 6), others=st.integers(1, 9), wanted=st.integers(1, 4))
def test_the_nearest_are_those_of_brute_force(count: int, others: int, wanted: int) -> None:
    images, among = random_images(count, 3, 5, 4), random_images(others + 10, 3, 5, 4)
    found = nearest(images, among, wanted)
    squares = (images[:, None].double() - among[None].double()).square().flatten(2).mean(2)
    distances, indices = squares.sqrt().sort(1)
    torch.testing.assert_close(found.distances.double(), distances[:, :wanted], rtol=1e-4, atol=1e-3)
    assert torch.equal(found.indices, indices[:, :wanted])


def test_there_are_no_more_neighbours_than_images() -> None:
    found = nearest(random_images(2, 3, 5, 4), random_images(3, 3, 5, 4), 5)
    assert found.distances.shape == found.indices.shape == (2, 3)


def test_many_images_are_compared_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    images, among = random_images(7, 1, 4, 4), random_images(20, 1, 4, 4)
    whole = nearest(images, among)
    monkeypatch.setattr("zoo.generation.neighbours.BLOCK", 2)
    assert torch.equal(nearest(images, among).indices, whole.indices)


def test_a_copy_is_found_among_similar_images() -> None:
    among = random_images(50, 3, 32, 32)
    among[1:] = among[:1]
    for index in range(1, 50):
        among[index, 0, 0, 0] = (among[0, 0, 0, 0].int() + 5 * index) % 256
    found = nearest(among, among, 1)
    assert float(found.distances.max()) < 1


def test_an_exact_copy_lies_at_distance_0() -> None:
    images = random_images(200, 3, 32, 32)
    found = nearest(images[:40], images, 1)
    assert found.indices[:, 0].tolist() == list(range(40))
    assert found.distances.max() == 0


def test_black_and_white_lie_255_apart() -> None:
    black = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    assert nearest(black, 255 - black, 1).distances.tolist() == [[255.0]]


# Film strips


def run_of(folder: Path, steps: list[int], rows: int = 9) -> None:
    """Keep a picture for each step whose images are as bright as the step, and a little brighter row by row."""
    for step in steps:
        images = torch.stack([torch.full((3, 64, 64), step + row, dtype=torch.uint8) for row in range(rows)])
        save_picture(grid(images), folder / f"step-{step:08d}.png")


def brightness(strip: Image.Image, rows: int, columns: int) -> list[list[int]]:
    whole = np.asarray(strip)
    left, top = (whole.shape[1] - (columns * 66 + 2)), (whole.shape[0] - (rows * 66 + 2))
    images = cells(Image.fromarray(whole[top:, left:]), rows * columns, 64, 64)
    return [[int(images[row * columns + column].mean()) for column in range(columns)] for row in range(rows)]


def test_a_film_shows_the_same_latents_from_left_to_right(tmp_path: Path) -> None:
    run_of(tmp_path, [100, 20, 60])
    strip = film(tmp_path, (3, 64, 64), rows=2, frames=12)
    assert brightness(strip, 2, 3) == [[20, 60, 100], [21, 61, 101]]


def test_a_film_of_many_steps_picks_some_evenly_with_both_ends(tmp_path: Path) -> None:
    run_of(tmp_path, list(range(10, 120, 10)), rows=1)
    strip = film(tmp_path, (3, 64, 64), rows=1, frames=3)
    assert brightness(strip, 1, 3) == [[10, 60, 110]]


def test_a_film_passes_over_other_pictures(tmp_path: Path) -> None:
    run_of(tmp_path, [5, 6], rows=1)
    save_picture(Image.new("RGB", (9, 9)), tmp_path / "seed-0.png")
    assert brightness(film(tmp_path, (3, 64, 64), rows=1), 1, 2) == [[5, 6]]


def test_a_film_without_pictures_says_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        film(tmp_path / "samples", (3, 64, 64))
    assert str(caught.value) == (
        f"{tmp_path / 'samples'}: there are no pictures of the training; wanted a run with train.sample_every above 0"
    )


def test_a_film_names_the_picture_that_it_cannot_read(tmp_path: Path) -> None:
    run_of(tmp_path, [1, 2])
    path = tmp_path / "step-00000002.png"
    save_picture(Image.new("RGB", (65, 68)), path)
    with pytest.raises(RunError) as caught:
        film(tmp_path, (3, 64, 64))
    assert str(caught.value) == (
        f"{path}: it cannot be read as a grid of samples (a picture of 65x68 is no grid of 64x64 images); delete it"
    )


def test_a_film_names_the_picture_that_was_cut_off(tmp_path: Path) -> None:
    run_of(tmp_path, [1, 2])
    path = tmp_path / "step-00000001.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(RunError) as caught:
        film(tmp_path, (3, 64, 64))
    assert str(caught.value).startswith(f"{path}: it cannot be read as a grid of samples (")
    assert str(caught.value).endswith("); delete it")
