"""The C library's memory settings that training on a CPU wants."""

from __future__ import annotations

import ctypes
import os
import platform
import sys

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_memory() -> bool:
    """Let freed memory stay with this process; return whether that was set.

    By default glibc gives every large activation back to the kernel and asks for it again in the next step, which
    is some 22,000 page faults a step. The setting holds for the whole process, so only a program may choose it,
    never a library, and before torch is imported. `ZOO_ALLOCATOR=system` leaves everything as it is.
    """
    if os.environ.get("ZOO_ALLOCATOR") == "system" or not applies():
        return False
    library = ctypes.CDLL(None)
    settings = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: 2**31 - 1, _M_TOP_PAD: 64 * 2**20}
    return all(bool(library.mallopt(key, value)) for key, value in settings.items())


def applies() -> bool:
    """Return whether this process runs on glibc."""
    return sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
