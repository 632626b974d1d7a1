"""The tools for testing are tested on derivatives that are wrong on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore._backend import composites
from deepcore._primitive import Sample, registry
from deepcore._record import composite
from deepcore._sweep import op
from deepcore.testing import (
    GradientMismatchError,
    KinkError,
    assert_close,
    check_grads,
    check_parity,
    sample_arguments,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deepcore._device import Device
    from deepcore._typing import Array, Namespace, Raw

POINT = np.asarray([[0.5, -1.25, 2.0], [1.5, 0.75, -0.5]])


@pytest.fixture
def wrong() -> Iterator[Callable[..., Any]]:
    """Declare the operation x**3 with a rule of the test's choice, and forget it."""

    def declare(rule: Callable[..., Any]) -> Any:
        @composite(Sample())
        def cube(xp: Namespace, x: Array, /) -> Raw:
            """Cube."""
            return x * x * x

        cube.vjp(x=rule)
        return cube

    yield declare
    registry.pop("cube", None)
    composites.pop("cube", None)
    op.__dict__.pop("cube", None)


def point(device: Any = None, dtype: Any = dc.float64) -> dc.Tensor:
    return dc.asarray(POINT, device=device).astype(dtype)


def test_right_derivatives_pass(wrong: Any, device: Device) -> None:
    cube = wrong(lambda dy, x: dy * (3 * x * x))
    for dtype in (dc.float64, dc.float32):
        check_grads(cube, point(device, dtype), order=3 if dtype is dc.float64 else 1)


def test_low_precision_passes() -> None:
    for dtype in (dc.float16, dc.bfloat16):
        check_grads(lambda x: dc.sum(dc.tanh(x) * x), point(dtype=dtype))


def test_a_wrong_sign_is_found(wrong: Any, device: Device) -> None:
    cube = wrong(lambda dy, x: -dy * (3 * x * x))
    with pytest.raises(GradientMismatchError, match=r"cube: the derivative with respect to x .*most at x\[0, 2\]"):
        check_grads(cube, point(device))


def test_one_wrong_element_is_named(wrong: Any) -> None:
    place = dc.asarray([[0.0, 0.0, 0.0], [0.0, 1e-4, 0.0]], dtype=dc.float64)

    def rule(dy: Any, x: Any) -> Any:
        return dy * (3 * x * x + (place if isinstance(x, dc.Tensor) else place.numpy()))

    with pytest.raises(GradientMismatchError, match=r"most at x\[1, 1\]: the sweep gives"):
        check_grads(wrong(rule), point())


def test_a_second_derivative_that_is_wrong_is_found(wrong: Any) -> None:
    # Right on raw arrays and in its value, but part of it is not recorded.
    def rule(dy: Any, x: Any) -> Any:
        return dy * (3 * x * (x.detach() if isinstance(x, dc.Tensor) else x))

    cube = wrong(rule)
    check_grads(cube, point())
    with pytest.raises(GradientMismatchError, match="the derivative of cube: the derivative with respect to x"):
        check_grads(cube, point(), order=2)


def test_a_rule_that_is_another_one_when_recorded_is_found(wrong: Any) -> None:
    def rule(dy: Any, x: Any) -> Any:
        return dy * ((2 if isinstance(x, dc.Tensor) else 3) * x * x)

    with pytest.raises(GradientMismatchError, match="is another one when it is recorded"):
        check_grads(wrong(rule), point(), order=2)


def test_a_lost_gradient_is_found() -> None:
    with pytest.raises(GradientMismatchError, match=r"with respect to b .*the sweep gives 0 and differences"):
        check_grads(lambda a, b: a * b.detach(), point(), point() + 1)


def test_a_kink_is_told_from_a_wrong_derivative(wrong: Any) -> None:
    x = dc.asarray([1.25, 1e-5, -2.25], dtype=dc.float64)
    for function in (dc.relu, dc.abs, lambda v: dc.maximum(v, 0.0), dc.floor):
        with pytest.raises(KinkError, match=r"is not differentiable near .*\[1\]"):
            check_grads(function, x)
    for away in (0.01, 1.0):
        check_grads(dc.relu, x + away)
    with pytest.raises(GradientMismatchError) as caught:
        check_grads(wrong(lambda dy, x: dy * x), x)
    assert not isinstance(caught.value, KinkError)


def test_a_kink_is_told_even_where_differences_agree_with_the_subgradient() -> None:
    with pytest.raises(KinkError, match="abs is not differentiable near x"):
        check_grads(dc.abs, dc.zeros(3, dtype=dc.float64))


def test_large_and_small_scales() -> None:
    check_grads(lambda x: dc.log(x) / x, dc.asarray([1e4, 3e4], dtype=dc.float64))
    check_grads(lambda x: dc.exp(1e-3 * x), 1e3 * point())
    check_grads(lambda x: dc.sqrt(x), dc.asarray([1e-4], dtype=dc.float64), eps=1e-6)
    with pytest.raises(GradientMismatchError), np.errstate(invalid="ignore"):
        check_grads(dc.log, dc.asarray([1e-6], dtype=dc.float64))


def test_several_results_and_arguments_that_are_not_differentiated() -> None:
    def function(k: int, x: dc.Tensor, i: dc.Tensor, y: dc.Tensor) -> list[dc.Tensor]:
        return [k * x * y, dc.take(x, i, axis=1), dc.asarray([1])]

    check_grads(function, 3, point(), dc.asarray([0, 0, 2]), point() * 2, order=2)


def test_what_cannot_be_checked() -> None:
    with pytest.raises(dc.ConfigError, match="no argument is a floating-point tensor"):
        check_grads(dc.exp, dc.asarray([1]))
    with pytest.raises(dc.ConfigError, match="order is 1 or more"):
        check_grads(dc.exp, point(), order=0)
    with pytest.raises(dc.ConfigError, match="returned a float"):
        check_grads(lambda x: x.sum().item(), point())


def test_a_mismatch_is_an_assertion_and_a_gradient_error() -> None:
    assert issubclass(KinkError, (AssertionError, dc.GradientError))
    assert issubclass(GradientMismatchError, dc.DeepcoreError)
    assert issubclass(GradientMismatchError, AssertionError)


def test_the_arguments_are_left_alone() -> None:
    x = dc.asarray(POINT.copy(), requires_grad=True)
    check_grads(lambda v: v * v, x, order=2)
    assert x.grad is None
    assert np.array_equal(x.detach().numpy(), POINT)


# --------------------------------------------------------------------------------------------------------- assert_close


def test_assert_close(device: Device) -> None:
    x = dc.asarray([1.0, 2.0], device=device)
    assert_close(x, x)
    assert_close(x, [1.0, 2.0])
    assert_close(x, np.asarray([1.0, 2.0], dtype=np.float32))
    assert_close(1.0, 1.0 + 1e-15)
    assert_close(dc.asarray([np.nan, np.inf], device=device), [np.nan, np.inf])
    for desired, message in (
        ([1.0, 2.5], r"values differ: 1 of 2 elements, most at index \(1,\), where 2.0 should be 2.5"),
        ([1.0], r"shapes differ: \(2,\) should be \(1,\)"),
        (np.asarray([1.0, 2.0]), "data types differ: float32 should be float64"),
        ([np.nan, 2.0], r"index \(0,\)"),
        ([1.0, np.inf], r"index \(1,\)"),
    ):
        with pytest.raises(AssertionError, match=message):
            assert_close(x, desired)
    with pytest.raises(AssertionError, match=r"index \(0,\)"):
        assert_close(dc.asarray([np.inf]), [-np.inf])


def test_assert_close_compares_devices() -> None:
    pytest.importorskip("array_api_strict")
    with pytest.raises(AssertionError, match="devices differ: cpu should be array_api_strict:device1"):
        assert_close(dc.ones(2), dc.ones(2, device="array_api_strict:device1"))


def test_whole_numbers_are_exact() -> None:
    assert_close(dc.asarray([10**9]), dc.asarray([10**9]))
    with pytest.raises(AssertionError, match="values differ"):
        assert_close(dc.asarray([10**9]), dc.asarray([10**9 + 1]))
    with pytest.raises(AssertionError, match="values differ"):
        assert_close(dc.asarray([2**62]), dc.asarray([2**62 + 1]))


# -------------------------------------------------------------------------------------------------------------- samples


def test_samples_keep_their_distance() -> None:
    sample = Sample(((4, 5), (4, 5)), low=-1.0, high=1.0, kinks=(-0.5, 0.0, 5.0))
    operands, _ = sample_arguments(registry["add"], sample)
    values = np.concatenate([x.numpy().reshape(-1) for x in operands])
    assert ((values >= -1) & (values <= 1)).all()
    assert np.abs(values[:, None] - [-0.5, 0.0]).min() >= 0.05 - 1e-6
    assert np.diff(np.sort(values)).min() > 0.6 * 1.8 / 40 - 1e-6
    assert np.array_equal(values, values.astype(np.float32))


def test_samples_of_integers_truth_values_and_lists(device: Device) -> None:
    sample = Sample(((2, 3), (50,), (50,)), integers={1: 3}, booleans=(2,))
    (x, i, b), _ = sample_arguments(registry["where"], sample, device, dc.float32)
    assert (x.dtype, i.dtype, b.dtype, x.device) == (dc.float32, dc.int64, dc.bool, device)
    assert set(i.tolist()) == {0, 1, 2}
    (arrays,), _ = sample_arguments(registry["concat"], registry["concat"].samples[0], device)
    assert [a.shape for a in arrays] == [(2, 3), (1, 3), (2, 3)]
    _, parameters = sample_arguments(registry["transfer"], registry["transfer"].samples[0], device)
    assert parameters == {"source": device, "target": device}
    (again, *_), _ = sample_arguments(registry["where"], sample, device, dc.float32)
    (other, *_), _ = sample_arguments(registry["where"], sample, device, dc.float32, seed=1)
    assert again.tolist() == x.tolist()
    assert other.tolist() != x.tolist()


# -------------------------------------------------------------------------------------------------------------- parity


def test_parity_holds(device: Device, thrifty: bool) -> None:
    for name in ("matmul", "concat", "clip") if thrifty else ("matmul", "concat", "clip", "where", "argmax", "astype"):
        for sample in registry[name].samples:
            for dtype in (dc.float64, dc.float32):
                check_parity(registry[name], sample, device, dtype)


@pytest.mark.parametrize(
    ("kernel", "broken", "operation", "message"),
    [
        ("sin", lambda x: np.sin(x) * 1.001, "sin", r"sin on cpu in float32, result: values differ: 6 of 6"),
        ("sin", lambda x: np.sin(x) * 1.001, "cos", r"cos on cpu in float32, gradient of x: values differ"),
        ("sin", lambda x: np.sin(x.astype(np.float64)), "sin", "result: data types differ: float64 should be float32"),
        ("cos", lambda x: np.cos(x)[0], "cos", r"result: shapes differ: \(3,\) should be \(2, 3\)"),
    ],
)
def test_what_parity_finds(
    monkeypatch: pytest.MonkeyPatch, kernel: str, broken: Any, operation: str, message: str
) -> None:
    kernels = dc.device("cpu").kernels
    right = kernels[kernel]
    # The reference is computed in float64, by the same kernels here.
    monkeypatch.setitem(kernels, kernel, lambda x: right(x) if x.dtype == np.float64 else broken(x))
    with pytest.raises(AssertionError, match=message):
        check_parity(registry[operation], registry[operation].samples[0], "cpu", dc.float32)
    check_parity(registry[operation], registry[operation].samples[0], "cpu", dc.float64)


def test_parity_misses_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    multiply = registry["multiply"]
    right = multiply.rules["x1"].function
    calls = iter([True, False])  # of the reference, and of what is checked
    monkeypatch.setattr(multiply.rules["x1"], "function", lambda dy, x2: right(dy, x2) if next(calls) else None)
    with pytest.raises(AssertionError, match="result, gradient of x2 should be result, gradient of x1, gradient of x2"):
        check_parity(multiply, multiply.samples[0], "cpu")
