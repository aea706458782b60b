"""Files are written whole or not at all, and what the system refuses names the file that was asked for."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.files import write_atomically, write_text
from zoo.text import visible


class SafetensorError(Exception):
    """As that of safetensors, which is no OSError."""


def raising(error: Exception) -> Callable[[Path], object]:
    def write(path: Path) -> object:
        raise error

    return write


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/elsewhere/.weights.tmp"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_names_the_file_that_was_asked_for(tmp_path: Path, error: Exception) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_text("old")
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_atomically(path, raising(error))
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert [one.name for one in tmp_path.iterdir()] == ["weights.safetensors"]
    assert path.read_text() == "old"


def test_other_errors_pass_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(SafetensorError, match="header too large"):
        write_atomically(tmp_path / "a", raising(SafetensorError("header too large")))


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 250)
    write_text(path, "text")
    assert path.read_text() == "text"


def test_a_longer_name_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File name too long") as caught:
        write_text(tmp_path / ("x" * 300), "text")
    assert caught.value.filename == str(tmp_path / ("x" * 300))


def test_control_characters_are_seen() -> None:
    assert visible("plain ü\n") == "plain ü\n"
    assert visible("\x1b[1m\x07\x7f\x9b\u202e") == r"\u001b[1m\u0007\u007f\u009b\u202e"
    assert visible("a\nb", keep="") == r"a\u000ab"
