"""The tape: immutable nodes that say how an array was computed, and the switch that decides whether they are made."""

from __future__ import annotations

import itertools
import weakref
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ._device import Device
    from ._primitive import Primitive
    from ._typing import Raw, Shape

next_order: Final[Callable[[], int]] = itertools.count().__next__
"""Numbers the nodes in the order in which they are made, which is an order of evaluation."""


class Node:
    """How an array was computed: a primitive, the nodes of its operands, and the raw arrays its rules asked for.

    A node never refers to a tensor, so a tensor, which is a handle, can be rebound (``x += 1``, ``x[i] = v``) while the
    graph stays as it was recorded.
    """

    __slots__ = ("device", "dtype", "order", "parameters", "parents", "primitive", "saved", "shape")

    def __init__(
        self,
        primitive: Primitive[...] | None,
        parents: tuple[Node | None, ...],
        saved: tuple[Any, ...] | None,
        parameters: dict[str, Any] | None,
        value: Raw,
        device: Device,
    ) -> None:
        self.primitive = primitive
        self.parents = parents
        self.saved = saved
        self.parameters = parameters
        self.shape: Shape = value.shape
        self.dtype = value.dtype
        self.device = device
        self.order = next_order()

    def __repr__(self) -> str:
        name = self.primitive.name if self.primitive else "leaf"
        return f"<node {self.order}: {name}{tuple(self.shape)}>"


class Leaf(Node):
    """Where a graph begins. It knows, weakly, the tensor that wants its gradient."""

    __slots__ = ("owner",)

    def __init__(self, value: Raw, device: Device, owner: object = None) -> None:
        super().__init__(None, (), (), None, value, device)
        self.owner = None if owner is None else weakref.ref(owner)


class Bundle(Node):
    """A computation that has several results. Each of them is an :class:`Output` of it."""

    __slots__ = ()

    def __init__(
        self,
        primitive: Primitive[...],
        parents: tuple[Node | None, ...],
        saved: tuple[Any, ...],
        parameters: dict[str, Any] | None,
        device: Device,
    ) -> None:
        self.primitive = primitive
        self.parents = parents
        self.saved = saved
        self.parameters = parameters
        self.shape = ()
        self.dtype = None
        self.device = device
        self.order = next_order()


class Output(Node):
    """One of the results of a bundle, by its name."""

    __slots__ = ("name",)

    def __init__(self, bundle: Bundle, name: str, value: Raw) -> None:
        super().__init__(bundle.primitive, (bundle,), (), None, value, bundle.device)
        self.name = name


class Parts(dict[str, Any]):
    """The cotangent of a bundle: those of its results, by their names."""

    __slots__ = ()

    def __add__(self, other: Parts) -> Parts:
        both = Parts(self)
        for name, dy in other.items():
            both[name] = both[name] + dy if name in both else dy
        return both


_recording: ContextVar[bool] = ContextVar("deepcore is recording", default=True)
is_recording: Final = _recording.get
"""What the engine asks at every operation: :func:`is_grad_enabled` without a call in between."""


def is_grad_enabled() -> bool:
    """Return whether operations on tensors that require gradients are recorded.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.is_grad_enabled()
    True
    """
    return _recording.get()


@contextmanager
def no_grad() -> Generator[None]:
    """Record nothing in this block (or, as a decorator, in this function).

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.ones(2, requires_grad=True)
    >>> with dc.no_grad():
    ...     y = 2 * w
    >>> y.requires_grad
    False
    """
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


@contextmanager
def enable_grad() -> Generator[None]:
    """Record in this block, also inside :func:`no_grad`."""
    token = _recording.set(True)
    try:
        yield
    finally:
        _recording.reset(token)
