"""The floor: what cannot be left out of a computation, done as fast as the array library does it.

Of a training step that is its matrix products alone, and of an operation on each element a copy of the array.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._device import Device
    from .nets import Net


class Products:
    r"""The matrix products of a network, one after another: NumPy's ``matmul`` into memory that is there already.

    Forward they are $X_l W_l$, and backward $X_l^\top \bar Y_l$ and $\bar Y_l W_l^\top$, but for the first layer, whose
    input needs no cotangent. On a device that is not the host, they are that library's ``matmul``, which has its
    memory from a pool.

    Parameters
    ----------
    net
        The network.
    device
        Where they are computed.
    training
        Whether those of the backward pass are among them.

    Attributes
    ----------
    calls
        The products, in order; each is a function without arguments.
    """

    def __init__(self, net: Net, device: Device, *, training: bool = True) -> None:
        rng = np.random.default_rng(0)
        self._device = device
        self.calls: list[Callable[[], Any]] = []
        shapes = list(itertools.pairwise(net.widths))
        values = [self._array(rng, net.batch, n) for n in net.widths]
        weights = [self._array(rng, n, m) for n, m in shapes]
        for i, w in enumerate(weights):
            self._add(values[i], w)
        for i in reversed(range(len(weights) if training else 0)):
            self._add(values[i].T, values[i + 1])
            if i:
                self._add(values[i + 1], weights[i].T)

    def _array(self, rng: np.random.Generator, *shape: int) -> Any:
        values = rng.standard_normal(shape).astype(np.float32)
        return values if self._device.backend.is_on_host(self._device.name) else self._moved(values)

    def _moved(self, values: Any) -> Any:
        return self._device.backend.from_host(values, self._device.name)

    def _add(self, a: Any, b: Any) -> None:
        if isinstance(a, np.ndarray):
            self.calls.append(partial(np.matmul, a, b, np.empty((a.shape[0], b.shape[1]), np.float32)))
        else:
            self.calls.append(partial(self._device.kernels.matmul, a, b))

    def __call__(self) -> Any:
        """Compute all of them."""
        result = None
        for call in self.calls:
            result = call()
        return result


class Copy:
    """A copy of so many float32 numbers into memory that is there already, on several threads.

    Parameters
    ----------
    size
        How many numbers.
    threads
        How many threads. NumPy copies without the lock of the interpreter.

    Attributes
    ----------
    nbytes
        How many bytes are read and written.
    """

    def __init__(self, size: int, threads: int) -> None:
        source, target = np.ones(size, np.float32), np.zeros(size, np.float32)
        self.nbytes = source.nbytes + target.nbytes
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))

    def __call__(self) -> None:
        """Copy."""
        if self._pool is None:
            np.copyto(*self._parts[0])
        else:
            for done in [self._pool.submit(np.copyto, *part) for part in self._parts]:
                done.result()
