"""Data sets by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._errors import ConfigError
from .cifar10 import cifar10
from .digits import digits
from .fashion_mnist import fashion_mnist
from .iris import iris
from .mnist import mnist
from .points import circles, moons, spirals, xor

if TYPE_CHECKING:
    from collections.abc import Callable

    from .dataset import Dataset

NAMES: Final[dict[str, Callable[..., Any]]] = {
    "cifar10": cifar10,
    "circles": circles,
    "digits": digits,
    "fashion-mnist": fashion_mnist,
    "iris": iris,
    "mnist": mnist,
    "moons": moons,
    "spirals": spirals,
    "xor": xor,
}


def load(name: str, **options: Any) -> Dataset | tuple[Dataset, Dataset]:
    """Return a data set by its name.

    Parameters
    ----------
    name
        One of cifar10, circles, digits, fashion-mnist, iris, mnist, moons, spirals and xor. Case and hyphens do not
        matter.
    **options
        Those of the function of this name.

    Returns
    -------
    dataset
        One data set, or a pair, for training and for testing, where the data were published so: of cifar10,
        fashion-mnist and mnist.

    Raises
    ------
    ConfigError
        For a name that is none of these.

    Examples
    --------
    >>> load("moons", n=50)
    Dataset('moons', 50 samples, inputs (2,) float32, targets () int64, 2 classes)
    """
    wanted = name.lower().replace("_", "").replace("-", "")
    for known, function in NAMES.items():
        if known.replace("-", "") == wanted:
            found: Dataset | tuple[Dataset, Dataset] = function(**options)
            return found
    message = f"there is no data set {name!r}; there are {', '.join(NAMES)}"
    raise ConfigError(message)
