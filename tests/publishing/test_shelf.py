"""Every entry that ships is what its certificate says, and its weights give the certificate's figures again."""

from __future__ import annotations

import io
import os
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support import ROOT

from zoo.builder import Builder
from zoo.data import store
from zoo.data.dataset import ImageSet
from zoo.evaluation.trained import Trained
from zoo.publishing.certificate import verify
from zoo.publishing.shelf import Entry
from zoo.publishing.spot_check import differences, spot_check
from zoo.spec import shipped

torch.set_num_threads(1)

ENTRIES = {name: Entry(folder) for name, folder in shipped.entries().items() if folder.is_relative_to(shipped.DEFAULT)}
#: Where real images may lie on a machine that tests; the tests' own store is empty.
STORED = store.data_folder()
ARCHIVES = {"cifar100": Path(os.environ.get("ZOO_CIFAR100_ZIP") or ROOT.parent / "shared" / "data" / "cifar100.zip")}
LARGEST = 8 * 2**20  # bytes of an entry, that a wheel stays small

entry_by_name = pytest.mark.parametrize("name", sorted(ENTRIES))


def images_for(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    """Return the test images that an entry was measured on, from the store or from the archive beside the project."""
    certificate = entry.certificate
    name = next(iter(certificate.data.component))
    if (STORED / f"{name}.safetensors").is_file():
        monkeypatch.setenv("ZOO_DATA", str(STORED))
        if store.read_facts(name)["fingerprint"] == certificate.data.fingerprint:
            return store.load(name).test
    archive = ARCHIVES.get(name)
    if archive is None or not archive.is_file():
        pytest.skip(f"the images of {name} are neither in Zoo's store nor in an archive beside the project")
    return read_test_images(archive, tuple(certificate.data.classes))


@cache
def read_test_images(archive: Path, classes: tuple[str, ...]) -> ImageSet:
    images, labels = [], []
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            split, _, rest = name.partition("/")
            if split == "test" and (file := rest.partition("/")[2]):
                images.append(np.asarray(Image.open(io.BytesIO(opened.read(name))).convert("RGB")).transpose(2, 0, 1))
                labels.append(classes.index(rest.removesuffix(f"/{file}")))
    return ImageSet(np.stack(images), np.array(labels, dtype=np.int64))


@entry_by_name
def test_an_entry_holds_what_its_certificate_says(name: str, builder: Builder) -> None:
    assert verify(ENTRIES[name].folder, builder) == []
    assert ENTRIES[name].certificate.name == name


@entry_by_name
def test_an_entry_gives_its_figures_again(name: str, builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ENTRIES[name]
    stated = entry.certificate.spot_check
    trained = Trained.load(entry, builder, ["train.device=cpu"])
    test = images_for(entry, monkeypatch) if stated.split else None
    assert list(differences(stated, spot_check(trained, test, like=stated))) == []


@entry_by_name
def test_an_entry_needs_no_bf16(name: str, builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.training.engine.bf16_units", lambda device: "")
    trained = Trained.load(ENTRIES[name], builder, ["train.device=cpu"])
    assert set(trained.networks) == set(ENTRIES[name].certificate.parameters) - {"total"}


@entry_by_name
def test_an_entry_is_small_and_has_its_card_with_pictures(name: str) -> None:
    folder = ENTRIES[name].folder
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith(f"# {name}\n")
    for picture in folder.glob("*.png"):
        assert f"({picture.name})" in card
    assert sum(path.stat().st_size for path in folder.iterdir()) < LARGEST


@entry_by_name
def test_an_entry_says_nothing_of_the_machine_s_folders(name: str) -> None:
    certificate = ENTRIES[name].certificate
    assert not [word for word in certificate.command.split() if Path(word).is_absolute()]


def test_the_archive_is_read_as_the_importer_reads_it(tmp_path: Path) -> None:
    from zoo.data.importer import import_images

    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for index, name in enumerate(("train/a/0", "train/b/0", "test/a/0", "test/b/0", "test/b/1")):
            file = io.BytesIO()
            Image.new("RGB", (4, 4), (index * 20,) * 3).save(file, format="png")
            archive.writestr(f"{name}.png", file.getvalue())
    imported = import_images(tmp_path / "two.zip").dataset.test
    read = read_test_images(tmp_path / "two.zip", ("a", "b"))
    assert np.array_equal(read.images, imported.images) and np.array_equal(read.labels, imported.labels)
