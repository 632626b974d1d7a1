"""Modules whose paths part and meet again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import ConfigError, DeepcoreError, ShapeError
from .._tensor import Tensor
from ..ops.manipulation import concat
from ._module import Module
from .container import Sequential

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Residual(Module):
    r"""Layers beside a way around them, $y = F(x) + S(x)$.

    Parameters
    ----------
    layers
        The layers of $F$, one after another.
    shortcut
        The way around, $S$; the identity, if not given. Where $F$ changes the shape, a layer that does too.

    Raises
    ------
    ShapeError
        When called, if $F(x)$ and $S(x)$ differ in shape.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, CVPR 2016, equations 1 and 2.

    Examples
    --------
    >>> import deepcore as dc
    >>> block = dc.nn.Residual(dc.nn.Dense(4, 8, activation="relu"), dc.nn.Dense(8, 4))
    >>> block(dc.ones((2, 4))).shape
    (2, 4)
    """

    def __init__(self, *layers: Module, shortcut: Module | None = None) -> None:
        self.layers = Sequential(*layers)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both ways."""
        y: Tensor = self.layers(x)
        around: Tensor = x if self.shortcut is None else self.shortcut(x)
        if y.shape != around.shape:
            hint = "; give a shortcut=... that changes the shape likewise" if self.shortcut is None else ""
            msg = f"Residual: the layers give shape {y.shape}, and the way around them {around.shape}{hint}"
            raise ShapeError(msg)
        return y + around


class Parallel(Module):
    r"""Layers side by side on one input, $y = (f_1(x), \dots, f_n(x))$.

    Parameters
    ----------
    branches
        The layers.

    Examples
    --------
    >>> import deepcore as dc
    >>> ways = dc.nn.Parallel(dc.nn.Dense(4, 2), dc.nn.Dense(4, 3))
    >>> [y.shape for y in ways(dc.ones((5, 4)))]
    [(5, 2), (5, 3)]
    >>> dc.nn.Sequential(ways, dc.nn.Concatenate())(dc.ones((5, 4))).shape
    (5, 5)
    """

    def __init__(self, *branches: Module) -> None:
        if not branches:
            msg = "Parallel: there are no layers"
            raise ConfigError(msg)
        self.branches = list(branches)

    def tree_children(self) -> dict[str, Any]:
        """Return the layers by position, and what a subclass adds by name."""
        own = {name: value for name, value in super().tree_children().items() if name != "branches"}
        return {str(i): branch for i, branch in enumerate(self.branches)} | own

    def forward(self, x: Any) -> tuple[Any, ...]:
        """Return the result of every layer."""
        results: list[Any] = []
        for i, branch in enumerate(self.branches):
            try:
                results.append(branch(x))
            except DeepcoreError as error:
                error.add_note(f"in branch {i} of {len(self.branches)}, {branch!r}")
                raise
        return tuple(results)

    def __len__(self) -> int:
        return len(self.branches)

    def __getitem__(self, index: int) -> Module:
        return self.branches[index]

    def __iter__(self) -> Iterator[Module]:
        return iter(self.branches)

    def __repr__(self) -> str:
        return f"Parallel({', '.join(map(repr, self.branches))})"


class Concatenate(Module):
    r"""Several tensors as one, along an axis.

    Parameters
    ----------
    axis
        The axis; by default the last one, the features. The channels of images are axis 1.

    Raises
    ------
    ShapeError
        When called, if the tensors differ in shape elsewhere than along the axis.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Concatenate()((dc.ones((5, 2)), dc.ones((5, 3)))).shape
    (5, 5)
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, tensors: Sequence[Tensor] | Tensor) -> Tensor:
        """Return the tensors as one."""
        if isinstance(tensors, Tensor):
            msg = "Concatenate: expected several tensors, as Parallel gives them, got one"
            raise ShapeError(msg)
        return concat(tensors, axis=self.axis)

    def describe(self) -> str:
        """Return the axis."""
        return f"axis {self.axis}"
