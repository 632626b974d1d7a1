"""checkpoint and custom_vjp in every derivative and in each other: the same as the plain function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import deepcore as dc
from deepcore.testing import assert_close
from deepcore.transform import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._device import Device

    Vector = Callable[[dc.Tensor], dc.Tensor]


def part(x: dc.Tensor, scale: dict[str, dc.Tensor]) -> tuple[dc.Tensor, dict[str, dc.Tensor]]:
    return dc.sin(x) * scale["a"], {"square": x * x}


def part_fwd(x: dc.Tensor, scale: dict[str, dc.Tensor]) -> Any:
    s = dc.sin(x)
    return (s * scale["a"], {"square": x * x}), {"s": s, "rest": (x, scale["a"])}


def part_bwd(residuals: Any, cotangent: Any) -> Any:
    s, (x, a) = residuals["s"], residuals["rest"]
    ds, dq = cotangent[0], cotangent[1]["square"]
    return dc.cos(x) * a * ds + 2 * x * dq, {"a": dc.sum(s * ds)}


def given_rule(fwd: Any = part_fwd, bwd: Any = part_bwd) -> Any:
    f = dc.custom_vjp(part)
    f.defvjp(fwd, bwd)
    return f


PARTS: dict[str, Any] = {
    "plain": part,
    "checkpoint": checkpoint(part),
    "custom": given_rule(),
    "checkpoint of checkpoint": checkpoint(lambda x, scale: checkpoint(part)(x, scale)),
    "checkpoint of custom": checkpoint(given_rule()),
    "custom of checkpoint": given_rule(checkpoint(part_fwd), checkpoint(part_bwd)),
}


def vector(name: str) -> Vector:
    def f(x: dc.Tensor) -> dc.Tensor:
        s, rest = PARTS[name](x, {"a": x[0] * x[1]})
        return s * dc.exp(rest["square"] / 4) + x

    return f


def one_number(v: Vector) -> Vector:
    return lambda x: dc.sum(dc.tanh(v(x)) * x)


def pulled(v: Vector, x: dc.Tensor, u: dc.Tensor) -> dc.Tensor:
    (dx,) = dc.vjp(v, x)[1](u)
    return dx


DERIVATIVES: dict[str, Callable[[Vector, dc.Tensor, dc.Tensor], Any]] = {
    "value": lambda v, x, t: v(x),
    "grad": lambda v, x, t: dc.grad(one_number(v))(x),
    "vjp": lambda v, x, t: pulled(v, x, t),
    "jvp": lambda v, x, t: dc.jvp(v, (x,), (t,))[1],
    "jacobian": lambda v, x, t: dc.jacobian(v)(x),
    "hessian": lambda v, x, t: dc.hessian(one_number(v))(x),
    "hvp": lambda v, x, t: dc.hvp(one_number(v), x, t),
    "grad of jvp": lambda v, x, t: dc.grad(lambda x: dc.sum(dc.jvp(v, (x,), (t,))[1] ** 2))(x),
    "jvp of grad": lambda v, x, t: dc.jvp(dc.grad(one_number(v)), (x,), (t,))[1],
    "jvp of jvp": lambda v, x, t: dc.jvp(lambda x: dc.jvp(v, (x,), (t,))[1], (x,), (t,))[1],
    "grad of vjp": lambda v, x, t: dc.grad(lambda x: pulled(v, x, dc.cos(x)) @ t)(x),
    "grad of grad of grad": lambda v, x, t: dc.grad(
        lambda x: dc.grad(lambda x: dc.grad(one_number(v))(x) @ t)(x) @ dc.sin(x)
    )(x),
    "jacobian of jacobian": lambda v, x, t: dc.jacobian(dc.jacobian(v))(x),
    "checkpoint of grad": lambda v, x, t: dc.jacobian(checkpoint(dc.grad(one_number(v))))(x),
    "checkpoint of jvp": lambda v, x, t: dc.grad(checkpoint(lambda x: dc.sum(dc.jvp(v, (x,), (x * t,))[1])))(x),
    "checkpoint of hessian": lambda v, x, t: dc.grad(checkpoint(lambda x: dc.sum(dc.hessian(one_number(v))(x))))(x),
}


@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("name", [name for name in PARTS if name != "plain"])
def test_derivatives_are_those_of_the_plain_function(name: str, derivative: str, device: Device, thrifty: bool) -> None:
    if thrifty and derivative not in {"grad", "jvp", "hvp"}:
        pytest.skip("slow there, and the same elsewhere")
    x, t = (dc.asarray(a, dtype=dc.float64, device=device) for a in ([0.7, -0.4, 1.3], [0.5, 1.0, -2.0]))
    got, expected = (DERIVATIVES[derivative](vector(n), x, t) for n in (name, "plain"))
    assert_close(got, expected, rtol=1e-11, atol=1e-12)
    assert got.device is device
    assert not got.requires_grad


def taken(x: dc.Tensor) -> dc.Tensor:
    gradient, x.grad = x.grad, None
    assert gradient is not None
    return gradient


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_backward_through_it(name: str, order: int) -> None:
    def nth(f: Vector) -> list[Any]:
        x = dc.asarray([0.7, -0.4, 1.3], dtype=dc.float64, requires_grad=True)
        y = one_number(f)(x)
        for _ in range(order - 1):
            y.backward(create_graph=True)
            y = dc.sum(taken(x) ** 2)
        y.backward()
        return taken(x).tolist()

    assert nth(vector(name)) == pytest.approx(nth(vector("plain")), rel=1e-11)
