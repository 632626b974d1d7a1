"""The array: a value of any conforming library, and a handle on how it was computed."""

from __future__ import annotations

import copy
import operator
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import numpy as np

from ._device import device as find_device
from ._device import device_of
from ._dtype import as_dtype
from ._errors import ConfigError, DeviceError, DTypeError, GradientError, ShapeError
from ._sweep import op, sweep
from ._tape import Leaf, Node, is_grad_enabled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ._device import Device
    from ._dtype import DType
    from ._typing import Array, Axis, DeviceLike, Index, Namespace, Operand, Raw, Shape

    HostArray = np.ndarray[Any, Any]


class Tensor:
    r"""A differentiable array that conforms to the Python Array API standard.

    It wraps an array of NumPy, CuPy, PyTorch, JAX or any other conforming library and, where gradients are asked for,
    remembers how it was computed. Tensors are made by :func:`deepcore.asarray` and the other creation functions.

    In-place operations rebind: ``x[i] = v`` and ``x += y`` make ``x`` a handle on a new array. They look in-place,
    gradients through them are right, and an array that was handed to deepcore is never written to.

    Examples
    --------
    The gradient of $y = \sum_i x_i^2$ is $2x$:

    >>> import deepcore as dc
    >>> x = dc.asarray([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    Tensor([2., 4., 6.], dtype=float32)
    """

    __slots__ = ("__weakref__", "_data", "_device", "_grad", "_node")

    _data: Raw
    _device: Device
    _node: Node | None
    _grad: Tensor | None

    def __init__(self) -> None:
        msg = "tensors are made by deepcore.asarray(...) and the other creation functions, not by Tensor(...)"
        raise TypeError(msg)

    # ------------------------------------------------------------------------------------------------ attributes

    @property
    def shape(self) -> Shape:
        """The length of each axis."""
        return tuple(self._data.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._data.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        size = 1
        for n in self._data.shape:
            size *= n
        return size

    @property
    def dtype(self) -> DType:
        """The data type of the elements."""
        return self._device.backend.dtypes[self._data.dtype]

    @property
    def device(self) -> Device:
        """The device that the array is on."""
        return self._device

    @property
    def T(self) -> Tensor:
        """The transpose of a matrix."""
        if self.ndim != 2:
            msg = f"x.T transposes a matrix, and this tensor has shape {self.shape}; use x.mT or permute_dims"
            raise ShapeError(msg)
        return op.matrix_transpose(self)

    @property
    def mT(self) -> Tensor:
        """The transpose of the last two axes."""
        return op.matrix_transpose(self)

    @property
    def real(self) -> Tensor:
        """The real part: the tensor itself, where it is not complex."""
        return op.real(self) if self.dtype.is_kind("complex floating") else self

    @property
    def imag(self) -> Tensor:
        """The imaginary part: zeros, where the tensor is not complex."""
        return op.imag(self) if self.dtype.is_kind("complex floating") else op.zeros_like(self)

    # ------------------------------------------------------------------------------------------------- gradients

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor. Setting it makes the tensor a leaf, or cuts it from its graph."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if not wanted:
            self._node = None
        elif self._node is None:
            if not self.dtype.is_inexact:
                msg = f"only floating-point tensors can require gradients, and this one is {self.dtype}"
                raise DTypeError(msg)
            self._node = Leaf(self._data, self._device, self)

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was given rather than computed."""
        return self._node is None or self._node.primitive is None

    @property
    def grad(self) -> Tensor | None:
        """What :meth:`backward` has accumulated for this leaf, or None."""
        return getattr(self, "_grad", None)

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        self._grad = value

    def backward(
        self, gradient: Tensor | None = None, *, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        r"""Add the gradient of this tensor to the ``grad`` of every leaf it was computed from.

        With $L$ this tensor, every leaf $x$ that requires gradients gets
        $\bar x \leftarrow \bar x + \partial L / \partial x$.

        Parameters
        ----------
        gradient
            The cotangent of this tensor, of its shape. It may be left out for a tensor of one element, and is 1 then.
        retain_graph
            Keep what the graph saved, to go through it again.
        create_graph
            Record the sweep itself, so that the gradients can be differentiated. Implies ``retain_graph``.

        Raises
        ------
        GradientError
            If nothing was recorded, the graph has been released, or ``gradient`` is missing.
        """
        seed = self._seed(gradient)
        if self._node is None:
            msg = "backward() on a tensor that was not computed from any tensor with requires_grad=True"
            raise GradientError(msg)
        roots = {self._node: seed if create_graph else seed._data}
        found = sweep(roots, lift=lift if create_graph else None, release=not (retain_graph or create_graph))
        for leaf, cotangent in found.items():
            owner = leaf.owner() if isinstance(leaf, Leaf) and leaf.owner is not None else None
            if not isinstance(owner, Tensor):
                continue
            new = cotangent if create_graph else make(cotangent, leaf.device)
            old = owner.grad
            owner._grad = new if old is None else (old + new if create_graph else (old.detach() + new))

    def _seed(self, gradient: object) -> Tensor:
        if gradient is None:
            if self.size != 1:
                msg = (
                    f"backward() without a gradient needs a tensor of one element, and this one has shape {self.shape}"
                )
                raise GradientError(msg)
            return make(self._device.kernels.ones_like(self._data), self._device)
        if not isinstance(gradient, Tensor):
            msg = f"backward(): the gradient is a {type(gradient).__name__}, not a tensor; use deepcore.asarray(...)"
            raise DTypeError(msg)
        if gradient._data.shape != self._data.shape:
            msg = f"backward(): the gradient has shape {gradient.shape}, and the tensor {self.shape}"
            raise ShapeError(msg)
        if gradient._device is not self._device:
            msg = f"backward(): the gradient is on {gradient.device}, and the tensor on {self.device}"
            raise DeviceError(msg)
        if gradient._data.dtype != self._data.dtype:
            msg = f"backward(): the gradient is {gradient.dtype}, and the tensor {self.dtype}"
            raise DTypeError(msg)
        return gradient

    def detach(self) -> Tensor:
        """Return the same values, cut from the graph."""
        return make(self._data, self._device)

    # ----------------------------------------------------------------------------------------- the standard's protocol

    def __array_namespace__(self, *, api_version: str | None = None) -> Namespace:
        """Return the namespace of the standard bound to this tensor's device."""
        return op.namespace(self._device, api_version)

    def to_device(self, device: DeviceLike, /, *, stream: object = None) -> Tensor:
        """Return the tensor on another device, which may belong to another library. Gradients flow back.

        Parameters
        ----------
        device
            A device or its string, for example ``"cuda"``.
        stream
            Part of the standard's signature; only None is accepted.
        """
        if stream is not None:
            msg = "to_device(): deepcore orders transfers itself; stream must be None"
            raise DeviceError(msg)
        target = find_device(device)
        return self if target is self._device else op.transfer(self, source=self._device, target=target)

    def __dlpack__(
        self,
        *,
        stream: object = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> object:
        self._refuse_if_recorded("__dlpack__")
        options = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        given = {name: value for name, value in options.items() if value is not None}  # older libraries know no others
        return self._array().__dlpack__(**given)

    def __dlpack_device__(self) -> tuple[int, int]:
        device: tuple[int, int] = self._array().__dlpack_device__()
        return device

    def __array__(self, dtype: object = None, copy: bool | None = None) -> HostArray:
        self._refuse_if_recorded("numpy.asarray")
        if not self._device.backend.is_on_host(self._device.name):
            msg = f"numpy.asarray: the tensor is on {self._device}; use x.numpy(), which says that it copies"
            raise DeviceError(msg)
        return np.asarray(self._device.backend.to_host(self._data), dtype=dtype, copy=copy)  # type: ignore[call-overload]

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Tensor:
        return op.apply_ufunc(ufunc, method, inputs, options)

    def _refuse_if_recorded(self, what: str) -> None:
        if self._node is not None:
            msg = f"{what} of a tensor that requires gradients would lose them; use x.detach() first"
            raise GradientError(msg)

    def _array(self) -> Raw:
        """Return the raw value as an array: NumPy gives scalars for results without axes."""
        return self._device.kernels.asarray(self._data)

    # ----------------------------------------------------------------------------------------------- Python values

    def numpy(self) -> HostArray:
        """Return the values as a NumPy array, detached; the memory is shared where it can be."""
        return self._device.backend.to_host(self._data)

    def item(self) -> Any:
        """Return the value of a tensor of one element as a Python number."""
        return self._single("item()").item()

    def tolist(self) -> Any:
        """Return the values as nested lists of Python numbers."""
        return self.numpy().tolist()

    def _single(self, what: str) -> HostArray:
        if self.size != 1:
            msg = f"{what} needs a tensor of one element, and this one has shape {self.shape}"
            raise ShapeError(msg)
        return self.numpy().reshape(())

    def __bool__(self) -> bool:
        return bool(self._single("bool()"))

    def __int__(self) -> int:
        return int(self._single("int()"))

    def __float__(self) -> float:
        return float(self._single("float()"))

    def __complex__(self) -> complex:
        return complex(self._single("complex()"))

    def __index__(self) -> int:
        return operator.index(self._single("index()").item())

    def __format__(self, spec: str) -> str:
        return format(self._single("a format").item(), spec) if spec else str(self)

    def __len__(self) -> int:
        if not self.shape:
            msg = "len() of a tensor without axes"
            raise TypeError(msg)
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        values = np.array2string(self.numpy(), separator=", ", prefix="Tensor(", threshold=100)
        device = "" if str(self._device) == "cpu" else f", device='{self._device}'"
        tracked = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({values}, dtype={self.dtype}{device}{tracked})"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return (_restore, (self.numpy(), str(self._device), self._node is not None))

    def __copy__(self) -> Tensor:
        """Return another handle: that of a computed tensor is in the same place of the graph, that of a leaf a leaf."""
        if self._is_computed():
            return make(self._data, self._device, self._node)
        restore, arguments = self.__reduce__()
        return restore(*arguments)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """Return a copy: gradients flow through that of a computed tensor, and that of a leaf is a leaf of its own."""
        if self._is_computed():
            return op.astype(self, self.dtype, copy=True)
        restore, arguments = self.__reduce__()
        return restore(*copy.deepcopy(arguments, memo))

    def _is_computed(self) -> bool:
        """Whether another tensor wants the gradient, so that handles on the same place of the graph are alike."""
        return self._node is not None and not (isinstance(self._node, Leaf) and self._node.owner is not None)

    # ----------------------------------------------------------------------------------------------------- indexing

    def __getitem__(self, key: Index, /) -> Tensor:
        return op.getitem(self, key=_raw_key(key, self, "getitem"))

    def __setitem__(self, key: Index, value: Operand, /) -> None:
        self._rebind(op.setitem(self, value, key=_raw_key(key, self, "setitem")))

    def _rebind(self, new: Tensor) -> None:
        """Make this handle refer to a new array.

        A leaf that is changed under ``no_grad`` stays a leaf, as an optimizer needs.
        """
        was_leaf = isinstance(self._node, Leaf)
        self._data = new._data
        if was_leaf and not is_grad_enabled():
            self._node = Leaf(new._data, new._device, self)
        else:
            self._node = new._node

    def _in_place(self, new: Tensor, symbol: str) -> Tensor:
        if new.dtype is not self.dtype and new.dtype.kind == self.dtype.kind:
            new = op.astype(new, self.dtype)  # as in NumPy: float32 += float64 is float32, and int32 += int64 int32
        if new.shape != self.shape or new.dtype is not self.dtype:
            msg = (
                f"x {symbol} y keeps the shape and data type of x, {self.shape} {self.dtype}; "
                f"the result would be {new.shape} {new.dtype}"
            )
            raise (ShapeError if new.shape != self.shape else DTypeError)(msg)
        self._rebind(new)
        return self

    # --------------------------------------------------------------------------------------------------- operators

    def __pos__(self) -> Tensor:
        return op.positive(self)

    def __neg__(self) -> Tensor:
        return op.negative(self)

    def __abs__(self) -> Tensor:
        return op.abs(self)

    def __invert__(self) -> Tensor:
        return op.bitwise_invert(self)

    def __add__(self, other: Operand, /) -> Tensor:
        return op.add(self, other) if is_operand(other) else NotImplemented

    def __sub__(self, other: Operand, /) -> Tensor:
        return op.subtract(self, other) if is_operand(other) else NotImplemented

    def __mul__(self, other: Operand, /) -> Tensor:
        return op.multiply(self, other) if is_operand(other) else NotImplemented

    def __truediv__(self, other: Operand, /) -> Tensor:
        return op.divide(self, other) if is_operand(other) else NotImplemented

    def __floordiv__(self, other: Operand, /) -> Tensor:
        return op.floor_divide(self, other) if is_operand(other) else NotImplemented

    def __mod__(self, other: Operand, /) -> Tensor:
        return op.remainder(self, other) if is_operand(other) else NotImplemented

    def __pow__(self, other: Operand, /) -> Tensor:
        return op.pow(self, other) if is_operand(other) else NotImplemented

    def __matmul__(self, other: Array, /) -> Tensor:
        return op.matmul(self, other) if is_operand(other) else NotImplemented

    def __and__(self, other: Operand, /) -> Tensor:
        return op.bitwise_and(self, other) if is_operand(other) else NotImplemented

    def __or__(self, other: Operand, /) -> Tensor:
        return op.bitwise_or(self, other) if is_operand(other) else NotImplemented

    def __xor__(self, other: Operand, /) -> Tensor:
        return op.bitwise_xor(self, other) if is_operand(other) else NotImplemented

    def __lshift__(self, other: Operand, /) -> Tensor:
        return op.bitwise_left_shift(self, other) if is_operand(other) else NotImplemented

    def __rshift__(self, other: Operand, /) -> Tensor:
        return op.bitwise_right_shift(self, other) if is_operand(other) else NotImplemented

    def __lt__(self, other: Operand, /) -> Tensor:
        return op.less(self, other) if is_operand(other) else NotImplemented

    def __le__(self, other: Operand, /) -> Tensor:
        return op.less_equal(self, other) if is_operand(other) else NotImplemented

    def __gt__(self, other: Operand, /) -> Tensor:
        return op.greater(self, other) if is_operand(other) else NotImplemented

    def __ge__(self, other: Operand, /) -> Tensor:
        return op.greater_equal(self, other) if is_operand(other) else NotImplemented

    def __eq__(self, other: object, /) -> Tensor:  # type: ignore[override]
        return op.equal(self, other) if is_operand(other) else NotImplemented

    def __ne__(self, other: object, /) -> Tensor:  # type: ignore[override]
        return op.not_equal(self, other) if is_operand(other) else NotImplemented

    __hash__ = object.__hash__  # equality is elementwise, identity is what a dictionary of parameters needs

    def __radd__(self, other: Operand, /) -> Tensor:
        return op.add(other, self) if is_operand(other) else NotImplemented

    def __rsub__(self, other: Operand, /) -> Tensor:
        return op.subtract(other, self) if is_operand(other) else NotImplemented

    def __rmul__(self, other: Operand, /) -> Tensor:
        return op.multiply(other, self) if is_operand(other) else NotImplemented

    def __rtruediv__(self, other: Operand, /) -> Tensor:
        return op.divide(other, self) if is_operand(other) else NotImplemented

    def __rfloordiv__(self, other: Operand, /) -> Tensor:
        return op.floor_divide(other, self) if is_operand(other) else NotImplemented

    def __rmod__(self, other: Operand, /) -> Tensor:
        return op.remainder(other, self) if is_operand(other) else NotImplemented

    def __rpow__(self, other: Operand, /) -> Tensor:
        return op.pow(other, self) if is_operand(other) else NotImplemented

    def __rmatmul__(self, other: Array, /) -> Tensor:
        return op.matmul(other, self) if is_operand(other) else NotImplemented

    def __rand__(self, other: Operand, /) -> Tensor:
        return op.bitwise_and(other, self) if is_operand(other) else NotImplemented

    def __ror__(self, other: Operand, /) -> Tensor:
        return op.bitwise_or(other, self) if is_operand(other) else NotImplemented

    def __rxor__(self, other: Operand, /) -> Tensor:
        return op.bitwise_xor(other, self) if is_operand(other) else NotImplemented

    def __rlshift__(self, other: Operand, /) -> Tensor:
        return op.bitwise_left_shift(other, self) if is_operand(other) else NotImplemented

    def __rrshift__(self, other: Operand, /) -> Tensor:
        return op.bitwise_right_shift(other, self) if is_operand(other) else NotImplemented

    def __iadd__(self, other: Operand, /) -> Tensor:
        return self._in_place(op.add(self, other), "+=")

    def __isub__(self, other: Operand, /) -> Tensor:
        return self._in_place(op.subtract(self, other), "-=")

    def __imul__(self, other: Operand, /) -> Tensor:
        return self._in_place(op.multiply(self, other), "*=")

    def __itruediv__(self, other: Operand, /) -> Tensor:
        return self._in_place(op.divide(self, other), "/=")

    def __ifloordiv__(self, other: Operand, /) -> Tensor:
        return self._in_place(op.floor_divide(self, other), "//=")

    def __imod__(self, other: Operand, /) -> Tensor:
        return self._in_place(op.remainder(self, other), "%=")

    def __ipow__(self, other: Operand, /) -> Tensor:
        return self._in_place(op.pow(self, other), "**=")

    def __imatmul__(self, other: Array, /) -> Tensor:
        return self._in_place(op.matmul(self, other), "@=")

    def __iand__(self, other: Operand, /) -> Tensor:
        return self._in_place(op.bitwise_and(self, other), "&=")

    def __ior__(self, other: Operand, /) -> Tensor:
        return self._in_place(op.bitwise_or(self, other), "|=")

    def __ixor__(self, other: Operand, /) -> Tensor:
        return self._in_place(op.bitwise_xor(self, other), "^=")

    def __ilshift__(self, other: Operand, /) -> Tensor:
        return self._in_place(op.bitwise_left_shift(self, other), "<<=")

    def __irshift__(self, other: Operand, /) -> Tensor:
        return self._in_place(op.bitwise_right_shift(self, other), ">>=")

    # ------------------------------------------------------------------------- the methods that reading code expects
    #
    # NumPy's np.sum(x) and the like call these, with dtype and out.

    def astype(self, dtype: DType, /, *, copy: bool = True) -> Tensor:
        """Return the values in another data type; the gradient is converted back."""
        return op.astype(self, as_dtype(dtype), copy=copy)

    def reshape(self, *shape: int | Shape) -> Tensor:
        """Return the values in another shape, given as lengths or as a tuple of them; one length may be -1."""
        first, *rest = shape or ((),)
        return op.reshape(self, tuple(first) if isinstance(first, (tuple, list)) and not rest else shape)

    def sum(self, axis: Axis = None, dtype: DType | None = None, out: None = None, *, keepdims: bool = False) -> Tensor:
        """Return the sum over an axis, several, or all."""
        _refuse_out(out)
        return op.sum(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(
        self, axis: Axis = None, dtype: DType | None = None, out: None = None, *, keepdims: bool = False
    ) -> Tensor:
        """Return the mean over an axis, several, or all."""
        _refuse_out(out)
        return op.mean(self if dtype is None else self.astype(dtype), axis=axis, keepdims=keepdims)

    def max(self, axis: Axis = None, out: None = None, *, keepdims: bool = False) -> Tensor:
        """Return the largest value over an axis, several, or all."""
        _refuse_out(out)
        return op.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, out: None = None, *, keepdims: bool = False) -> Tensor:
        """Return the smallest value over an axis, several, or all."""
        _refuse_out(out)
        return op.min(self, axis=axis, keepdims=keepdims)


_new: Final = object.__new__


def make(data: Raw, device: Device, node: Node | None = None) -> Tensor:
    """Return the tensor of a raw array."""
    tensor = _new(Tensor)
    tensor._data = data
    tensor._device = device
    tensor._node = node
    return tensor


def lift(raw: Raw, node: Node | None, where: Node) -> Tensor:
    """Make a saved raw array a tensor again, with its place in the graph."""
    return make(raw, where.device, node)


def _restore(values: HostArray, device: str, requires_grad: bool) -> Tensor:
    found = find_device(device)
    tensor = make(found.backend.from_host(values, found.name), found)
    tensor.requires_grad = requires_grad
    return tensor


def _refuse_out(out: object) -> None:
    if out is not None:
        msg = "out= would write into an array; a tensor's functions return a new one"
        raise ConfigError(msg)


def is_operand(value: object) -> TypeGuard[Operand]:
    """Whether an operator takes the value: a tensor, a Python number, or an array that a device is known for."""
    return isinstance(value, (Tensor, int, float, complex)) or device_of(value) is not None


def _raw_key(key: Any, x: Tensor, where: str) -> Any:
    if isinstance(key, tuple):
        return tuple([_raw_key(k, x, where) for k in key])
    if not isinstance(key, Tensor):
        return key
    if key.device is not x.device:
        msg = f"{where}: x is on {x.device} and an index on {key.device}; deepcore never transfers silently"
        raise DeviceError(msg)
    return key._data
