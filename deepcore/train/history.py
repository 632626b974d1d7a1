"""What happened in training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .._backend import Library
from .._errors import BackendError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_pyplot: Any = Library("matplotlib.pyplot")
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

    def plot(self, names: Sequence[str] | None = None) -> Any:
        """Draw what was measured over the epochs, training and validation of a quantity in one picture.

        Parameters
        ----------
        names
            The quantities, without ``val_``; all of them, if not given.

        Returns
        -------
        figure
            A figure of Matplotlib, which ``figure.savefig(path)`` saves, and a notebook shows.

        Raises
        ------
        BackendError
            If Matplotlib is not installed.
        ConfigError
            If there is no complete epoch, or a quantity was not measured.
        """
        known = list(dict.fromkeys(name.removeprefix("val_") for name in self.names))
        chosen = known if names is None else list(names)
        unknown = [name for name in chosen if name not in known]
        if unknown:
            msg = f"plot: {', '.join(unknown)} was not measured; there are {', '.join(known) or 'none'}"
            raise ConfigError(msg)
        if not chosen:
            msg = "plot: there is nothing to draw, because no epoch is complete"
            raise ConfigError(msg)
        try:
            figure, axes = _pyplot.subplots(1, len(chosen), squeeze=False, figsize=(5 * len(chosen), 3.5))
        except ImportError as error:
            msg = 'plots need Matplotlib; install it with: pip install "matplotlib>=3.9"'
            raise BackendError(msg) from error
        for axis, name in zip(axes[0], chosen, strict=True):
            for label, key in (("training", name), ("validation", f"val_{name}")):
                points = [(epoch["epoch"], epoch[key]) for epoch in self.epochs if key in epoch]
                if points:
                    axis.plot(*zip(*points, strict=True), marker="." if len(points) < 30 else "", label=label)
            axis.set_xlabel("epoch")
            axis.set_ylabel(name)
            axis.legend()
        figure.tight_layout()
        _pyplot.close(figure)  # so that nothing but the caller holds it
        return figure

    def state_dict(self) -> dict[str, Any]:
        """Return the epochs."""
        return {"epochs": self.epochs}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what :meth:`state_dict` returned."""
        self.epochs = list(state["epochs"])
