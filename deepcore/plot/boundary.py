"""What a model says of every point of a plane."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import ConfigError, DataError, ShapeError
from ._figure import CYCLE, MARKERS, axes_for, class_names, colors, ink, shortened
from ._outcome import on_host, outcome, predicted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ._outcome import Outcome, Predicts

FEATURES: Final = ("feature 1", "feature 2")
POINTS: Final = 2000
"""How many samples are drawn at most, evenly chosen: of more one sees no more."""


def decision_boundary(
    model: Predicts,
    X: Any,
    y: Any,
    *,
    classes: Sequence[object] = (),
    features: Sequence[object] = FEATURES,
    task: str | None = None,
    threshold: float = 0.0,
    resolution: int = 200,
    batch_size: int = 4096,
    ax: Any = None,
) -> Any:
    """Draw what a model makes of two features: the classes of the plane, or a surface over it, and the samples.

    Parameters
    ----------
    model
        A model, which is asked in evaluation mode on its device; or a function from NumPy arrays to predictions, such
        as ``trainer.predict``.
    X
        Samples of two features, (n, 2). Of more than 2,000 some are drawn, evenly chosen.
    y
        Their classes, of shape (n,) or as rows of which one element is 1; or numbers, (n,) or (n, 1), in a regression.
    classes
        The names of the classes.
    features
        What is written at the axes.
    task
        ``"classification"`` or ``"regression"``; where it is not given, a single score is that of a class if the
        targets are the whole numbers 0 and 1.
    threshold
        What a single score must exceed to say yes: 0 for logits, 0.5 for probabilities.
    resolution
        The number of points along each side of the picture.
    batch_size
        How many of these the model is asked about at once.
    ax
        The axes to draw into; new ones, if not given.

    Returns
    -------
    ax
        The axes. Their image is the class of every point of the plane, or the prediction in a regression; samples that
        are taken for another class have an edge.

    Raises
    ------
    BackendError
        If Matplotlib is not installed.
    ConfigError
        If the task or the resolution is none, or there are not as many names as classes or features.
    DataError
        If the samples do not have two features, or the targets are neither classes nor numbers of the predictions.
    ShapeError
        If there are not as many targets as samples.

    Examples
    --------
    >>> from deepcore import data, nn, plot
    >>> moons = data.moons(100, seed=0)
    >>> ax = plot.decision_boundary(nn.Dense(2, 2), moons.inputs, moons.targets, resolution=20)
    >>> ax.images[0].get_array().shape
    (20, 20)
    """
    if task not in (None, "classification", "regression"):
        msg = f"decision_boundary: unknown task {task!r}; it is classification, regression, or None, to see it from y"
        raise ConfigError(msg)
    if resolution < 2:
        msg = f"decision_boundary: the resolution is at least 2, not {resolution}"
        raise ConfigError(msg)
    points = on_host(X)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or len(features) != 2:
        msg = (
            "decision_boundary: draws samples of two features with a name each, of shape (n, 2), not of shape "
            f"{points.shape} with {len(features)} names"
        )
        raise DataError(msg)
    if not np.isfinite(points).all():
        msg = "decision_boundary: samples have NaNs or infinities, which are at no point of the plane; leave them out"
        raise DataError(msg)
    if len(on_host(y)) != len(points):
        msg = f"decision_boundary: {len(points)} samples do not go with {len(on_host(y))} targets; give one for each"
        raise ShapeError(msg)
    shown = np.unique(np.linspace(0, len(points) - 1, POINTS).round().astype(int))
    points, targets = points[shown], on_host(y)[shown]
    found = outcome(predicted(model, points, batch_size), targets, task=task, threshold=threshold)
    if found is None:
        msg = (
            "decision_boundary: draws one class or one number for each sample, and predictions and targets of shape "
            f"{targets.shape} are neither; choose a column of a model that gives several numbers"
        )
        raise DataError(msg)
    names = class_names(found.n_classes, classes, "decision_boundary") if found.n_classes else []
    axes = axes_for(ax, (5.5, 4.5))
    extent, grid = _plane(points, resolution)
    dtype = points.dtype if points.dtype.kind == "f" else np.float32
    plane = predicted(model, grid.astype(dtype), batch_size)
    if found.n_classes:
        single = plane.size == len(grid)
        classes_there = plane.reshape(-1) > threshold if single else plane.argmax(axis=1)
        _draw_classes(axes, classes_there.reshape(resolution, resolution), extent, points, found, names)
    else:
        _draw_surface(axes, plane.reshape(resolution, resolution), extent, points, found)
    axes.set_xlim(extent[:2])
    axes.set_ylim(extent[2:])
    axes.set_xlabel(shortened(features[0], 40))
    axes.set_ylabel(shortened(features[1], 40))
    return axes


def _plane(points: NDArray[Any], resolution: int) -> tuple[list[float], NDArray[Any]]:
    """Return the ends of the picture, and the points in the middles of its pixels, row by row from below."""
    extent: list[float] = []
    middles: list[NDArray[Any]] = []
    for low, high in zip(points.min(axis=0), points.max(axis=0), strict=True):
        margin = 0.1 * float(high - low) or 0.5
        ends = np.linspace(low - margin, high + margin, resolution + 1)
        extent += [float(ends[0]), float(ends[-1])]
        middles.append((ends[1:] + ends[:-1]) / 2)
    across, up = np.meshgrid(*middles)
    return extent, np.stack([across.ravel(), up.ravel()], axis=1)


def _draw_classes(
    axes: Any, plane: NDArray[Any], extent: list[float], points: NDArray[Any], found: Outcome, names: list[str]
) -> None:
    palette = [color for color, _ in zip(itertools.cycle(CYCLE), names, strict=False)]
    shades = colors.ListedColormap([(*colors.to_rgb(color), 0.3) for color in palette])
    options: dict[str, Any] = {"origin": "lower", "aspect": "auto", "interpolation": "none"}
    axes.imshow(plane.astype(int), extent=extent, cmap=shades, vmin=-0.5, vmax=len(names) - 0.5, **options)
    legend: dict[str, Any] = {}
    for k, (name, color) in enumerate(zip(names, palette, strict=True)):
        own = found.right == k
        if not own.any():
            continue
        wrong = own & (found.chosen != k)
        style: dict[str, Any] = {"s": 26, "marker": MARKERS[k % len(MARKERS)], "facecolors": color}
        legend[shortened(name)] = axes.scatter(*points[own].T, linewidths=0, alpha=0.8, **style)
        if wrong.any():
            axes.scatter(*points[wrong].T, linewidths=1.2, edgecolors=ink(), **style)
            legend["taken for another"] = axes.scatter([], [], s=26, color="none", edgecolors=ink(), linewidths=1.2)
    if "taken for another" in legend:
        legend["taken for another"] = legend.pop("taken for another")  # the last one
    outside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if len(legend) > 4 else {}
    axes.legend(list(legend.values()), list(legend), framealpha=0.7, **outside)


def _draw_surface(axes: Any, plane: NDArray[Any], extent: list[float], points: NDArray[Any], found: Outcome) -> None:
    low, high = (float(f([f(plane), f(found.right)])) for f in (np.min, np.max))
    scale: dict[str, Any] = {"cmap": "cividis", "vmin": low, "vmax": high}
    image = axes.imshow(plane, extent=extent, origin="lower", aspect="auto", interpolation="none", **scale)
    axes.scatter(*points.T, c=found.right, s=26, edgecolors="white", linewidths=0.6, **scale)
    axes.figure.colorbar(image, ax=axes).set_label("prediction, and target of the samples")
