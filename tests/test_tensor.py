"""The array object: operators, indexing, in-place operations, protocols."""

from __future__ import annotations

import copy
import operator
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore.testing import assert_close

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._device import Device

ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
BITWISE = [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]
IN_PLACE = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
    operator.ifloordiv: operator.floordiv,
    operator.imod: operator.mod,
    operator.ipow: operator.pow,
    operator.imatmul: operator.matmul,
}
IN_PLACE_BITWISE = {
    operator.iand: operator.and_,
    operator.ior: operator.or_,
    operator.ixor: operator.xor,
    operator.ilshift: operator.lshift,
    operator.irshift: operator.rshift,
}

A = np.asarray([[1.5, 2.25, 0.5], [3.0, 1.25, 2.0]], dtype=np.float32)
B = np.asarray([[0.75, 2.0, 1.5], [1.0, 1.25, 0.5]], dtype=np.float32)


def tensor(values: Any, device: Device, *, requires_grad: bool = False) -> dc.Tensor:
    return dc.asarray(np.asarray(values), device=device, requires_grad=requires_grad)


# ------------------------------------------------------------------------------------------------------------ operators


@pytest.mark.parametrize("function", ARITHMETIC + COMPARISONS)
def test_binary_operators(function: Callable[..., Any], device: Device) -> None:
    a, b = tensor(A, device), tensor(B, device)
    for actual, desired in (
        (function(a, b), function(A, B)),
        (function(a, 1.25), function(A, np.float32(1.25))),
        (function(1.25, a), function(np.float32(1.25), A)),
    ):
        assert actual.device is device
        assert_close(np.asarray(actual.numpy()), desired, rtol=1e-6)


@pytest.mark.parametrize("function", BITWISE)
def test_bitwise_operators(function: Callable[..., Any], device: Device) -> None:
    a, b = np.asarray([1, 2, 3]), np.asarray([3, 1, 2])
    x, y = tensor(a, device), tensor(b, device)
    assert function(x, y).tolist() == function(a, b).tolist()
    assert function(x, 2).tolist() == function(a, 2).tolist()
    assert function(2, x).tolist() == function(2, a).tolist()
    assert (~x).tolist() == (~a).tolist()


def test_unary_operators(device: Device) -> None:
    x = tensor(-A, device)
    for function in (operator.pos, operator.neg, abs):
        assert_close(np.asarray(function(x).numpy()), function(-A))


def test_matrix_product(device: Device) -> None:
    x, w = tensor(A, device), tensor(B.T, device)
    assert_close(np.asarray((x @ w).numpy()), A @ B.T, rtol=1e-6)
    with pytest.raises(dc.ShapeError, match=r"matmul\(x1 \(2, 3\) float32, x2 \(2, 3\) float32\)"):
        _ = x @ x


@pytest.mark.parametrize("function", ARITHMETIC + COMPARISONS)
def test_numpy_arrays_on_the_left_leave_the_operator_to_the_tensor(function: Callable[..., Any]) -> None:
    a, b = A.astype(np.float64), dc.asarray(B.astype(np.float64), requires_grad=True)
    result = function(a, b)
    assert isinstance(result, dc.Tensor)
    assert_close(np.asarray(result.detach().numpy()), function(a, B.astype(np.float64)))


def test_numpy_matrix_product_on_the_left() -> None:
    x = dc.asarray(B.T, requires_grad=True)
    (A @ x).sum().backward()
    assert x.grad is not None
    assert_close(x.grad, dc.asarray(np.repeat(A.sum(axis=0)[:, None], 2, axis=1)))


@pytest.mark.parametrize("scalar", [np.float64(0.5), np.float32(0.5), np.float64(2), np.int64(2)])
def test_numpy_scalars_do_not_promote(scalar: Any, device: Device) -> None:
    x = tensor(A, device)
    for result in (x * scalar, scalar * x, x + scalar, scalar - x, x**scalar):
        assert isinstance(result, dc.Tensor)
        assert result.dtype is dc.float32


def test_foreign_objects_are_left_to_their_own_operators() -> None:
    class Other:
        def __radd__(self, other: object) -> str:
            return "theirs"

    x: Any = dc.ones(2)
    assert x + Other() == "theirs"
    with pytest.raises(TypeError, match="unsupported operand"):
        _ = x + "text"
    assert (x == "text") is False
    assert (x != "text") is True
    assert (x == None) is False  # noqa: E711 - the operator is what is tested


@pytest.mark.parametrize("function", IN_PLACE)
def test_in_place_operators_rebind(function: Callable[..., Any], device: Device) -> None:
    square, factor = A[:, :2] + 1, B[:, :2]
    x, y = tensor(square, device), tensor(factor, device)
    same = x
    x = function(x, y)
    assert x is same
    assert_close(np.asarray(x.numpy()), IN_PLACE[function](square, factor), rtol=1e-6)


@pytest.mark.parametrize("function", IN_PLACE_BITWISE)
def test_in_place_bitwise_operators_rebind(function: Callable[..., Any], device: Device) -> None:
    a = np.asarray([5, 6, 7])
    x = tensor(a, device)
    same = x
    x = function(x, 2)
    assert x is same
    assert x.tolist() == IN_PLACE_BITWISE[function](a, 2).tolist()


def test_in_place_operators_keep_shape_and_data_type(device: Device) -> None:
    x = dc.ones(3, device=device)
    with pytest.raises(dc.ShapeError, match=r"x \+= y keeps the shape"):
        x += dc.ones((2, 3), device=device)
    i = dc.asarray([1, 2], device=device)
    with pytest.raises((dc.DTypeError, dc.ShapeError)):
        i /= 2
    assert i.tolist() == [1, 2]


def test_augmented_assignment_to_a_numpy_array_is_refused() -> None:
    a: Any = A.copy()
    with pytest.raises(TypeError):
        a += dc.ones((2, 3), requires_grad=True)
    assert np.array_equal(a, A)


# -------------------------------------------------------------------------------------------- indexing and assignment

KEYS: list[Any] = [
    0,
    -1,
    (1, 2),
    slice(1, None),
    (slice(None), slice(None, None, -1)),
    (slice(None, None, -2), 1),
    (..., 0),
    (None, ..., 1),
    (slice(None), None, slice(0, 2)),
    ...,
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_reading(key: Any, device: Device) -> None:
    x = tensor(A, device, requires_grad=True)
    y = x[key]
    assert_close(np.asarray(y.detach().numpy()), A[key])
    y.backward(dc.ones_like(y))
    expected = np.zeros_like(A)
    expected[key] = 1
    assert x.grad is not None
    assert_close(np.asarray(x.grad.numpy()), expected)


def test_reading_by_mask(device: Device) -> None:
    x = tensor(A, device, requires_grad=True)
    mask = x > 1.4
    (2 * x[mask]).sum().backward()
    assert x.grad is not None
    assert_close(np.asarray(x.grad.numpy()), 2 * (A > 1.4).astype(np.float32))


def test_reading_one_place_twice_adds_both_cotangents(device: Device) -> None:
    x = tensor(A[0], device, requires_grad=True)
    places = tensor([2, 0, 2], device)
    (x[places] * tensor(B[0], device)).sum().backward()
    assert x.grad is not None
    assert_close(np.asarray(x.grad.numpy()), np.asarray([2.0, 0, 0.75 + 1.5], dtype=np.float32))


@pytest.mark.parametrize("key", [k for k in KEYS if not (isinstance(k, tuple) and None in k)], ids=str)
def test_writing(key: Any, device: Device) -> None:
    x = tensor(A, device, requires_grad=True)
    v = tensor(2 * A[key], device, requires_grad=True)
    y = 1 * x
    y[key] = v
    expected = A.copy()
    expected[key] = 2 * A[key]
    assert_close(np.asarray(y.detach().numpy()), expected)
    y.backward(tensor(B, device))
    kept = B.copy()
    kept[key] = 0
    assert x.grad is not None
    assert v.grad is not None
    assert_close(np.asarray(x.grad.numpy()), kept)
    assert_close(np.asarray(v.grad.numpy()), B[key])


def test_writing_a_number_and_a_broadcast_row(device: Device) -> None:
    x = tensor(A, device, requires_grad=True)
    row = tensor(B[0], device, requires_grad=True)
    y = 1 * x
    y[:, 0] = 7.0
    y[...] = y + row
    y[0, ...] = row
    y.sum().backward()
    assert x.grad is not None
    assert row.grad is not None
    assert x.grad.tolist() == [[0, 0, 0], [0, 1, 1]]
    assert row.grad.tolist() == [2, 2, 2]


def test_adding_to_a_part(device: Device) -> None:
    # x[i] += y reads, adds and writes: three nodes, whose saved arrays must not change afterwards.
    x = tensor(A, device, requires_grad=True)
    y = tensor(B[0], device, requires_grad=True)
    z = 1 * x
    z[0] += y
    z[0] *= y
    z[1] += z[0]
    (z * z).sum().backward()
    a, b = A.astype(np.float64), B[0].astype(np.float64)
    first = (a[0] + b) * b
    second = a[1] + first
    d_first = 2 * first + 2 * second
    assert x.grad is not None
    assert y.grad is not None
    assert_close(np.asarray(x.grad.numpy()), np.stack([d_first * b, 2 * second]).astype(np.float32), rtol=1e-5)
    assert_close(np.asarray(y.grad.numpy()), (d_first * (a[0] + 2 * b)).astype(np.float32), rtol=1e-5)


def test_what_was_computed_before_an_assignment_is_not_changed_by_it(device: Device) -> None:
    x = tensor(A, device, requires_grad=True)
    y = 1 * x
    squares = y * y  # saves y
    y[...] = 0.0
    y += 100.0
    squares.sum().backward()
    assert x.grad is not None
    assert_close(np.asarray(x.grad.numpy()), 2 * A)


def test_data_of_the_user_is_never_written() -> None:
    mine = A.copy()
    x = dc.asarray(mine)
    x[0] = 9.0
    x += 1.0
    x *= 2.0
    y = dc.asarray(mine, requires_grad=True)
    y[:, 1] = 0.0
    y.sum().backward()
    assert np.array_equal(mine, A)
    assert np.shares_memory(dc.asarray(mine).numpy(), mine)


def test_a_leaf_that_is_rebound_passes_gradients_to_what_it_was(device: Device) -> None:
    x = tensor([1.0, 2.0], device, requires_grad=True)
    x *= 3
    x[0] = x[0] * x[1]
    assert not x.is_leaf
    x.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [9 * 2, 9 * 1 + 3]


def test_a_leaf_that_is_changed_under_no_grad_stays_a_leaf(device: Device) -> None:
    w = tensor([1.0, 2.0], device, requires_grad=True)
    for _ in range(2):
        (w * w).sum().backward()
        with dc.no_grad():
            assert w.grad is not None
            w -= 0.25 * w.grad
            w[0] = 5.0
        assert w.is_leaf
        assert w.requires_grad
        w.grad = None
    (w * w).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [10.0, 2 * 2.0 * 0.25]


def test_a_tensor_without_gradients_begins_to_require_them_by_assignment(device: Device) -> None:
    x = tensor([1.0, 2.0], device, requires_grad=True)
    y = dc.zeros(3, dtype=dc.float64, device=device)
    y[1:] = x
    assert y.requires_grad
    (y * y).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 4.0]


def test_an_index_on_another_device_is_refused() -> None:
    pytest.importorskip("array_api_strict")
    x = dc.arange(3, device="array_api_strict:device1")
    with pytest.raises(dc.DeviceError, match="getitem: x is on array_api_strict:device1 and an index on cpu"):
        x[dc.asarray([0, 1])]
    with pytest.raises(dc.DeviceError, match="setitem: x is on array_api_strict:device1 and an index on cpu"):
        x[dc.asarray([0, 1]),] = 1


def test_too_large_an_index() -> None:
    with pytest.raises(IndexError):
        dc.ones(2)[2]
    assert [x.item() for x in dc.asarray([1.0, 2.0])] == [1.0, 2.0]


# ----------------------------------------------------------------------------------------------------------- protocols


def test_a_recorded_tensor_is_not_silently_detached() -> None:
    x = dc.ones(2, requires_grad=True)
    from_dlpack: Any = np.from_dlpack
    for convert in (np.asarray, from_dlpack):
        for recorded in (x, 2 * x):
            with pytest.raises(dc.GradientError, match=r"x\.detach\(\)"):
                convert(recorded)
        assert np.array_equal(convert(x.detach()), np.ones(2))


def test_conversion_to_numpy(device: Device) -> None:
    x = tensor(A, device)
    assert np.array_equal(x.numpy(), A)
    assert x.numpy().dtype == np.float32
    assert x.tolist() == A.tolist()
    if device.name == "cpu" or device.backend.name == "array_api_strict":
        assert np.array_equal(np.asarray(x), A)
        assert np.asarray(x, dtype=np.float64).dtype == np.float64
    else:
        with pytest.raises(dc.DeviceError, match=r"use x\.numpy\(\)"):
            np.asarray(x)


def test_python_values(device: Device) -> None:
    x = tensor([2.5], device)
    assert (float(x), int(x), bool(x), complex(x), x.item()) == (2.5, 2, True, 2.5 + 0j, 2.5)
    assert operator.index(tensor([3], device)) == 3
    assert len(tensor(A, device)) == 2
    with pytest.raises(dc.ShapeError, match=r"item\(\) needs a tensor of one element"):
        tensor(A, device).item()
    with pytest.raises(dc.ShapeError, match=r"bool\(\) needs a tensor of one element"):
        bool(tensor(A, device))
    with pytest.raises(TypeError):
        operator.index(x)
    with pytest.raises(TypeError, match="without axes"):
        len(tensor(1.0, device))


def test_attributes(device: Device) -> None:
    x = tensor(A, device)
    assert (x.shape, x.ndim, x.size, x.dtype, x.device) == ((2, 3), 2, 6, dc.float32, device)
    assert isinstance(x.shape, tuple)
    assert np.array_equal(x.T.numpy(), A.T)
    assert np.array_equal(dc.reshape(x, (1, 2, 3)).mT.numpy(), A.T[None])
    with pytest.raises(dc.ShapeError, match="transposes a matrix"):
        dc.reshape(x, (1, 2, 3)).T  # noqa: B018 - the property is what is tested
    with pytest.raises(TypeError, match=r"deepcore\.asarray"):
        dc.Tensor()


def test_methods(device: Device) -> None:
    x = tensor(A, device)
    for name in ("sum", "mean", "max", "min"):
        actual = getattr(x, name)(axis=1, keepdims=True)
        assert_close(np.asarray(actual.numpy()), getattr(A, name)(axis=1, keepdims=True), rtol=1e-6)
    assert x.reshape(3, -1).shape == (3, 2)
    assert x.astype(dc.float64).dtype is dc.float64


def test_repr() -> None:
    assert repr(dc.asarray([1.0, 2.5])) == "Tensor([1. , 2.5], dtype=float32)"
    assert repr(dc.ones((), requires_grad=True)) == "Tensor(1., dtype=float32, requires_grad=True)"
    assert repr(dc.asarray([1], dtype=dc.int8)) == "Tensor([1], dtype=int8)"
    assert "..." in repr(dc.zeros(1000))
    assert "bfloat16" in repr(dc.ones(1, dtype=dc.bfloat16))


def test_repr_names_the_device(device: Device) -> None:
    named = f", device='{device}'" if str(device) != "cpu" else ""
    assert repr(dc.asarray([1.0], device=device)) == f"Tensor([1.], dtype=float32{named})"


def test_pickle_and_copies(device: Device) -> None:
    for x in (tensor(A, device, requires_grad=True), tensor(np.asarray([1, 2]), device), dc.ones((), device=device)):
        for y in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), copy.copy(x)):
            assert y is not x
            assert y.requires_grad == x.requires_grad
            assert y.is_leaf
            assert_close(y.detach(), x.detach(), rtol=0, atol=0)
    mine = dc.asarray(A.copy())
    assert not np.shares_memory(copy.deepcopy(mine).numpy(), mine.numpy())


def test_tensors_are_hashed_by_identity() -> None:
    x, y = dc.ones(2), dc.ones(2)
    assert {x: 1, y: 2}[x] == 1
    assert len({x, y, x}) == 2


def test_data_types_compare_with_anything() -> None:
    others: list[Any] = [None, "float32", 1, np.float32, np.dtype("float32"), object(), [dc.float32], np.ones(2)]
    for other in others:
        assert (dc.float32 == other) is False
        assert (dc.float32 != other) is True
    assert dc.float32 == dc.ones(1).dtype
    assert pickle.loads(pickle.dumps(dc.float32)) is dc.float32
    assert copy.deepcopy(dc.float32) is dc.float32
    assert len({dc.float32, dc.float64, dc.float32}) == 2


def test_requires_grad_is_for_floating_point_tensors() -> None:
    with pytest.raises(dc.DTypeError, match="only floating-point"):
        dc.asarray([1, 2], requires_grad=True)
    x = dc.ones(2, requires_grad=True)
    y = 2 * x
    y.requires_grad = False
    assert y.is_leaf
    assert not y.requires_grad


# ---------------------------------------------------------------------------- what code for NumPy takes for granted


def test_data_types_by_the_names_that_numpy_has(device: Device) -> None:
    names: list[tuple[Any, dc.DType]] = [(bool, dc.bool), (np.int32, dc.int32), ("float32", dc.float32)]
    for name, dtype in names:
        assert dc.zeros(2, dtype=name, device=device).dtype is dtype
        assert dc.asarray([1, 0], dtype=name, device=device).dtype is dtype
        assert dc.full(2, 1, dtype=name, device=device).dtype is dtype
        assert dc.asarray([1, 0], device=device).astype(name, copy=False).dtype is dtype
        assert dc.astype(dc.asarray([1, 0], device=device), name).dtype is dtype
        assert dc.isdtype(name, dtype)
        assert dc.result_type(dtype, dtype) is dtype
    with pytest.raises(dc.DTypeError, match="is not a data type that deepcore knows; it knows bool, int8"):
        dc.zeros(2, dtype=np.dtype("U1"), device=device)  # type: ignore[arg-type]


def test_in_place_operators_convert_within_a_kind(device: Device) -> None:
    x, i = dc.ones(2, device=device, requires_grad=True), dc.asarray([1, 2], dtype=dc.int32, device=device)
    y = 2 * x
    y += dc.asarray([0.5, 1.5], dtype=dc.float64, device=device)
    i += dc.asarray([1, 1], dtype=dc.int64, device=device)
    assert y.dtype is dc.float32
    assert y.tolist() == [2.5, 3.5]
    assert i.dtype is dc.int32
    assert i.tolist() == [2, 3]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 2.0]
    z = dc.ones(2, device=device)
    with pytest.raises(dc.DTypeError, match="keeps the shape and data type"):
        z += dc.asarray([1j, 1j], dtype=dc.complex64, device=device)


def test_reshape_takes_lengths_or_a_tuple(device: Device) -> None:
    x = tensor(A, device)
    assert x.reshape((3, 2)).shape == x.reshape(3, 2).shape == x.reshape([3, -1]).shape == (3, 2)  # type: ignore[arg-type]
    assert x.reshape(-1).shape == (6,)
    assert dc.ones(1, device=device).reshape().shape == dc.ones(1, device=device).reshape(()).shape == ()


def test_real_and_imaginary_parts(device: Device) -> None:
    z = dc.asarray([1 + 2j, 3 - 1j], device=device, requires_grad=True)
    assert z.real.tolist() == [1.0, 3.0]
    assert z.imag.tolist() == [2.0, -1.0]
    z.imag.sum().backward()
    assert z.grad is not None
    assert z.grad.tolist() == [1j, 1j]
    x = tensor(A, device)
    assert x.real is x
    assert x.imag.tolist() == np.zeros_like(A).tolist()


def test_gradients_flow_through_copies_of_what_was_computed(device: Device) -> None:
    for copied in (copy.copy, copy.deepcopy):
        x = dc.asarray([1.0, 2.0], device=device, requires_grad=True)
        copied(x * x).sum().backward()
        assert x.grad is not None
        assert x.grad.tolist() == [2.0, 4.0]
        leaf = copied(x)
        assert leaf.is_leaf
        leaf.sum().backward()
        assert x.grad.tolist() == [2.0, 4.0]
        assert leaf.grad is not None
    assert dc.grad(lambda x: copy.deepcopy(x).sum())(dc.ones(2, device=device)).tolist() == [1.0, 1.0]


def test_bounds_may_be_tensors_without_axes(device: Device) -> None:
    n: Any = dc.asarray(3, device=device)
    assert dc.arange(n, device=device).tolist() == dc.arange(0, n, 1, device=device).tolist() == [0, 1, 2]
    assert dc.arange(n, device=device).dtype == dc.arange(3, device=device).dtype
    assert dc.linspace(0.0, n, 4, device=device).tolist() == [0.0, 1.0, 2.0, 3.0]
    end: Any = dc.asarray(3.0, device=device, requires_grad=True)
    for create in (dc.arange, lambda end, device: dc.linspace(0.0, end, 4, device=device)):
        with pytest.raises(dc.GradientError, match="the gradient of a bound would be lost"):
            create(end, device=device)
