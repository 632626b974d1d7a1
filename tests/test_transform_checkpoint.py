"""checkpoint: what it keeps, what flows through it, and what it draws."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.random import Generator, default_generator
from deepcore.testing import assert_close
from deepcore.transform import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._device import Device


def numbers(*values: float, requires_grad: bool = False) -> dc.Tensor:
    return dc.asarray(values, dtype=dc.float64, requires_grad=requires_grad)


def in_use() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_the_tape_keeps_the_arguments_alone() -> None:
    def segment(x: dc.Tensor) -> dc.Tensor:
        for _ in range(20):
            x = dc.tanh(x)
        return x

    def bytes_kept(f: Callable[..., Any]) -> tuple[int, int, Any]:
        x = dc.asarray(np.linspace(-1, 1, 10_000), requires_grad=True)
        before = in_use()
        y = dc.sum(f(f(x)))
        kept = in_use() - before
        y.backward()
        return kept, in_use() - before, x.grad

    tracemalloc.start()
    try:
        (plain, _, expected), (kept, after, got) = bytes_kept(segment), bytes_kept(checkpoint(segment))
    finally:
        tracemalloc.stop()
    one = 10_000 * 8
    assert plain > 38 * one
    assert kept < 2.5 * one
    assert after < 1.5 * one  # the gradient
    assert_close(got, expected)


def test_gradients_reach_what_is_not_an_argument(device: Device) -> None:
    model = nn.Sequential(nn.Dense(3, 4), nn.Tanh(), nn.Dense(4, 2)).to(device)
    x = dc.asarray(np.linspace(-1, 1, 15).reshape(5, 3), dtype=dc.float32, device=device, requires_grad=True)
    layers = [model[0], model[1], model[2]]
    first = checkpoint(lambda x: layers[1](layers[0](x)))
    forms: list[Callable[..., Any]] = [checkpoint(model), lambda x: checkpoint(layers[2])(first(x))]
    for f in forms:
        x.grad = None
        dc.sum(f(x) ** 2).backward()
        got = [x.grad, *(p.grad for p in model.parameters())]
        for p in (x, *model.parameters()):
            p.grad = None
        dc.sum(model(x) ** 2).backward()
        for a, b in zip(got, [x.grad, *(p.grad for p in model.parameters())], strict=True):
            assert a is not None
            assert_close(a, b)
        for p in model.parameters():
            p.grad = None


def test_what_is_not_an_argument_and_computed_from_what_is() -> None:
    # Gradients reach x as an argument, through y, and through z, which is computed from y: each path once.
    def f(x: dc.Tensor, wrap: Callable[..., Any]) -> dc.Tensor:
        y = dc.sin(x)
        z = y * y
        return dc.sum(wrap(lambda w: w * y * dc.exp(z) + z)(x))

    x = numbers(0.3, 0.8)
    for derivative in (dc.grad, dc.hessian):
        got, expected = (derivative(lambda x, w=w: f(x, w))(x) for w in (checkpoint, lambda g: g))
        assert_close(got, expected, rtol=1e-12)


def test_an_argument_that_is_used_without_being_given_too() -> None:
    x = numbers(0.3, 0.8)
    for derivative in (dc.grad, dc.hessian):
        got, expected = (
            derivative(lambda x, w=w: dc.sum(w(lambda y: y * dc.exp(x * y))(x)))(x) for w in (checkpoint, lambda g: g)
        )
        assert_close(got, expected, rtol=1e-12)


def test_trees_and_what_passes_through(device: Device) -> None:
    constant = dc.asarray([1, 2], device=device)
    outside = dc.asarray([2.0, 3.0], device=device, requires_grad=True)

    @checkpoint
    def f(x: Any, n: int, *, y: Any) -> Any:
        z = x["a"] * y[0]
        return {"z": [z, z], "same": x["a"], "n": n, "c": constant, "out": outside, "none": None}

    a, b = (dc.asarray([1.0, 4.0], device=device, requires_grad=True) for _ in range(2))
    found = f({"a": a}, 7, y=(b, "text"))
    assert (found["n"], found["none"], found["c"].tolist()) == (7, None, [1, 2])
    assert found["c"].requires_grad is False
    (dc.sum(found["z"][0] * 2) + dc.sum(found["z"][1]) + dc.sum(found["same"]) + dc.sum(found["out"] * 5)).backward()
    assert a.grad is not None
    assert b.grad is not None
    assert outside.grad is not None
    assert a.grad.tolist() == [3 * 1.0 + 1, 3 * 4.0 + 1]
    assert b.grad.tolist() == [3.0, 12.0]
    assert outside.grad.tolist() == [5.0, 5.0]


def test_one_result_of_several_and_one_twice() -> None:
    f = checkpoint(lambda x: (dc.sin(x), x * x))
    x = numbers(0.5)
    assert dc.grad(lambda x: dc.sum(f(x)[1]))(x).item() == 1.0
    assert dc.grad(lambda x: dc.sum(f(x)[0] * f(x)[0]))(x).item() == pytest.approx(np.sin(1.0))


def test_an_argument_that_is_changed_in_place() -> None:
    def f(x: dc.Tensor, y: dc.Tensor) -> dc.Tensor:
        x *= y
        x[0] = y[1] * 2.0
        return dc.sum(x * x)

    x, y, constant = numbers(1.0, 2.0), numbers(3.0, 4.0), numbers(1.0, 2.0)

    def through(y: dc.Tensor) -> dc.Tensor:
        result = checkpoint(f)(constant, y)
        assert constant.tolist() == [1.0, 2.0]
        constant[0] = 9.0  # the recomputation has the value of before
        constant[0] = 1.0
        return result

    got = dc.grad(through)(y)
    assert got.tolist() == dc.grad(lambda y: f(dc.asarray(x, copy=True), y))(y).tolist() == [0.0, 64.0]


def test_a_constant_argument_that_is_changed_afterwards() -> None:
    x, y = numbers(2.0), numbers(3.0, requires_grad=True)
    result = checkpoint(lambda x, y: dc.sum(dc.exp(x * y)))(x, y)
    x += 10.0
    result.backward()
    assert y.grad is not None
    assert y.grad.item() == pytest.approx(2 * np.exp(6.0))


def test_what_is_used_must_not_change() -> None:
    w = numbers(2.0, requires_grad=True)
    x = numbers(3.0, requires_grad=True)
    y = checkpoint(lambda x: dc.sum(x * w))(x)
    with dc.no_grad():
        w += 1.0
    with pytest.raises(dc.GradientError, match=r"checkpoint\(<lambda>\): the function did not compute the same"):
        y.backward()
    calls: list[int] = []

    def varying(x: dc.Tensor) -> tuple[dc.Tensor, ...]:
        calls.append(0)
        return (x,) * len(calls)

    (y,) = checkpoint(varying)(x)
    with pytest.raises(dc.GradientError, match=r"checkpoint\(varying\)"):
        dc.sum(y).backward()


def test_a_released_graph_is_named() -> None:
    x = dc.asarray(3.0, requires_grad=True)
    y = checkpoint(dc.exp)(x)
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(dc.GradientError, match=r"checkpoint\(exp\) was released"):
        y.backward()
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(2 * np.exp(3.0), rel=1e-6)


def test_without_gradients_the_function_is_just_called() -> None:
    runs: list[bool] = []

    @checkpoint
    def f(x: dc.Tensor) -> dc.Tensor:
        """Twice x."""
        runs.append(dc.is_grad_enabled())
        return 2 * x

    with dc.no_grad():
        assert not f(numbers(1.0, requires_grad=True)).requires_grad
    assert not f(numbers(1.0)).requires_grad
    assert runs == [False, True]
    assert (f.__name__, f.__doc__) == ("f", "Twice x.")


class Block(nn.Module):
    """Dense and dropout, with generators of its own or the default one."""

    def __init__(self, generator: Generator | None) -> None:
        self.dense = nn.Dense(6, 6, generator=Generator(1))
        self.dropout = nn.Dropout(0.5, generator=generator)

    def forward(self, x: dc.Tensor) -> dc.Tensor:
        return dc.tanh(self.dropout(self.dense(x)))


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("depth", [1, 2])
def test_dropout_is_the_same_again(own: bool, depth: int, device: Device) -> None:
    def gradients(wrap: Callable[..., Any]) -> tuple[list[Any], list[str]]:
        dc.random.seed(3)
        generator = Generator(8, draw=2) if own else None
        block = Block(generator).to(device)
        x = dc.asarray(np.linspace(-1, 1, 24).reshape(4, 6), dtype=dc.float32, device=device, requires_grad=True)
        run = wrap(lambda x: block(block(x)))
        y = dc.sum(run(run(x)) ** 2)
        dc.random.uniform(3)
        states = [repr(default_generator()), repr(generator)]
        y.backward()
        assert [repr(default_generator()), repr(generator)] == states  # the backward pass draws nothing
        return [t.grad for t in (x, *block.parameters()) if t.grad is not None], states

    nested = checkpoint if depth == 1 else lambda f: checkpoint(lambda x: checkpoint(f)(x))
    (got, states), (expected, expected_states) = gradients(nested), gradients(lambda f: f)
    assert (states, len(got)) == (expected_states, 3)
    for a, b in zip(got, expected, strict=True):
        assert_close(a, b, rtol=1e-5, atol=1e-5)  # contributions to one gradient are added in another order


def test_draws_in_a_derivative_inside_a_checkpoint() -> None:
    def f(x: dc.Tensor) -> dc.Tensor:
        noisy = checkpoint(lambda x: dc.sum(x**3 * dc.random.uniform(3, dtype=dc.float64)))
        return dc.sum(dc.grad(noisy)(x) ** 2) + dc.sum(x * dc.random.normal(3, dtype=dc.float64))

    def run(wrap: Callable[..., Any]) -> list[float]:
        dc.random.seed(4)
        return dc.grad(wrap(f))(numbers(0.5, 1.0, 2.0)).tolist()

    assert run(checkpoint) == pytest.approx(run(lambda f: f), rel=1e-13)


def test_what_is_drawn_again_is_not_drawn_by_whoever_is_running() -> None:
    def run(wrap: Callable[..., Any]) -> list[float]:
        dc.random.seed(4)
        _, pullback = dc.vjp(
            checkpoint(lambda x: x**3 * dc.random.uniform(3, dtype=dc.float64)), numbers(1.0, 2.0, 3.0)
        )
        dc.random.uniform(3)
        f = wrap(lambda x: dc.sum(pullback(x)[0] * x * dc.random.normal(3, dtype=dc.float64)))
        return dc.grad(f)(numbers(0.5, 1.0, 2.0)).tolist()

    assert run(checkpoint) == pytest.approx(run(lambda f: f), rel=1e-13)


def test_an_error_leaves_recording_and_generators_as_they_were() -> None:
    fail = [False]

    @checkpoint
    def f(x: dc.Tensor) -> dc.Tensor:
        y = x * dc.random.uniform()
        if fail[0]:
            msg = "no"
            raise RuntimeError(msg)
        return y

    dc.random.seed(0)
    y = f(numbers(1.0, requires_grad=True))
    fail[0] = True
    with pytest.raises(RuntimeError, match="no"), dc.no_grad():
        y.backward(numbers(1.0))
    assert dc.is_grad_enabled()
    assert default_generator().draw == 1


def test_data_types_of_gradients() -> None:
    for dtype in (dc.float16, dc.bfloat16, dc.float32, dc.float64):
        x = dc.asarray([1.0, 2.0], dtype=dtype, requires_grad=True)
        dc.sum(checkpoint(lambda x: x.astype(dc.float32) * 2)(x)).backward()
        assert x.grad is not None
        assert x.grad.dtype is dtype


def test_complex_numbers() -> None:
    def f(z: dc.Tensor, wrap: Callable[..., Any]) -> dc.Tensor:
        y, w = wrap(lambda z: (dc.exp(z * (1 + 2j)), dc.real(z) * z))(z)
        return dc.sum(dc.real(y) ** 2 + dc.imag(w * y))

    z = dc.asarray([0.3 + 0.1j, -0.2 + 0.4j])
    got, expected = (dc.grad(lambda z, w=w: f(z, w))(z) for w in (checkpoint, lambda g: g))
    assert_close(got, expected)
    twice = [
        dc.grad(lambda z, w=w: dc.sum(dc.imag(dc.grad(lambda z: f(z, w))(z))))(z) for w in (checkpoint, lambda g: g)
    ]
    assert_close(*twice)


def test_decompositions_inside() -> None:
    def f(x: dc.Tensor) -> dc.Tensor:
        q, r = dc.linalg.qr(x)
        return dc.sum(dc.sin(q) @ r)

    x = dc.asarray(np.cos(np.arange(9.0)).reshape(3, 3) + 2 * np.eye(3))
    v = dc.asarray(np.sin(np.arange(9.0)).reshape(3, 3))
    assert_close(dc.hvp(checkpoint(f), x, v), dc.hvp(f, x, v), rtol=1e-11)


@pytest.mark.parametrize("derivative", [dc.grad, dc.hessian])
def test_a_pullback_of_a_decomposition_from_outside(derivative: Callable[..., Any]) -> None:
    a = dc.asarray(np.cos(np.arange(4.0)).reshape(2, 2) + 2 * np.eye(2))
    x = numbers(0.3, -0.2, 0.7, 1.1).reshape(2, 2)

    def f(x: dc.Tensor, wrap: Callable[..., Any]) -> dc.Tensor:
        _, pullback = dc.vjp(lambda a: dc.linalg.qr(a * x)[0], a)
        return dc.sum(wrap(lambda u: pullback(u * u)[0])(x) ** 2)

    got, expected = (derivative(lambda x, w=w: f(x, w))(x) for w in (checkpoint, lambda g: g))
    assert_close(got, expected, rtol=1e-10, atol=1e-12)


def test_results_on_several_devices() -> None:
    pytest.importorskip("array_api_strict")
    f = checkpoint(lambda x: (2 * x, (x * x).to_device("array_api_strict:device1")))

    def total(x: dc.Tensor) -> dc.Tensor:
        y, z = f(x)
        # The cotangent of z is summed over the axis that z is stretched along, where z is.
        return dc.sum(y) + dc.sum(z * dc.ones((3, 2), dtype=dc.float64, device=z.device)).to_device("cpu")

    assert dc.grad(total)(numbers(1.0, 2.0)).tolist() == [2 + 3 * 2.0, 2 + 3 * 4.0]
    assert dc.hessian(total)(numbers(1.0, 2.0)).tolist() == [[6.0, 0.0], [0.0, 6.0]]
