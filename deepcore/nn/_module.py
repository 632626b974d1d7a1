"""Models as trees: a module's parameters are its attributes, and those of the modules it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from .._device import device as find_device
from .._errors import DTypeError, StateError
from .._tape import no_grad
from .._tensor import Tensor
from ..ops.creation import asarray
from ..tree import children
from ._table import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    from .._device import Device
    from .._typing import DeviceLike


class Parameter(Tensor):
    """A tensor that a module learns. Unlike other tensors among a module's attributes, it is given to optimizers.

    Parameters
    ----------
    value
        The initial value.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Parameter(dc.zeros(2)).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, value: Tensor) -> None:
        if not value.dtype.is_inexact:
            msg = f"a parameter is floating point, and this value is {value.dtype}"
            raise DTypeError(msg)
        self._data, self._device, self._node = value._data, value._device, None
        self.requires_grad = True

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return (_restore, (self.numpy(), str(self._device), self.requires_grad))


def _restore(values: np.ndarray[Any, Any], device: str, requires_grad: bool) -> Parameter:
    parameter = Parameter(asarray(values, device=device))
    parameter.requires_grad = requires_grad
    return parameter


observers: Final[list[Any]] = []
"""Functions that are called with every module and its result, while they are in this list."""


def _no_forward(self: Module, *args: Any, **kwargs: Any) -> Any:
    """Compute the result. Subclasses define it; callers call the module itself."""
    msg = f"{type(self).__name__} defines no forward(...)"
    raise NotImplementedError(msg)


class Module:
    """The base of all layers and models.

    A subclass sets its parameters and parts as attributes and defines :meth:`forward`. Attributes that are
    :class:`Parameter` are learned; other tensors are buffers, which are saved but not learned; attributes whose name
    begins with an underscore are neither.

    Examples
    --------
    A line through the origin:

    >>> import deepcore as dc
    >>> class Line(dc.nn.Module):
    ...     def __init__(self):
    ...         self.slope = dc.nn.Parameter(dc.asarray(2.0))
    ...
    ...     def forward(self, x):
    ...         return self.slope * x
    >>> Line()(dc.asarray([1.0, 2.0])).tolist()
    [2.0, 4.0]
    """

    training: bool = True

    # Not a method, because the arguments are each subclass's own.
    forward: Callable[..., Any] = _no_forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the result."""
        result = self.forward(*args, **kwargs)
        for observe in observers:
            observe(self, result)
        return result

    # ---------------------------------------------------------------------------------------------------- the tree

    def tree_children(self) -> dict[str, Any]:
        """Return the attributes that may hold parameters, buffers or modules."""
        return {
            name: value
            for name, value in vars(self).items()
            if not name.startswith("_") and isinstance(value, (Tensor, Module, list, tuple, dict))
        }

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and every module in it with its path, each once."""
        yield from _modules(self, prefix, set())

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yield every parameter and buffer with its path, each once."""
        yield from _tensors(self, "", set())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter with its path, each once, frozen ones too."""
        for name, value in self.named_tensors():
            if isinstance(value, Parameter):
                yield name, value

    def parameters(self) -> list[Parameter]:
        """Return every parameter."""
        return [value for _, value in self.named_parameters()]

    @property
    def n_parameters(self) -> int:
        """The number of learned numbers."""
        return sum(p.size for p in self.parameters())

    @property
    def device(self) -> Device:
        """The device that the parameters are on; the default one, if there are none."""
        first = next((value.device for _, value in self.named_tensors()), None)
        return find_device(first)

    # ---------------------------------------------------------------------------------------------------- modes

    def train(self, mode: bool = True) -> Self:
        """Switch to training: dropout drops, normalisation uses the batch's statistics."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation."""
        return self.train(mode=False)

    def freeze(self, *, frozen: bool = True) -> Self:
        """Stop learning (or, with ``frozen=False``, learn again) every parameter of this module."""
        for parameter in self.parameters():
            parameter.requires_grad = not frozen
            parameter.grad = None
        return self

    def zero_grad(self) -> None:
        """Forget the gradients of every parameter."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, device: DeviceLike) -> Self:
        """Move every parameter and buffer to a device. The tensors stay the same objects, so optimizers keep them."""
        target = find_device(device)
        for _, value in self.named_tensors():
            moved = value.detach().to_device(target)
            tracked = value.requires_grad
            value._data, value._device, value._node = moved._data, moved._device, None
            value.requires_grad = tracked
            if value.grad is not None:
                value.grad = value.grad.detach().to_device(target)
        return self

    # ---------------------------------------------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Tensor]:
        """Return every parameter and buffer by path, detached. Later training does not change what was returned."""
        return {name: value.detach() for name, value in self.named_tensors()}

    def load_state_dict(self, state: Mapping[str, Tensor | np.ndarray[Any, Any]], *, strict: bool = True) -> None:
        """Set parameters and buffers by path.

        Parameters
        ----------
        state
            What :meth:`state_dict` returned, or NumPy arrays by the same names.
        strict
            Whether every name must be in both.

        Raises
        ------
        StateError
            If names or shapes differ. The message lists them all, and nothing has been changed.
        """
        own = dict(self.named_tensors())
        problems = [
            f"{name}: shape {tuple(state[name].shape)} in the state, {value.shape} in the model"
            for name, value in own.items()
            if name in state and tuple(state[name].shape) != value.shape
        ]
        if strict:
            problems += [f"{name}: missing in the state" for name in own if name not in state]
            problems += [f"{name}: not in the model" for name in state if name not in own]
        if problems:
            msg = "\n  ".join(["the state does not fit the model:", *problems])
            raise StateError(msg)
        with no_grad():
            new = {
                name: asarray(state[name], device=value.device).detach().astype(value.dtype)
                for name, value in own.items()
                if name in state
            }
            for name, value in new.items():
                own[name]._rebind(value)

    # ---------------------------------------------------------------------------------------------------- for people

    def describe(self) -> str:
        """Return what distinguishes this layer from others of its kind, for tables: ``"784 → 100"``."""
        return ""

    def __repr__(self) -> str:
        inside = self.describe()
        return f"{type(self).__name__}({inside})"

    def __str__(self) -> str:
        return table(self, {})


def _modules(node: object, path: str, seen: set[int]) -> Iterator[tuple[str, Module]]:
    if id(node) in seen:
        return
    if isinstance(node, Module):
        seen.add(id(node))
        yield path, node
    for name, child in (children(node) or {}).items():
        yield from _modules(child, f"{path}.{name}" if path else name, seen)


def _tensors(node: object, path: str, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    if isinstance(node, (Tensor, Module)):
        if id(node) in seen:
            return
        seen.add(id(node))
    if isinstance(node, Tensor):
        yield path, node
        return
    for name, child in (children(node) or {}).items():
        yield from _tensors(child, f"{path}.{name}" if path else name, seen)
