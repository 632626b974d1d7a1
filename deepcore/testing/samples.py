"""Arguments for an operation, drawn from its own declaration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._device import device as find_device
from .._dtype import bool_, complex64, complex128, float32, float64, int64
from .._sweep import op
from ..ops import asarray
from ..ops.complex_numbers import adjoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._device import Device
    from .._dtype import DType
    from .._primitive import Primitive, Sample
    from .._tensor import Tensor
    from .._typing import DeviceLike, Shape

    HostArray = np.ndarray[Any, Any]

COMPLEX = {float32: complex64, float64: complex128}

MARGIN = 0.05
"""How far entries stay from a kink."""


def sample_arguments(
    primitive: Primitive[...],
    sample: Sample,
    device: DeviceLike = None,
    dtype: DType = float64,
    seed: int = 0,
) -> tuple[list[Any], dict[str, Any]]:
    r"""Return the operands and the parameters of a call of an operation, as one of its samples declares them.

    Of the $n$ floating-point entries of all operands together, each lies in a cell of its own of the $n$
    equal ones that divide the interval $[\text{low}, \text{high}]$ without the neighbourhoods of the kinks.
    So no two entries are ties: any two are further apart than $\frac{3}{5n}(\text{high} - \text{low} -
    \cdots)$. Every entry is a number of float32, so that different data types can be given the same values.

    Parameters
    ----------
    primitive
        The operation.
    sample
        One of ``primitive.samples``.
    device
        Where the operands are. A parameter that is a device, and None in the sample, is this one too.
    dtype
        The data type of the operands that are not whole numbers or truth values.
    seed
        What to draw from.

    Returns
    -------
    operands, parameters
        What to call it with: ``primitive(*operands, **parameters)``.

    Examples
    --------
    >>> from deepcore._primitive import registry
    >>> from deepcore.testing import sample_arguments
    >>> add = registry["add"]
    >>> operands, parameters = sample_arguments(add, add.samples[0])
    >>> [x.shape for x in operands], parameters
    ([(2, 3), (2, 3)], {})
    """
    place = find_device(device)
    rng = np.random.default_rng(seed)
    entries = _entries(sample, _float_count(sample), rng)
    operands: list[Any] = []
    own = COMPLEX[dtype] if sample.complex else dtype
    for i, shape in enumerate(sample.shapes):
        if isinstance(shape, list):
            operands.append([_floats(entries, s, place, own) for s in shape])
        elif i in sample.booleans:
            operands.append(asarray(rng.integers(0, 2, shape), dtype=bool_, device=place))
        elif i in sample.integers:
            operands.append(asarray(rng.integers(0, sample.integers[i], shape), dtype=int64, device=place))
        else:
            operands.append(structured(_floats(entries, shape, place, own), sample))
    return operands, {name: _parameter(primitive, name, v, place) for name, v in sample.parameters.items()}


def _parameter(primitive: Primitive[...], name: str, value: object, device: Device) -> object:
    annotation = primitive.signature.parameters[name].annotation
    return device if value is None and annotation == "Device" else value


def _float_count(sample: Sample) -> int:
    count = 0
    for i, shape in enumerate(sample.shapes):
        if i not in sample.integers and i not in sample.booleans:
            count += sum(math.prod(s) for s in shape) if isinstance(shape, list) else math.prod(shape)
    return count * (2 if sample.complex else 1)


def _floats(entries: Iterator[float], shape: Shape, device: Device, dtype: DType) -> Tensor:
    values: HostArray = np.asarray([next(entries) for _ in range(math.prod(shape))], dtype=np.float64)
    if dtype.is_kind("complex floating"):
        values = values + 1j * np.asarray([next(entries) for _ in range(math.prod(shape))])
    return asarray(values.reshape(shape), dtype=dtype, device=device)


def structured(x: Tensor, sample: Sample) -> Tensor:
    """Return the operand with the structure that a sample asks of square matrices, and any other as it is.

    It is a differentiable function of the entries. A derivative with respect to matrices of a structure is checked
    through it, because directions that leave the structure mean nothing.
    """
    if not sample.structure or x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        return x
    xh = adjoint(x, op)
    if sample.structure == "hermitian":
        return (x + xh) / 2
    return x @ xh / x.shape[-1] + op.eye(x.shape[-1], dtype=x.dtype, device=x.device)


def _entries(sample: Sample, n: int, rng: np.random.Generator) -> Iterator[float]:
    """Give n numbers of the sample's interval in random order, no two of them close to each other."""
    starts, lengths = _allowed(sample.low, sample.high, sample.kinks)
    ends = np.cumsum(lengths)
    cells = (rng.permutation(n) + 0.5 + rng.uniform(-0.2, 0.2, n)) / max(n, 1) * ends[-1]
    pieces = np.searchsorted(ends, cells)
    values = np.asarray(starts)[pieces] + (cells - (ends - lengths)[pieces])
    return iter(values.astype(np.float32).astype(np.float64).tolist())


def _allowed(low: float, high: float, kinks: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return where the pieces of an interval begin that kinks leave, and how long they are."""
    starts: list[float] = []
    lengths: list[float] = []
    start = low
    for kink in (*sorted(k for k in kinks if low - MARGIN < k < high + MARGIN), math.inf):
        end = min(kink - MARGIN, high)
        if end > start:
            starts.append(start)
            lengths.append(end - start)
        start = kink + MARGIN
    return starts, lengths
