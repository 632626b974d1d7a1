"""Functions that create arrays.

``dtype`` defaults to the default floating-point type, ``device`` to the default device. deepcore's default
floating-point type is float32 on every device, so that changing the device changes no number's type.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from .._device import device as find_device
from .._device import device_of
from .._dtype import DType, as_dtype, bool_, complex64, complex128, float32, float64, int32, int64
from .._errors import ConfigError, DeviceError, DTypeError, GradientError
from .._sweep import op
from .._tensor import Tensor, make

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._device import Device
    from .._typing import DeviceLike, Scalar, Shape

_NUMBERS = (bool, int, float, complex)
_default: list[DType] = [float32]


def default_dtype() -> DType:
    """Return the data type of arrays that are created without one.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.default_dtype()
    deepcore.float32
    """
    return _default[0]


def set_default_dtype(dtype: DType, /) -> None:
    """Create real arrays in this data type from now on."""
    if dtype not in (float32, float64):
        msg = f"the default data type is float32 or float64, not {dtype}"
        raise DTypeError(msg)
    _default[0] = dtype


def asarray(
    obj: Any,
    /,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return an object as a tensor.

    Parameters
    ----------
    obj
        A tensor (which keeps its graph), an array of any library (which keeps its library and shares its memory), an
        object with ``__dlpack__`` or ``__array__``, a Python number, or nested sequences of numbers.
    dtype
        The data type. It defaults to that of an array, to :func:`default_dtype` for Python floats, and to int64 for
        Python integers.
    device
        The device. It defaults to that of an array, and to the default device for Python numbers.
    copy
        True: always copy. False: never, and raise where one would be needed. None: only where needed.
    requires_grad
        Whether gradients are accumulated for the result.

    Raises
    ------
    DTypeError
        If the object cannot be an array of numbers.
    ShapeError
        If a nested sequence is ragged.

    Examples
    --------
    >>> import deepcore as dc, numpy as np
    >>> dc.asarray([[1, 2], [3, 4]])
    Tensor([[1, 2],
            [3, 4]], dtype=int64)
    >>> dc.asarray(np.ones(2)).dtype
    deepcore.float64
    """
    if copy is False and not isinstance(obj, Tensor) and device_of(obj) is None:
        msg = f"asarray: a {type(obj).__name__} cannot become an array without a copy, and copy=False forbids one"
        raise ConfigError(msg)
    dtype = None if dtype is None else as_dtype(dtype)
    tensor = obj if isinstance(obj, Tensor) else _from_foreign(obj, dtype, device)
    if device is not None and find_device(device) is not tensor.device:
        if copy is False:
            msg = f"asarray: from {tensor.device} to {find_device(device)} needs a copy, and copy=False forbids one"
            raise ConfigError(msg)
        tensor, copy = tensor.to_device(device), None
    if dtype is not None and dtype is not tensor.dtype:
        if copy is False:
            msg = f"asarray: from {tensor.dtype} to {dtype} needs a copy, and copy=False forbids one"
            raise ConfigError(msg)
        tensor, copy = tensor.astype(dtype), None
    if copy:
        tensor = op.astype(tensor, tensor.dtype, copy=True)
    if requires_grad:
        if tensor is obj and not tensor.requires_grad:
            tensor = tensor.detach()  # a new handle: the caller's tensor is not changed
        tensor.requires_grad = True
    return tensor


def _from_foreign(obj: Any, dtype: DType | None, device: DeviceLike) -> Tensor:
    found = device_of(obj)
    if found is not None:
        obj = found.backend.adopted(obj)
        if isinstance(obj, np.ndarray) and obj.dtype not in found.backend.dtypes:
            msg = f"asarray: NumPy arrays of type {obj.dtype} are not arrays of numbers that deepcore knows"
            raise DTypeError(msg)
        return make(found.kernels.asarray(obj), found)
    if hasattr(obj, "__dlpack__"):
        return asarray(np.from_dlpack(obj))
    if hasattr(obj, "__array__") or isinstance(obj, (memoryview, bytearray, array)):
        return asarray(np.asarray(obj))
    target = find_device(device)
    if isinstance(obj, (list, tuple)) and _holds(obj, _is_beyond_numpy):
        return op.stack([asarray(x, dtype=dtype, device=device) for x in obj])
    try:
        values = np.asarray(obj)
    except (ValueError, OverflowError) as error:
        msg = f"asarray: {error}"
        raise ConfigError(msg) from None
    if values.dtype.kind not in "biufc":
        msg = f"asarray: a {type(obj).__name__} of {values.dtype.name} values is not an array of numbers"
        raise DTypeError(msg)
    own = {"b": bool_, "i": default_integer(target), "f": default_dtype(), "c": default_complex()}.get(
        values.dtype.kind
    )
    wanted = dtype or (None if _holds(obj, _has_type) else own)
    if wanted is not None:
        values = values.astype(wanted.name)
    return make(target.backend.from_host(values, target.name), target)


def _holds(obj: Any, wanted: Callable[[Any], bool]) -> bool:
    """Whether nested sequences hold something that is wanted."""
    if isinstance(obj, (list, tuple)):
        return any(_holds(x, wanted) for x in obj)
    return wanted(obj)


def _is_beyond_numpy(x: Any) -> bool:
    """Whether something is a tensor, or an array of another library than NumPy."""
    return isinstance(x, Tensor) or not (isinstance(x, (*_NUMBERS, np.generic, np.ndarray)) or device_of(x) is None)


def _has_type(x: Any) -> bool:
    """Whether something is a NumPy array or scalar, which has a data type that a Python number has not."""
    return isinstance(x, (np.ndarray, np.generic))


def default_complex() -> DType:
    """Return the data type of complex arrays that are created without one."""
    return complex64 if default_dtype() is float32 else complex128


def default_integer(device: Device) -> DType:
    """Return the data type of whole numbers on a device: int64, where it has that."""
    return int64 if device.backend.supports(int64, device.name) else int32


def from_dlpack(x: Any, /, *, device: DeviceLike = None, copy: bool | None = None) -> Tensor:
    """Return an object that speaks DLPack as a tensor, sharing its memory where it can."""
    if isinstance(x, Tensor) or device_of(x) is not None:
        return asarray(x, device=device, copy=copy)
    kind, _ = x.__dlpack_device__()
    if kind != 1:
        msg = f"from_dlpack: DLPack device type {kind} is not host memory, and {type(x).__name__} has no adapter"
        raise DeviceError(msg)
    return asarray(np.from_dlpack(x), device=device, copy=copy)


def _make(name: str, *args: object, dtype: DType | None, device: DeviceLike, **options: object) -> Tensor:
    target = find_device(device)
    raw = target.backend.raw_dtype(default_dtype() if dtype is None else as_dtype(dtype))
    return make(getattr(target.kernels, name)(*args, dtype=raw, device=target.raw, **options), target)


def _leaf(tensor: Tensor, requires_grad: bool) -> Tensor:
    if requires_grad:
        tensor.requires_grad = True
    return tensor


def _number(x: Any, where: str) -> Any:
    """Return a bound, which may be a tensor without axes, as the Python number that every library takes."""
    if not isinstance(x, Tensor):
        return x
    if x.requires_grad:
        msg = f"{where}: the gradient of a bound would be lost; use x.detach(), or compute with arange and arithmetic"
        raise GradientError(msg)
    return x.item()


def zeros(
    shape: int | Shape, *, dtype: DType | None = None, device: DeviceLike = None, requires_grad: bool = False
) -> Tensor:
    """Return an array of zeros.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.zeros((2, 2))
    Tensor([[0., 0.],
            [0., 0.]], dtype=float32)
    """
    return _leaf(_make("zeros", shape, dtype=dtype, device=device), requires_grad)


def ones(
    shape: int | Shape, *, dtype: DType | None = None, device: DeviceLike = None, requires_grad: bool = False
) -> Tensor:
    """Return an array of ones."""
    return _leaf(_make("ones", shape, dtype=dtype, device=device), requires_grad)


def empty(shape: int | Shape, *, dtype: DType | None = None, device: DeviceLike = None) -> Tensor:
    """Return an array whose values are whatever was in memory."""
    return _make("empty", shape, dtype=dtype, device=device)


def full(
    shape: int | Shape,
    fill_value: Scalar | Tensor,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return an array filled with one value.

    The data type defaults to that of the value: bool, int64, or the default floating-point type.
    """
    if isinstance(fill_value, Tensor):
        filled = op.broadcast_to(fill_value, (shape,) if isinstance(shape, int) else tuple(shape))
        return filled if dtype is None else filled.astype(as_dtype(dtype))
    own = {bool: bool_, int: default_integer(find_device(device)), complex: default_complex()}.get(type(fill_value))
    return _leaf(_make("full", shape, fill_value, dtype=dtype or own, device=device), requires_grad)


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
) -> Tensor:
    """Return evenly spaced values, the end excluded.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.arange(3)
    Tensor([0, 1, 2], dtype=int64)
    """
    start, stop, step = _number(start, "arange"), _number(stop, "arange"), _number(step, "arange")
    whole = all(isinstance(v, int) for v in (start, step, 0 if stop is None else stop))
    own = default_integer(find_device(device)) if whole else default_dtype()
    if stop is None:
        start, stop = 0, start
    return _make("arange", start, stop, step, dtype=dtype or own, device=device)


def linspace(
    start: complex,
    stop: complex,
    /,
    num: int,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    endpoint: bool = True,
) -> Tensor:
    """Return a number of evenly spaced values from ``start`` to ``stop``."""
    start, stop = _number(start, "linspace"), _number(stop, "linspace")
    own = default_complex() if complex in (type(start), type(stop)) else None
    return _make("linspace", start, stop, num, dtype=dtype or own, device=device, endpoint=endpoint)


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: DType | None = None,
    device: DeviceLike = None,
) -> Tensor:
    """Return ones on a diagonal and zeros elsewhere."""
    return _make("eye", n_rows, n_cols, k=k, dtype=dtype, device=device)


def zeros_like(x: Tensor, /, *, dtype: DType | None = None, device: DeviceLike = None) -> Tensor:
    """Return zeros of the shape, data type and device of an array."""
    return zeros(x.shape, dtype=dtype or x.dtype, device=device or x.device)


def ones_like(x: Tensor, /, *, dtype: DType | None = None, device: DeviceLike = None) -> Tensor:
    """Return ones of the shape, data type and device of an array."""
    return ones(x.shape, dtype=dtype or x.dtype, device=device or x.device)


def empty_like(x: Tensor, /, *, dtype: DType | None = None, device: DeviceLike = None) -> Tensor:
    """Return an uninitialised array of the shape, data type and device of an array."""
    return empty(x.shape, dtype=dtype or x.dtype, device=device or x.device)


def full_like(x: Tensor, /, fill_value: Scalar, *, dtype: DType | None = None, device: DeviceLike = None) -> Tensor:
    """Return one value in the shape, data type and device of an array."""
    return full(x.shape, fill_value, dtype=dtype or x.dtype, device=device or x.device)


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Return coordinate matrices from coordinate vectors.

    Parameters
    ----------
    arrays
        Vectors, or arrays without axes, of one data type.
    indexing
        ``"xy"``: the first two axes in Cartesian order; ``"ij"``: in matrix order.
    """
    if indexing not in ("xy", "ij"):
        msg = f"meshgrid: indexing is 'xy' or 'ij', not {indexing!r}"
        raise ConfigError(msg)
    n = len(arrays)
    vectors = [x.reshape(*(-1 if i == j else 1 for j in range(n))) for i, x in enumerate(arrays)]
    shape = tuple(x.size for x in arrays)
    grids = [op.broadcast_to(x, shape) for x in vectors]
    if indexing == "xy" and n >= 2:
        grids = [op.permute_dims(x, (1, 0, *range(2, n))) for x in grids]
    return tuple(grids)


# Rules compute with these by name, on raw arrays and on tensors alike.
for _function in (zeros, ones, full, arange, eye, asarray, zeros_like, ones_like, full_like):
    op.provide(_function.__name__, _function)
