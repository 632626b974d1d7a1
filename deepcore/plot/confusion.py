"""What is mistaken for what, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import ConfigError, DataError
from ..metrics import ConfusionMatrix
from ._figure import BLUE, axes_for, class_names, ink, rising, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NORMALISATIONS: Final = {"true": "share of the class", "pred": "share of the prediction", "all": "share of all samples"}
WRITTEN: Final = 20
"""Up to how many classes the numbers are written into the picture."""

NAMED: Final = 40
"""Up to how many classes each has its name at the side; of more, some have."""

CHARACTERS: Final = 40
"""How many characters of names are side by side below; longer ones are upright."""

DARK: Final = 0.8
"""From which share of the largest number on text is white."""


def confusion_matrix(
    matrix: ConfusionMatrix | NDArray[Any],
    classes: Sequence[object] = (),
    *,
    normalise: str | None = None,
    ax: Any = None,
) -> Any:
    r"""Draw the matrix $C_{ij}$ of the samples of class $i$ (rows) that were taken for class $j$ (columns).

    Parameters
    ----------
    matrix
        The metric, or the counts, of shape (C, C).
    classes
        The names of the classes.
    normalise
        ``"true"`` draws shares of the rows, which sum up to 1, ``"pred"`` of the columns, and ``"all"`` of everything;
        None the counts. The numbers are written where there are at most 20 classes, and shares as per cent.
    ax
        The axes to draw into; new ones, if not given.

    Returns
    -------
    ax
        The axes, which have the matrix as an image.

    Raises
    ------
    BackendError
        If Matplotlib is not installed.
    ConfigError
        If the normalisation is unknown, or there are not as many names as classes.
    DataError
        If the matrix is not square, has negative numbers, or no samples.

    Examples
    --------
    >>> import numpy as np
    >>> from deepcore import plot
    >>> ax = plot.confusion_matrix(np.array([[8, 2], [0, 5]]), ["cat", "dog"], normalise="true")
    >>> [text.get_text() for text in ax.texts]
    ['80', '20', '0', '100']
    """
    if normalise is not None and normalise not in NORMALISATIONS:
        known = ", ".join(NORMALISATIONS)
        msg = f"confusion_matrix: unknown normalisation {normalise!r}; the known ones are {known} and None"
        raise ConfigError(msg)
    counts = np.asarray(matrix.matrix if isinstance(matrix, ConfusionMatrix) else matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.min(initial=0) < 0 or not counts.sum() > 0:
        msg = (
            "confusion_matrix: draws how many samples of each class were taken for each, a square matrix, not an array "
            f"of shape {counts.shape} with the sum {counts.sum():g}; update the metric with predictions first"
        )
        raise DataError(msg)
    n = len(counts)
    names = class_names(n, classes, "confusion_matrix")
    values = _shares(counts, normalise)
    side = min(max(2.0 + 0.45 * n, 3.5), 9.0)
    axes = axes_for(ax, (side + 1.2, side))
    top = values.max()
    image = axes.imshow(values, cmap=rising(BLUE), vmin=0.0, vmax=top, interpolation="none")
    if n <= WRITTEN:
        _write(axes, values, top, percent=normalise is not None)
    step = -(-n // NAMED)
    ticks = range(0, n, step)
    labels = [shortened(names[k], 16) for k in ticks]
    upright = max(map(len, labels)) * len(labels) > CHARACTERS
    axes.set_xticks(ticks, labels, rotation=90 if upright else 0)
    axes.set_yticks(ticks, labels)
    if n > WRITTEN:
        axes.tick_params(labelsize=7)
    axes.set_xlabel("taken for")
    axes.set_ylabel("class")
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("samples" if normalise is None else NORMALISATIONS[normalise])
    return axes


def _shares(counts: NDArray[Any], normalise: str | None) -> NDArray[Any]:
    if normalise is None:
        return counts
    axis = {"true": 1, "pred": 0, "all": None}[normalise]
    return counts / np.maximum(counts.sum(axis=axis, keepdims=True), 1)


def _write(axes: Any, values: NDArray[Any], top: float, *, percent: bool) -> None:
    size = 10 if len(values) <= 10 else 7
    for (i, j), value in np.ndenumerate(values):
        color = "white" if value >= DARK * top else ink()
        text = f"{100 * value:.0f}" if percent else f"{value:g}"
        axes.text(j, i, text, ha="center", va="center", color=color, size=size, alpha=1.0 if value else 0.4)
