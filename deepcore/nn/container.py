"""Modules made of modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, overload

from .._errors import DeepcoreError
from ._module import Module

if TYPE_CHECKING:
    from collections.abc import Iterator


class Sequential(Module):
    r"""Layers one after another, $y = f_n(\cdots f_2(f_1(x)))$.

    Parameters
    ----------
    layers
        The layers, first one first. They are ``model.layers``, ``model[0]``, and ``model[1:3]``, which is a model of
        the same layers.

    Examples
    --------
    >>> import deepcore as dc
    >>> model = dc.nn.Sequential(dc.nn.Dense(4, 8), dc.nn.Tanh(), dc.nn.Dense(8, 1))
    >>> model(dc.ones((2, 4))).shape
    (2, 1)
    """

    def __init__(self, *layers: Module) -> None:
        self.layers = list(layers)

    def tree_children(self) -> dict[str, Any]:
        """Return the layers by position, and what a subclass adds by name."""
        own = {name: value for name, value in super().tree_children().items() if name != "layers"}
        return {str(i): layer for i, layer in enumerate(self.layers)} | own

    def forward(self, x: Any) -> Any:
        """Apply the layers in order."""
        for i, layer in enumerate(self.layers):
            try:
                x = layer(x)
            except DeepcoreError as error:
                error.add_note(f"in layer {i} of {len(self.layers)}, {layer!r}")
                raise
        return x

    def append(self, layer: Module) -> Self:
        """Add a layer at the end, and return the model."""
        self.layers.append(layer)
        return self

    def __len__(self) -> int:
        return len(self.layers)

    @overload
    def __getitem__(self, index: int) -> Module: ...

    @overload
    def __getitem__(self, index: slice) -> Sequential: ...

    def __getitem__(self, index: int | slice) -> Module:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"
