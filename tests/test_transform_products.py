"""vjp, jvp, hvp, jacobian and hessian: against calculus, against differences, and inside one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepcore as dc
from deepcore import Device, Tensor
from deepcore.testing import assert_close

if TYPE_CHECKING:
    from collections.abc import Callable


def tensor(values: object, device: Device) -> Tensor:
    return dc.asarray(np.asarray(values, dtype=np.float64), device=device)


def smooth(x: Tensor) -> Tensor:
    return dc.sum(dc.sin(x) * dc.exp(x / 2)) + dc.prod(x)


def curve(x: Tensor) -> Tensor:
    return dc.tanh(x @ x.T)


MATRIX = [[0.3, -0.7, 1.1], [0.5, 0.2, -0.4]]
DIRECTION = [[1.0, 0.5, -0.25], [0.0, 2.0, 1.0]]


def test_jvp_is_the_directional_derivative(device: Device) -> None:
    x, v = tensor(MATRIX, device), tensor(DIRECTION, device)
    value, tangent = dc.jvp(curve, (x,), (v,))
    h = 1e-6
    difference = (curve(x + h * v) - curve(x - h * v)) / (2 * h)
    assert_close(value, curve(x))
    assert_close(tangent, difference, rtol=1e-8, atol=1e-8)
    assert not value.requires_grad
    assert not tangent.requires_grad


def test_the_two_products_are_transposes_of_each_other(device: Device) -> None:
    x, v, u = tensor(MATRIX, device), tensor(DIRECTION, device), tensor([[1.0, -2.0], [0.5, 3.0]], device)
    _, tangent = dc.jvp(curve, (x,), (v,))
    _, pullback = dc.vjp(curve, x)
    for _ in range(2):  # a pullback can be called again
        (gradient,) = pullback(u)
        assert float(dc.sum(u * tangent)) == pytest.approx(float(dc.sum(gradient * v)), rel=1e-12)


def test_trees_of_arguments_and_values(device: Device) -> None:
    a, b = tensor([1.0, 2.0], device), tensor([3.0, 4.0], device)

    def function(first: dict[str, Tensor], second: list[Tensor]) -> dict[str, Tensor]:
        return {"product": first["a"] * second[0], "sum": first["a"] + second[0], "same": first["a"]}

    value, pullback = dc.vjp(function, {"a": a}, [b])
    one, two = dc.ones_like(a), 2 * dc.ones_like(a)
    first, second = pullback({"product": one, "sum": two, "same": one})
    assert_close(value["product"], a * b)
    assert_close(first["a"], b + 3)
    assert_close(second[0], a + 2)
    _, tangent = dc.jvp(function, ({"a": a}, [b]), ({"a": one}, [two]))
    assert_close(tangent["product"], b + 2 * a)
    assert_close(tangent["sum"], 3 * one)
    assert_close(tangent["same"], one)


def test_jvp_of_what_does_not_depend_on_the_argument_is_zero(device: Device) -> None:
    x = tensor([1.0, 2.0], device)
    constant = tensor([5.0], device)
    value, tangent = dc.jvp(lambda _: constant, (x,), (x,))
    assert_close(value, constant)
    assert_close(tangent, dc.zeros_like(constant))


def test_one_variable_twice_in_a_sum(device: Device) -> None:
    x = tensor([1.0, 2.0], device)
    _, tangent = dc.jvp(lambda a, b: a + b, (x, x), (x, 2 * x))
    assert_close(tangent, 3 * x)


def test_the_jacobian_of_softmax(device: Device) -> None:
    x = tensor([0.3, -1.2, 0.8], device)
    y = dc.softmax(x).numpy()
    expected = np.diag(y) - np.outer(y, y)
    assert_close(dc.jacobian(dc.softmax)(x), tensor(expected, device), rtol=1e-12, atol=1e-15)


def test_jacobian_with_respect_to_a_tree(device: Device) -> None:
    x, w = tensor([1.0, 2.0], device), tensor(MATRIX, device)
    found = dc.jacobian(lambda x, tree: x @ tree["w"], 1)(x, {"w": w, "n": 3})
    assert found["n"] is None
    assert found["w"].shape == (3, 2, 3)
    assert_close(found["w"][:, 0, :], x[0] * dc.eye(3, dtype=dc.float64, device=device))


def test_jacobian_of_no_elements(device: Device) -> None:
    x = tensor([1.0, 2.0], device)
    assert dc.jacobian(lambda x: x[:0])(x).shape == (0, 2)


def test_hessian_and_its_products(device: Device) -> None:
    x, v = tensor([0.3, -0.7, 1.1], device), tensor([1.0, 0.5, -0.25], device)
    matrix = dc.hessian(smooth)(x)
    h = 1e-5
    differences = [(dc.grad(smooth)(x + h * e) - dc.grad(smooth)(x - h * e)) / (2 * h) for e in _basis(x)]
    assert_close(matrix, dc.stack(differences), rtol=1e-7, atol=1e-8)
    assert_close(matrix, matrix.T, rtol=1e-12, atol=1e-14)
    assert_close(dc.hvp(smooth, x, v), matrix @ v, rtol=1e-12, atol=1e-14)


def _basis(x: Tensor) -> list[Tensor]:
    rows = dc.eye(x.size, dtype=x.dtype, device=x.device)
    return [rows[i] for i in range(x.size)]


def _grad_of_jvp(x: Tensor, v: Tensor) -> Tensor:
    gradient: Tensor = dc.grad(lambda x: dc.jvp(smooth, (x,), (v,))[1])(x)
    return gradient


def _jvp_of_grad(x: Tensor, v: Tensor) -> Tensor:
    tangent: Tensor = dc.jvp(dc.grad(smooth), (x,), (v,))[1]
    return tangent


def _jvp_of_vjp(x: Tensor, v: Tensor) -> Tensor:
    def gradient(x: Tensor) -> Tensor:
        value, pullback = dc.vjp(smooth, x)
        (found,) = pullback(dc.ones_like(value))
        return found

    tangent: Tensor = dc.jvp(gradient, (x,), (v,))[1]
    return tangent


def _jacobian_of_jacobian(x: Tensor, v: Tensor) -> Tensor:
    matrix: Tensor = dc.jacobian(dc.jacobian(smooth))(x)
    return matrix @ v


def _backward_of_jvp(x: Tensor, v: Tensor) -> Tensor:
    leaf = dc.asarray(x, requires_grad=True)
    dc.jvp(smooth, (leaf,), (v,))[1].backward()
    assert leaf.grad is not None
    return leaf.grad


@pytest.mark.parametrize("product", [_grad_of_jvp, _jvp_of_grad, _jvp_of_vjp, _jacobian_of_jacobian, _backward_of_jvp])
def test_each_nests_in_the_others(device: Device, product: Callable[[Tensor, Tensor], Tensor]) -> None:
    x, v = tensor([0.3, -0.7, 1.1], device), tensor([1.0, 0.5, -0.25], device)
    assert_close(product(x, v), dc.hvp(smooth, x, v), rtol=1e-11, atol=1e-13)


def test_jvp_in_jvp_keeps_its_variables_apart(device: Device) -> None:
    x, one = tensor(3.0, device), tensor(1.0, device)

    def outer(x: Tensor) -> Tensor:
        return x * dc.jvp(lambda y: x * y, (x,), (one,))[1]  # x², because the inner derivative is x

    assert float(dc.jvp(outer, (x,), (one,))[1]) == pytest.approx(6.0)


def test_gradients_flow_through_pullbacks_to_closed_over_tensors(device: Device) -> None:
    w = dc.asarray(tensor([2.0, 3.0], device), requires_grad=True)
    x = tensor([1.0, 4.0], device)
    _, pullback = dc.vjp(lambda x: w * x * x, x)
    (gradient,) = pullback(dc.ones_like(x))
    gradient.sum().backward()
    assert w.grad is not None
    assert_close(w.grad, 2 * x)


def test_a_cotangent_that_requires_gradients_is_differentiated(device: Device) -> None:
    x = tensor([1.0, 4.0], device)
    u = dc.asarray(dc.ones_like(x), requires_grad=True)
    _, pullback = dc.vjp(dc.square, x)
    (gradient,) = pullback(u)
    gradient.sum().backward()
    assert u.grad is not None
    assert_close(u.grad, 2 * x)


def test_nothing_is_recorded_under_no_grad(device: Device) -> None:
    w = dc.asarray(tensor([2.0], device), requires_grad=True)
    with dc.no_grad():
        value, tangent = dc.jvp(lambda x: w * x, (w,), (w,))
        _, pullback = dc.vjp(lambda x: w * x, w)
        (gradient,) = pullback(w)
    assert not any(x.requires_grad for x in (value, tangent, gradient))
    assert_close(tangent, tensor([4.0], device))


def test_wrong_forms_and_shapes_are_named(device: Device) -> None:
    x = tensor([1.0, 2.0], device)
    _, pullback = dc.vjp(dc.sin, x)
    with pytest.raises(dc.ShapeError, match=r"vjp: the cotangent must have shape \(2,\), not shape \(3,\)"):
        pullback(tensor([1.0, 2.0, 3.0], device))
    with pytest.raises(dc.ShapeError, match=r"jvp: the tangents must have shape \(2,\) at 0, not shape \(1,\)"):
        dc.jvp(dc.sin, (x,), (x[:1],))
    with pytest.raises(dc.ShapeError, match="jvp: the tangents must have the parts '0', not '0', '1'"):
        dc.jvp(dc.sin, (x,), (x, x))
    with pytest.raises(dc.GradientError, match="jvp: the function must return tensors, and it returned a float"):
        dc.jvp(lambda _: 1.0, (x,), (x,))
    with pytest.raises(dc.GradientError, match="jacobian: the function must return a tensor, and it returned a dict"):
        dc.jacobian(lambda x: {"y": x})(x)


def test_products_and_jacobians_in_complex_numbers(device: Device) -> None:
    z = dc.asarray([0.5 + 1j, -1 + 0.25j], dtype=dc.complex128, device=device)
    v = dc.asarray([1 - 2j, 0.5j], dtype=dc.complex128, device=device)

    def holomorphic(z: dc.Tensor) -> dc.Tensor:
        return dc.stack([z[0] * z[1], dc.exp(z[0])])

    a, b = (complex(x) for x in z.numpy())
    expected = np.asarray([[b, a], [np.exp(a), 0]])
    assert_close(dc.jacobian(holomorphic)(z).numpy(), expected, rtol=1e-12, atol=1e-12)
    assert_close(dc.jvp(holomorphic, (z,), (v,))[1].numpy(), expected @ v.numpy(), rtol=1e-12, atol=1e-12)
    pulled = dc.vjp(holomorphic, z)[1](v)[0]
    assert_close(pulled.numpy(), expected.conj().T @ v.numpy(), rtol=1e-12, atol=1e-12)


def test_the_jacobian_of_a_complex_function_of_real_numbers(device: Device) -> None:
    x = dc.asarray([0.5, -1.0], dtype=dc.float64, device=device)
    found = dc.jacobian(lambda x: dc.exp(1j * x))(x)
    assert_close(found.numpy(), np.diag(1j * np.exp(1j * x.numpy())), rtol=1e-12, atol=1e-12)


def test_the_gradient_of_a_real_function_of_complex_numbers_points_uphill(device: Device) -> None:
    z = dc.asarray([0.5 + 1j, -1 + 0.25j], dtype=dc.complex128, device=device)
    found = dc.grad(lambda z: dc.sum(dc.real(z * dc.conj(z))))(z)
    assert_close(found.numpy(), 2 * z.numpy(), rtol=1e-12, atol=1e-12)
