"""Functions around a module: what they see, what they change, and that they go away."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

import deepcore as dc
from deepcore import nn

if TYPE_CHECKING:
    from deepcore._device import Device


def double() -> nn.Lambda:
    return nn.Lambda(lambda x: 2 * x, name="double")


def test_hooks_see_arguments_results_and_cotangents(device: Device) -> None:
    seen: list[Any] = []
    layer = double()
    layer.register_forward_pre_hook(lambda module, args: seen.append(("before", module, args[0].tolist())))
    layer.register_forward_hook(lambda module, args, y: seen.append(("after", module, args[0].tolist(), y.tolist())))
    layer.register_backward_hook(lambda module, dy: seen.append(("backward", module, dy.tolist())))
    x = dc.ones(2, device=device, requires_grad=True)
    (3 * layer(x)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [6.0, 6.0]
    assert seen == [
        ("before", layer, [1.0, 1.0]),
        ("after", layer, [1.0, 1.0], [2.0, 2.0]),
        ("backward", layer, [3.0, 3.0]),
    ]


def test_what_a_hook_returns_takes_the_place_of_what_it_saw() -> None:
    layer = double()
    layer.register_forward_pre_hook(lambda module, args: args[0] + 1)
    layer.register_forward_pre_hook(lambda module, args: (args[0] * 10,))
    layer.register_forward_hook(lambda module, args, y: y - args[0])
    layer.register_backward_hook(lambda module, dy: -dy)
    x = dc.asarray(1.0, requires_grad=True)
    y = layer(x)
    assert y.item() == 20.0  # 2 · 20 − 20
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == -10.0


def test_a_backward_hook_sees_every_result_and_higher_orders() -> None:
    seen: list[float] = []
    layer = nn.Parallel(nn.Lambda(dc.square), nn.Lambda(dc.sin), nn.Lambda(lambda x: x > 0))
    layer.register_backward_hook(lambda module, dy: seen.append(dy.item()))

    def f(x: dc.Tensor) -> dc.Tensor:
        square, sine, _ = layer(x)
        return 3 * square + 5 * sine

    x = dc.asarray(0.5, dtype=dc.float64)
    assert dc.grad(f)(x).item() == pytest.approx(3 + 5 * dc.cos(x).item())
    assert sorted(seen) == [3.0, 5.0]
    assert dc.grad(dc.grad(f))(x).item() == pytest.approx(6 - 5 * dc.sin(x).item())


def test_hooks_are_taken_away() -> None:
    calls: list[int] = []
    layer = double()
    first = layer.register_forward_hook(lambda module, args, y: calls.append(1))
    with layer.register_forward_hook(lambda module, args, y: calls.append(2)):
        layer(dc.ones(1))
    layer(dc.ones(1))
    first.remove()
    first.remove()
    layer(dc.ones(1))
    assert calls == [1, 2, 1]


def test_a_copy_of_a_module_has_hooks_of_its_own() -> None:
    calls: list[int] = []
    layer = nn.Dense(1, 1)
    layer.register_forward_hook(lambda module, args, y: calls.append(1))
    again = copy.deepcopy(layer)
    again.register_forward_hook(lambda module, args, y: calls.append(2))
    layer(dc.ones((1, 1)))
    assert calls == [1]
    again(dc.ones((1, 1)))
    assert calls == [1, 1, 2]


def test_without_recording_nothing_is_watched() -> None:
    layer = nn.Dense(1, 1)
    layer.register_backward_hook(lambda module, dy: pytest.fail("called"))
    with dc.no_grad():
        assert not layer(dc.ones((1, 1))).requires_grad
