"""Calling a primitive: compute on raw arrays and, where a gradient is asked for, leave a node on the tape.

An operand is a tensor or a Python number. The fast paths for one and for two operands do what the general one does; a
test holds the three equal.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

import numpy as np

from ._backend import composites, overwritten
from ._device import default_device, device_of
from ._dtype import DType, as_dtype
from ._errors import BoundsError, DeepcoreError, DeviceError, DTypeError, GradientError, NumericalError, ShapeError
from ._primitive import Primitive, Sample
from ._sweep import op
from ._tape import Bundle, Node, Output, is_recording
from ._tensor import Tensor, make

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Concatenate

    from ._device import Device
    from ._typing import Namespace, Raw

P = ParamSpec("P")
F = TypeVar("F", bound="Callable[..., Any]")

_DTYPES: Final = (DType, np.dtype, type)
_NUMBERS: Final = frozenset({bool, int, float, complex})


class Operation(Primitive[P]):
    """A primitive that can be called."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        """Compute the result and, where an operand requires a gradient, record how."""
        if kwargs or len(args) != len(self.operands) or not isinstance(args[0], Tensor):
            return self._call(args, kwargs)
        device = args[0]._device
        raws: list[Raw] = []
        parents: list[Node | None] = []
        tracked = 0
        for i, x in enumerate(args):
            if not isinstance(x, Tensor) or x._device is not device:
                return self._call(args, kwargs)
            raws.append(x._data)
            parents.append(x._node)
            if x._node is not None:
                tracked |= 1 << i
        try:
            value = device.kernels[self.name](*raws)
        except (ValueError, TypeError, RuntimeError, IndexError) as error:
            raise self._explained(error, raws) from error
        if not tracked or self.reason or not is_recording() or not _is_inexact(value, device):
            return make(value, device)
        if not self.complete:
            self._refuse_loss(tuple(parents))
        pool = (*raws, value, None)
        saved = self.kept(tracked)(pool)
        return make(value, device, Node(self, tuple(parents), saved, None, value, device))

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        operands, parameters = self._bind(args, kwargs)
        device, giver = self._common_device(operands)
        operands = [_adopt(x, self, i, device, giver) for i, x in enumerate(operands)]
        raws = [x._data if isinstance(x, Tensor) else x for x in operands]
        parents = tuple([x._node if isinstance(x, Tensor) else None for x in operands])
        value = self._compute(device, raws, parameters)
        if not self._is_recorded(parents) or not _is_inexact(value, device):
            return make(value, device)
        pool = (*raws, value, None)
        tracked = sum(1 << i for i, parent in enumerate(parents) if parent is not None)
        saved = self.kept(tracked)(pool)
        return make(value, device, Node(self, parents, _arrays(saved, raws, device), parameters, value, device))

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Sort the arguments into operands and those parameters that differ from their defaults."""
        n = len(self.operands)
        operands = list(args[:n])
        for name, value in zip(self.positional, args[n:], strict=False):
            kwargs = {**kwargs, name: value}
        if len(operands) < n or len(args) > n + len(self.positional):
            bound = self.signature.bind(*args, **kwargs)
            bound.apply_defaults()
            kwargs = dict(bound.arguments)
            operands = [kwargs.pop(name) for name in self.operands]
        return operands, self._differing(kwargs)

    def _differing(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            return {
                name: value._data if isinstance(value, Tensor) else value
                for name, value in kwargs.items()
                if value is not self.defaults[name]
            }
        except KeyError as error:
            known = ", ".join(self.defaults) or "none"
            msg = f"{self.name}() has no parameter {error}; it has {known}"
            raise TypeError(msg) from None

    def _common_device(self, operands: Sequence[object]) -> tuple[Device, int]:
        """Return the device of the first tensor, else array, and its position; the default device if there is none."""
        for i, x in enumerate(operands):
            if isinstance(x, Tensor):
                return x._device, i
        for i, x in enumerate(operands):
            found = None if isinstance(x, np.generic) else device_of(x)
            if found is not None:
                return found, i
        return default_device(), 0

    def _compute(self, device: Device, raws: Sequence[Raw], parameters: dict[str, Any]) -> Raw:
        if parameters:
            given = {
                name: device.backend.raw_dtype(as_dtype(value)) if isinstance(value, _DTYPES) else value
                for name, value in parameters.items()
            }
            positional = [given.pop(name) for name in self.positional if name in given]
            raws = [*raws, *positional]
        else:
            given = parameters
        try:
            return device.kernels[self.name](*raws, **given)
        except (ValueError, TypeError, RuntimeError, IndexError) as error:
            raise self._explained(error, raws[: len(self.operands)]) from error

    def _is_recorded(self, parents: tuple[Node | None, ...]) -> bool:
        """Whether a node is wanted. An operation that would lose a gradient raises here, where it is called."""
        if not any(parents) or not is_recording() or self.reason:
            return False
        if not self.complete:
            self._refuse_loss(parents)
        return True

    def _refuse_loss(self, parents: tuple[Node | None, ...]) -> None:
        if self.outputs:
            names, parents = self.outputs, tuple(filter(None, parents))[:1] * len(self.outputs)
        else:
            names = self.operands * len(parents) if self.variadic else self.operands
        for name, parent in zip(names, parents, strict=True):
            if parent is not None and name not in self.rules:
                msg = (
                    f"{self.name}: no derivative rule for {name!r}, so its gradient would be lost; "
                    "use x.detach() or no_grad() if that is intended"
                )
                raise GradientError(msg)

    def _explained(self, error: Exception, raws: Sequence[Raw]) -> Exception:
        if isinstance(error, DeepcoreError):
            return error
        operands = ", ".join(
            f"{name} {tuple(raw.shape)} {_plain(raw.dtype)}" if hasattr(raw, "dtype") else f"{name}={raw!r}"
            for name, raw in zip(self.operands, raws, strict=False)
        )
        kind = _kind_of(error)
        return kind(f"{self.name}({operands}): {error}")


class Unary(Operation[P]):
    """An operation on one array."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        """Compute the result and, where the operand requires a gradient, record how."""
        if len(args) != 1 or not isinstance(x := args[0], Tensor):
            return self._call(args, kwargs)
        raw, device, parent = x._data, x._device, x._node
        parameters = self._differing(kwargs) if kwargs else {}
        if parameters:
            value = self._compute(device, (raw,), parameters)
        else:
            try:
                value = device.kernels[self.name](raw)
            except (ValueError, TypeError, RuntimeError, IndexError) as error:
                raise self._explained(error, (raw,)) from error
        if parent is None or self.reason or not is_recording() or (parameters and not _is_inexact(value, device)):
            return make(value, device)
        if not self.complete:
            self._refuse_loss((parent,))
        saved = tuple([value if name == "y" else raw for name in self.saved])
        return make(value, device, Node(self, (parent,), saved, parameters, value, device))


class Binary(Operation[P]):
    """An operation on two arrays, without parameters."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        """Compute the result and, where an operand requires a gradient, record how."""
        if kwargs or len(args) != 2:
            return self._call(args, kwargs)
        a, b = args
        if isinstance(a, Tensor):
            raw_a, parent_a, device = a._data, a._node, a._device
            if isinstance(b, Tensor):
                raw_b, parent_b = b._data, b._node
                if b._device is not device:
                    raise _mixed(self, 0, 1, device, b._device)
            elif type(b) in _NUMBERS:
                raw_b, parent_b = b, None
            else:
                return self._call(args, kwargs)
        elif type(a) in _NUMBERS and isinstance(b, Tensor):
            raw_a, parent_a, raw_b, parent_b, device = a, None, b._data, b._node, b._device
        else:
            return self._call(args, kwargs)
        try:
            value = device.kernels[self.name](raw_a, raw_b)
        except (ValueError, TypeError, RuntimeError, IndexError) as error:
            raise self._explained(error, (raw_a, raw_b)) from error
        if (parent_a is None and parent_b is None) or self.reason or not is_recording():
            return make(value, device)
        parents = (parent_a, parent_b)
        if not self.complete:
            self._refuse_loss(parents)
        saved: tuple[Raw, ...] = ()
        if self.saved:
            pool = (raw_a, raw_b, value, None)
            if parent_a is None or parent_b is None:
                kept = self.kept(2 if parent_a is None else 1)
                saved = _arrays(kept(pool), pool[:2], device)  # the other operand may be a number
            else:
                saved = self.kept(3)(pool)
        return make(value, device, Node(self, parents, saved, None, value, device))


class Variadic(Operation[P]):
    """An operation on a sequence of arrays, such as ``concat``. Its rule gives all cotangents at once."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        """Compute the result and, where an array of the sequence requires a gradient, record how."""
        bound = self.signature.bind(*args, **kwargs)
        (name,) = self.operands
        arrays = list(bound.arguments.pop(name))
        if not arrays:
            msg = f"{self.name}() needs at least one array"
            raise ShapeError(msg)
        parameters = self._differing(dict(bound.arguments))
        device, giver = self._common_device(arrays)
        tensors = [_adopt(x, self, i, device, giver) for i, x in enumerate(arrays)]
        raws = [x._data for x in tensors]
        parents = tuple([x._node for x in tensors])
        value = self._compute(device, (raws,), parameters)
        if not self._is_recorded(parents):
            return make(value, device)
        known = {name: raws, "y": value, "shapes": [tuple(raw.shape) for raw in raws]}
        saved = tuple([known[wanted] for wanted in self.saved])
        return make(value, device, Node(self, parents, saved, parameters, value, device))

    def _explained(self, error: Exception, raws: Sequence[Raw]) -> Exception:
        shapes = ", ".join(str(tuple(raw.shape)) for raw in raws[0])
        kind = _kind_of(error)
        return kind(f"{self.name}(shapes {shapes}): {error}")


class Several(Operation[P]):
    """An operation that has several results, such as ``linalg.qr``: a named tuple of tensors."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Compute the results and, where an operand requires a gradient, record how."""
        operands, parameters = self._bind(args, kwargs)
        device, giver = self._common_device(operands)
        operands = [_adopt(x, self, i, device, giver) for i, x in enumerate(operands)]
        raws = [x._data if isinstance(x, Tensor) else x for x in operands]
        parents = tuple([x._node if isinstance(x, Tensor) else None for x in operands])
        values = tuple(self._compute(device, raws, parameters))
        form = cast("type[tuple[Any, ...]]", self.result)
        if not self._is_recorded(parents):
            return form(*[make(value, device) for value in values])
        pool = (*raws, *values, None)
        saved = _arrays(self.kept(1)(pool), raws, device)
        bundle = Bundle(self, parents, saved, parameters, device)
        tensors = [
            make(value, device, Output(bundle, name, value) if _is_inexact(value, device) else None)
            for name, value in zip(self.outputs, values, strict=True)
        ]
        return form(*tensors)


class Transfer(Operation[P]):
    """An operation whose result is on another device, the one that its parameter ``target`` names."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        """Compute the result and, where the operand requires a gradient, record how."""
        (x,), parameters = self._bind(args, kwargs)
        source, target = parameters["source"], parameters["target"]
        x = _adopt(x, self, 0, source, 0)
        value = self._compute(source, (x._data,), parameters)
        if not self._is_recorded((x._node,)):
            return make(value, target)
        return make(value, target, Node(self, (x._node,), (), parameters, value, target))


def _adopt(x: Any, primitive: Primitive[...], i: int, device: Device, giver: int) -> Any:
    """Return an operand as a tensor on the device, or as the Python number that it is."""
    if isinstance(x, Tensor):
        if x._device is not device:
            raise _mixed(primitive, giver, i, device, x._device)
        return x
    if x is None or (type(x) in _NUMBERS and (len(primitive.operands) > 1)):
        return x
    if isinstance(x, np.generic) and len(primitive.operands) > 1:
        return x.item()  # NumPy's scalars would promote; a Python number does not
    if isinstance(x, np.generic):
        return make(device.backend.from_host(np.asarray(x), device.name), device)
    if isinstance(x, (bool, int, float, complex)):
        return op.asarray(x, device=device)
    found = device_of(x)
    if found is device:
        return make(device.backend.adopted(x), device)
    if found is not None:
        raise _mixed(primitive, giver, i, device, found)
    name = primitive.operands[min(i, len(primitive.operands) - 1)]
    msg = f"{primitive.name}: {name} is a {type(x).__name__}, not an array; use deepcore.asarray(...)"
    raise DTypeError(msg)


def _is_inexact(value: Raw, device: Device) -> bool:
    """Whether a result can carry a gradient: ``astype`` to an integer type, for one, ends the graph."""
    return value.dtype in device.backend.inexact_dtypes


def _arrays(saved: Sequence[Any], raws: Sequence[Raw], device: Device) -> tuple[Raw, ...]:
    """Make the Python numbers among what is saved arrays of the other operand's type: rules call functions on them."""
    for value in saved:
        if type(value) in _NUMBERS:
            dtype = next(raw.dtype for raw in raws if hasattr(raw, "dtype"))
            if type(value) is complex:
                with device.current:
                    dtype = (device.kernels.zeros((), dtype=dtype, device=device.raw) * 1j).dtype
            as_array = device.kernels.asarray
            return tuple([as_array(v, dtype=dtype, device=device.raw) if type(v) in _NUMBERS else v for v in saved])
    return tuple(saved)


def _plain(raw_dtype: object) -> str:
    """Return a data type's name as the standard has it, without the library's (``torch.float32``)."""
    return str(raw_dtype).rpartition(".")[2]


def _kind_of(error: Exception) -> type[DeepcoreError]:
    """Say what an array library complains about: JAX raises a TypeError for shapes too."""
    if "LinAlg" in type(error).__name__:
        return NumericalError  # a singular matrix, a decomposition that does not converge
    if isinstance(error, IndexError):
        return BoundsError
    of_type = isinstance(error, (TypeError, NotImplementedError)) and "shape" not in str(error)
    return DTypeError if of_type else ShapeError


def _mixed(primitive: Primitive[...], giver: int, i: int, expected: Device, found: Device) -> DeviceError:
    """Say which operand is on another device than the one, at the position ``giver``, that decided."""
    operand = primitive.operands[0]
    first, name = (f"{operand}[{k}]" if primitive.variadic else primitive.operands[k] for k in (giver, i))
    msg = (
        f"{primitive.name}: {first} is on {expected} and {name} on {found}; "
        f"deepcore never transfers silently, use {name}.to_device({str(expected)!r})"
    )
    return DeviceError(msg)


def primitive(
    *samples: Sample, result: type[tuple[Any, ...]] | None = None
) -> Callable[[Callable[P, Any]], Operation[P]]:
    """Declare an operation that every array library provides under the function's name.

    One that has several results says so by the named tuple that it returns them in.
    """

    def declare(function: Callable[P, Any]) -> Operation[P]:
        kind = Several if result else _kind(function, composite=False)
        return cast("Operation[P]", kind(function, samples, composite=False, result=result))

    return declare


def composite(
    *samples: Sample, result: type[tuple[Any, ...]] | None = None
) -> Callable[[Callable[Concatenate[Namespace, P], Any]], Operation[P]]:
    """Declare an operation whose forward is the function itself, written on a namespace ``xp`` of the standard.

    The function is also the reference form: run on tensors it is differentiated through its parts, and a test holds the
    declared rule equal to that. One that has several results says so by the named tuple that it returns them in.
    """

    def declare(function: Callable[Concatenate[Namespace, P], Any]) -> Operation[P]:
        kind = Several if result else _kind(function, composite=True)
        return cast("Operation[P]", kind(function, samples, composite=True, result=result))

    return declare


def _kind(function: Callable[..., Any], *, composite: bool) -> type[Operation[...]]:
    parameters = list(inspect.signature(function).parameters.values())[composite:]
    annotations = [p.annotation for p in parameters]
    if any("Sequence[Array" in a for a in annotations):
        return Variadic
    arrays = [a for a in annotations if "Array" in a or "Operand" in a]
    if any(p.name == "target" and p.annotation == "Device" for p in parameters):
        return Transfer
    if len(arrays) == 1:
        return Unary
    return Binary if len(arrays) == 2 and len(parameters) == 2 else Operation


def kernel(function: F, *, name: str | None = None, overwrites: tuple[int, ...] = ()) -> F:
    """Declare a computation ``function(xp, ...)`` that a backend may override by its name, as it may a composite.

    It leaves no node of its own on the tape: on tensors its parts do. Rules compute by such kernels what belongs
    together, such as the cotangents of all operands. An override may write to the operands at the positions
    ``overwrites``.
    """
    known = name or function.__name__
    composites[known] = function
    overwritten[known] = overwrites
    op.provide(known, partial(function, op))
    return function
