"""PyTorch, as an array library: its own autograd stays off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from deepcore._backend import Backend, Library
from deepcore._errors import GradientError

from . import _convolution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deepcore._typing import Kernel, Namespace, Raw, Shape

compat: Any = Library("array_api_compat.torch")
torch: Any = Library("torch")


class TorchBackend(Backend):
    """Arrays of PyTorch."""

    name = "torch"
    module = "torch"
    distribution = "torch"
    requirement = "torch"
    is_host = False  # some of its devices are not

    @property
    def namespace(self) -> Namespace:
        return compat

    @property
    def devices(self) -> tuple[str, ...]:
        cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
        mps = ["mps"] if torch.backends.mps.is_available() else []
        return ("cpu", *cuda, *mps)

    def is_on_host(self, device: str) -> bool:
        return device == "cpu"

    def canonical(self, name: str) -> str:
        return "cuda:0" if name == "cuda" else name or "cpu"

    def device_of(self, array: Raw) -> str:
        return self.canonical(str(array.device))

    def adopted(self, array: Raw) -> Raw:
        if array.requires_grad:
            msg = (
                "a torch.Tensor that requires gradients is part of PyTorch's graph, and gradients would not flow from "
                "deepcore's into it; use x.detach(), and requires_grad=True of deepcore.asarray"
            )
            raise GradientError(msg)
        return array

    def raw_device(self, name: str) -> Any:
        return torch.device(name)

    def from_host(self, array: np.ndarray[Any, Any], device: str) -> Raw:
        if array.dtype.name == "bfloat16":
            return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16).to(device)
        # torch shares the memory of a host array, and warns about one it may not write to.
        return torch.from_numpy(np.array(array, order="C", copy=True)).to(device)

    def to_host(self, array: Raw) -> np.ndarray[Any, Any]:
        if array.dtype is torch.bfloat16:
            return array.cpu().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        host: np.ndarray[Any, Any] = array.detach().cpu().numpy()
        return host

    @property
    def overrides(self) -> Mapping[str, Kernel]:
        return {
            "scatter": _scatter,
            "getitem": _getitem,
            "setitem": _setitem,
            "searchsorted": _searchsorted,
            "take_along_axis": _take_along_axis,
            "unique_all": _unique_all,
            **_convolution.kernels(self.kernels),
        }

    def synchronize(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    @property
    def num_threads(self) -> int | None:
        return torch.get_num_threads()

    def set_num_threads(self, n: int | None) -> None:
        initial: int = self.initial_threads
        torch.set_num_threads(initial if n is None else n)

    def memory_in_use(self) -> int | None:
        return torch.cuda.memory_allocated() if torch.cuda.is_available() else None


def _forward(key: Any, shape: Shape) -> tuple[list[int], Any]:
    """Split an index with negative steps, which torch lacks, into axes to reverse first and a positive index."""
    parts = list(key) if isinstance(key, tuple) else [key]
    taken = sum(1 for k in parts if k is not None and k is not ...)
    if ... in [k for k in parts if not hasattr(k, "dtype")]:
        i = next(i for i, k in enumerate(parts) if k is ...)
        parts[i : i + 1] = [slice(None)] * (len(shape) - taken)
    reversed_axes, axis = [], 0
    for i, k in enumerate(parts):
        if isinstance(k, slice) and k.step is not None and k.step < 0:
            start, _, step = k.indices(shape[axis])
            n = len(range(*k.indices(shape[axis])))
            first = shape[axis] - 1 - start
            parts[i] = slice(first, first + (n - 1) * -step + 1 if n else first, -step)
            reversed_axes.append(axis)
        axis += k is not None
    return reversed_axes, tuple(parts)


def _has_negative_step(key: Any) -> bool:
    parts = key if isinstance(key, tuple) else (key,)
    return any(isinstance(k, slice) and k.step is not None and k.step < 0 for k in parts)


def _getitem(x: Any, /, *, key: Any) -> Any:
    if _has_negative_step(key):
        axes, key = _forward(key, tuple(x.shape))
        x = torch.flip(x, axes)
    return x[key]


def _setitem(x: Any, value: Any, /, *, key: Any) -> Any:
    if not _has_negative_step(key):
        y = x.clone()
        y[key] = value
        return y
    axes, key = _forward(key, tuple(x.shape))
    y = torch.flip(x, axes)
    y[key] = value
    return torch.flip(y, axes)


def _scatter(x: Any, /, *, shape: Shape, key: Any) -> Any:
    y = torch.zeros(shape, dtype=x.dtype, device=x.device)
    if _has_negative_step(key):
        axes, key = _forward(key, tuple(shape))
        y[key] = x
        return torch.flip(y, axes)
    parts = key if isinstance(key, tuple) else (key,)
    if not any(isinstance(k, torch.Tensor) and k.dtype is not torch.bool for k in parts):
        y[key] = x
        return y
    # index_put_ takes tensors alone, so that the positions of the elements are indexed instead of the elements.
    places = torch.arange(y.numel(), device=x.device).reshape(shape)[key]
    return y.reshape(-1).index_put_((places.reshape(-1),), x.reshape(-1), accumulate=True).reshape(shape)


def _take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    return torch.take_along_dim(x, indices.long(), axis)  # torch indexes with int64 alone


def _unique_all(x: Any, /) -> tuple[Any, ...]:
    values, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True)
    positions = torch.arange(x.numel(), device=x.device)
    # torch does not say where a value is first, so the least of its positions is found.
    first = positions.new_full(values.shape, x.numel()).scatter_reduce(0, inverse.reshape(-1), positions, "amin")
    return values, first, inverse, counts


def _searchsorted(x1: Any, x2: Any, /, **options: Any) -> Any:
    return compat.searchsorted(x1.contiguous(), x2.contiguous(), **options)  # it warns about other layouts


backend = TorchBackend()
