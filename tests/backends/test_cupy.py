"""The adapter of CuPy on a device of CuPy: a GPU, or the stand-in that ``test_cupy_stand_in.py`` starts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc

if TYPE_CHECKING:
    from deepcore._device import Device

SHAPE = (4, 3, 5)
ROWS = np.array([3, 0, 3, -1, 0, 3])
PAIRS = np.array([[1, 0], [1, 1]])
MASK = np.arange(4) % 2 == 1
KEYS: dict[str, Any] = {
    "all": ...,
    "integer": 1,
    "slices": (slice(1, 3), slice(None, None, -1)),
    "new axis": (None, 2, ..., None),
    "rows": ROWS,
    "rows of the last axis": (..., ROWS),
    "rows of the middle axis": (slice(None), PAIRS),
    "rows of a part": (slice(1, None, 2), PAIRS, slice(None, None, -2)),
    "two arrays": (ROWS, np.array([0, 1, 0, 1, 0, 0])),
    "two arrays, broadcast": (slice(None), PAIRS, PAIRS[0]),
    "apart": (ROWS, slice(None), ROWS),
    "apart by a new axis": (ROWS, None, np.array(1)),
    "apart, after a slice": (slice(None), PAIRS, None, PAIRS),
    "with an integer": (slice(None), -1, ROWS),
    "with an integer, apart": (1, slice(None), ROWS),
    "without axes": np.array(2),
    "unsigned": ROWS.astype(np.uint8) % 4,
    "mask": MASK,
    "mask of two axes": np.arange(12).reshape(4, 3) % 3 == 0,
    "mask and rows": (MASK, slice(None), np.array([1, 1])),
    "rows and mask": (slice(None), np.array([1, 1]), np.array([True, False, True, False, False])),
    "none": np.zeros(0, dtype=int),
    "every axis": (PAIRS, PAIRS, PAIRS),
}


@pytest.fixture
def cuda(device: Device) -> Device:
    if device.backend.name != "cupy":
        pytest.skip("needs a device of CuPy: --device cuda")
    return device


def placed(device: Device, x: Any) -> Any:
    """Return host arrays, also within an index, as raw ones of a device."""
    if isinstance(x, tuple):
        return tuple(placed(device, part) for part in x)
    return device.backend.from_host(np.asarray(x), device.name) if isinstance(x, (np.ndarray, np.generic)) else x


def values(dtype: str, shape: Any) -> Any:
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=shape) * 100
    return (drawn + 1j * rng.normal(size=shape) if dtype.startswith("complex") else drawn).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128", "int32", "uint8", "bool"])
@pytest.mark.parametrize("name", KEYS)
def test_scatter_adds_as_numpy_does(cuda: Device, name: str, dtype: str) -> None:
    expected = np.zeros(SHAPE, dtype)
    x = values(dtype, expected[KEYS[name]].shape)
    np.add.at(expected, KEYS[name], x)
    found = cuda.kernels.scatter(placed(cuda, x), shape=SHAPE, key=placed(cuda, KEYS[name]))
    assert cuda.backend.device_of(found) == cuda.name
    np.testing.assert_array_equal(cuda.backend.to_host(found), expected, strict=True)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_sums_are_rounded_once(cuda: Device, dtype: str) -> None:
    raw = cuda.backend.raw_dtype(getattr(dc, dtype))
    x = np.full(3000, 0.1).astype(raw)
    found = cuda.kernels.scatter(placed(cuda, x), shape=(2,), key=placed(cuda, np.zeros(3000, dtype=int)))
    assert cuda.backend.to_host(found)[0] == np.asarray(np.sum(x.astype(np.float64))).astype(raw)


@pytest.mark.parametrize("name", KEYS)
def test_setitem_keeps_the_last_value(cuda: Device, name: str) -> None:
    before = values("float32", SHAPE)
    shape = before[KEYS[name]].shape
    whole, key = values("float32", shape) + 1, placed(cuda, KEYS[name])
    for value in (whole, 0, whole[..., :1] if whole.ndim else whole, whole[None, None]):
        expected = before.copy()
        expected[KEYS[name]] = value
        x = placed(cuda, before)
        found = cuda.kernels.setitem(x, placed(cuda, value), key=key)
        np.testing.assert_array_equal(cuda.backend.to_host(found), expected, strict=True)
        np.testing.assert_array_equal(cuda.backend.to_host(x), before)


def test_positions_outside_wrap_around(cuda: Device) -> None:
    # As in CuPy, which cannot raise from a kernel; what matters is that no memory of others is written.
    found = cuda.kernels.scatter(placed(cuda, np.ones(3)), shape=(4,), key=placed(cuda, np.array([5, -6, 4])))
    np.testing.assert_array_equal(cuda.backend.to_host(found), [1.0, 1.0, 1.0, 0.0])


def test_scattering_nothing_and_into_nothing(cuda: Device) -> None:
    empty = placed(cuda, np.zeros(0, dtype=int))
    found = cuda.kernels.scatter(placed(cuda, np.zeros((0, 3))), shape=(0, 3), key=empty)
    assert found.shape == (0, 3)
    found = cuda.kernels.scatter(placed(cuda, np.zeros((2, 0))), shape=(4, 0), key=placed(cuda, np.array([1, 1])))
    assert found.shape == (4, 0)


def test_uniform(cuda: Device) -> None:
    for shape in ((), (0,), (3,), (17, 3)):
        for dtype in (dc.float32, dc.float64):
            bits = np.random.Philox(key=np.array([5, 9], dtype=np.uint64))
            expected = np.random.Generator(bits).random(shape, dtype=np.dtype(dtype.name).type)
            u = cuda.backend.uniform((5, 9), shape, dtype, cuda.name)
            assert cuda.backend.device_of(u) == cuda.name
            np.testing.assert_array_equal(cuda.backend.to_host(u), np.asarray(expected), strict=True)


def test_operations_leave_the_current_device_as_it_was(cuda: Device) -> None:
    cupy = pytest.importorskip("cupy")
    before = cupy.cuda.runtime.getDevice()
    x = dc.ones((2, 2), device=cuda, requires_grad=True)
    (x @ x * x).sum().backward()
    assert x.grad is not None
    assert x.grad._data.device.id == x._data.device.id == int(cuda.name.partition(":")[2])
    with pytest.raises(dc.ShapeError):
        _ = x @ dc.ones((3, 2), device=cuda)
    dc.synchronize(cuda)
    assert isinstance(cuda.backend.memory_in_use(), int)
    assert cupy.cuda.runtime.getDevice() == before


def test_threads_have_current_devices_of_their_own(cuda: Device) -> None:
    others = [dc.device(name) for name in cuda.backend.devices]
    if len(others) < 2:
        pytest.skip("there is one device")
    done: list[Device] = []

    def work(device: Device) -> None:
        for _ in range(200):
            x = dc.ones(3, device=device, requires_grad=True)
            (x * x + x).sum().backward()
            assert x.grad is not None
            assert x.grad.tolist() == [3.0, 3.0, 3.0]
            assert x.grad._data.device.id == int(device.name.partition(":")[2])
        done.append(device)

    threads = [threading.Thread(target=work, args=(d,)) for d in others * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(threads)


def test_a_thread_restores_its_own_current_device(cuda: Device) -> None:
    if len(cuda.backend.devices) < 2:
        pytest.skip("there is one device")
    runtime = pytest.importorskip("cupy").cuda.runtime
    entered, left = threading.Event(), threading.Event()
    found: list[int] = []

    def work() -> None:
        runtime.setDevice(1)
        with cuda.current:
            entered.set()
            left.wait(10)
        found.append(runtime.getDevice())

    before = runtime.getDevice()
    runtime.setDevice(0)
    thread = threading.Thread(target=work)
    with cuda.current:
        thread.start()
        assert entered.wait(10)
    found.append(runtime.getDevice())
    left.set()
    thread.join()
    runtime.setDevice(before)
    assert found == [0, 1]


def test_gradients_flow_from_one_device_to_another(cuda: Device) -> None:
    first, last = dc.device("cuda:0"), dc.device("cpu")
    x = dc.asarray([1.0, 2.0], device=first, requires_grad=True)
    y = x.to_device(cuda) * 2 + (x * 3).to_device(last).to_device(cuda)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.device is first
    assert x.grad.tolist() == [5.0, 5.0]
