"""NumPy: the CPU, and the host that every other library copies to and from."""

from __future__ import annotations

import sys
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deepcore._backend import Backend, Library, numpy_dtypes

from . import _activation, _batch_norm, _namespace, _normalization, _recurrence
from ._adam import adam
from ._attention import attention_gradients, attention_with_kept
from ._convolution import convolution, convolution_transpose, convolution_weight
from ._cross_entropy import softmax_cross_entropy, softmax_cross_entropy_vjp
from ._fast import fast_executor
from ._linear import linear
from ._plan import Executor
from ._pooling import average_unpool, max_pool_indices, max_unpool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deepcore._dtype import DType
    from deepcore._typing import Kernel, Namespace, Raw, Shape


threadpoolctl: Any = Library("threadpoolctl")


_NAMESPACE = _namespace.Namespace()

RECURRENCES: Final = [f"{kind}_{what}" for kind in ("rnn", "gru", "lstm") for what in ("sequence", "backward")]


class NumPyBackend(Backend):
    """Arrays of NumPy."""

    name = "numpy"
    module = "numpy"
    distribution = "numpy"
    requirement = "numpy"
    compiles_quickly = True

    @property
    def namespace(self) -> Namespace:
        return _NAMESPACE

    @property
    def devices(self) -> tuple[str, ...]:
        return ("cpu",)

    def device_of(self, array: Raw) -> str:
        return "cpu"

    def adopted(self, array: Raw) -> Raw:
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))

    def raw_device(self, name: str) -> str:
        return "cpu"

    @cached_property
    def raw_dtypes(self) -> Mapping[DType, Any]:
        return numpy_dtypes()

    def from_host(self, array: np.ndarray[Any, Any], device: str) -> Raw:
        return array

    def to_host(self, array: Raw) -> np.ndarray[Any, Any]:
        return np.asarray(array)

    def executor(self, program: Any) -> Any:
        native = fast_executor()
        return Executor(program) if native is None else native(program)

    @property
    def num_threads(self) -> int | None:
        found = [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
        return found[0] if found else None

    @cached_property
    def initial_threads(self) -> dict[str, int]:
        return {pool["prefix"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}

    def set_num_threads(self, n: int | None) -> None:
        initial = self.initial_threads
        threadpoolctl.threadpool_limits(initial if n is None else n)
        if numba := sys.modules.get("numba"):
            most: int = numba.config.NUMBA_NUM_THREADS
            numba.set_num_threads(most if n is None else min(n, most))

    @property
    def overrides(self) -> Mapping[str, Kernel]:
        kernels: dict[str, Kernel] = {
            "scatter": _scatter,
            "optim.adam": adam,
            "attention_with_kept": partial(attention_with_kept, self.kernels),
            "attention_gradients": partial(attention_gradients, self.kernels),
            "convolution": convolution,
            "convolution_transpose": convolution_transpose,
            "convolution_weight": convolution_weight,
            "linear": linear,
            "average_unpool": average_unpool,
            "softmax_cross_entropy": softmax_cross_entropy,
            "softmax_cross_entropy_vjp": softmax_cross_entropy_vjp,
            "max_pool_indices": max_pool_indices,
            "max_unpool": max_unpool,
            **{name: getattr(_recurrence, name) for name in RECURRENCES},
        }
        kernels |= _activation.overrides(self.kernels)
        return kernels | _batch_norm.overrides(self.kernels) | _normalization.overrides(self.kernels)


def _scatter(x: Any, /, *, shape: Shape, key: Any) -> Any:
    y = np.zeros(shape, x.dtype)
    parts = key if isinstance(key, tuple) else (key,)
    if any(isinstance(k, (np.ndarray, np.generic)) and k.dtype.kind in "iu" for k in parts):
        np.add.at(y, key, x)  # integer arrays may name an element twice
    else:
        y[key] = x
    return y


backend = NumPyBackend()
