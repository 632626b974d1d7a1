"""The floor, and the networks that it is the floor of."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import graph
from deepcore.bench import NETWORKS, Net, Network, parse_net
from deepcore.bench.floor import Copy, Products
from deepcore.bench.hot_path import product_floor
from deepcore.bench.operations import operations

if TYPE_CHECKING:
    from deepcore._device import Device

NET = Net((7, 5, 3, 2), 4)


def products_of(net: Net, *, training: bool, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any, Any]]:
    """Return the shapes of the products that are really computed."""
    found: list[tuple[Any, Any, Any]] = []
    matmul = np.matmul

    def counted(a: Any, b: Any, out: Any) -> Any:
        found.append((a.shape, b.shape, out.shape))
        return matmul(a, b, out)

    with monkeypatch.context() as patch:
        patch.setattr(np, "matmul", counted)
        Products(net, dc.device("cpu"), training=training)()
    return found


def test_a_training_step_has_a_product_forward_and_two_backward_but_for_the_first_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = products_of(NET, training=True, monkeypatch=monkeypatch)
    forward = [((4, n), (n, m), (4, m)) for n, m in itertools.pairwise(NET.widths)]
    backward = [
        *(((3, 4), (4, 2), (3, 2)), ((4, 2), (2, 3), (4, 3))),
        *(((5, 4), (4, 3), (5, 3)), ((4, 3), (3, 5), (4, 5))),
        ((7, 4), (4, 5), (7, 5)),
    ]
    assert found == [*forward, *backward]
    assert sum(2 * a[0] * a[1] * b[1] for a, b, _ in found) == NET.training_flops


def test_inference_has_a_product_for_each_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    found = products_of(NET, training=False, monkeypatch=monkeypatch)
    assert len(found) == 3
    assert sum(2 * a[0] * a[1] * b[1] for a, b, _ in found) == NET.inference_flops


def test_the_floor_on_a_device(device: Device) -> None:
    assert tuple(Products(NET, device)().shape) == (7, 5)
    assert tuple(Products(NET, device, training=False)().shape) == (4, 2)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_copy_copies_everything(threads: int) -> None:
    copy = Copy(100, threads)
    copy()
    assert copy.nbytes == 800
    assert sum(target.size for target, _ in copy._parts) == 100
    assert all(np.array_equal(target, source) and target.all() for target, source in copy._parts)


def test_the_products_of_operations_are_those_of_their_equations() -> None:
    flops = {operation.name: operation.flops for operation in operations() if operation.products}
    assert flops == {
        "32x3x32x32 to 32, 3x3": 3 * 2 * 32 * 32 * 32 * 32 * 3 * 9,
        "32x64x16x16 to 64, 3x3": 3 * 2 * 32 * 64 * 16 * 16 * 64 * 9,
        "attention 8x8x256x64": 6 * 2 * 8 * 8 * 256 * 256 * 64,
    }
    for operation in operations(quick=True):
        product_floor(operation.products)()  # the shapes fit


def test_networks() -> None:
    net = parse_net("784-100-50-10")
    assert isinstance(net, Net)
    assert (net.widths, net.batch, net.name) == ((784, 100, 50, 10), 50, "784-100-50-10")
    assert net.n_parameters == 84_060
    assert parse_net("784-100-50-10@7").batch == 7
    assert [parse_net(f"{n}-{n}").batch for n in (8, 9)] == [64, 64]
    assert all(
        np.array_equal(a, b)
        for x, y in zip(net.weights(), net.weights(), strict=True)
        for a, b in zip(x, y, strict=True)
    )
    inputs, labels = net.data()
    assert (inputs.shape, inputs.dtype.name, labels.shape) == ((50, 784), "float32", (50,))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_operations_of_networks_are_those_of_their_products(name: str) -> None:
    net = parse_net(f"{name}@2")
    assert (net.name, net.batch) == (name, 2)
    assert isinstance(net, Network)
    model = net.model().eval()
    inputs, labels = net.data()
    assert (len(inputs), len(labels)) == (2, 2)
    with dc.no_grad():
        program = graph.traced(model, dc.asarray(inputs))
    found = 0
    for call in program.calls:
        (y, *_), shapes = call.results, [x.shape for x in call.operands()]
        if call.operation in ("matmul", "linear"):
            found += 2 * y.size * shapes[0][-1]
        elif call.operation == "convolution":
            found += 2 * y.size * shapes[1][1] * 9
        elif call.operation == "lstm_sequence":
            found += 2 * 64 * 2 * shapes[1][0] * shapes[1][1]
        elif call.operation == "attention_with_kept":
            found += 2 * 2 * y.size * shapes[1][-2]
    assert found == net.inference_flops
    assert {*labels.tolist()} <= {*range(10)}


@pytest.mark.parametrize(
    "text", ["", "8", "8-", "-8", "8-4-0", "8-x", "8-4@", "8-4@0", "8--4", "8-4 ", "8-99999999", "٣-٤"]
)
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(dc.ConfigError, match="such as 784-100-50-10"):
        parse_net(text)


def test_one_class_is_none() -> None:
    with pytest.raises(dc.ConfigError, match="at least 2 outputs"):
        parse_net("8-1")
