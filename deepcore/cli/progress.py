"""Progress: a live bar in a terminal, one line per epoch elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ..train import Callback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from ..train import Trainer

_REDRAW_SECONDS = 0.05


class TrainingProgress(Callback):
    """Show loss, accuracy and samples per second while training.

    Parameters
    ----------
    console
        Where to show them.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.epochs = 0
        self.bar: Progress | None = None
        self.drawn = 0.0

    def on_fit_start(self, trainer: Trainer, *, epochs: int, samples: int) -> None:
        """Put up the bar."""
        self.epochs = epochs
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[values]}"))
            bar = Progress(*columns, TimeRemainingColumn(), console=self.console)
            self.task = bar.add_task("", total=samples * epochs, values="")
            self.samples = samples
            bar.start()
            self.bar = bar

    def on_epoch_start(self, trainer: Trainer, epoch: int) -> None:
        """Say which epoch it is."""
        self.epoch = epoch
        if self.bar is not None:
            self.bar.update(self.task, description=f"epoch {epoch}/{self.epochs}")

    def on_batch_end(self, trainer: Trainer, batch: int, values: Mapping[str, float]) -> None:
        """Move the bar, though not more often than the eye can follow."""
        now = time.monotonic()
        if self.bar is None or now - self.drawn < _REDRAW_SECONDS:
            return
        self.drawn = now
        done = (self.epoch - 1) * self.samples + values["samples"]
        self.bar.update(self.task, completed=done, values=_line(values))

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: dict[str, float]) -> None:
        """Show the whole epoch's numbers; without a terminal they are a line of their own."""
        if self.bar is not None:
            self.bar.update(self.task, completed=epoch * self.samples, values=_line(values))
        else:
            self.console.print(f"epoch {epoch}/{self.epochs}  {_line(values)}", soft_wrap=True)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.stop()


def _line(values: Mapping[str, float]) -> str:
    parts = [f"loss {values['loss']:.4f}"]
    if "accuracy" in values:
        parts.append(f"accuracy {values['accuracy']:.2%}")
    if "r2" in values:
        parts.append(f"r2 {values['r2']:.4f}")
    if "val_loss" in values:
        parts.append(f"val_loss {values['val_loss']:.4f}")
    if "val_accuracy" in values:
        parts.append(f"val_accuracy {values['val_accuracy']:.2%}")
    parts.append(f"{values['samples_per_second']:,.0f} samples/s")
    return "  ".join(parts)


class DownloadProgress:
    """Show how much of each file has come. Use it in a ``with`` block and call it as data's ``progress``.

    Parameters
    ----------
    console
        Where to show it.
    """

    def __init__(self, console: Console) -> None:
        self.bar = Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), console=console)
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> DownloadProgress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.tasks:
            self.bar.stop()

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """Record that so many bytes of a file have come."""
        if not self.tasks:
            self.bar.start()
        if name not in self.tasks:
            self.tasks[name] = self.bar.add_task(name, total=total)
        self.bar.update(self.tasks[name], completed=done, total=total)
