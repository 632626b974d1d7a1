"""Two devices, one of which is current."""

from __future__ import annotations

from . import runtime as runtime
from .device import Device as Device


class Event:
    """A point in time; everything before it is done."""

    def record(self) -> None:
        """Do nothing."""
