"""grad and value_and_grad: values, forms, and nesting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore.testing import assert_close, check_grads

if TYPE_CHECKING:
    from deepcore._device import Device


def scalar(value: float) -> dc.Tensor:
    return dc.asarray(value, dtype=dc.float64)


def test_value_and_gradient(device: Device) -> None:
    x = dc.asarray([1.0, 2.0], device=device)
    value, gradient = dc.value_and_grad(lambda x: (x**3).sum())(x)
    assert value.item() == 9.0
    assert gradient.tolist() == [3.0, 12.0]
    assert (gradient.dtype, gradient.device) == (dc.float32, device)
    assert x.grad is None
    assert not x.requires_grad
    assert not value.requires_grad
    assert not gradient.requires_grad


def test_a_value_of_one_element_in_any_shape() -> None:
    assert dc.grad(lambda x: (x * x).reshape(1, 1, 1))(scalar(3.0)).item() == 6.0


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_higher_derivatives(order: int, device: Device) -> None:
    f: Any = lambda x: dc.exp(2.0 * x) * dc.sin(x)  # noqa: E731 - a function is rebound to its derivative
    for _ in range(order):
        f = dc.grad(f)
    expected = ((2 + 1j) ** order * np.exp((2 + 1j) * 0.7)).imag
    x = dc.asarray(0.7, dtype=dc.float64, device=device)
    assert f(x).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("x", [0.3, -1.7])
def test_third_derivatives_of_elementary_functions(x: float) -> None:
    third = dc.grad(dc.grad(dc.grad(lambda x: x**5 + dc.sin(x))))
    assert third(scalar(x)).item() == pytest.approx(60 * x**2 - np.cos(x), rel=1e-12)


def test_perturbations_are_not_confused() -> None:
    # d/dx [x · d/dy (xy)] = d/dx x² = 2x, and a system that confuses x and y says 1 or 0
    assert dc.grad(lambda x: x * dc.grad(lambda y: x * y)(x))(scalar(3.0)).item() == 6.0
    assert dc.grad(lambda x: x * dc.grad(lambda y: x + y)(scalar(2.0)))(scalar(3.0)).item() == 1.0
    # d/dx [d/dy (x²y³) at y = x] = d/dx 3x⁴
    assert dc.grad(lambda x: dc.grad(lambda y: x**2 * y**3)(x))(scalar(2.0)).item() == 96.0
    # d/dx [x · d/dy (y² x) at y = 2x] = d/dx 4x³
    assert dc.grad(lambda x: x * dc.grad(lambda y: y**2 * x)(2.0 * x))(scalar(2.0)).item() == 48.0


def test_a_gradient_of_the_norm_of_a_gradient() -> None:
    x = dc.asarray(np.array([0.3, -0.5, 1.2]))

    def f(x: dc.Tensor) -> dc.Tensor:
        return (dc.sin(x) * x[0]).sum()

    def penalty(x: dc.Tensor) -> dc.Tensor:
        return (dc.grad(f)(x) ** 2).sum()

    check_grads(penalty, x, order=2)


def test_several_arguments() -> None:
    x, y = scalar(2.0), scalar(5.0)

    def f(x: dc.Tensor, y: dc.Tensor, *, scale: float = 1.0) -> dc.Tensor:
        return scale * x**2 * y

    assert dc.grad(f)(x, y).item() == 20.0
    assert dc.grad(f, 1)(x, y).item() == 4.0
    assert dc.grad(f, -1)(x, y).item() == 4.0
    both = dc.grad(f, (1, 0))(x, y, scale=10.0)
    assert isinstance(both, tuple)
    assert [g.item() for g in both] == [40.0, 200.0]
    assert [g.item() for g in dc.grad(f, (0,))(x, y)] == [20.0]
    assert [g.item() for g in dc.grad(f, (0, 1))(x, x)] == [8.0, 4.0]  # one tensor in two places


def test_trees() -> None:
    tree = {"a": scalar(2.0), "b": [scalar(3.0), (scalar(4.0),)]}
    gradient = dc.grad(lambda t: t["a"] * t["b"][0] * t["b"][1][0])(tree)
    assert gradient.keys() == tree.keys()
    assert gradient["a"].item() == 12.0
    assert isinstance(gradient["b"], list)
    assert gradient["b"][0].item() == 8.0
    assert isinstance(gradient["b"][1], tuple)
    assert gradient["b"][1][0].item() == 6.0


def test_trees_nest() -> None:
    def inner(t: dict[str, dc.Tensor]) -> dc.Tensor:
        return t["a"] ** 2 * t["b"] ** 3

    def mixed(t: dict[str, dc.Tensor]) -> Any:
        return dc.grad(inner)(t)["a"]

    gradient = dc.grad(mixed)({"a": scalar(2.0), "b": scalar(3.0)})
    assert {name: g.item() for name, g in gradient.items()} == {"a": 54.0, "b": 108.0}


def test_what_has_no_gradient_is_none() -> None:
    gradient = dc.grad(lambda t: t["x"] * t["n"] * t["k"])({"x": scalar(2.0), "n": dc.asarray(3), "k": 4})
    assert gradient["x"].item() == 12.0
    assert gradient["n"] is None
    assert gradient["k"] is None


def test_what_the_value_does_not_depend_on_has_zeros(device: Device) -> None:
    x, y = dc.ones((2, 3), device=device), dc.ones(2, device=device)
    gx, gy = dc.grad(lambda x, y: (y * y).sum(), (0, 1))(x, y)
    assert_close(gx, dc.zeros((2, 3), device=device))
    assert gy.tolist() == [2.0, 2.0]
    assert dc.grad(lambda x: dc.asarray(1.0))(x).shape == (2, 3)
    assert dc.grad(dc.grad(lambda x: 3.0 * x))(scalar(1.0)).item() == 0.0


def test_further_results() -> None:
    def f(x: dc.Tensor) -> tuple[dc.Tensor, dict[str, Any]]:
        return x**2, {"twice": 2 * x, "text": "note"}

    (value, aux), gradient = dc.value_and_grad(f, has_aux=True)(scalar(3.0))
    assert (value.item(), gradient.item(), aux["twice"].item(), aux["text"]) == (9.0, 6.0, 6.0, "note")
    assert not aux["twice"].requires_grad
    gradient, aux = dc.grad(f, has_aux=True)(scalar(3.0))
    assert (gradient.item(), aux["text"]) == (6.0, "note")
    assert dc.grad(lambda x: dc.grad(f, has_aux=True)(x)[1]["twice"])(scalar(3.0)).item() == 2.0


def test_backward_goes_through_a_gradient() -> None:
    w = dc.asarray(np.array([1.0, 2.0]), requires_grad=True)
    value, gradient = dc.value_and_grad(lambda x: (w * x**2).sum())(dc.asarray(np.array([3.0, 5.0])))
    assert gradient.tolist() == [6.0, 20.0]
    assert gradient.requires_grad
    assert [w.grad] == [None]
    gradient.sum().backward(retain_graph=True)
    assert w.grad is not None
    assert w.grad.tolist() == [6.0, 10.0]
    value.backward()
    assert w.grad.tolist() == [15.0, 35.0]


def test_an_argument_that_is_recorded_is_differentiated_through() -> None:
    w = dc.asarray(2.0, dtype=dc.float64, requires_grad=True)
    dc.grad(lambda x: x**3)(w).backward()  # 3w², whose derivative is 6w
    assert w.grad is not None
    assert w.grad.item() == 12.0


def test_inside_no_grad() -> None:
    w = dc.asarray(2.0, requires_grad=True)
    with dc.no_grad():
        value, gradient = dc.value_and_grad(lambda x: w * x**2)(dc.asarray(3.0))
        assert not dc.is_grad_enabled()
        second = dc.grad(dc.grad(lambda x: x**3))(scalar(2.0))
    assert (value.item(), gradient.item(), second.item()) == (18.0, 12.0, 12.0)
    assert not gradient.requires_grad
    assert not value.requires_grad
    assert dc.is_grad_enabled()


def test_no_grad_inside_is_a_constant() -> None:
    def f(x: dc.Tensor) -> dc.Tensor:
        with dc.no_grad():
            y = x * x
        return y * x

    assert dc.grad(f)(scalar(3.0)).item() == 9.0


@pytest.mark.parametrize(
    ("result", "found"), [(dc.ones(2), r"a tensor of shape \(2,\)"), (1.0, "a float"), ((1, 2), "a tuple")]
)
def test_the_value_is_one_number(result: object, found: str) -> None:
    with pytest.raises(dc.GradientError, match=f"must return a tensor of one element, and it returned {found}"):
        dc.grad(lambda x: result)(dc.ones(2))


def test_an_error_in_the_function_leaves_recording_as_it_was() -> None:
    def f(x: dc.Tensor) -> dc.Tensor:
        raise LookupError

    with dc.no_grad():
        with pytest.raises(LookupError):
            dc.grad(f)(scalar(1.0))
        assert not dc.is_grad_enabled()


def test_the_name_and_text_of_the_function_are_kept() -> None:
    def energy(x: dc.Tensor) -> dc.Tensor:
        """Of a spring."""
        return x * x

    assert dc.grad(energy).__name__ == dc.value_and_grad(energy).__name__ == "energy"
    assert dc.grad(energy).__doc__ == "Of a spring."
