"""How far predicted numbers are from what they should be, as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._errors import DataError
from ._figure import BLUE, axes_for, ink
from ._outcome import on_host
from .boundary import POINTS


def prediction_error(prediction: Any, target: Any, *, ax: Any = None) -> Any:
    """Draw predictions of a regression against their targets: what is right is on the diagonal.

    Parameters
    ----------
    prediction
        Numbers of any shape. Of more than 2,000 some are drawn, evenly chosen.
    target
        What they should be, of the same number of elements.
    ax
        The axes to draw into; new ones, if not given.

    Returns
    -------
    ax
        The axes.

    Raises
    ------
    BackendError
        If Matplotlib is not installed.
    DataError
        If there are no numbers, or not as many of the one as of the other.

    Examples
    --------
    >>> import numpy as np
    >>> from deepcore import plot
    >>> ax = plot.prediction_error(np.array([1.0, 2.0]), np.array([1.5, 2.0]))
    >>> ax.collections[0].get_offsets().tolist()
    [[1.5, 1.0], [2.0, 2.0]]
    """
    guess, right = on_host(prediction).reshape(-1), on_host(target).reshape(-1)
    if guess.size != right.size or not guess.size:
        msg = f"prediction_error: {guess.size} predictions do not go with {right.size} targets; give one of each"
        raise DataError(msg)
    shown = np.unique(np.linspace(0, guess.size - 1, POINTS).round().astype(int))
    guess, right = guess[shown], right[shown]
    axes = axes_for(ax, (4.5, 4.5))
    low, high = float(min(guess.min(), right.min())), float(max(guess.max(), right.max()))
    axes.plot([low, high], [low, high], color=ink(), linewidth=1, alpha=0.6, label="right")
    axes.scatter(right, guess, s=18, color=BLUE, alpha=0.6, linewidths=0, label="samples")
    axes.set_xlabel("target")
    axes.set_ylabel("prediction")
    axes.grid(alpha=0.25)
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(frameon=False)
    return axes
