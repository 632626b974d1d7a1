"""The reverse sweep: errors, accumulation, higher orders, depth, memory, threads."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore._sweep import sweep
from deepcore._tape import Leaf
from deepcore.testing import assert_close, check_grads

if TYPE_CHECKING:
    from deepcore._device import Device

DEPTH = 50_000


def leaf(values: Any, device: Any = None) -> dc.Tensor:
    return dc.asarray(np.asarray(values, dtype=np.float64), device=device, requires_grad=True)


def grad_of(x: dc.Tensor) -> dc.Tensor:
    assert x.grad is not None
    return x.grad


# --------------------------------------------------------------------------------------------------------------- errors


def test_backward_without_a_graph() -> None:
    with pytest.raises(dc.GradientError, match="not computed from any tensor with requires_grad=True"):
        dc.ones(()).backward()
    with dc.no_grad():
        y = leaf(1.0) * 2
    with pytest.raises(dc.GradientError, match="not computed"):
        y.backward()
    with pytest.raises(dc.GradientError, match="not computed"):
        (leaf(1.0) > 0).backward()


def test_backward_of_several_elements_needs_a_gradient() -> None:
    y = leaf([1.0, 2.0]) * 2
    with pytest.raises(dc.GradientError, match=r"one element, and this one has shape \(2,\)"):
        y.backward()
    with pytest.raises(dc.ShapeError, match=r"the gradient has shape \(3,\), and the tensor \(2,\)"):
        y.backward(dc.ones(3, dtype=dc.float64))


def test_the_gradient_given_to_backward_fits_the_tensor() -> None:
    x = dc.ones(2, requires_grad=True)
    with pytest.raises(dc.DTypeError, match="the gradient is float64, and the tensor float32"):
        x.backward(dc.ones(2, dtype=dc.float64))
    wrong: Any = np.ones(2)
    with pytest.raises(dc.DTypeError, match="the gradient is a ndarray, not a tensor"):
        x.backward(wrong)
    pytest.importorskip("array_api_strict")
    with pytest.raises(dc.DeviceError, match="the gradient is on array_api_strict:device1, and the tensor on cpu"):
        x.backward(dc.ones(2, device="array_api_strict:device1"))
    assert x.grad is None


def test_a_released_graph_is_named(device: Device) -> None:
    x = leaf([1.0, 2.0], device)
    y = dc.sum(dc.exp(x))
    y.backward()
    with pytest.raises(dc.GradientError, match=r"the graph of sum was released.*retain_graph=True"):
        y.backward()


def test_retain_graph(device: Device) -> None:
    x = leaf([1.0, 2.0], device)
    y = dc.sum(x * x)
    y.backward(retain_graph=True)
    y.backward()
    assert grad_of(x).tolist() == [4.0, 8.0]


# --------------------------------------------------------------------------------------------------------- accumulation


def test_gradients_accumulate(device: Device) -> None:
    x = leaf([1.0, 2.0], device)
    for k in (1, 2, 3):
        (x * x).sum().backward()
        assert grad_of(x).tolist() == [2.0 * k, 4.0 * k]
        assert not grad_of(x).requires_grad
    x.grad = None
    (3 * x).sum().backward()
    assert grad_of(x).tolist() == [3.0, 3.0]


def test_a_value_that_is_used_often_gets_the_sum(device: Device) -> None:
    x = leaf([0.5, 2.0], device)
    y = dc.exp(x)
    z = y * y + y / x + y
    z.sum().backward()
    e = np.exp([0.5, 2.0])
    v = np.asarray([0.5, 2.0])
    assert_close(np.asarray(grad_of(x).numpy()), 2 * e * e + e / v - e / v**2 + e)


def test_one_operand_twice(device: Device) -> None:
    x = leaf([2.0, 3.0], device)
    (x * x).sum().backward()
    dc.concat([x, x]).sum().backward()
    assert grad_of(x).tolist() == [6.0, 8.0]


def test_a_leaf_is_its_own_result(device: Device) -> None:
    x = leaf([2.0, 3.0], device)
    x.backward(dc.ones_like(x))
    assert grad_of(x).tolist() == [1.0, 1.0]


def test_only_leaves_accumulate() -> None:
    x = leaf(2.0)
    y = x * x
    (y * y).backward()
    assert y.grad is None
    assert grad_of(x).item() == 32.0


def test_branches_that_do_not_require_gradients_are_left_out() -> None:
    x, constant = leaf([1.0, 2.0]), dc.asarray([3.0, 4.0], dtype=dc.float64)
    y = dc.exp(constant) * x
    assert y._node is not None
    assert y._node.parents[0] is None
    y.sum().backward()
    assert constant.grad is None


def test_detach_and_no_grad_cut(device: Device) -> None:
    x = leaf([1.0, 2.0], device)
    y = x * x.detach()
    with dc.no_grad():
        z = x * x
        with dc.enable_grad():
            assert (x * x).requires_grad
    assert not z.requires_grad
    (y + z).sum().backward()
    assert grad_of(x).tolist() == [1.0, 2.0]


def test_no_grad_as_a_decorator() -> None:
    @dc.no_grad()
    def double(x: dc.Tensor) -> dc.Tensor:
        return 2 * x

    assert not double(leaf(1.0)).requires_grad
    assert dc.is_grad_enabled()


def test_no_grad_ends_with_an_error() -> None:
    with pytest.raises(ZeroDivisionError), dc.no_grad():
        raise ZeroDivisionError
    assert dc.is_grad_enabled()


def test_a_sweep_stops_at_its_targets_or_goes_through_them(device: Device) -> None:
    def swept(*, through: bool) -> dict[str, float]:
        x = leaf(3.0, device)
        y = x * x
        z = y * y + x  # x is reached through y and past it
        nodes = {name: t._node for name, t in (("x", x), ("y", y)) if t._node is not None}
        assert z._node is not None
        roots = {z._node: device.kernels.ones_like(z._data)}
        found = sweep(roots, targets=nodes.values(), through=through)
        assert set(found) == set(nodes.values())
        return {name: float(found[node]) for name, node in nodes.items()}

    assert swept(through=False) == {"x": 1.0, "y": 18.0}
    assert swept(through=True) == {"x": 1.0 + 18.0 * 6.0, "y": 18.0}


# ----------------------------------------------------------------------------------------------------- higher orders


def test_derivatives_of_order_three(device: Device) -> None:
    x = leaf([0.5, -1.0], device)
    y = (x**5).sum()
    orders: list[Any] = []
    for _ in range(3):
        x.grad = None
        y.backward(create_graph=True)
        gradient = grad_of(x)
        assert gradient.requires_grad
        orders.append(np.asarray(gradient.detach().numpy()))
        y = gradient.sum()
    v = np.asarray([0.5, -1.0])
    for found, wanted in zip(orders, (5 * v**4, 20 * v**3, 60 * v**2), strict=True):
        assert_close(found, wanted)
    x.grad = None


def test_order_three_of_a_network() -> None:
    rng = np.random.default_rng(0)
    w, b = dc.asarray(rng.normal(size=(3, 2))), dc.asarray(rng.normal(size=2))
    x = dc.asarray(rng.normal(size=(2, 3)))
    check_grads(lambda x, w, b: dc.log_softmax(dc.tanh(dc.linear(x, w, b))), x, w, b, order=3, rtol=1e-6, atol=1e-6)


def test_gradient_penalty(device: Device) -> None:
    # d/dw |dL/dx|^2 with L = sum(tanh(x w)): the derivative passes through a derivative.
    x, w = leaf([[0.3, -0.7]], device), leaf([[0.5], [1.5]], device)
    y = dc.tanh(x @ w).sum()
    y.backward(create_graph=True)
    first = grad_of(x)
    x.grad = w.grad = None
    (first * first).sum().backward()
    a, v = np.asarray([0.3, -0.7]), np.asarray([0.5, 1.5])
    t = np.tanh(a @ v)
    s = 1 - t * t
    expected = 2 * s * s * v - 4 * t * s * s * (v @ v) * a
    assert_close(np.asarray(grad_of(w).numpy())[:, 0], expected)


# ----------------------------------------------------------------------------------------------------- depth and memory


def test_deep_chains() -> None:
    x = leaf([1.0, 2.0])
    y = x
    for _ in range(DEPTH):
        y = y + 1e-3
    y.sum().backward()
    assert grad_of(x).tolist() == [1.0, 1.0]
    del y
    gc.collect()


def test_deep_chains_are_deleted_without_recursion() -> None:
    x = leaf([1.0])
    for keep in (True, False):
        y = x
        for _ in range(DEPTH):
            y = dc.sin(y)
        if keep:
            y.sum().backward(retain_graph=True)
        del y
    gc.collect()


def test_wide_graphs_are_swept_once_per_node() -> None:
    # 2**60 paths from y to x.
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert grad_of(x).item() == 2.0**60


def test_what_the_graph_saved_is_freed_after_backward() -> None:
    gc.collect()
    x = leaf(np.ones(10))
    saved = np.full(10, 2.0)
    alive = weakref.ref(saved)
    y = x * dc.asarray(saved)
    z = dc.sum(y * y)
    del saved, y
    assert alive() is not None
    z.backward()
    assert alive() is None, "freed although z is still there"


def test_a_graph_is_freed_with_its_result() -> None:
    # Reference counts alone do it: there are no cycles for the collector to find.
    x = leaf(np.ones(10))
    gc.collect()
    gc.disable()
    try:
        y = dc.exp(x)
        z = dc.sum(y * y)
        assert y._node is not None
        saved = y._node.saved
        assert saved is not None
        alive = weakref.ref(saved[0])
        del saved, y
        assert alive() is not None
        del z
        assert alive() is None
    finally:
        gc.enable()


def test_a_leaf_does_not_keep_its_tensor_alive() -> None:
    x = leaf(1.0)
    node = x._node
    assert isinstance(node, Leaf)
    assert node.owner is not None
    y = 2 * x
    alive = weakref.ref(x)
    del x
    assert alive() is None
    y.backward()
    assert node.owner() is None


def test_only_what_rules_need_is_saved() -> None:
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    assert (x + y)._node.saved == ()  # type: ignore[union-attr]
    product = x * y.detach()
    assert product._node is not None
    assert product._node.saved is not None
    assert [s is not None for s in product._node.saved] == [False, True]


# -------------------------------------------------------------------------------------------------------------- threads


def test_no_grad_in_one_thread_does_not_reach_another() -> None:
    inside, done = threading.Event(), threading.Event()
    found: list[bool] = []

    def other() -> None:
        with dc.no_grad():
            inside.set()
            assert done.wait(10)
            found.append(dc.is_grad_enabled())

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    try:
        assert dc.is_grad_enabled()
        assert (2 * leaf(1.0)).requires_grad
    finally:
        done.set()
        thread.join()
    assert found == [False]


def test_graphs_of_several_threads_do_not_mix() -> None:
    found: dict[int, float] = {}

    def work(k: int) -> None:
        x = leaf(float(k))
        for _ in range(50):
            x.grad = None
            (x * x * x).backward()
            found[k] = grad_of(x).item()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {k: 3.0 * k * k for k in range(8)}


# ----------------------------------------------------------------------------------------------------- across devices


def test_gradients_flow_back_through_a_transfer(device: Device) -> None:
    x = leaf([1.0, 2.0])
    y = dc.exp(x.to_device(device))
    assert y.device is device
    back = y.to_device("cpu")
    assert back.device == "cpu"
    (back * back).sum().backward()
    assert grad_of(x).device == "cpu"
    assert_close(np.asarray(grad_of(x).numpy()), 2 * np.exp([2.0, 4.0]))


def test_higher_derivatives_pass_through_a_transfer(device: Device) -> None:
    check_grads(lambda x: dc.exp(x.to_device(device)).to_device("cpu"), leaf([0.5, -0.5]).detach(), order=2)
