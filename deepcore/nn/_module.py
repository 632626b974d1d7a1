"""Models as trees: a module's parameters are its attributes, and those of the modules it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from .._device import device as find_device
from .._dtype import as_dtype
from .._errors import DTypeError, StateError
from .._tape import no_grad
from .._tensor import Tensor
from ..ops.creation import asarray
from ..tree import children
from ._hooks import Hooks
from ._parameter import Parameter
from ._table import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    from .._device import Device
    from .._dtype import DType
    from .._typing import DeviceLike
    from ._hooks import BackwardHook, ForwardHook, HookHandle, PreHook


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
    _hooks: Hooks | None = None

    # Not a method, because the arguments are each subclass's own.
    forward: Callable[..., Any] = _no_forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the result."""
        result = self.forward(*args, **kwargs) if self._hooks is None else self._hooks.call(self, args, kwargs)
        for observe in observers:
            observe(self, result)
        return result

    # --------------------------------------------------------------------------------------------------------- hooks

    def register_forward_pre_hook(self, hook: PreHook) -> HookHandle:
        """Call a function before every call of this module.

        Parameters
        ----------
        hook
            ``hook(module, args)``. Unless it returns None, what it returns is what the module is called with instead:
            a tuple of arguments, or the only argument.

        Returns
        -------
        HookHandle
            Its ``remove()`` takes the hook away; as a context manager it does so at the end.
        """
        return self._own_hooks().add("before", hook)

    def register_forward_hook(self, hook: ForwardHook) -> HookHandle:
        """Call a function after every call of this module.

        Parameters
        ----------
        hook
            ``hook(module, args, result)``. Unless it returns None, what it returns is the result instead.

        Returns
        -------
        HookHandle
            Its ``remove()`` takes the hook away; as a context manager it does so at the end.

        Examples
        --------
        >>> import deepcore as dc
        >>> layer = dc.nn.Dense(2, 3)
        >>> with layer.register_forward_hook(lambda module, args, result: print(args[0].shape, "to", result.shape)):
        ...     y = layer(dc.ones((5, 2)))
        (5, 2) to (5, 3)
        """
        return self._own_hooks().add("after", hook)

    def register_backward_hook(self, hook: BackwardHook) -> HookHandle:
        """Call a function with the cotangent of the result when the reverse sweep comes by.

        Parameters
        ----------
        hook
            ``hook(module, cotangent)``, once for each tensor of the result that has a cotangent. Unless it returns
            None, what it returns goes on instead.

        Returns
        -------
        HookHandle
            Its ``remove()`` takes the hook away; as a context manager it does so at the end.

        Examples
        --------
        >>> import deepcore as dc
        >>> layer = dc.nn.Dense(2, 1)
        >>> with layer.register_backward_hook(lambda module, dy: print(dy.tolist())):
        ...     layer(dc.ones((2, 2))).sum().backward()
        [[1.0], [1.0]]
        """
        return self._own_hooks().add("backward", hook)

    def _own_hooks(self) -> Hooks:
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks

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

    def tree_mapped(self, function: Callable[[Any], Any]) -> Self:
        """Return a copy in which the parameters that are learned are what a function makes of them.

        What is shared stays shared, and everything else (frozen parameters, buffers, hooks) is this module's own.
        """
        copied: Self = _mapped(self, function, {})
        return copied

    def apply(self, function: Callable[[Module], object]) -> Self:
        """Call a function with every module in this one, and then with this one: the parts come first.

        Examples
        --------
        >>> import deepcore as dc
        >>> def to_zero(module):
        ...     if isinstance(module, dc.nn.Dense):
        ...         module.weight[...] = 0.0
        >>> with dc.no_grad():
        ...     model = dc.nn.Sequential(dc.nn.Dense(2, 2), dc.nn.Dense(2, 1)).apply(to_zero)
        >>> model(dc.ones((1, 2))).tolist()
        [[0.0]]
        """
        for _, module in reversed(list(self.named_modules())):
            function(module)
        return self

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
            _replace(value, value.detach().to_device(target))
            if value.grad is not None:
                value.grad = value.grad.detach().to_device(target)
        return self

    def astype(self, dtype: DType) -> Self:
        """Convert every floating-point parameter and buffer. The tensors stay the same objects, as in :meth:`to`.

        Raises
        ------
        DTypeError
            If the data type is not floating point.
        """
        if not as_dtype(dtype).is_inexact:
            msg = f"a model computes in floating-point numbers, and {as_dtype(dtype)} is not a type of these"
            raise DTypeError(msg)
        for _, value in self.named_tensors():
            if value.dtype.is_inexact:
                with no_grad():
                    converted = value.detach().astype(dtype)
                _replace(value, converted)
                if value.grad is not None:
                    value.grad = value.grad.detach().astype(dtype)
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


def _replace(tensor: Tensor, new: Tensor) -> None:
    """Let a parameter or buffer have another value, which may be of another type or elsewhere."""
    tracked = tensor.requires_grad
    tensor._data, tensor._device, tensor._node = new._data, new._device, None
    tensor.requires_grad = tracked


def _mapped(node: Any, function: Callable[[Any], Any], known: dict[int, Any]) -> Any:
    """Return a copy of a part of a model; what has been copied already, by its id, is known."""
    if id(node) in known:
        return known[id(node)]
    if isinstance(node, Module):
        copied = known[id(node)] = object.__new__(type(node))
        vars(copied).update(vars(node))
        for name, value in vars(node).items():
            if not name.startswith("_"):
                vars(copied)[name] = _mapped(value, function, known)
        return copied
    if isinstance(node, Parameter) and node.requires_grad:
        value = function(node)
        parameter = known[id(node)] = object.__new__(type(node))
        parameter._data, parameter._device, parameter._node = value._data, value._device, value._node
        return parameter
    if isinstance(node, dict):
        return {key: _mapped(value, function, known) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        items = [_mapped(value, function, known) for value in node]
        return type(node)(*items) if hasattr(node, "_fields") else type(node)(items)
    return node


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
