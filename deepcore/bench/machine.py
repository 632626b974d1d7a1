"""The machine, the versions of what runs on it, and what else was running."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np

from .._backend import Library
from .._threads import usable_cores
from .._version import __version__

threadpoolctl: Any = Library("threadpoolctl")

DISTRIBUTIONS: Final = (
    *("numpy", "array-api-compat", "llvmlite", "scipy", "threadpoolctl"),
    *("torch", "jax", "jaxlib", "scikit-learn", "cupy-cuda12x", "cupy-cuda13x"),
)
THREAD_VARIABLES: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_STAT: Final = Path("/proc/stat")
_CPUINFO: Final = Path("/proc/cpuinfo")
_BUSY: Final = (0, 1, 2, 5, 6, 7)  # of the times in /proc/stat: user, nice, system, interrupts, and what is stolen


def blas() -> dict[str, Any]:
    """Return the name and version of NumPy's BLAS, and its number of threads where that is known."""
    config: Any = np.show_config(mode="dicts")
    found = config.get("Build Dependencies", {}).get("blas", {})
    pools = threadpoolctl.threadpool_info()
    threads = [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]
    return {"name": found.get("name"), "version": found.get("version"), "threads": threads[0] if threads else None}


def versions() -> dict[str, str]:
    """Return the versions of deepcore, Python, and the libraries that are installed."""
    found = {"deepcore": __version__, "python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe() -> dict[str, Any]:
    """Return the machine as it goes into a report."""
    return {
        "cpu": _cpu_model(),
        "architecture": platform.machine(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "blas": blas(),
        "environment": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        "versions": versions(),
    }


def _cpu_model() -> str:
    if _CPUINFO.is_file():
        for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


class ForeignLoad:
    """What others computed on this machine while something was measured: what the cores did, but for this process.

    Use it in a ``with`` block around what is measured, as often as there is something; Linux alone tells.

    Attributes
    ----------
    seconds
        For how long it looked.
    helpers
        The numbers of processes that belong to the measurement.

    Examples
    --------
    >>> load = ForeignLoad()
    >>> with load:
    ...     _ = sum(range(1000))
    >>> load.cores is None or load.cores >= 0
    True
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.helpers: list[int] = []
        self._foreign: float | None = 0.0

    @property
    def cores(self) -> float | None:
        """How many cores were busy with something else, on average; None where that cannot be known."""
        if self._foreign is None or not self.seconds:
            return None
        return max(self._foreign, 0.0) / self.seconds

    def __enter__(self) -> ForeignLoad:
        self._start = (time.perf_counter(), self._own(), _busy_seconds())
        return self

    def __exit__(self, *exception: object) -> None:
        start, own, busy = self._start
        now = _busy_seconds()
        self.seconds += time.perf_counter() - start
        if busy is None or now is None or self._foreign is None:
            self._foreign = None
        else:
            self._foreign += now - busy - (self._own() - own)

    def _own(self) -> float:
        return time.process_time() + sum(map(_process_seconds, self.helpers))


def _busy_seconds() -> float | None:
    """Return for how many seconds all cores together were busy since the machine was started."""
    try:
        times = _STAT.read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    ticks = sum(int(times[i]) for i in _BUSY if i < len(times))
    return ticks / os.sysconf("SC_CLK_TCK") if ticks else None


def _process_seconds(process: int) -> float:
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
