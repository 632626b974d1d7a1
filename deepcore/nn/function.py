"""A function as a module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..transform.call import name_of
from ._module import Module

if TYPE_CHECKING:
    from collections.abc import Callable


class Lambda(Module):
    r"""A function without parameters as a module, $y = f(x)$.

    Parameters
    ----------
    function
        The function. A model that holds one is pickled only if the function can be: one with a name, not a ``lambda``.
    name
        What tables call it; the name of the function, if not given.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Lambda(lambda x: x[:, -1])(dc.ones((5, 3, 2))).shape
    (5, 2)
    """

    def __init__(self, function: Callable[..., Any], *, name: str | None = None) -> None:
        self.function = function
        self.name = name or name_of(function)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function does."""
        return self.function(*args, **kwargs)

    def describe(self) -> str:
        """Return the name."""
        return self.name
