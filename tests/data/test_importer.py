"""Bringing images in: what is read, what is refused, and in which words."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import ROOT

from zoo.data import store
from zoo.data.importer import import_images
from zoo.data.layout import LeftOut
from zoo.errors import DataError

ARCHIVE = Path(os.environ.get("ZOO_CIFAR100_ZIP") or ROOT.parent / "shared" / "data" / "cifar100.zip")


def picture(path: Path, color: tuple[int, int, int] = (200, 100, 50), size: int = 8, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), color).convert(mode).save(path)
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two classes, three training images and one test image each."""
    folder = tmp_path / "pets"
    for label, color in (("cat", (255, 0, 0)), ("dog", (0, 0, 255))):
        for index in range(3):
            picture(folder / "train" / label / f"{index}.png", color)
        picture(folder / "test" / label / "0.png", color)
    return folder


def refused(source: Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        import_images(source, **options)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_folder_becomes_a_set(pets: Path) -> None:
    dataset = import_images(pets).dataset
    assert dataset.class_names == ("cat", "dog")
    assert dataset.train.images.shape == (6, 3, 8, 8)
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.test.images[:, :, 0, 0].tolist() == [[255, 0, 0], [0, 0, 255]]
    assert dataset.info.mean == (0.5, 0.0, 0.5)


def test_a_zip_gives_the_set_of_its_folder(pets: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for path in sorted(pets.rglob("*.png")):
            archive.write(path, Path("pets") / path.relative_to(pets))
        archive.writestr("__MACOSX/pets/train/cat/._0.png", b"")
    assert import_images(tmp_path / "pets.zip").dataset.fingerprint == import_images(pets).dataset.fingerprint


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_picture_becomes_rgb(mode: str, pets: Path) -> None:
    suffix = "tif" if mode in ("CMYK", "I;16") else "png"
    if mode == "I;16":
        Image.fromarray(np.full((8, 8), 65535, np.uint16)).save(pets / "train" / "cat" / f"x.{suffix}")
    else:
        picture(pets / "train" / "cat" / f"x.{suffix}", (255, 255, 255), mode=mode)
    images = import_images(pets).dataset.train.images
    assert images[3].min() >= 250


def test_corrupt_images_are_counted_and_named(pets: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (pets / "train" / "cat" / f"{name}.png").write_bytes(b"no image")
    assert refused(pets) == (
        f"{pets}: 4 of 12 images cannot be taken: train/cat/a.png (no image that can be read), "
        "train/cat/b.png (no image that can be read), train/cat/c.png (no image that can be read) and 1 more; "
        "mend or delete them, or leave them out with --skip-corrupt"
    )
    imported = import_images(pets, skip_corrupt=True)
    assert len(imported.corrupt) == 4
    assert len(imported.dataset.train.labels) == 6


def test_a_cut_off_image_is_corrupt(pets: Path) -> None:
    path = picture(pets / "train" / "dog" / "big.png", size=8)
    path.write_bytes(path.read_bytes()[:40])
    assert "1 of 9 images cannot be taken: train/dog/big.png (no image that can be read)" in refused(pets)


def test_files_that_are_no_images_are_passed_over_and_counted(pets: Path) -> None:
    (pets / "README.txt").write_text("hello")
    (pets / "train" / "cat" / ".DS_Store").write_text("")
    (pets / "train" / "cat" / "notes.txt").write_text("")
    assert import_images(pets).passed_over == (
        LeftOut("README.txt", "not in the folder of a class"),
        LeftOut("train/cat/.DS_Store", "hidden"),
        LeftOut("train/cat/notes.txt", "no image by the name (.txt)"),
    )


def test_images_of_several_sizes_need_one(pets: Path) -> None:
    picture(pets / "train" / "cat" / "large.png", size=16)
    assert refused(pets) == (f"{pets}: the images have 2 sizes (8 of 8x8, 1 of 16x16); bring them to one with --size N")
    assert import_images(pets, size=12).dataset.info.image == (3, 12, 12)


def test_a_set_without_test_images_can_be_cut(pets: Path) -> None:
    for path in (pets / "test").rglob("*.png"):
        path.unlink()
    assert "it holds no images in test/<class>/; add them, or cut them out" in refused(pets)
    one, same = (import_images(pets, test_fraction=0.34).dataset for _ in range(2))
    assert (len(one.train.labels), one.test.labels.tolist()) == (4, [0, 1])
    assert one.fingerprint == same.fingerprint


def test_what_is_no_data_set_is_refused(tmp_path: Path, pets: Path) -> None:
    assert refused(tmp_path / "gone").endswith(
        "there is no such file or folder; wanted a folder or zip with train/<class>/*"
    )
    (tmp_path / "notes.zip").write_text("not a zip")
    assert refused(tmp_path / "notes.zip").endswith(
        "this is neither a folder nor a sound zip file (File is not a zip file); wanted one with train/<class>/*"
    )
    (tmp_path / "empty").mkdir()
    assert "it holds no images in train/<class>/; wanted a folder for each class under train/" in refused(
        tmp_path / "empty"
    )
    picture(pets / "test" / "bird" / "0.png")
    assert refused(pets).endswith("the test images have classes that the training images lack: bird")


def test_a_class_without_an_image_is_named(pets: Path) -> None:
    (pets / "train" / "bird").mkdir()
    assert refused(pets) == f"{pets}: classes without a training image: bird; fill or delete their folders"


def test_a_class_whose_images_are_all_corrupt_is_named(pets: Path) -> None:
    for path in (pets / "train" / "cat").iterdir():
        path.write_bytes(b"no image")
    assert refused(pets, skip_corrupt=True) == (
        f"{pets}: classes without a training image: cat (left out there: 3 files: no image that can be read); "
        "fill or delete their folders"
    )


def test_two_data_sets_in_one_folder_are_not_mixed(pets: Path, tmp_path: Path) -> None:
    picture(tmp_path / "toys" / "train" / "ball" / "0.png")
    assert refused(tmp_path) == f"{tmp_path}: it holds train/ in more than one folder: pets, toys; wanted one"


def test_a_test_set_is_not_cut_where_there_is_one(pets: Path) -> None:
    assert refused(pets, test_fraction=0.5) == (
        f"{pets}: it holds images in test/<class>/ already; leave --test-fraction out"
    )


@pytest.mark.parametrize(
    ("fraction", "found"),
    [
        (1.0, "found a test fraction of 1.0; wanted one between 0 and 1"),
        (0.05, "a test fraction of 0.05 of 6 images is none; wanted a larger one"),
    ],
)
def test_a_test_fraction_must_cut_something(fraction: float, found: str, pets: Path) -> None:
    shutil.rmtree(pets / "test")
    assert refused(pets, test_fraction=fraction) == f"{pets}: {found}"


def test_a_photograph_is_turned_as_its_camera_was_held(pets: Path) -> None:
    photo = Image.new("RGB", (8, 8), (255, 255, 255))
    photo.paste((0, 0, 0), (0, 0, 8, 4))
    exif = photo.getexif()
    exif[0x0112] = 6  # the camera lay on its left side: the top of the scene is on the left of the pixels
    photo.save(pets / "train" / "cat" / "x.png", exif=exif)
    image = import_images(pets).dataset.train.images[3, 0]
    assert (image[:, :4].min(), image[:, 4:].max()) == (255, 0)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "locked.zip", "w") as archive:
        archive.writestr("train/cat/0.png", b"secret")
    content = bytearray((tmp_path / "locked.zip").read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1  # the flag in the directory at the end
    (tmp_path / "locked.zip").write_bytes(content)
    assert refused(tmp_path / "locked.zip").endswith("train/cat/0.png is encrypted; wanted a zip without password")


def test_a_damaged_file_in_a_zip_is_corrupt(pets: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pets.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(pets.rglob("*.png")):
            archive.write(path, path.relative_to(pets))
    content = bytearray((tmp_path / "pets.zip").read_bytes())
    start = content.index(b"train/cat/1.png") + len("train/cat/1.png")
    content[start : start + 20] = b"\xff" * 20
    (tmp_path / "pets.zip").write_bytes(content)
    assert "1 of 8 images cannot be taken: train/cat/1.png (damaged inside the zip" in refused(tmp_path / "pets.zip")


@pytest.mark.parametrize("name", ["train/cat/film.png", "film.mp4"])
def test_a_huge_file_in_a_zip_is_left_unread_and_refuses_no_other(name: str, pets: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pets.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"\0" * (65 * 2**20))
        for path in sorted(pets.rglob("*.png")):
            archive.write(path, path.relative_to(pets))
    found = import_images(tmp_path / "pets.zip", skip_corrupt=True)
    assert (*found.passed_over, *found.corrupt) == (
        LeftOut(name, "not in the folder of a class" if name == "film.mp4" else "larger than 67,108,864 bytes"),
    )
    assert found.dataset.info.train_images == 6


def test_progress_ends_at_the_last_image(pets: Path) -> None:
    seen: list[tuple[int, int]] = []
    import_images(pets, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (8, 8)


@pytest.mark.slow
@pytest.mark.skipif(not ARCHIVE.exists(), reason="needs the CIFAR-100 archive: set ZOO_CIFAR100_ZIP to its path")
def test_the_real_archive_is_cifar100() -> None:
    from zoo_images.datasets import CIFAR100

    dataset = CIFAR100().finish(import_images(ARCHIVE).dataset)
    assert dataset.info == CIFAR100.known
    assert np.allclose((dataset.test.images / 255).mean((0, 2, 3)), (0.50880, 0.48739, 0.44194), atol=1e-5)
    store.save("cifar100", dataset)
    assert CIFAR100().load().fingerprint == dataset.fingerprint
