"""Ctrl-C: the first ends training after the present batch, so that it can be saved; the second ends it at once."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

from ..train import Callback

if TYPE_CHECKING:
    from ..train import Trainer


class StopAfterBatch(Callback):
    """Let Ctrl-C end training between two batches, where everything that it has to remember is in order."""

    def __init__(self) -> None:
        self._before: Any = None

    def on_fit_start(self, trainer: Trainer, *, epochs: int, samples: int) -> None:
        """Take Ctrl-C, unless it is ignored, as by jobs in the background, or another thread's."""
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or before in (signal.SIG_IGN, None):
            return
        self._before = before

        def stop(number: int, frame: object) -> None:
            signal.signal(signal.SIGINT, before)
            trainer.stop("interrupted", interrupted=True)

        signal.signal(signal.SIGINT, stop)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Give it back."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
