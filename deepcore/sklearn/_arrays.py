"""Samples of any kind of array: checked, brought to where the model computes, and results brought back."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import column_or_1d, validate_data

from .. import ops
from .._device import device as find_device
from .._device import device_of
from .._dtype import DType, as_dtype, float32, float64
from .._errors import DataError, DTypeError, ShapeError
from .._tensor import Tensor

if TYPE_CHECKING:
    from .._device import Device

    HostArray = np.ndarray[Any, Any]

validate: Any = validate_data  # neither has types, and those that could be guessed from defaults are wrong
check: Any = check_array
FLOATS = (np.float64, np.float32)
ROWS = 4096  # predicted at a time, so that the hidden units of a large data set need not fit into memory


class Rows(Protocol):
    """Samples in memory, of which a batch is a tensor on the device of the model."""

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def batch(self, index: HostArray | slice) -> Tensor:
        """Return some of the samples."""
        ...

    def part(self, index: HostArray) -> Rows:
        """Return some of the samples, still in memory."""
        ...


class DenseRows:
    """Samples in a tensor on the device of the model."""

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __len__(self) -> int:
        return self.values.shape[0]

    def batch(self, index: HostArray | slice) -> Tensor:
        """Return some of the samples. A slice of all is no copy."""
        if isinstance(index, slice):
            return self.values[index]
        return ops.take(self.values, ops.asarray(index, device=self.values.device), axis=0)

    def part(self, index: HostArray) -> DenseRows:
        """Return some of the samples, in a tensor of their own."""
        return DenseRows(self.batch(index))


class SparseRows:
    """Samples in a sparse matrix on the host, of which only batches are made dense."""

    def __init__(self, values: Any, dtype: DType, device: Device) -> None:
        self.values: Any = sparse.csr_matrix(values)
        self.dtype, self.device = dtype, device

    def __len__(self) -> int:
        rows: int = self.values.shape[0]
        return rows

    def batch(self, index: HostArray | slice) -> Tensor:
        """Return some of the samples, dense."""
        return ops.asarray(self.values[index].toarray(), dtype=self.dtype, device=self.device)

    def part(self, index: HostArray) -> SparseRows:
        """Return some of the samples, still sparse."""
        return SparseRows(self.values[index], self.dtype, self.device)


class Home:
    """Where the samples came from, and results go.

    Parameters
    ----------
    samples
        What the user gave. The results for a tensor or an array of another library are of its kind and on its device;
        those for everything else are NumPy's.
    """

    def __init__(self, samples: Any) -> None:
        self.is_tensor = isinstance(samples, Tensor)
        self.device: Device | None = samples.device if isinstance(samples, Tensor) else foreign_device(samples)

    @property
    def place(self) -> Device:
        """The device of the samples, where they are computed with unless another one is asked for."""
        return find_device("cpu") if self.device is None else self.device

    def give(self, result: Tensor) -> Any:
        """Return a result as an array of the library that the samples are of."""
        if self.device is None:
            values = result.numpy()
            return values if values.flags.writeable else values.copy()
        moved = result.to_device(self.device)
        return moved if self.is_tensor else moved._array()

    def give_labels(self, labels: HostArray) -> Any:
        """Return labels of classes likewise. No library but NumPy has arrays of text, so these are NumPy's."""
        if self.device is None or labels.dtype.kind not in "biuf":
            return labels
        return self.give(ops.asarray(labels))


def foreign_device(samples: Any) -> Device | None:
    """Return the device of an array of another library than NumPy, or None."""
    found = device_of(samples)
    return None if found is None or found.backend.name == "numpy" else found


def on_host(values: Any) -> Any:
    """Return a tensor or an array of another library as NumPy's, and anything else as it is."""
    if isinstance(values, Tensor):
        return values.numpy()
    return values if foreign_device(values) is None else ops.asarray(values).numpy()


# --------------------------------------------------------------------------------------------------------- the checks


def checked(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return samples as a NumPy array, a sparse matrix or a tensor of finite floating-point numbers.

    Parameters
    ----------
    estimator
        Whose number and names of features these are to be.
    X
        The samples, of shape (n, features).
    reset
        Whether the estimator takes over the number and names of features, or compares them.
    """
    if not isinstance(X, Tensor) and foreign_device(X) is None:
        return validate(estimator, X, reset=reset, accept_sparse=["csr", "csc"], dtype=FLOATS)
    x = ops.asarray(X).detach()
    name = type(estimator).__name__
    if x.ndim != 2:
        msg = (
            f"{name}: Expected 2D array, got {x.ndim}D array instead: shape {x.shape}. Reshape your data with "
            "reshape(x, (-1, 1)) if it has one feature, or reshape(x, (1, -1)) if it is one sample"
        )
        raise ShapeError(msg)
    if 0 in x.shape:
        msg = f"{name}: Found array with shape {x.shape}, and there is to be at least one sample and one feature"
        raise DataError(msg)
    if x.dtype.is_kind("complex floating"):
        msg = f"{name}: Complex data not supported: the samples are {x.dtype}"
        raise DTypeError(msg)
    if x.dtype.is_inexact and not bool(ops.all(ops.isfinite(x))):
        msg = f"{name}: Input X contains NaN or infinity"
        raise DataError(msg)
    validate(estimator, X, reset=reset, skip_check_array=True)
    return x


def checked_target(estimator: Any, X: Any, y: Any, *, numeric: bool) -> HostArray:
    """Return the targets of samples on the host: one for each, of shape (n,) or (n, outputs)."""
    if y is None:
        msg = (
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y is None; "
            "fit it by fit(X, y)"
        )
        raise DataError(msg)
    y = on_host(y)
    y = check(y, accept_sparse="csr", ensure_2d=False, dtype="numeric" if numeric else None, input_name="y")
    y = y.toarray() if sparse.issparse(y) else y
    if y.ndim > 2:
        msg = f"{type(estimator).__name__}: y has shape {y.shape}, and is to be of shape (n,) or (n, outputs)"
        raise ShapeError(msg)
    check_consistent_length(X, y)
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


def checked_weight(estimator: Any, X: Any, weight: Any) -> HostArray | None:
    """Return the weights of samples on the host, or None where all are the same."""
    if weight is None:
        return None
    name, n = type(estimator).__name__, X.shape[0]
    weight = on_host(weight)
    if isinstance(weight, Real):
        weight = np.full(n, float(weight))
    weight = check(weight, ensure_2d=False, dtype=FLOATS, input_name="sample_weight")
    if weight.shape != (n,):
        msg = f"{name}: sample_weight.shape == {weight.shape}, expected {(n,)}: one weight for each sample"
        raise ShapeError(msg)
    if np.any(weight < 0.0):
        msg = f"{name}: Negative values in data passed to `sample_weight`: a weight is at least 0"
        raise DataError(msg)
    if not np.any(weight > 0.0):
        msg = f"{name}: the sample weights are all zero, so there is nothing to fit; at least one is to be above 0"
        raise DataError(msg)
    return weight


def type_for(x: Any, wanted: Any, device: Device) -> DType:
    """Return the data type to compute in: the one that is asked for, or that of the samples."""
    if wanted is not None:
        dtype = as_dtype(wanted)
        if not dtype.is_inexact or dtype.is_kind("complex floating"):
            msg = f"dtype is a real floating-point type, and not {dtype}"
            raise DTypeError(msg)
        return dtype
    own = x.dtype if isinstance(x, Tensor) else as_dtype(x.dtype)
    narrow = own.is_inexact and own is not float64
    return float32 if narrow or not device.backend.supports(float64, device.name) else float64


def rows_of(x: Any, dtype: DType, device: Device) -> Rows:
    """Return checked samples where the model computes."""
    if sparse.issparse(x):
        return SparseRows(x, dtype, device)
    return DenseRows(ops.asarray(x, dtype=dtype, device=device).detach())
