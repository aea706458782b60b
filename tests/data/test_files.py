"""Files as people have them: links, folders in folders, names of other systems, zips that lie, pipes."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import sys
import tracemalloc
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from zoo.data import files
from zoo.data.decoding import decode_file
from zoo.data.importer import Imported, import_images
from zoo.data.layout import LeftOut
from zoo.errors import DataError


def picture(path: Path, level: int = 0, size: tuple[int, int] = (8, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path)
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two classes, two training images and a test image each."""
    for label, level in (("cat", 50), ("dog", 200)):
        for name in ("train/{}/0.png", "train/{}/1.png", "test/{}/0.png"):
            picture(tmp_path / "pets" / name.format(label), level)
    return tmp_path / "pets"


def packed(folder: Path, rename: Callable[[str], str] = str, **options: int) -> Path:
    """Return a zip of a folder whose entries are renamed."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", **options) as archive:
        for one in sorted(folder.rglob("*.png")):
            # zipfile would write the separators of this system; a name that is set later stays.
            info = zipfile.ZipInfo("x")
            info.filename = rename(one.relative_to(folder).as_posix())
            archive.writestr(info, one.read_bytes())
    return path


def refused(source: Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        import_images(source, **options)  # type: ignore[arg-type]
    return str(caught.value)


def levels(found: Imported) -> list[int]:
    return found.dataset.train.images[:, 0, 0, 0].tolist()


def test_linked_folders_and_files_are_followed(pets: Path) -> None:
    (pets / "store").mkdir()
    shutil.move(pets / "train" / "cat", pets / "store" / "felines")
    (pets / "train" / "cat").symlink_to("../store/felines")
    (pets / "train" / "dog" / "2.png").symlink_to("1.png")
    found = import_images(pets)
    assert levels(found) == [50, 50, 200, 200, 200]
    assert {one.reason for one in found.passed_over} == {"not in the folder of a class"}


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("..", "train/cat/link (it leads back to a folder that it lies in)"),
        ("link", "train/cat/link (it leads back to itself)"),
        ("nowhere", "train/cat/link (it leads nowhere)"),
    ],
)
def test_links_that_cannot_be_followed_are_named(target: str, told: str, pets: Path) -> None:
    (pets / "train" / "cat" / "link").symlink_to(target)
    assert refused(pets) == (
        f"{pets}: it holds links that are not followed: {told}; put the files themselves in their place, or delete the "
        "links"
    )


def test_a_link_out_of_the_folder_is_named(pets: Path, tmp_path: Path) -> None:
    outside = picture(tmp_path / "others" / "0.png").parent
    (pets / "train" / "bird").symlink_to(outside)
    assert f"train/bird (it leads out of the folder, to {outside.resolve()})" in refused(pets)


def test_two_links_that_lead_to_each_other_end(pets: Path) -> None:
    (pets / "train" / "cat" / "dogs").symlink_to("../dog")
    (pets / "train" / "dog" / "cats").symlink_to("../cat")
    assert "it leads back to a folder that it lies in" in refused(pets)


def test_pictures_below_the_folder_of_a_class_belong_to_it(pets: Path) -> None:
    picture(pets / "train" / "cat" / "2024" / "may" / "0.png", 60)
    assert levels(import_images(pets)) == [50, 50, 60, 200, 200]


@pytest.mark.parametrize("ending", ["jfif", "jpe", "avif", "tga", "pgm", "jp2", "ico", "PNG"])
def test_every_ending_that_pillow_reads_is_taken(ending: str, pets: Path) -> None:
    form = {"jfif": "JPEG", "jpe": "JPEG", "pgm": "PPM", "jp2": "JPEG2000"}.get(ending, ending.upper())
    Image.new("RGB", (16, 16), (90, 90, 90)).save(pets / "train" / "cat" / f"2.{ending}", format=form)
    assert len(import_images(pets, size=8).dataset.train.labels) == 5


def test_what_pillow_only_knows_by_name_is_no_image(pets: Path) -> None:
    for name in ("a.eps", "b.mpg", "c.pdf", "d.h5", "e"):
        (pets / "train" / "cat" / name).write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    assert [one.reason for one in import_images(pets).passed_over] == [
        *(f"no image by the name ({ending})" for ending in (".eps", ".mpg", ".pdf", ".h5", "no extension")),
    ]


def test_a_class_of_files_that_are_no_images_is_told_with_them(pets: Path) -> None:
    (pets / "train" / "bird").mkdir()
    for name in ("0.heic", "1.heic"):
        (pets / "train" / "bird" / name).write_bytes(b"")
    assert refused(pets) == (
        f"{pets}: classes without a training image: bird (left out there: 2 files: no image by the name (.heic)); "
        "fill or delete their folders"
    )


def test_a_folder_of_no_images_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "train" / "cat").mkdir(parents=True)
    (tmp_path / "train" / "cat" / "0.heic").write_bytes(b"")
    assert refused(tmp_path).endswith("; left out: 1 file: no image by the name (.heic)")


def test_folders_of_classes_alone_are_enough_where_test_images_are_cut_out(pets: Path, tmp_path: Path) -> None:
    shutil.rmtree(pets / "test")
    whole = import_images(pets, test_fraction=0.5).dataset
    for archive in (packed(pets / "train"), packed(pets, lambda name: name.replace("train/", "animals/"))):
        found = import_images(archive, test_fraction=0.5).dataset
        assert found.fingerprint == whole.fingerprint
    assert import_images(pets / "train", test_fraction=0.5).dataset.fingerprint == whole.fingerprint
    assert "or without train/ where --test-fraction is given" in refused(pets / "train")


def test_names_with_backslashes_are_paths(pets: Path) -> None:
    found = import_images(packed(pets, lambda name: name.replace("/", "\\")))
    assert found.dataset.fingerprint == import_images(pets).dataset.fingerprint


@pytest.mark.parametrize("encoding", ["utf-8", "cp437"])
def test_names_without_the_flag_for_utf8_are_read(encoding: str, pets: Path) -> None:
    """As UTF-8, which most programs write without saying so; else in code page 437, as the format has it."""
    path = packed(pets, lambda name: name.replace("cat", "\u00fcber"))
    content = path.read_bytes().replace("\u00fcber".encode(), (stand := b"X" * len("\u00fcber".encode())))
    path.write_bytes(content)
    content = bytearray(content)
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + place + 1] &= ~0x08 & 0xFF
            at = content.find(mark, at + 1)
    wanted = "\u00fcber".encode(encoding)
    path.write_bytes(bytes(content).replace(stand, wanted.ljust(len(stand), b"_")))
    names = import_images(path).dataset.class_names
    assert names == ("dog", "\u00fcber" + "_" * (len(stand) - len(wanted)))


def test_names_are_matched_composed(pets: Path) -> None:
    for split in ("train", "test"):
        form = "NFC" if split == "train" else "NFD"
        (pets / split / "cat").rename(pets / split / unicodedata.normalize(form, "caf\u00e9"))
    found = import_images(pets).dataset
    assert found.class_names == ("caf\u00e9", "dog")
    assert found.fingerprint == import_images(packed(pets)).dataset.fingerprint


def test_a_class_whose_name_is_no_text_is_refused(pets: Path) -> None:
    (pets / "train" / "cat").rename(pets / "train" / "cat\x1b[31m")
    shutil.rmtree(pets / "test" / "cat")
    assert refused(pets) == (
        f"{pets}: the name of the class {'cat' + chr(27) + '[31m'!r} is no text; give its folder another"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_names_that_are_no_text_are_told_in_text(pets: Path) -> None:
    (pets / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"")
    assert [one.name for one in import_images(pets).passed_over] == ["caf\\udce9.txt"]
    (pets / "train" / os.fsdecode(b"caf\xe9")).mkdir()
    assert "is no text; give its folder another" in refused(pets)


def test_the_later_of_two_files_of_one_name_counts(pets: Path) -> None:
    path = packed(pets)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.write(picture(pets / "new.png", 70), "train/cat/0.png")
    found = import_images(path)
    assert levels(found) == [70, 50, 200, 200]
    assert found.passed_over == (LeftOut("train/cat/0.png", "replaced by a later file of the same name"),)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_header_that_lies_about_a_size_unpacks_no_more(method: int, pets: Path) -> None:
    path = packed(pets)
    with zipfile.ZipFile(path, "a", method) as archive:
        archive.writestr("train/cat/2.png", bytes(160 * 2**20))
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = content.rfind(mark)
        content[at + place : at + place + 4] = struct.pack("<I", 1000)
    path.write_bytes(content)
    tracemalloc.start()
    try:
        found = import_images(path, skip_corrupt=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [one.name for one in found.corrupt] == ["train/cat/2.png"]
    assert peak < 120 * 2**20


def test_a_link_inside_a_zip_is_told(pets: Path) -> None:
    path = packed(pets)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("train/cat/2.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "1.png")
    assert import_images(path, skip_corrupt=True).corrupt == (
        LeftOut("train/cat/2.png", "a link, which is not followed inside a zip"),
    )


def test_a_file_in_a_folder_has_the_limit_of_one_in_a_zip(pets: Path) -> None:
    with (pets / "train" / "cat" / "2.png").open("wb") as file:
        file.truncate(files.LARGEST + 1)
    assert "train/cat/2.png (larger than 67,108,864 bytes)" in refused(pets)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_never_waited_for(pets: Path, tmp_path: Path) -> None:
    os.mkfifo(pets / "train" / "cat" / "2.png")
    os.mkfifo(tmp_path / "pets.zip")
    assert "train/cat/2.png (it is a pipe, not a file)" in refused(pets)
    assert "neither a folder nor a sound zip file (it is a pipe, not a file)" in refused(tmp_path / "pets.zip")
    with pytest.raises(DataError, match=r"2\.png: it is a pipe, not a file; wanted PNG"):
        decode_file(pets / "train" / "cat" / "2.png", 3, 8, 8)


def test_a_device_and_a_folder_are_no_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"it is a folder, not a file|it cannot be read"):
        decode_file(tmp_path, 3, 8, 8)
    if Path("/dev/zero").is_char_device():
        with pytest.raises(DataError, match="^/dev/zero: it is a device, not a file; wanted PNG"):
            decode_file(Path("/dev/zero"), 3, 8, 8)
