"""The number of devices, and which one is current in a thread."""

from __future__ import annotations

import os
import threading


class CUDARuntimeError(RuntimeError):
    """What the driver complains about."""


_state = threading.local()


def getDeviceCount() -> int:
    """Return how many devices there are: STAND_IN_DEVICES, where 0 is a machine without a driver."""
    count = int(os.environ.get("STAND_IN_DEVICES", "2"))
    if not count:
        msg = "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version"
        raise CUDARuntimeError(msg)
    return count


def getDevice() -> int:
    """Return the current device of the thread."""
    getDeviceCount()
    return int(getattr(_state, "current", 0))


def setDevice(index: int) -> None:
    """Make a device the current one of the thread."""
    if not 0 <= index < getDeviceCount():
        msg = "cudaErrorInvalidDevice: invalid device ordinal"
        raise CUDARuntimeError(msg)
    _state.current = index


def runtimeGetVersion() -> int:
    """Return the version of a runtime that is not there."""
    return 0


def driverGetVersion() -> int:
    """Return the version of a driver that is not there."""
    return 0
