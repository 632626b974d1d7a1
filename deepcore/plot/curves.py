"""What was measured in training, epoch by epoch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import ConfigError
from ..train.history import UNPLOTTED, History
from ._figure import BLUE, VERMILION, axes_for, close, new_figure, plain, save

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence


FEW = 30
"""Up to how many epochs each has a dot."""


def curves(
    history: History | Sequence[Mapping[str, Any]], name: str = "loss", *, log: bool = False, ax: Any = None
) -> Any:
    """Draw one quantity over the epochs, of the training and the validation data.

    Parameters
    ----------
    history
        What :meth:`~deepcore.train.Trainer.fit` returned, or its epochs: dictionaries with ``"epoch"`` and numbers.
    name
        The quantity, without ``val_``. Of the loss, the epoch with the smallest of the validation data has a ring.
    log
        Whether the scale is logarithmic.
    ax
        The axes to draw into; new ones, if not given.

    Returns
    -------
    ax
        The axes, whose lines are called training and validation.

    Raises
    ------
    BackendError
        If Matplotlib is not installed.
    ConfigError
        If there is no complete epoch, or the quantity was not measured.

    Examples
    --------
    >>> from deepcore import plot
    >>> epochs = [{"epoch": 1, "loss": 2.0, "val_loss": 2.1}, {"epoch": 2, "loss": 1.0, "val_loss": 1.5}]
    >>> ax = plot.curves(epochs)
    >>> [(line.get_label(), line.get_ydata().tolist()) for line in ax.lines][:2]
    [('training', [2.0, 1.0]), ('validation', [2.1, 1.5])]
    """
    epochs: Sequence[Mapping[str, Any]] = history.epochs if isinstance(history, History) else history
    name = name.removeprefix("val_")
    if not epochs:
        msg = "plot: there is nothing to draw, because no epoch is complete"
        raise ConfigError(msg)
    if not any(key in epoch for epoch in epochs for key in (name, f"val_{name}")):
        msg = f"plot: {name} was not measured; there are {', '.join(measured(epochs)) or 'none'}"
        raise ConfigError(msg)
    axes = axes_for(ax)
    for label, key, color, style in (
        ("training", name, BLUE, "-"),
        ("validation", f"val_{name}", VERMILION, "--"),
    ):
        points = [(epoch["epoch"], epoch[key]) for epoch in epochs if key in epoch]
        if points:
            x, y = np.asarray(points).T
            axes.plot(x, y, style, color=color, marker="." if len(points) < FEW else "", label=label)
    if name == "loss":
        _mark_smallest(axes, epochs)
    axes.set_xlabel("epoch")
    axes.set_ylabel(plain(name.replace("_", " ")))
    if log:
        axes.set_yscale("log")
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return axes


def history_figure(
    history: History,
    names: Sequence[str] | None = None,
    *,
    log: bool = False,
    path: str | os.PathLike[str] | None = None,
) -> Any:
    """Return a figure with the curves of some quantities, or of all but times, side by side.

    It is what :meth:`~deepcore.train.History.plot` returns, whose parameters and errors it has.
    """
    chosen = measured(history.epochs) if names is None else list(names)
    if not chosen:
        msg = "plot: there is nothing to draw, because no epoch is complete"
        raise ConfigError(msg)
    figure = new_figure((4.6 * len(chosen), 3.4))
    close(figure)  # so that nothing but the caller holds it
    for ax, name in zip(figure.subplots(1, len(chosen), squeeze=False)[0], chosen, strict=True):
        curves(history, name, log=log, ax=ax)
    if path is not None:
        save(figure, path)
    return figure


def measured(epochs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the quantities that can be drawn: what is one number in an epoch, and no time, without ``val_``."""
    names = [name for epoch in epochs for name, x in epoch.items() if name not in UNPLOTTED and np.ndim(x) == 0]
    return list(dict.fromkeys(name.removeprefix("val_") for name in names))


def _mark_smallest(axes: Any, epochs: Sequence[Mapping[str, Any]]) -> None:
    """Draw a ring around the smallest loss of the validation data."""
    known = [epoch for epoch in epochs if not math.isnan(epoch.get("val_loss", math.nan))]
    points = [(epoch["val_loss"], epoch["epoch"]) for epoch in known]
    if len(points) > 1:
        loss, epoch = min(points)
        options = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "linestyle": "none"}
        axes.plot([epoch], [loss], color=VERMILION, label=f"smallest, epoch {epoch:g}", **options)
