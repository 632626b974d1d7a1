"""Points in the plane, in classes that no line separates: made from a seed, the same on every machine."""

from __future__ import annotations

import numpy as np

from .._errors import ConfigError
from ..random.generator import Generator
from .dataset import Dataset


def moons(n: int = 200, *, noise: float = 0.1, seed: int = 0) -> Dataset:
    r"""Return points on two half circles that reach into each other.

    The upper, class 0, is $(\cos t, \sin t)$, and the lower $(1 - \cos t, \tfrac12 - \sin t)$, at equal distances for
    $0 \le t \le \pi$, as in scikit-learn's ``make_moons``.

    Parameters
    ----------
    n
        The number of points, half of it (rounded down) on the upper one.
    noise
        The standard deviation of normally distributed shifts in both directions.
    seed
        0 to 2**64 - 1: decides the noise and the order.

    Returns
    -------
    dataset
        Inputs are float32 of shape (n, 2), and targets int64 labels of shape (n,).

    Raises
    ------
    ConfigError
        For fewer points than classes, negative noise, or a seed out of range.

    Examples
    --------
    >>> moons(100)
    Dataset('moons', 100 samples, inputs (2,) float32, targets () int64, 2 classes)
    """
    upper, lower = (np.linspace(0, np.pi, count) for count in _halves(n))
    x = np.concatenate([np.cos(upper), 1 - np.cos(lower)])
    y = np.concatenate([np.sin(upper), 0.5 - np.sin(lower)])
    return _dataset("moons", x, y, np.repeat([0, 1], _halves(n)), noise, seed, ("upper", "lower"))


def circles(n: int = 200, *, noise: float = 0.05, factor: float = 0.5, seed: int = 0) -> Dataset:
    r"""Return points on two circles about the origin, at equal distances, as in scikit-learn's ``make_circles``.

    Parameters
    ----------
    n
        The number of points, half of it (rounded down) on the outer one, of radius 1, which is class 0.
    noise
        The standard deviation of normally distributed shifts in both directions.
    factor
        The radius of the inner one, from 0 up to, but not including, 1.
    seed
        0 to 2**64 - 1: decides the noise and the order.

    Returns
    -------
    dataset
        As that of `moons`.

    Raises
    ------
    ConfigError
        For options out of range.

    Examples
    --------
    >>> circles(100).classes
    ('outer', 'inner')
    """
    if not 0 <= factor < 1:
        message = f"circles: the factor is from 0 up to 1, and not {factor}"
        raise ConfigError(message)
    t = np.concatenate([np.linspace(0, 2 * np.pi, count, endpoint=False) for count in _halves(n)])
    radius = np.repeat([1.0, factor], _halves(n))
    return _dataset(
        "circles",
        radius * np.cos(t),
        radius * np.sin(t),
        np.repeat([0, 1], _halves(n)),
        noise,
        seed,
        ("outer", "inner"),
    )


def spirals(n: int = 300, *, n_classes: int = 2, turns: float = 1.0, noise: float = 0.02, seed: int = 0) -> Dataset:
    r"""Return points on spirals that wind around each other, one for each class.

    That of class $c$ of $C$ is $r\,(\cos\varphi, \sin\varphi)$ with $\varphi = 2\pi (\text{turns} \cdot r + c/C)$, at
    equal distances of $r$ up to 1.

    Parameters
    ----------
    n
        The number of points; classes differ by at most one.
    n_classes
        The number of spirals, at least 1.
    turns
        How often each goes around the origin.
    noise
        The standard deviation of normally distributed shifts in both directions.
    seed
        0 to 2**64 - 1: decides the noise and the order.

    Returns
    -------
    dataset
        As that of `moons`.

    Raises
    ------
    ConfigError
        For options out of range.

    Examples
    --------
    >>> spirals(300, n_classes=3)
    Dataset('spirals', 300 samples, inputs (2,) float32, targets () int64, 3 classes)

    References
    ----------
    K. J. Lang and M. J. Witbrock, Learning to tell two spirals apart, Proceedings of the 1988 Connectionist Models
    Summer School, for the task.
    """
    if not 1 <= n_classes <= n:
        message = f"spirals: there are 1 to {n} classes of {n} points, and not {n_classes}"
        raise ConfigError(message)
    labels = np.sort(np.arange(n) % n_classes)
    counts = np.bincount(labels)
    r = np.concatenate([np.arange(1, count + 1) / count for count in counts])
    angle = 2 * np.pi * (turns * r + labels / n_classes)
    names = tuple(str(c) for c in range(n_classes))
    return _dataset("spirals", r * np.cos(angle), r * np.sin(angle), labels, noise, seed, names)


def xor(n: int = 200, *, noise: float = 0.0, seed: int = 0) -> Dataset:
    """Return points of a square, in class 1 where exactly one of the coordinates is positive.

    They are uniformly distributed over the square from -1 to 1 in both directions, before they are shifted.

    Parameters
    ----------
    n
        The number of points.
    noise
        The standard deviation of normally distributed shifts in both directions.
    seed
        0 to 2**64 - 1: decides the points.

    Returns
    -------
    dataset
        As that of `moons`.

    Raises
    ------
    ConfigError
        For options out of range.

    Examples
    --------
    >>> data = xor(4)
    >>> bool((data.targets == ((data.inputs > 0).sum(axis=1) == 1)).all())
    True
    """
    _halves(n)
    x, y = 2 * Generator(seed, draw=2).uniform((2, n), device="cpu").numpy().astype(np.float64) - 1
    return _dataset("xor", x, y, ((x > 0) != (y > 0)).astype(np.int64), noise, seed, ("same", "different"))


def _halves(n: int) -> tuple[int, int]:
    """Return the numbers of points of two classes."""
    if n < 2:
        message = f"two classes have at least 2 points, not {n}"
        raise ConfigError(message)
    return n // 2, n - n // 2


def _dataset(
    name: str, x: object, y: object, labels: object, noise: float, seed: int, classes: tuple[str, ...]
) -> Dataset:
    """Return points in random order, shifted at random."""
    points, targets = np.stack([np.asarray(x), np.asarray(y)], axis=1), np.asarray(labels, np.int64)
    if not noise >= 0:
        message = f"{name}: noise is a standard deviation, not below 0, and not {noise}"
        raise ConfigError(message)
    generator = Generator(seed)
    order = generator.permutation(len(points), device="cpu").numpy()
    points = points[order]
    if noise:
        points = points + noise * generator.normal(points.shape, device="cpu").numpy()
    return Dataset(points.astype(np.float32), targets[order], name=name, classes=classes)
