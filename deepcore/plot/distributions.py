"""How the numbers in a model are distributed: what its layers give, and its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import DataError
from .._modes import in_mode
from .._tape import no_grad
from .._tensor import Tensor
from ..nn import Dropout, Flatten, Identity, Reshape
from ..ops.creation import asarray
from ._figure import BLUE, VERMILION, axes_for, ink, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..nn import Module

BINS = 80
UNCHANGING: Final = (Dropout, Flatten, Identity, Reshape)
"""Layers that give the numbers that they are given, in evaluation mode."""

TAIL = 0.002
"""Which share of all numbers may be beyond each end of the picture: one number far away does not flatten the others."""


@dataclass(frozen=True)
class Distribution:
    """The numbers of one row of a picture.

    Attributes
    ----------
    label
        What is written beside it.
    values
        The numbers.
    note
        What is written at its other side.
    """

    label: str
    values: NDArray[Any]
    note: str = ""


def activations(model: Module, x: Any, *, ax: Any = None) -> Any:
    r"""Draw histograms of what every layer gives for a batch, one below the other in the order of computation.

    At the right of each is the share of its numbers that are 0, of which rectified units give so many that they are
    not drawn, and the share of its units that are dead: 0 for every sample of the batch.

    Parameters
    ----------
    model
        The model, which is in evaluation mode meanwhile. A layer is a module that has parameters of its own or no
        parts; its activation belongs to it. Layers that only give their numbers another shape, and dropout, are left
        out. Of a layer that is applied several times, all results are counted.
    x
        The batch, whose first axis are the samples.
    ax
        The axes to draw into; new ones, if not given.

    Returns
    -------
    ax
        The axes. The heights of a histogram are shares of its highest bin, and values beyond the ends of the picture,
        of which there are at most 0.4 %, are not drawn.

    Raises
    ------
    BackendError
        If Matplotlib is not installed.
    DataError
        If no layer gives finite numbers.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import nn, plot
    >>> model = nn.Sequential(nn.Dense(2, 4, activation="relu"), nn.Dense(4, 1))
    >>> with dc.no_grad():
    ...     model[0].bias[:], model[1].bias[:] = -100.0, 1.0
    >>> ax = plot.activations(model, dc.ones((5, 2)))
    >>> [text.get_text() for text in ax.texts], [text.get_text() for text in ax.get_yticklabels()]
    (['100 % zero\n100 % dead', '0 % zero\n0 % dead'], ['0 Dense', '1 Dense'])
    """
    rows: list[Distribution] = []
    for path, kind, results in layer_results(model, x):
        values = np.concatenate([y.reshape(-1) for y in results])
        dead = float(np.mean(np.concatenate([(y == 0).all(axis=0).reshape(-1) for y in results])))
        some = values != 0
        note = f"{100 * (1 - some.mean()):.0f} % zero\n{100 * dead:.0f} % dead"
        rows.append(Distribution(f"{path} {kind}".strip(), values[some] if some.any() else values, note))
    return ridges(rows, "what a unit gives", ax=ax, who="activations")


def weights(model: Module, *, ax: Any = None) -> Any:
    """Draw histograms of the parameters, one below the other.

    Parameters
    ----------
    model
        The model.
    ax
        The axes to draw into; new ones, if not given.

    Returns
    -------
    ax
        The axes. The heights of a histogram are shares of its highest bin, and values beyond the ends of the picture,
        of which there are at most 0.4 %, are not drawn.

    Raises
    ------
    BackendError
        If Matplotlib is not installed.
    DataError
        If there are no finite parameters.

    Examples
    --------
    >>> from deepcore import nn, plot
    >>> ax = plot.weights(nn.Sequential(nn.Dense(2, 4), nn.Dense(4, 1)))
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['0.weight', '0.bias', '1.weight', '1.bias']
    """
    found = [(name, p.detach().numpy().reshape(-1)) for name, p in model.named_parameters()]
    rows = [Distribution(name, values, f"{values.size:,}") for name, values in found]
    return ridges(rows, "value of a parameter; their number is at the right", ax=ax, who="weights")


def layer_results(model: Module, x: Any) -> list[tuple[str, str, list[NDArray[Any]]]]:
    """Return the path and the kind of every layer and what it gives, in the order in which layers were first called."""
    results: dict[int, list[NDArray[Any]]] = {}
    layers = {id(module): (path, module) for path, module in _layers(model)}

    def keep(module: Module, args: Any, result: Any) -> None:
        if isinstance(result, Tensor) and result.ndim and result.dtype.is_inexact:
            results.setdefault(id(module), []).append(result.detach().numpy())

    handles = [module.register_forward_hook(keep) for _, module in layers.values()]
    try:
        with no_grad(), in_mode([module for _, module in model.named_modules()], training=False):
            model(x if isinstance(x, Tensor) else asarray(np.asarray(x), device=model.device))
    finally:
        for handle in handles:
            handle.remove()
    return [(layers[key][0], type(layers[key][1]).__name__, values) for key, values in results.items()]


def _layers(model: Module) -> list[tuple[str, Module]]:
    """Return the modules that have parameters of their own or no parts, but for activations within others."""
    found: list[tuple[str, Module]] = []
    inside: set[int] = set()
    for path, module in model.named_modules():
        parts = [part for _, part in module.named_modules() if part is not module]
        below = {id(p) for part in parts for p in part.parameters()}
        if any(id(p) not in below for p in module.parameters()):
            inside.add(id(getattr(module, "activation", None)))
        elif parts:
            continue
        if id(module) not in inside and not isinstance(module, UNCHANGING):
            found.append((path, module))
    return found


def ridges(rows: Sequence[Distribution], xlabel: str, *, ax: Any, who: str) -> Any:
    """Draw histograms over one another, with one horizontal scale."""
    finite = [row.values[np.isfinite(row.values)].astype(np.float64) for row in rows]
    if not sum(x.size for x in finite):
        msg = f"{who}: there are no finite numbers to draw"
        raise DataError(msg)
    axes = axes_for(ax, (6.5, max(1.0 + 0.5 * len(rows), 2.5)))
    edges = np.linspace(*_ends(finite), BINS + 1)
    for k, (row, values) in enumerate(zip(rows, finite, strict=True)):
        counts = np.histogram(values, edges)[0]
        heights = 0.85 * counts / max(counts.max(initial=0), 1)
        base = len(rows) - 1 - k
        color = BLUE if k % 2 == 0 else VERMILION
        axes.stairs(base + heights, edges, baseline=base, fill=True, color=color, alpha=0.75)
        axes.axhline(base, color=ink(), linewidth=0.5, alpha=0.3)
        note = {"va": "center", "size": "small", "transform": axes.get_yaxis_transform()}
        axes.text(1.01, base + 0.3, row.note, **note)
    axes.set_yticks([len(rows) - 0.7 - k for k in range(len(rows))], [shortened(row.label, 30) for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.1, len(rows))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel(xlabel)
    return axes


def _ends(finite: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """Return between which numbers almost all are, those of each row, a layer of few units as well as one of many."""
    ends = [np.quantile(x, (TAIL, 1 - TAIL)) for x in finite if x.size]
    low, high = min(float(e[0]) for e in ends), max(float(e[1]) for e in ends)
    margin = 0.03 * (high - low) or 0.5
    return low - margin, high + margin
