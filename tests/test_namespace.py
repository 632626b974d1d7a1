"""The namespace of the standard that is bound to a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore._primitive import registry

if TYPE_CHECKING:
    from deepcore._device import Device

CREATIONS: list[Any] = [
    lambda xp: xp.zeros(2),
    lambda xp: xp.ones((2, 1)),
    lambda xp: xp.empty(2),
    lambda xp: xp.full(2, 1.5),
    lambda xp: xp.arange(3),
    lambda xp: xp.linspace(0, 1, 3),
    lambda xp: xp.eye(2),
    lambda xp: xp.asarray([1.0, 2.0]),
    lambda xp: xp.asarray(1),
]


@pytest.mark.parametrize("k", range(len(CREATIONS)))
def test_arrays_are_created_on_the_bound_device(k: int, xp: Any, device: Device) -> None:
    assert CREATIONS[k](xp).device is device


def test_a_device_that_is_named_goes_first(xp: Any) -> None:
    assert xp.zeros(2, device="cpu").device == "cpu"
    assert xp.asarray([1.0], device="cpu").device == "cpu"


def test_asarray_keeps_the_device_of_an_array(xp: Any, device: Device) -> None:
    here, there = dc.ones(2), dc.ones(2, device=device)
    assert xp.asarray(here) is here
    assert xp.asarray(there).device is device
    assert xp.asarray(np.ones(2)).device is device  # as with any library's own namespace
    assert xp.asarray(np.ones(2), device="cpu").device == "cpu"
    assert dc.asarray(np.ones(2)).device == "cpu"
    assert xp.zeros_like(here).device == "cpu"
    assert xp.zeros_like(there).device is device


def test_there_is_one_namespace_per_device(xp: Any, device: Device) -> None:
    assert dc.ones(2, device=device).__array_namespace__() is xp
    assert xp.zeros(2).__array_namespace__(api_version="2024.12") is xp
    assert str(device) in repr(xp)
    with pytest.raises(dc.ConfigError, match="not 1999"):
        xp.zeros(2).__array_namespace__(api_version="1999")


def test_it_has_the_operations_the_types_and_the_constants(xp: Any) -> None:
    for declared in registry.values():
        if hasattr(dc, declared.name):
            assert getattr(xp, declared.name) is getattr(dc, declared.name)
    assert xp.float32 is dc.float32
    assert xp.bool is dc.bool
    assert (xp.inf, xp.newaxis) == (float("inf"), None)
    assert abs(xp.pi - np.pi) + abs(xp.e - np.e) == 0
    assert xp.isnan(xp.asarray(xp.nan))
    assert xp.__array_api_version__ == dc.__array_api_version__


def test_info(xp: Any, device: Device) -> None:
    info = xp.__array_namespace_info__()
    assert info.default_device() is device
    assert device in info.devices()
    types = info.default_dtypes()
    assert types["real floating"] is xp.zeros(1).dtype
    assert types["complex floating"] is dc.complex64
    assert types["integral"] is xp.arange(1).dtype
    assert types["indexing"] is xp.argmax(xp.zeros(2)).dtype
    assert info.dtypes()["float32"] is dc.float32
    assert "float16" not in info.dtypes()
    assert set(info.dtypes(kind="bool")) == {"bool"}
    assert set(info.dtypes(kind=("real floating", "bool"))) == {"bool", "float32", "float64"}
    assert info.capabilities()["boolean indexing"] is True
    assert dc.__array_namespace_info__().default_device() is dc.default_device()


def test_code_of_others_lands_where_its_arrays_are(device: Device) -> None:
    def standardized(x: Any) -> Any:
        xp = x.__array_namespace__()
        return (x - xp.mean(x, axis=0)) / (xp.std(x, axis=0) + xp.asarray(1e-3)) + xp.zeros(x.shape[1])

    x = dc.asarray([[1.0, 2.0], [3.0, 5.0]], device=device, requires_grad=True)
    y = standardized(x)
    assert y.device is device
    assert y.dtype is dc.float32
    y[0, 0].backward()
    assert x.grad is not None


def test_default_data_type(xp: Any) -> None:
    try:
        dc.set_default_dtype(dc.float64)
        assert xp.zeros(1).dtype is dc.float64
        assert xp.asarray([0.5]).dtype is dc.float64
        assert xp.__array_namespace_info__().default_dtypes()["complex floating"] is dc.complex128
    finally:
        dc.set_default_dtype(dc.float32)
    with pytest.raises(dc.DTypeError, match="float32 or float64, not int64"):
        dc.set_default_dtype(dc.int64)


def test_python_numbers_have_the_default_data_type(device: Device) -> None:
    with dc.use_device(device):
        number: Any = 1.0
        assert dc.exp(number).dtype is dc.float32
        assert dc.exp(number).device is device
        assert dc.asarray([1, 2]).dtype is dc.int64
        assert dc.asarray([True]).dtype is dc.bool
        assert dc.asarray([1, 2.5]).dtype is dc.float32
