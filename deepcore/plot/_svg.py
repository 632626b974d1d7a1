"""Plots within a page of HTML: SVG in the colours of the page, light or dark, which loads nothing."""

from __future__ import annotations

import base64
import io
import re
import warnings
import zlib
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._backend import Library
from ._figure import BLUE, VERMILION, figures, images

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

styles: Final[Any] = Library("matplotlib.style")

INK, SOFT, LINE, PAPER = "#1c1f24", "#5d6570", "#d9dde3", "#fefefe"
VARIABLES: Final = {
    INK: "--ink",
    SOFT: "--soft",
    LINE: "--line",
    PAPER: "--paper",
    BLUE: "--blue",
    VERMILION: "--vermilion",
}
"""Colours of plots that are those of the page."""

THEME: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "deepcore",
    "font.sans-serif": ["DejaVu Sans"],  # which is wider than what browsers take, so that nothing is cut
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": "medium",
    "axes.edgecolor": SOFT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": SOFT,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.facecolor": PAPER,
    "legend.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
}

STYLE: Final = """
:root { --blue: #0072b2; --vermilion: #d55e00; }
@media (prefers-color-scheme: dark) { :root { --blue: #4ba3dc; --vermilion: #f08a45; } }
figure { margin: 1rem 0; } figcaption { color: var(--soft); font-size: 13px; }
figure svg, .drawing svg { max-width: 100%; height: auto; }
svg text { font-family: system-ui, sans-serif; }
"""

_NO_METADATA: Final = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def picture(draw: Callable[[Any], Any], size: tuple[float, float], alt: str, caption: str = "") -> str:
    """Return a plot as an element of a page.

    Parameters
    ----------
    draw
        Called with the axes to draw into.
    size
        The size in inches.
    alt
        What is said to who does not see it.
    caption
        What is written below it.
    """
    with styles.context(["default", THEME]), warnings.catch_warnings():
        # A browser has fonts for what the font with which Matplotlib measures text has not.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = figures.Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        file = io.BytesIO()
        # The layout does not know how wide axes of a fixed aspect will be, and would cut their labels.
        figure.savefig(file, format="svg", bbox_inches="tight", metadata=_NO_METADATA)
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{inlined(file.getvalue().decode(), alt)}{below}</figure>"


def inlined(svg: str, alt: str) -> str:
    """Return an SVG file as a part of a page: without addresses, with names that are nowhere else in the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r"(data:image/png;base64,)\s+", r"\1", svg)
    svg = re.sub(r'font-family: [^;"]*;? ?', "", svg)
    svg = re.sub(r" +transform=\"rotate\(-?0 [^)]*\)\"", "", svg)
    prefix = f"p{zlib.crc32(svg.encode()):08x}-"
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda m: f' id="{prefix}{m[1]}"' if m[1] in used else "", svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}", svg)
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    svg = re.sub(r"\s*\n\s*", " ", svg.strip())
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)


def png(pixels: NDArray[Any]) -> str:
    """Return an image, (h, w) or (h, w, 3) of numbers from 0 to 1, as an address that holds all of it."""
    gray = np.repeat(pixels[..., None], 3, axis=-1) if pixels.ndim == 2 else pixels
    file = io.BytesIO()
    images.imsave(file, np.clip(gray * 255, 0, 255).round().astype(np.uint8), format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
