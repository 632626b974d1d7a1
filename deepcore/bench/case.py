"""A case: what computes the same, and is timed together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .clock import Timer

Key = tuple[str, str]
"""A subject and a device."""


@dataclass
class Case:
    """Computations that are timed together.

    Attributes
    ----------
    kind
        What is computed: ``"train_step"``, ``"inference"``, ``"matmul"``, ...
    name
        Which of its kind: the network, or the operation and the shape.
    timers
        The computations, by subject and device.
    floor
        Which of them the others are compared to.
    net, batch
        The network and the number of samples, where there is one.
    flops
        How many floating-point operations it takes at least.
    nbytes, floor_nbytes
        How many bytes it has to read and write at least, or transfers; and how many the floor reads and writes.
    losses, memory
        The loss after some steps, and the bytes that are needed, by subject and device.
    """

    kind: str
    name: str
    timers: dict[Key, Timer] = field(default_factory=dict["Key", "Timer"])
    floor: Key | None = None
    net: str | None = None
    batch: int | None = None
    flops: int | None = None
    nbytes: int | None = None
    floor_nbytes: int | None = None
    losses: dict[Key, float] = field(default_factory=dict["Key", float])
    memory: dict[Key, int | None] = field(default_factory=dict["Key", "int | None"])
