"""What happened in training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .._backend import Library

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

_plot: Any = Library("deepcore.plot")  # imported when something is drawn
UNPLOTTED: Final = ("epoch", "seconds", "samples", "samples_per_second")


@dataclass
class History:
    """The record of a training run.

    Attributes
    ----------
    epochs
        One dictionary per complete epoch: ``epoch``, ``loss``, each metric, ``seconds``, ``samples_per_second``, and
        the same of the validation data with ``val_`` before the name.
    interrupted
        Whether the run was stopped before its last epoch was complete, and can be resumed.
    stopped
        Why it came to an end before the last epoch, in words; empty, if it did not.
    """

    epochs: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    interrupted: bool = False
    stopped: str = ""

    def __getitem__(self, name: str) -> list[float]:
        """Return one quantity, epoch by epoch: ``history["loss"]``."""
        return [epoch[name] for epoch in self.epochs]

    def __len__(self) -> int:
        return len(self.epochs)

    @property
    def last(self) -> dict[str, float]:
        """The last complete epoch, empty before there is one."""
        return self.epochs[-1] if self.epochs else {}

    @property
    def names(self) -> list[str]:
        """The names of what was measured, without times."""
        return [name for name in self.last if name not in UNPLOTTED]

    def best(self, name: str = "val_loss", *, largest: bool = False) -> dict[str, float]:
        """Return the epoch in which a quantity was smallest, or largest; the first of several."""
        return (max if largest else min)(self.epochs, key=lambda epoch: epoch[name])

    def plot(
        self, names: Sequence[str] | None = None, *, log: bool = False, path: str | os.PathLike[str] | None = None
    ) -> Any:
        """Draw what was measured over the epochs, training and validation of a quantity in one picture.

        Parameters
        ----------
        names
            The quantities, without ``val_``; all of them, if not given.
        log
            Whether the scales are logarithmic.
        path
            A file to save the picture in, whose ending (``.png``, ``.svg``, ``.pdf``) says in which format.

        Returns
        -------
        figure
            A figure of Matplotlib, with what :func:`deepcore.plot.curves` draws of each quantity side by side, which
            ``figure.savefig(path)`` saves, and a notebook shows.

        Raises
        ------
        BackendError
            If Matplotlib is not installed.
        ConfigError
            If there is no complete epoch, a quantity was not measured, or the ending names no format.
        StorageError
            If the file cannot be written.
        """
        return _plot.history_figure(self, names, log=log, path=path)

    def state_dict(self) -> dict[str, Any]:
        """Return the epochs."""
        return {"epochs": self.epochs}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what :meth:`state_dict` returned."""
        self.epochs = list(state["epochs"])
