"""Arrays of other libraries in and out: whose memory, which type, and what is refused with a reason."""

from __future__ import annotations

import array
import copy
import importlib
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._device import Device

NUMPY: Any = np  # whose types do not know that its functions take tensors

DTYPES = [dc.float32, dc.float64, dc.int32, dc.int64, dc.uint8, dc.bool, dc.complex64, dc.bfloat16, dc.float16]


def pointer(raw: Any) -> int:
    """Return the address of the first element, as each library says it."""
    if hasattr(raw, "unsafe_buffer_pointer"):
        return int(raw.unsafe_buffer_pointer())
    if hasattr(raw, "data_ptr"):
        return int(raw.data_ptr())
    if hasattr(raw, "data") and hasattr(raw.data, "ptr"):
        return int(raw.data.ptr)
    return int(np.asarray(raw).__array_interface__["data"][0])


def foreign(device: Device, values: Any = (1.0, 2.0, 3.0)) -> Any:
    """Return an array of the device's own library, as its users make it."""
    library: Any = importlib.import_module(
        {"numpy": "numpy", "jax": "jax.numpy"}.get(device.backend.name, device.backend.module)
    )
    return library.asarray(values)


# -------------------------------------------------------------------------------------------------------- taking arrays


def test_an_array_keeps_its_library_and_its_memory(device: Device) -> None:
    mine = foreign(device)
    for taken in (dc.asarray(mine), dc.from_dlpack(mine), dc.asarray(dc.asarray(mine))):
        x = taken
        assert x.device.backend is device.backend
        assert x._data is mine or pointer(x._data) == pointer(mine)
        x += 1
        x[0] = 7.0
        assert [float(v) for v in mine] == [1.0, 2.0, 3.0]  # what is written to is a new array


def test_what_the_owner_writes_is_seen(device: Device) -> None:
    mine = foreign(device)
    x = dc.asarray(mine)
    try:
        mine[0] = 9.0
    except TypeError:
        assert device.backend.name == "jax"  # whose arrays nobody writes to
        return
    assert x.tolist() == [9.0, 2.0, 3.0]
    assert dc.asarray(mine, copy=True).tolist() == x.tolist()
    mine[0] = 5.0
    assert x.tolist() == [5.0, 2.0, 3.0]


def test_the_library_that_an_operation_gives_to_is_that_of_its_operands(device: Device) -> None:
    x, mine = dc.asarray(foreign(device)), foreign(device)
    results = [x + mine, x * mine, x @ mine]
    if device.backend.name != "array_api_strict":  # which adds to nothing else
        results += [mine + x, mine * x, mine @ x]
    for y in results:
        assert isinstance(y, dc.Tensor)
        assert y.device is x.device


def test_read_only_arrays_of_numpy() -> None:
    mine = np.ones(3)
    mine.flags.writeable = False
    x = dc.asarray(mine)
    assert np.shares_memory(x.numpy(), mine)
    x[0] = 5.0
    assert x.tolist() == [5.0, 1.0, 1.0]
    assert mine.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("code", [">f4", ">f8", ">i2", ">c8"])
def test_another_byte_order_is_converted(code: str) -> None:
    mine = np.asarray([1, 2, 3], dtype=code)
    zeros: Any = dc.zeros(3, dtype=dc.asarray(mine).dtype)
    for x in (dc.asarray(mine), zeros + mine):
        assert x.tolist() == [1, 2, 3]
        assert x.numpy().dtype.isnative


@pytest.mark.parametrize(
    "values", [np.asarray(["a"]), np.zeros(2, dtype=[("a", "f4")]), np.asarray([None]), b"abc", "abc"]
)
def test_what_is_no_number_is_refused(values: Any) -> None:
    with pytest.raises(dc.DTypeError, match=r"not an array of numbers|not arrays of numbers"):
        dc.asarray(values)


def test_data_types_of_what_has_one() -> None:
    cases: list[tuple[Any, dc.DType]] = [
        (np.float32(1.5), dc.float32),
        (np.int8(1), dc.int8),
        ([np.float64(1), np.float64(2)], dc.float64),
        ([np.ones(2), np.ones(2)], dc.float64),
        ([[1.0, 2.0]], dc.float32),
        (memoryview(NUMPY.ones(2)), dc.float64),
        (memoryview(b"abc"), dc.uint8),
        (bytearray(b"abc"), dc.uint8),
        (array.array("h", [1, 2]), dc.int16),
    ]
    for values, dtype in cases:
        assert dc.asarray(values).dtype is dtype, values


def test_buffers_share_their_memory() -> None:
    buffer = bytearray(b"abc")
    x = dc.asarray(buffer)
    buffer[0] = 0
    assert x.tolist() == [0, 98, 99]


def test_sequences_of_arrays(device: Device) -> None:
    x = dc.asarray([foreign(device), foreign(device)])
    assert x.device.backend is device.backend
    assert x.shape == (2, 3)
    recorded = dc.asarray(foreign(device), requires_grad=True)
    y = dc.asarray([recorded, 2 * recorded])
    y.sum().backward()
    assert recorded.grad is not None
    assert recorded.grad.tolist() == [3.0, 3.0, 3.0]


def test_columns_of_pandas() -> None:
    pandas: Any = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    assert dc.asarray(frame).tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert dc.asarray(frame["a"]).dtype is dc.float64
    with pytest.raises(dc.DTypeError, match="arrays of numbers"):
        dc.asarray(pandas.DataFrame({"a": ["x"]}))


def test_a_tensor_of_pytorchs_graph_is_refused() -> None:
    torch: Any = pytest.importorskip("torch")
    mine = torch.ones(2, requires_grad=True)
    x = dc.ones(2, device="torch:cpu")
    ways: list[Callable[[], Any]] = [
        lambda: dc.asarray(mine),
        lambda: dc.asarray(2 * mine),
        lambda: dc.from_dlpack(mine),
        lambda: dc.asarray([mine, mine]),
        lambda: x + mine,
        lambda: mine + x,
    ]
    for way in ways:
        with pytest.raises(dc.GradientError, match=r"part of PyTorch's graph.* use x\.detach\(\)"):
            way()
    assert dc.asarray(mine.detach(), requires_grad=True).tolist() == [1.0, 1.0]


# -------------------------------------------------------------------------------------------------------- giving arrays


def test_numpy_reads_host_arrays(device: Device) -> None:
    x = dc.asarray(foreign(device))
    if device.name != "cpu" and device.backend.name != "array_api_strict":
        with pytest.raises(dc.DeviceError, match=r"numpy\.asarray: the tensor is on .*; use x\.numpy\(\)"):
            np.asarray(x)
        return
    assert np.asarray(x).tolist() == [1.0, 2.0, 3.0]
    if device.backend.name != "array_api_strict":
        assert pointer(np.asarray(x)) == pointer(x._data)
    assert pointer(np.array(x)) != pointer(x._data)
    assert np.asarray(x, dtype=np.int32).dtype == np.int32
    target = np.zeros(3)
    target[:] = x
    assert target.tolist() == [1.0, 2.0, 3.0]


def test_a_recorded_tensor_is_given_to_nobody(device: Device) -> None:
    x = dc.asarray(foreign(device), requires_grad=True)
    for y in (x, 2 * x):
        ways: list[Callable[[Any], Any]] = [np.asarray, np.array, np.from_dlpack, lambda y: np.concatenate([y, y])]
        for way in ways:
            with pytest.raises(dc.GradientError, match=r"would lose them; use x\.detach\(\) first"):
                way(y)
        assert y.detach().numpy().tolist() == y.tolist()


@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
def test_dlpack_round_trips_share_memory(name: str, device: Device) -> None:
    if device.backend.name in {"array_api_strict", "cupy"}:
        pytest.skip("array-api-strict hides its memory; CuPy's is not the host's")
    library: Any = pytest.importorskip({"jax": "jax.numpy"}.get(name, name))
    x = dc.asarray(foreign(device, np.arange(64, dtype=np.float32)))  # JAX copies what is not aligned
    theirs = library.from_dlpack(x)
    again = dc.from_dlpack(theirs)
    assert again.device.backend.name == name
    assert again.tolist() == x.tolist()
    if "jax" not in {name, device.backend.name}:
        assert pointer(theirs) == pointer(x._data)
    assert pointer(again._data) == pointer(theirs)


def test_devices_of_all_libraries_keep_values_and_types(device: Device) -> None:
    for dtype in DTYPES:
        if not device.backend.supports(dtype, device.name):
            continue
        x = dc.asarray([1, 0, 1], device="cpu").astype(dtype)
        there = x.to_device(device)
        assert there.dtype is dtype
        for other in dc.devices():
            if other.backend.supports(dtype, other.name):
                passed = there.to_device(other)
                assert passed.dtype is dtype, (dtype, other)
                assert passed.to_device(device).to_device("cpu").tolist() == x.tolist(), (dtype, other)


# ---------------------------------------------------------------------------------------------------- NumPy's functions


def test_universal_functions_of_numpy_are_recorded(device: Device) -> None:
    for function, own in ((NUMPY.sin, dc.sin), (NUMPY.arctan, dc.atan), (NUMPY.absolute, dc.abs), (NUMPY.exp, dc.exp)):
        x = dc.asarray(foreign(device, [0.25, 0.5]), requires_grad=True)
        y = function(x)
        assert isinstance(y, dc.Tensor)
        assert y.tolist() == own(x).tolist()
        y.sum().backward()
        assert x.grad is not None
    x = dc.asarray(foreign(device, [0.25, 0.5]))
    assert NUMPY.power(x, 2).tolist() == (x**2).tolist()


def test_numpy_arrays_and_scalars_meet_tensors() -> None:
    n, x = NUMPY.asarray([1.0, 2.0]), dc.asarray(np.asarray([3.0, 4.0]), requires_grad=True)
    for y, expected in (
        (n + x, [4.0, 6.0]),
        (x - n, [2.0, 2.0]),
        (n @ x, 11.0),
        (NUMPY.float64(2) * x, [6.0, 8.0]),
        (n / x, [1 / 3, 0.5]),
        (NUMPY.maximum(n, x), [3.0, 4.0]),
    ):
        assert isinstance(y, dc.Tensor)
        assert y.requires_grad
        assert y.tolist() == expected
    assert (n < x).tolist() == [True, True]
    assert (n == x).tolist() == [False, False]


def test_reductions_of_numpy_are_recorded() -> None:
    x = dc.asarray(np.asarray([[1.0, 2.0], [3.0, 5.0]]), requires_grad=True)
    for function in (NUMPY.sum, NUMPY.mean, NUMPY.max, NUMPY.min):
        for options in ({}, {"axis": 0}, {"axis": 1, "keepdims": True}):
            y = function(x, **options)
            assert isinstance(y, dc.Tensor)
            assert y.requires_grad
            assert y.tolist() == function(x.detach().numpy(), **options).tolist()
    assert NUMPY.sum(x, dtype=np.float32).dtype is dc.float32
    assert NUMPY.mean(x, dtype=np.float32).dtype is dc.float32
    target: Any = np.zeros(2)
    with pytest.raises(dc.ConfigError, match="out= would write into an array"):
        NUMPY.sum(x, axis=0, out=target)


def test_what_numpy_would_write_or_does_not_share_is_refused() -> None:
    n, x = NUMPY.ones(2), dc.ones(2)
    with pytest.raises(dc.DTypeError, match=r"numpy\.add: the result would be written .* write y = y \+ x"):
        n += x
    with pytest.raises(dc.DTypeError, match=r"numpy\.add\.reduce is not for tensors; use a function of deepcore"):
        NUMPY.add.reduce(x)
    with pytest.raises(dc.DTypeError, match=r"numpy\.cbrt is not for tensors"):
        NUMPY.cbrt(x)
    with pytest.raises(dc.DTypeError, match=r"numpy\.sin with where is not for tensors"):
        NUMPY.sin(x, where=[True, False])
    assert n.tolist() == [1.0, 1.0]


def test_arrays_of_numpy_do_not_move_to_another_library(device: Device) -> None:
    if device.backend.name == "numpy":
        pytest.skip("NumPy is the library")
    n, x = NUMPY.ones(3), dc.ones(3, device=device)
    ways: list[Callable[[], Any]] = [lambda: n + x, lambda: x + n, lambda: NUMPY.add(n, x)]
    for way in ways:
        with pytest.raises(dc.DeviceError, match="never transfers silently"):
            way()


# ----------------------------------------------------------------------------------------------- Python's own protocols


def test_pickles_hold_values_and_not_graphs(device: Device) -> None:
    x = dc.asarray(foreign(device), requires_grad=True)
    for y in (x, 2 * x):
        again = pickle.loads(pickle.dumps(y))
        assert again.is_leaf
        assert again.requires_grad
        assert again.device is y.device
        assert again.tolist() == y.tolist()


def test_copies_of_computed_tensors_stay_in_the_graph(device: Device) -> None:
    for copied in (copy.copy, copy.deepcopy):
        x = dc.asarray(foreign(device), requires_grad=True)
        copied(x * x).sum().backward()
        assert x.grad is not None
        assert x.grad.tolist() == [2.0, 4.0, 6.0]


def test_formats_of_one_element(device: Device) -> None:
    for values in (1.5, [1.5]):
        x = dc.asarray(values, device=device)
        assert f"{x:.2f}" == "1.50"
        assert f"{x}" == str(x) == repr(x)
    assert f"{dc.asarray(3, device=device):03d}" == "003"
    with pytest.raises(dc.ShapeError, match="a format needs a tensor of one element"):
        f"{dc.ones(2, device=device):.2f}"


def test_containers(device: Device) -> None:
    x: Any = dc.asarray(foreign(device))
    assert 2.0 in x
    assert 5.0 not in x
    assert [float(v) for v in x] == [1.0, 2.0, 3.0]
    assert float(sum(x)) == 6.0
    assert [10, 20, 30][dc.asarray(1, device=device)] == 20
    with pytest.raises(TypeError, match="without axes"):
        len(dc.ones((), device=device))
    with pytest.raises(dc.ShapeError, match="one element"):
        bool(x)
