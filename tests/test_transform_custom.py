"""custom_vjp and stop_gradient: forms, errors, and what a rule is given."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.testing import check_grads

if TYPE_CHECKING:
    from deepcore._device import Device


def numbers(*values: float, requires_grad: bool = False) -> dc.Tensor:
    return dc.asarray(values, dtype=dc.float64, requires_grad=requires_grad)


def cube_with(bwd: Any, fwd: Any = lambda x, n=3: (x**3, x)) -> Any:
    @dc.custom_vjp
    def cube(x: dc.Tensor, n: int = 3) -> dc.Tensor:
        """The third power."""
        return x**3

    cube.defvjp(fwd, bwd)
    return cube


def test_the_rule_that_is_given_is_used(device: Device) -> None:
    f = cube_with(lambda x, dy: (10 * x * dy, None))
    x = dc.asarray([1.0, 2.0], device=device)
    value, gradient = dc.value_and_grad(lambda x: dc.sum(f(x)))(x)
    assert (value.item(), gradient.tolist()) == (9.0, [10.0, 20.0])
    assert gradient.device is device
    # ... and its own derivative, not that of the true one: 10
    assert dc.hessian(lambda x: dc.sum(f(x)))(x).tolist() == [[10.0, 0.0], [0.0, 10.0]]
    assert (f.__name__, f.__doc__) == ("cube", "The third power.")


def test_a_stable_derivative() -> None:
    @dc.custom_vjp
    def log1pexp(x: dc.Tensor) -> dc.Tensor:
        return dc.log(1 + dc.exp(x))

    log1pexp.defvjp(
        lambda x: (log1pexp(x), x),
        lambda x, dy: (dy / (1 + dc.exp(-x)),),
    )
    assert dc.grad(log1pexp)(numbers(100.0)).item() == 1.0
    check_grads(log1pexp, numbers(-1.0, 0.5, 3.0), order=2)


def test_fwd_may_call_the_function_itself() -> None:
    @dc.custom_vjp
    def square(x: dc.Tensor) -> dc.Tensor:
        return x * x

    def fwd(x: dc.Tensor) -> Any:
        y = square(x)
        return y, y

    square.defvjp(fwd, lambda y, dy: (10 * y * dy,))
    f: Any = lambda x: dc.sum(square(x))  # noqa: E731 - a function is rebound to its derivative
    for order in (1, 2, 3):  # y' = 10 y, also of the y that is the residual
        f = dc.grad(f)
        assert f(dc.asarray(3.0)).item() == 9 * 10**order


def test_the_tape_keeps_the_residuals_alone() -> None:
    def fwd(x: dc.Tensor, n: int) -> Any:
        for _ in range(20):
            x = dc.tanh(x)
        return x, x

    x = dc.asarray(np.linspace(-1, 1, 10_000), requires_grad=True)
    f = cube_with(lambda y, dy: (y * dy, None), fwd)
    tracemalloc.start()
    try:
        y = dc.sum(f(x))
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1.5 * 10_000 * 8
    y.backward()
    assert x.grad is not None
    assert x.grad.numpy().any()


def test_keywords_defaults_and_arguments_that_are_no_tensors() -> None:
    f = cube_with(lambda x, dy: (3 * x**2 * dy, None))
    x = numbers(2.0)
    for g in (lambda x: f(x=x), lambda x: f(x, n=5), lambda x: f(x, 5)):
        assert dc.grad(lambda x, g=g: dc.sum(g(x)))(x).item() == 12.0


def test_trees_of_arguments_cotangents_and_none() -> None:
    @dc.custom_vjp
    def f(pair: Any, state: Any) -> Any:
        return fwd(pair, state)[0]

    seen: list[Any] = []

    def fwd(pair: Any, state: Any) -> Any:
        a, b = pair
        return {"y": a * b, "count": state["n"], "same": [a]}, (a, b, "note")

    def bwd(residuals: Any, cotangent: Any) -> Any:
        seen.append(cotangent)
        _, b, note = residuals
        assert note == "note"
        return (b * cotangent["y"] + cotangent["same"][0], None), {"n": None, "w": None}

    f.defvjp(fwd, bwd)
    a, b, w = (numbers(v, requires_grad=True) for v in (2.0, 3.0, 4.0))
    found = f((a, b), {"n": dc.asarray([1]), "w": w})
    assert found["count"].tolist() == [1]
    dc.sum(found["y"]).backward()
    assert a.grad is not None
    assert a.grad.tolist() == [3.0]
    assert b.grad is None
    assert w.grad is None
    (cotangent,) = seen
    assert cotangent["count"] is None
    assert cotangent["y"].tolist() == [1.0]
    assert cotangent["same"][0].tolist() == [0.0]  # zeros where nothing arrived


def test_first_derivatives_record_nothing_in_the_rule() -> None:
    recording: list[bool] = []

    def bwd(x: dc.Tensor, dy: dc.Tensor) -> Any:
        recording.append(dc.is_grad_enabled())
        assert x.requires_grad is dc.is_grad_enabled()
        return 3 * x**2 * dy, None

    f = cube_with(bwd)
    dc.grad(lambda x: dc.sum(f(x)))(numbers(1.0))
    dc.hvp(lambda x: dc.sum(f(x)), numbers(1.0), numbers(1.0))
    assert recording == [False, True]


def test_draws_in_the_rule_are_the_same_again() -> None:
    def fwd(x: dc.Tensor, n: int = 3) -> Any:
        mask = dc.random.bernoulli(100, p=0.5, dtype=dc.float64)
        return dc.sum(x**2 * mask), (x, mask)

    masks: list[Any] = []

    def bwd(residuals: Any, dy: dc.Tensor) -> Any:
        x, mask = residuals
        masks.append(mask.tolist())
        return 2 * x * mask * dy, None

    f = cube_with(bwd, fwd)
    dc.random.seed(1)
    h = dc.hvp(lambda x: f(x), dc.ones(100, dtype=dc.float64), dc.ones(100, dtype=dc.float64))
    dc.random.seed(1)
    expected = dc.random.bernoulli(100, p=0.5).tolist()
    assert masks[-1] == expected
    assert h.tolist() == [2 * m for m in expected]


def test_without_gradients_the_function_is_just_called() -> None:
    f = dc.custom_vjp(lambda x: 2 * x)  # no rule yet
    assert f(numbers(1.0)).tolist() == [2.0]
    with dc.no_grad():
        assert f(numbers(1.0, requires_grad=True)).tolist() == [2.0]
    with pytest.raises(dc.GradientError, match=r"custom_vjp\(<lambda>\) has no derivative yet; give it by defvjp"):
        f(numbers(1.0, requires_grad=True))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda x, dy: dy, r"bwd must return a tuple of 2 cotangents, one for each argument, not a tensor of shape"),
        (lambda x, dy: (dy,), "a tuple of 2 cotangents, one for each argument, not a tuple of 1"),
        (lambda x, dy: [dy, None], "a tuple of 2 cotangents, one for each argument, not a list"),
        (lambda x, dy: (dc.sum(dy), None), r"cotangent of argument 0 must have its shape, \(2,\), and is a tensor of"),
        (lambda x, dy: (1.0, None), r"cotangent of argument 0 must have its shape, \(2,\), and is a float"),
        (lambda x, dy: ({"a": dy}, None), "the cotangent of argument 0 must have the parts '', not 'a'"),
    ],
)
def test_wrong_cotangents_are_named(returned: Any, message: str) -> None:
    with pytest.raises(dc.ShapeError, match=rf"custom_vjp\(cube\): .*{message}"):
        dc.grad(lambda x: dc.sum(cube_with(returned)(x)))(numbers(1.0, 2.0))


def test_wrong_cotangents_in_trees_are_named() -> None:
    f = dc.custom_vjp(lambda pair: pair[0] * pair[1])
    f.defvjp(lambda pair: (pair[0] * pair[1], pair), lambda pair, dy: ((dy, dc.zeros(3)),))
    x = numbers(1.0, 2.0)
    with pytest.raises(dc.ShapeError, match=r"the cotangent of argument 0 at 1 must have its shape, \(2,\), and is"):
        dc.grad(lambda x: dc.sum(f((x, x))))(x)


def test_a_cotangent_on_another_device() -> None:
    pytest.importorskip("array_api_strict")
    f = cube_with(lambda x, dy: (dy.to_device("array_api_strict:device1"), None))
    with pytest.raises(dc.DeviceError, match=r"custom_vjp\(cube\): argument 0 is on cpu, and its cotangent on"):
        dc.grad(lambda x: dc.sum(f(x)))(numbers(1.0))


def test_fwd_returns_a_pair() -> None:
    with pytest.raises(dc.ShapeError, match=r"custom_vjp\(cube\): fwd must return a pair, .* not a tensor of shape"):
        cube_with(None, lambda x, n: x)(numbers(1.0, requires_grad=True))


def test_gradients_that_would_be_lost() -> None:
    w = numbers(2.0, requires_grad=True)
    f = cube_with(None, lambda x, n: (x * w, None))
    with pytest.raises(dc.GradientError, match="requires gradients and is not an argument"):
        f(numbers(1.0, requires_grad=True))
    g = dc.custom_vjp(lambda x: x * w)
    with pytest.raises(dc.GradientError, match="requires gradients and is not an argument"):
        g(numbers(1.0))
    layer = nn.Dense(2, 2)
    h = dc.custom_vjp(lambda layer, x: layer(x))
    h.defvjp(lambda layer, x: (layer(x), None), lambda _, dy: (None, dy))
    with pytest.raises(dc.GradientError, match="requires gradients and is not an argument"):
        h(layer, dc.ones((1, 2), requires_grad=True))
    ok = cube_with(lambda _, dy: (2 * dy, None), lambda x, n: (x * dc.stop_gradient(w), None))
    assert dc.grad(lambda x: dc.sum(ok(x)))(numbers(1.0)).item() == 2.0


def test_residuals_are_released() -> None:
    x = dc.asarray(3.0, requires_grad=True)
    y = cube_with(lambda x, dy: (3 * x**2 * dy, None))(x)
    y.backward()
    with pytest.raises(dc.GradientError, match=r"custom_vjp\(cube\) was released"):
        y.backward()


def test_inside_a_model(device: Device) -> None:
    """A layer whose activation rounds, and passes the gradient straight through."""
    rounded = dc.custom_vjp(dc.round)
    rounded.defvjp(lambda x: (dc.round(x), None), lambda _, dy: (dy,))
    layer = nn.Dense(3, 2).to(device)
    x = dc.asarray(np.ones((4, 3)), dtype=dc.float32, device=device)
    dc.sum(rounded(layer(x))).backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[4.0, 4.0]] * 3


def test_stop_gradient() -> None:
    x = numbers(2.0, requires_grad=True)
    tree = dc.stop_gradient({"a": [x, 1], "b": x * x})
    assert tree["a"][1] == 1
    assert not tree["a"][0].requires_grad
    assert not tree["b"].requires_grad
    assert dc.hessian(lambda x: dc.sum(x**2 * dc.stop_gradient(x)))(x.detach()).tolist() == [[4.0]]


def test_a_complex_rule_has_the_convention_of_the_gradient() -> None:
    square = dc.custom_vjp(lambda z: z * z)
    square.defvjp(lambda z: (z * z, z), lambda z, dy: (2 * dc.conj(z) * dy,))
    z = dc.asarray([0.5 + 2.0j])
    got, expected = (dc.grad(lambda z, f=f: dc.sum(dc.imag(f(z))))(z) for f in (square, lambda z: z * z))
    assert got.tolist() == expected.tolist() == [4.0 + 1.0j]
