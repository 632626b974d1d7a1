"""The data sets that have a name, and what each is trained with where the command line does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..data.named import NAMES


@dataclass(frozen=True)
class Defaults:
    """What data are trained with where the command line does not say: a perceptron with these hidden units."""

    epochs: int
    batch_size: int
    hidden: tuple[int, ...]


_POINTS: Final = Defaults(epochs=100, batch_size=16, hidden=(32, 32))
OF_FILES: Final = Defaults(epochs=30, batch_size=32, hidden=(128, 64))
DEFAULTS: Final = {
    "cifar10": Defaults(epochs=20, batch_size=64, hidden=(512, 256)),
    "circles": _POINTS,
    "digits": Defaults(epochs=30, batch_size=32, hidden=(256, 128)),
    "fashion-mnist": Defaults(epochs=10, batch_size=50, hidden=(100, 50)),
    "iris": Defaults(epochs=100, batch_size=16, hidden=(32,)),
    "mnist": Defaults(epochs=10, batch_size=50, hidden=(100, 50)),
    "moons": _POINTS,
    "spirals": Defaults(epochs=200, batch_size=16, hidden=(64, 64)),
    "xor": _POINTS,
}
DOWNLOADED: Final = ("cifar10", "fashion-mnist", "mnist")
"""Those that are fetched, and have a part for testing."""

COMPACT: Final = ("fashion-mnist", "mnist")
"""Those that can be held as the bytes of their files."""

TABLES: Final = ("iris",)
"""Those whose features are standardised."""


def named(data: str) -> str | None:
    """Return the name of a data set as it is written here, or None for what is no name of one."""
    wanted = data.lower().replace("_", "").replace("-", "")
    return next((name for name in NAMES if name.replace("-", "") == wanted), None)


def defaults_of(data: str) -> Defaults:
    """Return what a data set is trained with, or what files are."""
    name = named(data)
    return OF_FILES if name is None else DEFAULTS.get(name, OF_FILES)
