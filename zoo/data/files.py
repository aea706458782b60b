"""The files of a folder or a zip file: their names, and their bytes, of which there are never more than a limit."""

from __future__ import annotations

import contextlib
import os
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from zoo.errors import DataError, listing

Reader = Callable[[], bytes]
LARGEST = 64 * 2**20  # bytes of one file, unpacked
# zipfile tells only these ways to pack where to stop; others unpack all of a piece, 64 bytes into 90 MB at most.
BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
PIECE, SMALL_PIECE = 2**20, 64
UTF8_NAME = 0x800  # the flag of a zip's entry that says how its name is encoded
ENCRYPTED = 0x1


class Unreadable(Exception):
    """Why one file cannot be taken, in words for the user that do not name it."""


class File(NamedTuple):
    """A file with how to read its bytes, or a folder, which has no reader. Its name is in Unicode's composed form.

    `replaced`: a later file of the same zip has the same name, so that unpacking would leave that one.
    """

    path: PurePosixPath
    read: Reader | None
    replaced: bool = False


@contextlib.contextmanager
def open_files(source: Path) -> Iterator[list[File]]:
    """Give all files and folders under `source`, a folder or a zip file, in the order of their names.

    Raises DataError when it is neither, or holds links that cannot be followed.
    """
    if source.is_dir():
        yield sorted(_walk(source), key=_name)
        return
    if not source.exists():
        raise DataError(f"{source}: there is no such file or folder; wanted a folder or zip with train/<class>/*")
    try:
        require_regular(source)
        archive = zipfile.ZipFile(source)
    except (Unreadable, zipfile.BadZipFile, OSError) as error:
        raise DataError(
            f"{source}: this is neither a folder nor a sound zip file ({error}); wanted one with train/<class>/*"
        ) from error
    with archive:
        yield sorted(_zipped(archive, source), key=_name)


def require_regular(path: Path) -> None:
    """Raise Unreadable unless `path` is a file that ends; it is not opened."""
    try:
        _require_regular(path.stat().st_mode)
    except OSError as error:
        raise Unreadable(f"it cannot be read ({error.strerror or error})") from error


def require_image_file(path: Path) -> None:
    """Raise DataError unless `path` is a file that can be read to its end."""
    try:
        require_regular(path)
    except Unreadable as error:
        raise DataError(f"{path}: {error}; wanted an image file") from error


def read_file(path: Path) -> bytes:
    """Return what a file holds. Raises Unreadable when it is no regular file, or too large."""
    try:
        # Without waiting: a pipe that nobody writes to would never open.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            facts = os.fstat(descriptor)
            _require_regular(facts.st_mode)
            _require_small(facts.st_size)
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(facts.st_size + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unreadable(f"it cannot be read ({error.strerror or error})") from error


def _require_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise Unreadable(f"it is {kinds.get(stat.S_IFMT(mode), 'a device')}, not a file")


def _require_small(size: int) -> None:
    if size > LARGEST:
        raise Unreadable(f"larger than {LARGEST:,} bytes")


def composed(name: str) -> str:
    """Return a name in Unicode's composed form (NFC): macOS takes names apart, others leave them as typed."""
    return unicodedata.normalize("NFC", name)


def shown(path: PurePosixPath) -> str:
    """Return a name that can be printed, also where its bytes are no text."""
    return path.as_posix().encode("utf-8", "backslashreplace").decode("utf-8")


def hidden(path: PurePosixPath) -> bool:
    """Whether a name is one that desktops hide, such as .DS_Store and what macOS adds to zips."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _name(file: File) -> str:
    return file.path.as_posix()


def _walk(source: Path) -> Iterator[File]:
    """Yield what lies in a folder, links inside it followed. Raises DataError in the name of those that cannot be."""
    root = source.resolve()
    refused: list[str] = []
    waiting: list[tuple[PurePosixPath, Path, tuple[Path, ...]]] = [(PurePosixPath(), root, (root,))]
    while waiting:
        name, folder, above = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            raise DataError(f"{source / name}: this folder cannot be read ({error.strerror or error})") from error
        for entry in entries:
            inner = name / composed(entry.name)
            path = folder / entry.name
            if entry.is_symlink() and not hidden(inner):
                try:
                    path = _follow(path, root, above)
                except Unreadable as error:
                    refused.append(f"{shown(inner)} ({error})")
                    continue
            if entry.is_dir(follow_symlinks=path != folder / entry.name):
                waiting.append((inner, path, (*above, path)))
                yield File(inner, None)
            else:
                yield File(inner, partial(read_file, path))
    if refused:
        raise DataError(
            f"{source}: it holds links that are not followed: {listing(refused, 3)}; put the files themselves in their "
            "place, or delete the links"
        )


def _follow(link: Path, root: Path, above: tuple[Path, ...]) -> Path:
    """Return where a link leads. Raises Unreadable unless that is inside `root`, and not one of the folders `above`."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop, before Python 3.13
        looped = isinstance(error, RuntimeError) or error.errno not in (2, 20)
        raise Unreadable("it leads back to itself" if looped else "it leads nowhere") from error
    if not target.is_relative_to(root):
        raise Unreadable(f"it leads out of the folder, to {target}")
    if target in above:
        raise Unreadable("it leads back to a folder that it lies in")
    return target


def _zipped(archive: zipfile.ZipFile, source: Path) -> Iterator[File]:
    """Yield what lies in a zip file. Raises DataError where that is encrypted."""
    last = {info.filename: info for info in archive.infolist()}
    for info in archive.infolist():
        name = _name_of(info)
        if info.flag_bits & ENCRYPTED:
            raise DataError(f"{source}: {name} is encrypted; wanted a zip without password")
        read = None if name.endswith("/") else partial(_unpack, archive, info)
        yield File(PurePosixPath(name.strip("/")), read, last[info.filename] is not info)


def _name_of(info: zipfile.ZipInfo) -> str:
    """Return the name of a zip's entry with / between its parts.

    Without the flag for UTF-8, zipfile takes a name for code page 437, as the format has it. Most programs that do not
    set the flag write UTF-8 all the same, and what is valid UTF-8 beyond ASCII is hardly ever anything else.
    """
    name = info.filename
    if not info.flag_bits & UTF8_NAME:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return composed(name.replace("\\", "/"))


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Return what an entry holds: never more than its header says, whatever it unpacks to."""
    if stat.S_ISLNK(info.external_attr >> 16):
        raise Unreadable("a link, which is not followed inside a zip")
    _require_small(info.file_size)
    try:
        with archive.open(info) as file:
            if info.compress_type in BOUNDED:
                return _read(file, info.file_size, PIECE)
            cast(zipfile.ZipExtFile, file).MIN_READ_SIZE = SMALL_PIECE
            return _read(file, info.file_size, SMALL_PIECE)
    except MemoryError:
        raise
    except Exception as error:  # each way of packing has errors of its own
        raise Unreadable("damaged inside the zip, or packed in a way that cannot be read") from error


def _read(file: IO[bytes], size: int, piece: int) -> bytes:
    parts, left = [], size + 1
    # The last reading, of a byte that is not there, compares the checksum.
    while left > 0 and (part := file.read(min(piece, left))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
