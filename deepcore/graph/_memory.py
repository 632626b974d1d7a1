"""Memory that the process has, and does not use."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress


def give_back() -> None:
    """Give unused memory back to the system, as far as the C library can: a recording leaves much of it behind."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # the C library is another one than glibc
            ctypes.CDLL(None).malloc_trim(0)
