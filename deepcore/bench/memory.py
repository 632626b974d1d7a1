"""Memory: how much a computation needs at its peak, whatever library allocates it."""

from __future__ import annotations

import gc
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..graph._memory import give_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._device import Device

T = TypeVar("T")

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def peak_of(
    build: Callable[[], T], warm_up: Callable[[T], object], run: Callable[[T], object], device: Device | None = None
) -> tuple[T, int | None]:
    """Build something, warm it up until nothing compiles any more, and return it with the memory that a run needs.

    On the host that is by how much the memory of the process grew, since before the building, at the peak of the last
    run, which Linux tells; the precision is some pages. On other devices it is by how much the memory in use grew.

    Parameters
    ----------
    build
        Builds it.
    warm_up, run
        Run it.
    device
        Where it is, if that is not the host.

    Returns
    -------
    built
        What was built.
    bytes
        What it needs; None where nobody tells.

    Examples
    --------
    >>> import numpy as np
    >>> a, _ = peak_of(lambda: np.ones(1000), np.sum, np.sum)
    >>> a.size
    1000
    """
    in_use = None if device is None else device.backend.memory_in_use()
    before = _settled()
    built = build()
    warm_up(built)
    _forget_peak()
    run(built)
    if device is not None:
        now = device.backend.memory_in_use()
        return built, None if now is None or in_use is None else now - in_use
    peak = _status("VmHWM")
    return built, None if peak is None or before is None else max(peak - before, 0)


def peak_resident() -> int | None:
    """Return the most bytes of memory that this process had at once, since it began or since this was forgotten."""
    return _status("VmHWM")


def _settled() -> int | None:
    """Return how much memory the process has, after what it does not need was given back."""
    gc.collect()
    give_back()
    return _status("VmRSS")


def _forget_peak() -> None:
    with suppress(OSError):
        _CLEAR.write_text("5", encoding="ascii")


def _status(key: str) -> int | None:
    try:
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")), None)
