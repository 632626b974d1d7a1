"""The adapters: what deepcore asks of an array library, and the registry."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import _backend
from deepcore._backend import Backend, adapters, backend_for_module, composites, known_backends, require
from deepcore._primitive import registry
from deepcore.testing import assert_close

if TYPE_CHECKING:
    from deepcore._device import Device

SHIPPED = ["numpy", "cupy", "torch", "jax", "array_api_strict"]


def test_the_shipped_adapters_are_registered() -> None:
    assert [b.name for b in known_backends()][: len(SHIPPED)] == SHIPPED
    assert backend_for_module("jaxlib") is backend_for_module("jax")
    assert backend_for_module("nowhere") is None
    assert set(SHIPPED) | {"jaxlib"} <= set(adapters())


@pytest.mark.parametrize("name", SHIPPED)
def test_an_adapter_is_loaded_without_its_library(name: str) -> None:
    code = (
        "import sys, deepcore._backend as b\n"
        f"backend = b.backend_for_module({name!r})\n"
        "assert repr(backend) == '<backend ' + backend.name + '>'\n"
        "assert isinstance(backend.is_installed, bool)\n"
        f"assert {name!r} == 'numpy' or {name!r} not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_deepcore_imports_no_optional_library() -> None:
    code = (
        "import sys, deepcore\n"
        "found = {'torch', 'jax', 'cupy', 'array_api_strict', 'scipy', 'sklearn'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for backend in known_backends():
        assert backend.install_command.startswith('pip install "')
        assert backend.requirement in backend.install_command
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        dc.BackendError, match=r"cupy is not installed; install it with: pip install .*cupy-cuda1|deepcore-xp"
    ):
        require(next(b for b in known_backends() if b.name == "cupy"))


def test_a_function_that_the_library_lacks_is_named(device: Device) -> None:
    with pytest.raises(dc.BackendError, match=f"{device.backend.name} .* has no function nonsense"):
        device.kernels["nonsense"]


def test_adapters_hold_no_ordinary_operations(device: Device) -> None:
    # PyTorch and JAX differ from the standard in the integer types that these take or give; PyTorch has no unique_all,
    # and JAX counts the axes of permute_dims from the front alone.
    special = {"getitem", "setitem", "scatter", "searchsorted", "take_along_axis", "unique_all", "permute_dims"}
    ordinary = set(device.backend.overrides) & set(registry) - set(composites) - special
    assert not ordinary, "what every library has belongs in deepcore.ops"


def test_every_operation_has_a_kernel(device: Device) -> None:
    for name in registry:
        assert callable(device.kernels[name])


def test_host_copies(device: Device) -> None:
    backend = device.backend
    for values in (
        np.arange(6.0).reshape(2, 3),
        np.arange(6).reshape(2, 3).T,
        np.asarray(2.5),
        np.zeros((0, 2)),
        np.ones(4)[::-2],
    ):
        raw = backend.from_host(values, device.name)
        assert backend.device_of(raw) == device.name
        host = backend.to_host(raw)
        assert type(host) is np.ndarray
        assert_close(np.asarray(host), values)
    read_only = np.ones(2)
    read_only.setflags(write=False)
    assert_close(np.asarray(backend.to_host(backend.from_host(read_only, device.name))), read_only)


def test_data_types_round_trip(device: Device) -> None:
    backend = device.backend
    for dtype, raw in backend.raw_dtypes.items():
        assert backend.dtypes[raw] is dtype
        assert backend.raw_dtype(dtype) is raw or backend.raw_dtype(dtype) == raw
    for name in ("bool", "int64", "float32", "float64", "complex64"):
        dtype = getattr(dc, name)
        x = dc.zeros(2, dtype=dtype, device=device)
        assert x.dtype is dtype
        assert x.numpy().dtype == np.dtype(name)
        assert x.to_device("cpu").dtype is dtype


def test_a_data_type_that_the_library_lacks_is_named() -> None:
    pytest.importorskip("array_api_strict")
    with pytest.raises(dc.DTypeError, match="array_api_strict has no data type bfloat16; it has bool"):
        dc.zeros(2, dtype=dc.bfloat16, device="array_api_strict:device1")


def test_arrays_are_found_by_their_library(device: Device) -> None:
    x = dc.asarray([1.0, 2.0], device=device)
    again = dc.asarray(x._data)
    assert again.device is device
    assert_close(again, x)


def test_version_and_memory(device: Device) -> None:
    assert device.backend.version[0].isdigit()
    assert device.backend.memory_in_use() is None or device.backend.name in ("cupy", "torch")
    device.backend.synchronize()


def test_an_adapter_of_a_third_party_is_an_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    numpy: Any = backend_for_module("numpy")

    class Third(type(numpy)):  # type: ignore[misc]
        name = "third"

    third = Third()
    assert isinstance(third, Backend)
    monkeypatch.setattr(
        _backend,
        "adapters",
        lambda: {"third": type("Entry", (), {"value": "third:backend", "load": lambda self: third})()},
    )
    backend_for_module.cache_clear()
    try:
        x = dc.ones(2, device="third:cpu", requires_grad=True)
        assert str(x.device) == "third:cpu"
        (x * x).sum().backward()
        assert x.grad is not None
        assert x.grad.device is x.device
        assert [b.name for b in known_backends()] == ["third"]
    finally:
        backend_for_module.cache_clear()


def test_synchronize_waits_for_what_was_submitted(device: Device) -> None:
    x = dc.ones((200, 200), device=device)
    for _ in range(50):
        x = x @ x / 200
    dc.synchronize(device)
    ready = getattr(x._data, "is_ready", lambda: True)  # JAX's arrays can tell; the others compute before they return
    assert ready()
