"""Writing files so that a full disk, a crash or Ctrl-C leaves the old file or the new one, and nothing between.

And the one way in which Zoo writes JSON, to files and to stdout.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PART = ".part"  # ends the name of what is not whole yet
LARGEST_TEXT = 2**28  # bytes of a text file, such as the metrics of a very long run


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file in a temporary folder beside `path`, then put it in the place of `path` in one step.

    Raises whatever `write` raises, and OSError with `path` where it cannot be written; then `path` is as it was and the
    temporary folder is gone.
    """
    try:
        _write_atomically(path, write)
    except OSError as error:
        # Whoever is told wants to know of the file that was asked for, not of the temporary one.
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    except Exception as error:
        # safetensors has an error of its own, with the system's in its text.
        if (code := re.search(r"\(os error (\d+)\)", str(error))) is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from error


def _write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name may be as long as the system allows; the temporary one is beside it, and not longer. A folder, since some
    # writers, such as safetensors, have temporary files of their own beside what they write.
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=PART))
    temporary = folder / path.name
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_leftover(path: Path) -> bool:
    """Whether a file or folder is one that was to be renamed when it was whole."""
    return path.name.startswith(".") and path.name.endswith(PART)


def clear_leftovers(*folders: Path, of: str = "", but: Path | None = None) -> None:
    """Remove from these folders what writers that were killed left behind, of files whose names begin with `of`.

    The caller holds their lock; `but` is its own.
    """
    for folder in folders:
        for path in (
            (one for one in folder.iterdir() if is_leftover(one) and one.name[1:].startswith(of) and one != but)
            if folder.is_dir()
            else ()
        ):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def read_text(path: Path, *, most: int = LARGEST_TEXT) -> str:
    """Return what a file of UTF-8 holds. Raises OSError where it is no regular file, which might never end, or larger
    than `most` bytes, and ValueError where it is no UTF-8.
    """
    # Without waiting: a pipe that nobody writes to would never open.
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))
        if facts.st_size > most:
            raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
        return file.read(most).decode("utf-8")


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically, as UTF-8."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def json_text(data: Any, *, indent: int | None = 2, default: Callable[[Any], Any] | None = None) -> str:
    """Return `data` as JSON that every reader takes: a number that is not finite becomes null, as in JavaScript.

    indent: None writes a single line. default: what becomes of an object that JSON does not know.
    """
    try:
        text = json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False, default=default)
    except ValueError:
        text = json.dumps(_finite(data), indent=indent, ensure_ascii=False, allow_nan=False, default=default)
    # Half of a surrogate pair, as the name of a file can hold, has no UTF-8.
    return text if text.isascii() or _encodes(text) else json.dumps(json.loads(text), indent=indent)


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {_finite(key): _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(one) for one in data]
    return data


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_folder(folder: Path) -> None:
    """See to it that what was renamed in a folder stays so when the power fails."""
    # Windows cannot open a folder; there the rename alone has to do.
    with contextlib.suppress(OSError, AttributeError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
