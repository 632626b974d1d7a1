"""Devices: strings, defaults, mixing, transfers, threads."""

from __future__ import annotations

import copy
import importlib.util
import pickle
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import _device
from deepcore.testing import assert_close

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deepcore._device import Device


@pytest.fixture
def initial_default(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give a test the initial default device, and restore what was."""
    monkeypatch.delenv("DEEPCORE_DEVICE", raising=False)
    yield
    dc.set_default_device(None)


@pytest.fixture
def strict() -> tuple[Device, Device]:
    """Two devices that share no memory."""
    pytest.importorskip("array_api_strict")
    return dc.device("array_api_strict:device1"), dc.device("array_api_strict:device2")


def test_there_is_one_object_per_device(device: Device) -> None:
    assert dc.device(str(device)) is device
    assert dc.device(device) is device
    assert dc.zeros(2, device=device).device is device
    assert device in dc.devices()
    assert pickle.loads(pickle.dumps(device)) is device
    assert copy.deepcopy(device) is device
    assert {device: 1}[dc.device(str(device))] == 1


def test_devices_equal_their_strings() -> None:
    assert dc.device("cpu") == "cpu"
    assert str(dc.device("cpu")) == "cpu"
    assert repr(dc.device("cpu")) == "device('cpu')"
    assert dc.device("numpy") is dc.device("cpu")
    assert dc.device("cpu") != "cuda"
    assert dc.device("cpu") != 1
    assert dc.device() is dc.default_device()


def test_an_unknown_device_lists_the_known() -> None:
    with pytest.raises(dc.DeviceError, match=r"unknown device 'gpu'; the known devices are cpu,"):
        dc.device("gpu")
    with pytest.raises(dc.DeviceError, match=r"unknown device 'cpu:1': numpy has cpu"):
        dc.device("cpu:1")
    with pytest.raises(dc.DeviceError, match="a device is a string such as 'cpu' or 'cuda:0', not int"):
        dc.zeros(2, device=0)  # type: ignore[arg-type]


def test_an_unknown_device_imports_no_library() -> None:
    """Which would take seconds, for a message."""
    code = "import sys, deepcore as dc\ntry: dc.device('gpu')\nexcept dc.DeviceError as error: print(error)\n"
    code += "print({'torch', 'jax', 'cupy', 'array_api_strict'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    message, imported = done.stdout.splitlines()
    assert message.startswith("unknown device 'gpu'; the known devices are cpu")
    assert imported == "set()"


def test_a_library_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    monkeypatch.setattr(_device, "_devices", {})
    with pytest.raises(dc.BackendError, match=r'torch is not installed; install it with: pip install ".*torch.*"'):
        dc.device("torch:cpu")
    with pytest.raises(dc.DeviceError, match=r"torch \(not installed; pip install"):
        dc.device("nowhere")
    assert not [d for d in dc.devices() if d.backend.name == "torch"]
    with pytest.raises(ImportError):
        dc.zeros(2, device="torch")


def test_the_default_device(device: Device, initial_default: None) -> None:
    assert dc.default_device() == "cpu"
    dc.set_default_device(device)
    assert dc.default_device() is device
    assert dc.zeros(2).device is device
    assert dc.asarray([1.0]).device is device
    with dc.use_device("cpu") as inner:
        assert inner == "cpu"
        assert dc.ones(2).device == "cpu"
    assert dc.ones(2).device is device
    dc.set_default_device(None)
    assert dc.default_device() == "cpu"


def test_use_device_nests(device: Device, initial_default: None) -> None:
    with dc.use_device(device):
        with dc.use_device("cpu"):
            assert dc.default_device() == "cpu"
        assert dc.default_device() is device
    assert dc.default_device() == "cpu"


def test_use_device_ends_with_an_error(device: Device, initial_default: None) -> None:
    with pytest.raises(ZeroDivisionError), dc.use_device(device):
        raise ZeroDivisionError
    assert dc.default_device() == "cpu"


def in_thread(question: Any) -> Any:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(question()))
    thread.start()
    thread.join()
    return answers[0]


def test_the_default_device_is_of_the_process(strict: tuple[Device, Device], initial_default: None) -> None:
    dc.set_default_device(strict[0])
    assert in_thread(dc.default_device) is strict[0]
    in_thread(lambda: dc.set_default_device(strict[1]))
    assert dc.default_device() is strict[1]


def test_use_device_is_of_a_thread(strict: tuple[Device, Device], initial_default: None) -> None:
    with dc.use_device(strict[0]):
        assert in_thread(dc.default_device) == "cpu"
        dc.set_default_device(strict[1])
        assert dc.default_device() is strict[0]
    assert dc.default_device() is strict[1]


def test_the_environment_names_the_default_device(
    device: Device, initial_default: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPCORE_DEVICE", str(device))
    assert dc.default_device() is device
    monkeypatch.setenv("DEEPCORE_DEVICE", "nowhere")
    with pytest.raises(dc.DeviceError, match="unknown device 'nowhere'"):
        dc.default_device()


def test_transfers_keep_values_and_data_types(device: Device) -> None:
    for dtype in (dc.float32, dc.float64, dc.int64, dc.bool, dc.uint8):
        x = dc.asarray([[0, 1, 1]]).astype(dtype)
        y = x.to_device(device)
        assert y.device is device
        assert y.dtype is dtype
        assert_close(y.to_device("cpu"), x)
    assert dc.ones(2, device=device).to_device(device).device is device
    with pytest.raises(dc.DeviceError, match="stream must be None"):
        dc.ones(2).to_device("cpu", stream=1)


def test_a_transferred_array_is_a_copy(device: Device) -> None:
    mine = np.ones(3)
    x = dc.asarray(mine).to_device(device)
    y = x.to_device("cpu")
    if device != "cpu":
        mine[:] = 2.0
        assert y.tolist() == [1.0, 1.0, 1.0]


# --------------------------------------------------------------------------------------------------------------- mixing


def test_mixing_devices_names_function_argument_and_devices(strict: tuple[Device, Device]) -> None:
    a, b = dc.ones(2, device=strict[0]), dc.ones(2, device=strict[1])
    first, second = "array_api_strict:device1", "array_api_strict:device2"
    calls: list[tuple[Any, str]] = [
        (lambda: a + b, f"add: x1 is on {first} and x2 on {second}"),
        (lambda: dc.matmul(b, a), f"matmul: x1 is on {second} and x2 on {first}"),
        (lambda: dc.where(a > 0, a, b), f"where: condition is on {first} and x2 on {second}"),
        (lambda: dc.clip(1.0 * a, max=b), f"clip: x is on {first} and max on {second}"),
        (lambda: dc.where(a > 0, 0.0, b), f"where: condition is on {first} and x2 on {second}"),
        (lambda: dc.concat([a, a, b]), rf"concat: arrays\[0\] is on {first} and arrays\[2\] on {second}"),
        (lambda: dc.take(a, dc.asarray([0])), f"take: x is on {first} and indices on cpu"),
        (lambda: a * dc.ones(2), f"multiply: x1 is on {first} and x2 on cpu"),
    ]
    for call, message in calls:
        with pytest.raises(dc.DeviceError, match=message):
            call()


def test_mixing_with_arrays_of_other_libraries(strict: tuple[Device, Device]) -> None:
    a = dc.ones(2, device=strict[0])
    ours = "array_api_strict:device1"
    with pytest.raises(dc.DeviceError, match=f"add: x1 is on {ours} and x2 on cpu; .*x2.to_device"):
        _ = a + np.ones(2)
    with pytest.raises(dc.DeviceError, match=f"subtract: x2 is on {ours} and x1 on cpu; .*x1.to_device"):
        _ = np.ones(2) - a
    with pytest.raises(dc.DeviceError, match=f"matmul: x2 is on {ours} and x1 on cpu"):
        _ = np.ones((2, 2)) @ a


def test_in_place_operations_do_not_transfer(strict: tuple[Device, Device]) -> None:
    a, b = dc.ones(2, device=strict[0]), dc.ones(2, device=strict[1])
    with pytest.raises(dc.DeviceError, match="add: x1 is on"):
        a += b
    with pytest.raises(dc.DeviceError, match="setitem: x is on"):
        a[0] = b[0]
    assert a.tolist() == [1.0, 1.0]


def test_arrays_of_other_libraries_are_operands(device: Device) -> None:
    x = dc.asarray([1.0, 2.0], device=device, requires_grad=True)
    raw = dc.asarray([3.0, 4.0], device=device)._data
    (x * raw).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [3.0, 4.0]


def test_float64_is_refused_where_the_device_lacks_it() -> None:
    pytest.importorskip("array_api_strict")
    with pytest.raises((ValueError, TypeError), match="float64"):
        dc.ones(2, device="array_api_strict:no_float64", dtype=dc.float64)


def test_synchronize(device: Device) -> None:
    dc.synchronize(device)
