"""What plots are drawn with: Matplotlib, where it is installed, new figures, colours, and files."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .._backend import Library
from .._errors import ConfigError
from .._files import replacing

if TYPE_CHECKING:
    import os

_NEEDS: Final = "plots need Matplotlib; install it with: pip install 'deepcore-xp[plot]'"

matplotlib: Final[Any] = Library("matplotlib", needs=_NEEDS)
colors: Final[Any] = Library("matplotlib.colors", needs=_NEEDS)
figures: Final[Any] = Library("matplotlib.figure", needs=_NEEDS)
images: Final[Any] = Library("matplotlib.image", needs=_NEEDS)
patches: Final[Any] = Library("matplotlib.patches", needs=_NEEDS)
pyplot: Final[Any] = Library("matplotlib.pyplot", needs=_NEEDS)

BLUE, VERMILION = "#0072b2", "#d55e00"
CYCLE: Final = (BLUE, VERMILION, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#8a929e")
"""Colours of M. Okabe and K. Ito, Color Universal Design, 2008, in an order that is readable on white and on black,
with a violet and a grey instead of yellow and black, which are not."""

MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Classes differ in shape too, so that they do not depend on colour alone."""


def new_figure(size: tuple[float, float]) -> Any:
    """Return a figure of a size in inches.

    It is one of ``pyplot``, which shows it, where the user works with pyplot or in a notebook, and otherwise belongs to
    nobody but the caller, so that a program that draws a thousand of them does not keep them all.
    """
    options = {"figsize": size, "layout": "constrained"}
    if "matplotlib.pyplot" in sys.modules or hasattr(builtins, "__IPYTHON__"):
        return pyplot.figure(**options)
    return figures.Figure(**options)


def close(figure: Any) -> None:
    """Let pyplot forget a figure."""
    if "matplotlib.pyplot" in sys.modules:
        pyplot.close(figure)


def axes_for(ax: Any, size: tuple[float, float] = (5.0, 3.5)) -> Any:
    """Return the axes that were given, or else those of a new figure."""
    return new_figure(size).add_subplot() if ax is None else ax


def save(figure: Any, path: str | os.PathLike[str]) -> None:
    """Write a figure to a file, whose ending says in which format; the file is complete or not there.

    Raises
    ------
    ConfigError
        If the ending is that of no format that Matplotlib can write.
    StorageError
        If the file cannot be written.
    """
    destination = Path(path)
    known = sorted(figure.canvas.get_supported_filetypes())
    form = destination.suffix.removeprefix(".").lower()
    if form not in known:
        msg = f"plot: the ending of {destination.name!r} names no format of pictures; give one of {', '.join(known)}"
        raise ConfigError(msg)
    with replacing(destination) as file:
        figure.savefig(file, format=form, dpi=150)


def plain(text: object) -> str:
    """Return text of the user as Matplotlib has to be told it, so that dollars are dollars, and no mathematics."""
    return str(text).replace("$", r"\$")


def shortened(text: object, most: int = 24) -> str:
    """Return text of the user that is not too long for a plot: its beginning, and its end, where names often differ."""
    words = str(text)
    tail = most // 3
    return plain(words if len(words) <= most else f"{words[: most - tail - 1]}…{words[-tail:]}")


def ink() -> Any:
    """Return the colour of text."""
    return matplotlib.rcParams["text.color"]


def rising(color: str) -> Any:
    """Return a colour map from nothing at all to a colour, which shows 0 as the ground is, white or black."""
    return colors.LinearSegmentedColormap.from_list("rising", [(*colors.to_rgb(color), a) for a in (0.0, 1.0)])


def diverging() -> Any:
    """Return a colour map from one colour through nothing at all to another, which shows 0 as the ground is.

    What is no number is grey.
    """
    low, high = colors.to_rgb(VERMILION), colors.to_rgb(BLUE)
    stops = [(0.0, (*low, 1.0)), (0.5, (*low, 0.0)), (0.5, (*high, 0.0)), (1.0, (*high, 1.0))]
    return colors.LinearSegmentedColormap.from_list("diverging", stops).with_extremes(bad=(0.5, 0.5, 0.5, 0.25))


def class_names(n: int, names: Any, who: str) -> list[str]:
    """Return the names of n classes, which are their numbers if they have none.

    Raises
    ------
    ConfigError
        If there are names, but not as many.
    """
    found = [str(name) for name in names]
    if found and len(found) != n:
        msg = f"{who}: there are {n} classes, but {len(found)} names of classes; give a name for each, or none"
        raise ConfigError(msg)
    return found or [str(k) for k in range(n)]
