"""Threads that call compiled functions take turns.

A function is recorded by running it on wrapped arrays, which stand in its model and its optimizer for the while, where
another thread must not see them. So a recording waits until every compiled function is done, and all others wait for
it. Apart from that a function runs once at a time, because its programs write to arrays of their own, and different
functions run at the same time.
"""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator


class Turn:
    """The lock of one compiled function, which is held while a program of it runs."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        with _locks.recording:
            _locks.turns.add(self)

    def __reduce__(self) -> tuple[type[Turn], tuple[()]]:
        return type(self), ()  # a copy of a function has a turn of its own


class _Locks:
    def __init__(self) -> None:
        self.recording = threading.RLock()
        self.turns: weakref.WeakSet[Turn] = weakref.WeakSet()


_locks: Final = _Locks()


@contextmanager
def recording_turn() -> Generator[None]:
    """Let nobody else record or run a compiled function in this block.

    Who records holds no turn but in here, and who runs waits for nothing, so that nobody waits for ever.
    """
    with _locks.recording, ExitStack() as held:
        for turn in list(_locks.turns):
            held.enter_context(turn.lock)
        yield


def _forget() -> None:
    """Begin anew in a process that was just forked, where the threads that held locks are not."""
    _locks.recording = threading.RLock()
    for turn in list(_locks.turns):
        turn.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
