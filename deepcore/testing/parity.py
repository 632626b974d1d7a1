r"""Parity: an operation on one device against the same operation on NumPy in float64.

An operation is called on the arguments that its own declaration gives (:func:`sample_arguments`), and differentiated
with fixed cotangents. Value and gradients have to agree with those of NumPy within $4 \varepsilon^{3/4}$, and to have
the data type and the device that they should. This is what an adapter of another array library has to pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._device import device as find_device
from .._dtype import complex64, complex128, float64
from ..ops import asarray
from .arrays import assert_close, tolerance
from .results import determined_results
from .samples import sample_arguments

if TYPE_CHECKING:
    from .._device import Device
    from .._dtype import DType
    from .._primitive import Primitive, Sample
    from .._tensor import Tensor
    from .._typing import DeviceLike


def check_parity(primitive: Primitive[...], sample: Sample, device: DeviceLike = None, dtype: DType = float64) -> None:
    """Check the value and the gradients of an operation on a device against NumPy in float64.

    Parameters
    ----------
    primitive
        The operation.
    sample
        One of ``primitive.samples``.
    device
        The device that is checked.
    dtype
        The data type of the operands there.

    Raises
    ------
    AssertionError
        If a value or a gradient differs, or has another shape, data type or device than it should. The message says
        which.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore._primitive import registry
    >>> from deepcore.testing import check_parity
    >>> tanh = registry["tanh"]
    >>> check_parity(tanh, tanh.samples[0], "cpu", dc.float32)
    """
    place = find_device(device)
    desired = _computed(primitive, sample, find_device("cpu"), float64)
    actual = _computed(primitive, sample, place, dtype)
    if actual.keys() != desired.keys():
        msg = f"{primitive.name}: {', '.join(actual)} should be {', '.join(desired)}"
        raise AssertionError(msg)
    allowed = 4 * tolerance(dtype)
    for what, expected in desired.items():
        found = actual[what]
        try:
            _assert_kind(found, place, _wanted(what, expected, sample, dtype))
            values = np.asarray(expected.numpy()).astype(found.numpy().dtype)
            assert_close(np.asarray(found.numpy()), values, rtol=allowed, atol=allowed)
        except AssertionError as error:
            msg = f"{primitive.name} on {place} in {dtype}, {what}: {error}"
            raise AssertionError(msg) from None


def _assert_kind(found: Tensor, device: Device, dtype: DType) -> None:
    if found.device is not device:
        msg = f"devices differ: {found.device} should be {device}"
        raise AssertionError(msg)
    if found.dtype is not dtype:
        msg = f"data types differ: {found.dtype} should be {dtype}"
        raise AssertionError(msg)


def _wanted(what: str, expected: Tensor, sample: Sample, dtype: DType) -> DType:
    """Return the data type of what is float64 or complex128 when the operands are float64."""
    if what.startswith("result") and sample.parameters.get("dtype") is not None:
        return expected.dtype  # the call asks for it
    narrow = complex128 if dtype is float64 else complex64
    return {float64: dtype, complex128: narrow}.get(expected.dtype, expected.dtype)


def _computed(primitive: Primitive[...], sample: Sample, device: Device, dtype: DType) -> dict[str, Tensor]:
    """Return the results and the gradients that are not zero, by what they are."""
    operands, parameters = sample_arguments(primitive, sample, device, dtype)
    leaves: dict[str, Tensor] = {}
    for i, x in enumerate(operands):
        name = primitive.operands[min(i, len(primitive.operands) - 1)]
        if primitive.joint is None and name not in primitive.rules:
            continue
        for k, part in enumerate(x if isinstance(x, list) else [x]):
            if part.dtype.is_inexact:
                part.requires_grad = True
                leaves[f"gradient of {name}[{k}]" if isinstance(x, list) else f"gradient of {name}"] = part
    call: Any = primitive
    results = determined_results(call, operands, parameters)
    found = {f"result {k}" if len(results) > 1 else "result": y.detach() for k, y in enumerate(results)}
    for y in results:
        if y.requires_grad:
            y.backward(_cotangent(y), retain_graph=True)
    return found | {what: x.grad for what, x in leaves.items() if x.grad is not None}


def _cotangent(y: Tensor) -> Tensor:
    """Return fixed numbers that are all different, and none of them small."""
    values = 1 + 0.5 * np.cos(np.arange(y.size, dtype=np.float64)).reshape(y.shape)
    return asarray(values, device=y.device).astype(y.dtype)
