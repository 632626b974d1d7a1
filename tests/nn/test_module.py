"""Modules as trees of parameters: names, sharing, modes, states, and moves between devices."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim
from deepcore.random import Generator

if TYPE_CHECKING:
    from deepcore._device import Device


class Block(nn.Module):
    def __init__(self) -> None:
        self.first = nn.Dense(2, 2)
        self.more = [nn.Dense(2, 2, use_bias=False), {"last": nn.Dense(2, 1)}]
        self.scale = nn.Parameter(dc.ones(2))
        self.seen = dc.zeros(())
        self._private = nn.Parameter(dc.ones(5))

    def forward(self, x: dc.Tensor) -> dc.Tensor:
        return self.more[1]["last"](self.more[0](self.first(x) * self.scale))  # type: ignore[index,operator]


class Tied(nn.Module):
    """An autoencoder whose second layer is the transpose of the first, and which holds one layer twice."""

    def __init__(self) -> None:
        self.code = nn.Dense(3, 2, use_bias=False)
        self.again = self.code
        self.weight = self.code.weight

    def forward(self, x: dc.Tensor) -> dc.Tensor:
        return self.again(x) @ self.weight.T


def mlp(seed: int = 0) -> nn.Sequential:
    g = Generator(seed)
    return nn.Sequential(nn.Dense(2, 3, generator=g), nn.Tanh(), nn.Dense(3, 1, generator=g))


def values(model: nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.named_tensors()}


# -------------------------------------------------------------------------------------------------------------- trees


def test_names_follow_attributes_lists_and_dictionaries() -> None:
    model = Block()
    assert [name for name, _ in model.named_parameters()] == [
        "first.weight",
        "first.bias",
        "more.0.weight",
        "more.1.last.weight",
        "more.1.last.bias",
        "scale",
    ]
    assert [name for name, _ in model.named_tensors()][-1] == "seen"
    assert [name for name, _ in model.named_modules()] == ["", "first", "more.0", "more.1.last"]
    assert model.n_parameters == sum(p.size for p in model.parameters()) == 4 + 2 + 4 + 2 + 1 + 2


def test_sequential_is_a_sequence() -> None:
    model = mlp()
    assert len(model) == 3
    assert list(model) == [model[0], model[1], model[2]] == model.layers
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert [name for name, _ in nn.Sequential(model, model[0]).named_parameters()] == [
        f"0.{name}" for name, _ in model.named_parameters()
    ]
    assert repr(model) == "Sequential(Dense(2 → 3), Tanh(), Dense(3 → 1))"
    x = dc.ones((4, 2))
    assert model(x).tolist() == model[2](dc.tanh(model[0](x))).tolist()


def test_an_empty_sequential_is_the_identity() -> None:
    x = dc.ones(2)
    assert nn.Sequential()(x) is x


def test_shared_parameters_count_once_and_gather_all_gradients(device: Device) -> None:
    model = Tied().to(device)
    assert [name for name, _ in model.named_parameters()] == ["code.weight"]
    assert model.n_parameters == 6
    x = dc.asarray(np.arange(6.0, dtype=np.float32).reshape(2, 3), device=device)
    model(x).sum().backward()
    W = model.weight.detach()
    expected = dc.grad(lambda W: (x @ W @ W.T).sum())(W)
    assert model.weight.grad is not None
    assert model.weight.grad.numpy() == pytest.approx(expected.numpy(), rel=1e-5, abs=1e-6)
    before = model.weight.tolist()
    optim.SGD(model.parameters(), lr=0.1).step()
    assert model.weight is model.code.weight
    assert model.weight.numpy() == pytest.approx(np.asarray(before) - 0.1 * expected.numpy(), rel=1e-5, abs=1e-5)


def test_a_module_that_refers_to_its_parent_is_walked_once() -> None:
    child, parent = nn.Identity(), nn.Sequential(nn.Dense(1, 1))
    child.parent = parent  # type: ignore[attr-defined]
    parent.layers.append(child)
    assert [name for name, _ in parent.named_parameters()] == ["0.weight", "0.bias"]
    assert [name for name, _ in parent.named_modules()] == ["", "0", "1"]


def test_parameters_are_floating_point() -> None:
    with pytest.raises(dc.DTypeError, match=r"a parameter is floating point, and this value is .*int64"):
        nn.Parameter(dc.asarray([1, 2]))
    assert nn.Parameter(dc.asarray([1.0])).is_leaf


def test_parameters_are_changed_in_place_without_recording_alone() -> None:
    layer = nn.Dense(2, 1)
    changes: list[Any] = [lambda p: p.__setitem__(0, 1.0), lambda p: p.__iadd__(1.0)]
    for change in changes:
        with pytest.raises(dc.GradientError, match=r"changed in place becomes a result.*no_grad"):
            change(layer.bias)
        assert layer.bias is not None
        assert layer.bias.is_leaf
        assert layer.bias.tolist() == [0.0]
        with dc.no_grad():
            change(layer.bias)
        assert layer.bias.is_leaf
        assert layer.bias.requires_grad
        layer.bias.requires_grad = False
        change(layer.bias)  # frozen: there is nothing to lose
        layer.load_state_dict({"weight": np.ones((2, 1)), "bias": np.zeros(1)})
        layer.bias.requires_grad = True


def test_a_module_without_forward_says_so() -> None:
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty defines no forward"):
        Empty()(dc.ones(1))


def test_modules_survive_pickle_and_copy() -> None:
    model = mlp()
    model[0].freeze()
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert values(again) == values(model)
        assert [p.requires_grad for p in again.parameters()] == [False, False, True, True]
        assert all(isinstance(p, nn.Parameter) for p in again.parameters())
        assert all(a is not b for a, b in zip(again.parameters(), model.parameters(), strict=True))


# -------------------------------------------------------------------------------------------------------------- modes


def test_modes_reach_every_part() -> None:
    model = nn.Sequential(nn.Sequential(nn.Dropout()), Block())
    assert all(m.training for _, m in model.named_modules())
    assert model.eval() is model
    assert not any(m.training for _, m in model.named_modules())
    assert model.train() is model
    assert all(m.training for _, m in model.named_modules())


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_frozen_parameters_get_no_gradient_and_do_not_move(kind: Any) -> None:
    model = mlp()
    optimizer = kind(model.parameters(), lr=0.1)
    x = dc.ones((4, 2))
    model(x).sum().backward()
    assert model[0].freeze() is model[0]
    assert model[0].weight.grad is None  # type: ignore[attr-defined]
    before = values(model)
    for _ in range(3):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
    after = values(model)
    assert model[0].weight.grad is None  # type: ignore[attr-defined]
    assert {name for name in after if after[name] != before[name]} == {"2.weight", "2.bias"}
    model[0].freeze(frozen=False)
    model(x).sum().backward()
    optimizer.step()
    assert values(model)["0.weight"] != before["0.weight"]


def test_zero_grad() -> None:
    model = mlp()
    model(dc.ones((1, 2))).sum().backward()
    model.zero_grad()
    assert [p.grad for p in model.parameters()] == [None] * 4


# -------------------------------------------------------------------------------------------------------------- states


def test_state_round_trip_with_buffers() -> None:
    one, two = Block(), Block()
    one.seen = dc.asarray(3.0)
    assert values(one) != values(two)
    two.load_state_dict(one.state_dict())
    assert values(one) == values(two)
    assert all(p.requires_grad for p in two.parameters())
    assert not two.seen.requires_grad
    assert list(one.state_dict()) == [name for name, _ in one.named_tensors()]
    assert not any(value.requires_grad for value in one.state_dict().values())


def test_a_state_is_not_changed_by_later_training() -> None:
    model = mlp()
    state, before = model.state_dict(), values(model)
    model(dc.ones((1, 2))).sum().backward()
    optim.SGD(model.parameters(), lr=1.0).step()
    assert values(model) != before
    assert {name: value.numpy().tobytes() for name, value in state.items()} == before
    model.load_state_dict(state)
    assert values(model) == before


def test_loading_copies_arrays_and_takes_their_values_in_the_models_type() -> None:
    model = nn.Dense(2, 2, use_bias=False)
    array = np.ones((2, 2))
    model.load_state_dict({"weight": array})
    array[:] = 7
    assert model.weight.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert model.weight.dtype is dc.float32
    array32 = np.ones((2, 2), np.float32)
    model.load_state_dict({"weight": array32})
    array32[:] = 7
    assert model.weight.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_a_state_that_does_not_fit_is_refused_as_a_whole() -> None:
    model = nn.Sequential(nn.Dense(2, 3), nn.Dense(3, 1))
    before = values(model)
    state: dict[str, Any] = {
        "0.weight": np.ones((2, 3)),
        "0.bias": np.ones(4),
        "1.weight": np.ones((1, 3)),
        "2.bias": np.ones(1),
    }
    with pytest.raises(dc.StateError) as caught:
        model.load_state_dict(state)
    assert str(caught.value).splitlines() == [
        "the state does not fit the model:",
        "  0.bias: shape (4,) in the state, (3,) in the model",
        "  1.weight: shape (1, 3) in the state, (3, 1) in the model",
        "  1.bias: missing in the state",
        "  2.bias: not in the model",
    ]
    assert values(model) == before


def test_values_that_are_no_numbers_change_nothing() -> None:
    model = nn.Dense(1, 1)
    before = values(model)
    with pytest.raises(dc.DTypeError):
        model.load_state_dict({"weight": np.ones((1, 1)), "bias": np.array(["x"])})
    assert values(model) == before


def test_loading_leniently() -> None:
    model = nn.Sequential(nn.Dense(2, 3), nn.Dense(3, 1))
    model.load_state_dict({"1.bias": np.ones(1), "else": np.ones(1)}, strict=False)
    assert model[1].bias.tolist() == [1.0]  # type: ignore[attr-defined]
    with pytest.raises(dc.StateError, match=r"1\.bias: shape"):
        model.load_state_dict({"1.bias": np.ones(2)}, strict=False)


def test_states_cross_devices(device: Device) -> None:
    model = mlp(1).to(device)
    there = mlp(2)
    there.load_state_dict(model.state_dict())
    model.load_state_dict(mlp(2).state_dict())
    assert values(there) == values(mlp(1))
    assert values(model) == values(mlp(2))
    assert {p.device for p in model.parameters()} == {device}


# ------------------------------------------------------------------------------------------------------------- devices


def moves() -> list[Any]:
    pairs = [("cpu", "torch:cpu"), ("torch:cpu", "cpu"), ("cpu", "jax:cpu"), ("cpu", "array_api_strict:device1")]
    return [*pairs, ("array_api_strict:device1", "array_api_strict:device2")]


@pytest.mark.parametrize(("here", "there"), moves())
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_optimizers_follow_a_model_to_another_device(here: str, there: str, kind: Any) -> None:
    try:
        places = [dc.device(here), dc.device(there)]
    except dc.BackendError as error:
        pytest.skip(str(error))
    options: dict[str, Any] = {"momentum": 0.9} if kind is optim.SGD else {}

    def trained(*devices: Any) -> nn.Sequential:
        model = mlp()
        optimizer = kind(model.parameters(), lr=0.1, **options)
        identities = [id(p) for p in model.parameters()]
        for device in devices:
            assert model.to(device) is model
            assert model.device is device
            optimizer.zero_grad()
            model(dc.ones((3, 2), device=device)).sum().backward()
            optimizer.step()
            assert {p.device for p in model.parameters()} == {device}
        assert [id(p) for p in model.parameters()] == identities
        return model

    stayed, moved = trained(*[places[0]] * 4), trained(places[0], places[0], places[1], places[1])
    for a, b in zip(stayed.parameters(), moved.parameters(), strict=True):
        assert b.numpy() == pytest.approx(a.numpy(), rel=1e-5, abs=1e-6)


def test_moving_keeps_gradients_buffers_and_what_is_frozen(device: Device) -> None:
    model = Block()
    model(dc.ones((1, 2))).sum().backward()
    model.first.freeze()
    gradient = model.scale.grad
    assert gradient is not None
    model.to(device)
    assert {value.device for _, value in model.named_tensors()} == {device}
    assert model.seen.device is device
    assert [p.requires_grad for p in model.parameters()] == [False, False, True, True, True, True]
    assert model.scale.grad is not None
    assert model.scale.grad.device is device
    assert model.scale.grad.numpy().tolist() == gradient.tolist()


def test_a_model_without_tensors_is_on_the_default_device() -> None:
    assert nn.Sequential(nn.ReLU()).device is dc.device()
    for device in dc.devices():
        with dc.use_device(device):
            assert nn.ReLU().device is device


# ------------------------------------------------------------------------------------------------------------- tables


def test_a_model_prints_as_a_table() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dense(64, 100, activation="relu"), nn.Dropout(0.2), nn.Dense(100, 10))
    model[3].freeze()
    assert str(model).splitlines() == [
        "Sequential",
        "  layer         kind     shape     parameters",
        "  0             Flatten                     0",
        "  1             Dense    64 → 100       6,500",
        "  1.activation  ReLU                        0",
        "  2             Dropout  p = 0.2            0",
        "  3             Dense    100 → 10       1,010",
        "7,510 parameters, 6,500 of them trainable, 30.0 kB",
    ]


def test_a_summary_shows_the_shapes_of_the_results() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dense(64, 100), nn.LeakyReLU(0.1), nn.Dropout(0.2), nn.Dense(100, 10))
    model[3].eval()
    draw = dc.random.default_generator().draw
    assert nn.summary(model, (32, 8, 8)).splitlines() == [
        "Sequential",
        "  layer  kind                 shape     parameters",
        "  0      Flatten              (n, 64)            0",
        "  1      Dense 64 → 100       (n, 100)       6,500",
        "  2      LeakyReLU slope 0.1  (n, 100)           0",
        "  3      Dropout p = 0.2      (n, 100)           0",
        "  4      Dense 100 → 10       (n, 10)        1,010",
        "7,510 parameters, 7,510 of them trainable, 30.0 kB",
    ]
    assert [m.training for _, m in model.named_modules()] == [True, True, True, True, False, True]
    assert dc.random.default_generator().draw == draw
    assert all(p.grad is None for p in model.parameters())


def test_a_summary_that_fails_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Dense(3, 2))
    with pytest.raises(dc.ShapeError, match="Dense"):
        nn.summary(model, (1, 4))
    assert model.training
    assert nn.summary(model, (1, 3)).splitlines()[2].split() == ["0", "Dense", "3", "→", "2", "(n,", "2)", "8"]


def test_tables_show_parameters_in_lists_and_count_shared_ones_once() -> None:
    class Many(nn.Module):
        def __init__(self) -> None:
            self.weights = [nn.Parameter(dc.ones(3)), nn.Parameter(dc.ones(4))]

    assert str(nn.Sequential(Many())).splitlines()[2].split() == ["0", "Many", "7"]
    assert str(Tied()).splitlines()[-1] == "6 parameters, 6 of them trainable, 24 bytes"


@pytest.mark.parametrize(
    ("features", "text"), [(1, "4 bytes"), (249, "996 bytes"), (250, "1.0 kB"), (250_000, "1.0 MB")]
)
def test_memory_in_words(features: int, text: str) -> None:
    assert str(nn.Dense(features, 1, use_bias=False)).endswith(f" trainable, {text}")


def test_a_subclass_of_sequential_keeps_its_own_parameters() -> None:
    class Scaled(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Dense(2, 1))
            self.scale = nn.Parameter(dc.ones(1))

    assert [name for name, _ in Scaled().named_parameters()] == ["0.weight", "0.bias", "scale"]


# ------------------------------------------------------------------------------------------------------- as arguments


def test_the_gradient_of_a_model_is_that_of_each_parameter_by_its_path(device: Device) -> None:
    model, x = mlp().to(device), dc.ones((4, 2), device=device)

    def loss(model: nn.Module, x: dc.Tensor) -> dc.Tensor:
        assert isinstance(model, nn.Sequential)
        assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
        return (model(x) ** 2).sum() + sum((p * p).sum() for p in model.parameters())

    value, gradient = dc.value_and_grad(loss)(model, x)
    assert all(p.grad is None for p in model.parameters())
    expected = loss(model, x)
    expected.backward()
    assert value.item() == expected.item()
    assert {name: g.tolist() for name, g in gradient.items()} == {
        name: p.grad.tolist() for name, p in model.named_parameters() if p.grad is not None
    }
    _, pullback = dc.vjp(lambda model: model(x), model)
    (pulled,) = pullback(dc.ones((4, 1), device=device))
    assert pulled["2.bias"].tolist() == [4.0]


def test_gradients_of_models_nest_and_go_through_trees() -> None:
    model = mlp().astype(dc.float64)
    x = dc.asarray([[0.3, -0.7]], dtype=dc.float64)

    def slope(arguments: Any) -> dc.Tensor:
        return dc.grad(lambda x: arguments["net"](x).sum() * arguments["scale"])(x).sum()

    gradient = dc.grad(slope)({"net": model, "scale": dc.asarray(2.0, dtype=dc.float64)})
    assert set(gradient) == {"net", "scale"}
    step = 1e-6
    weight = model[0].weight  # type: ignore[attr-defined]
    with dc.no_grad():
        values = []
        for sign in (1, -1):
            weight[0, 1] += sign * step
            with dc.enable_grad():
                values.append(slope({"net": model, "scale": dc.asarray(2.0, dtype=dc.float64)}).item())
            weight[0, 1] -= sign * step
    assert gradient["net"]["0.weight"][0, 1].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-6)


def test_shared_frozen_and_other_tensors_of_a_model_that_is_an_argument() -> None:
    class Counting(Tied):
        def __init__(self) -> None:
            super().__init__()
            self.calls = dc.zeros(())
            self.fixed = nn.Parameter(dc.ones(())).detach()
            self.scale = nn.Parameter(dc.ones(()))

        def forward(self, x: dc.Tensor) -> dc.Tensor:
            assert self.code is self.again
            assert self.code.weight is self.weight
            self.calls._rebind(self.calls.detach() + 1)
            return super().forward(x) * self.scale * self.fixed

    model = Counting()
    model.scale.requires_grad = False
    gradient = dc.grad(lambda model, x: model(x).sum())(model, dc.ones((1, 3)))
    assert model.calls.item() == 1.0
    assert set(gradient) == {"code.weight", "scale"}
    assert gradient["scale"] is None
    model(dc.ones((1, 3))).sum().backward()
    assert model.weight.grad is not None
    assert gradient["code.weight"].tolist() == model.weight.grad.tolist()


def test_stopping_the_gradient_of_a_model() -> None:
    model, x = mlp(), dc.ones((1, 2), requires_grad=True)
    dc.stop_gradient(model)(x).sum().backward()
    assert x.grad is not None
    assert all(p.grad is None for p in model.parameters())
    assert all(p.requires_grad for p in model.parameters())


def test_apply_comes_to_the_parts_first() -> None:
    seen: list[nn.Module] = []
    model = nn.Sequential(nn.Sequential(nn.Tanh()), nn.Dense(1, 1))
    assert model.apply(seen.append) is model
    assert seen[-1] is model
    assert {id(m) for m in seen} == {id(m) for _, m in model.named_modules()}
    assert seen.index(model[0][0]) < seen.index(model[0])  # type: ignore[index]


def test_models_compute_in_the_type_they_are_converted_to(device: Device) -> None:
    model = Block().to(device)
    model.first.freeze()
    model.scale.grad = dc.ones(2, device=device)
    model.steps = dc.asarray(3, device=device)  # type: ignore[attr-defined]
    wide = next((t for t in (dc.float64, dc.bfloat16) if device.backend.supports(t, device.name)), dc.float32)
    identities = [id(p) for p in model.parameters()]
    assert model.astype(wide) is model
    assert {p.dtype for p in model.parameters()} == {wide, model.seen.dtype}
    assert [id(p) for p in model.parameters()] == identities
    assert [p.requires_grad for p in model.parameters()] == [False, False, True, True, True, True]
    assert model.scale.grad.dtype is wide
    assert dict(model.named_tensors())["steps"].dtype.is_kind("integral")
    assert model(dc.ones((1, 2), dtype=wide, device=device)).dtype is wide
    with pytest.raises(dc.DTypeError, match="a model computes in floating-point numbers, and int32"):
        model.astype(dc.int32)
