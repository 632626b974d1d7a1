"""Recurrent layers: padding, directions, states, gradients, cells, initial weights, and what the door says."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim
from deepcore.random import Generator
from deepcore.testing import assert_close, check_grads
from deepcore.transform import hvp, jvp

if TYPE_CHECKING:
    from deepcore._device import Device

STEPS, BATCH, INPUTS, UNITS = 5, 3, 2, 4
LENGTHS = [2, 5, 0]
LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CELLS = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}
EVERY_KIND = pytest.mark.parametrize("kind", LAYERS)


def layer(kind: str, device: Device | None = None, **options: Any) -> Any:
    with dc.use_device(device or "cpu"):
        made = LAYERS[kind](INPUTS, UNITS, generator=Generator(0), **options)
    for parameter in made.parameters():
        doubled = parameter.detach().astype(dc.float64) * 2
        parameter.requires_grad = False
        parameter._rebind(doubled)
        parameter.requires_grad = True
    return made


def array(*shape: int, device: Device | None = None, seed: int = 0) -> dc.Tensor:
    return dc.asarray(np.random.default_rng(seed).normal(size=shape), device=device)


def parts_of(state: Any) -> list[dc.Tensor]:
    return list(state) if isinstance(state, tuple) else [state]


def packed(parts: list[dc.Tensor]) -> Any:
    return tuple(parts) if len(parts) > 1 else parts[0]


def begin(kind: str, k: int, n: int = BATCH, device: Device | None = None) -> Any:
    return packed([array(k, n, UNITS, device=device, seed=i + 1) for i in range(2 if kind == "lstm" else 1)])


def of_sample(state: Any, k: int) -> Any:
    return packed([part[:, k : k + 1, :] for part in parts_of(state)])


# -------------------------------------------------------------------------------------------------------- sequences


@EVERY_KIND
def test_padded_sequences_are_what_each_is_alone(kind: str, device: Device) -> None:
    model = layer(kind, device, num_layers=2, bidirectional=True)
    x, state = array(BATCH, STEPS, INPUTS, device=device), begin(kind, 4, device=device)
    y, end = model(x, state, lengths=LENGTHS)
    for k, n in enumerate(LENGTHS):
        assert bool(dc.all(y[k, n:, :] == 0))
        if n == 0:
            for part, first in zip(parts_of(end), parts_of(state), strict=True):
                assert_close(part[:, k, :], first[:, k, :])
            continue
        y_alone, end_alone = model(x[k : k + 1, :n, :], of_sample(state, k))
        assert_close(y[k, :n, :], y_alone[0, ...], rtol=1e-12, atol=1e-12)
        for part, alone in zip(parts_of(of_sample(end, k)), parts_of(end_alone), strict=True):
            assert_close(part, alone, rtol=1e-12, atol=1e-12)


@EVERY_KIND
def test_what_is_in_the_padding_does_not_matter(kind: str, device: Device) -> None:
    model = layer(kind, device, bidirectional=True)
    values = np.random.default_rng(0).normal(size=(BATCH, STEPS, INPUTS))
    found = []
    for filling in (0.0, np.nan):
        for k, n in enumerate(LENGTHS):
            values[k, n:] = filling
        x = dc.asarray(values.copy(), device=device, requires_grad=True)
        model.zero_grad()
        y, end = model(x, lengths=dc.asarray(LENGTHS, device=device))
        ((y * y).sum() + (parts_of(end)[-1] ** 2).sum()).backward()
        assert x.grad is not None
        found.append([y, x.grad, *[p.grad for p in model.parameters()]])
    for a, b in zip(*found, strict=True):
        assert_close(a, b, rtol=0, atol=0)


@EVERY_KIND
def test_two_directions_are_two_layers_one_of_them_on_reversed_time(kind: str) -> None:
    model = layer(kind, bidirectional=True)
    x = array(BATCH, STEPS, INPUTS)
    y, end = model(x)
    for k, sign in ((0, 1), (1, -1)):
        one = layer(kind)
        one.cells = [model.cells[k]]
        y_one, end_one = one(x[:, ::sign, :])
        assert_close(y[..., k * UNITS : (k + 1) * UNITS], y_one[:, ::sign, :], rtol=1e-12, atol=1e-12)
        for part, part_one in zip(parts_of(end), parts_of(end_one), strict=True):
            assert_close(part[k : k + 1, ...], part_one, rtol=1e-12, atol=1e-12)


@EVERY_KIND
def test_a_sequence_goes_on_from_the_state_that_its_first_half_left(kind: str) -> None:
    model = layer(kind, num_layers=2)
    x = array(BATCH, STEPS, INPUTS)
    y, end = model(x)
    y_first, middle = model(x[:, :2, :])
    y_second, end_second = model(x[:, 2:, :], middle)
    assert_close(dc.concat([y_first, y_second], axis=1), y, rtol=1e-12, atol=1e-12)
    for part, again in zip(parts_of(end), parts_of(end_second), strict=True):
        assert_close(part, again, rtol=1e-12, atol=1e-12)


@EVERY_KIND
def test_cells_step_through_what_layers_run_through(kind: str, device: Device) -> None:
    model = layer(kind, device)
    x = array(BATCH, STEPS, INPUTS, device=device)
    y, end = model(x)
    state = None
    for t in range(STEPS):
        state = model.cells[0](x[:, t, :], state)
        assert_close(parts_of(state)[0], y[:, t, :], rtol=1e-12, atol=1e-12)
    for part, stepped in zip(parts_of(end), parts_of(state), strict=True):
        assert_close(part[0, ...], stepped, rtol=1e-12, atol=1e-12)


@EVERY_KIND
def test_batches_without_samples(kind: str, device: Device) -> None:
    y, end = layer(kind, device, bidirectional=True)(
        dc.zeros((0, 3, INPUTS), device=device), lengths=dc.zeros(0, dtype=dc.int64, device=device)
    )
    assert y.shape == (0, 3, 2 * UNITS)
    assert parts_of(end)[0].shape == (2, 0, UNITS)


@EVERY_KIND
def test_returns_and_the_order_of_axes(kind: str) -> None:
    model = layer(kind, num_layers=2, bidirectional=True)
    x = array(BATCH, STEPS, INPUTS)
    y, end = model(x, lengths=LENGTHS)
    model.returns = "sequence"
    assert_close(model(x, lengths=LENGTHS), y)
    model.returns = "last"
    hidden = parts_of(end)[0]
    assert_close(model(x, lengths=LENGTHS), dc.concat([hidden[2, ...], hidden[3, ...]], axis=-1))
    model.returns, model.batch_first = "both", False
    y_time_first, end_again = model(dc.permute_dims(x, (1, 0, 2)), lengths=LENGTHS)
    assert_close(dc.permute_dims(y_time_first, (1, 0, 2)), y)
    assert_close(parts_of(end_again)[-1], parts_of(end)[-1])


def test_a_sequence_classifier_is_sequential() -> None:
    model = nn.Sequential(nn.LSTM(3, 4, returns="sequence"), nn.GRU(4, 5, returns="last"), nn.Dense(5, 2))
    assert model(dc.ones((6, 7, 3))).shape == (6, 2)
    assert "LSTMCell" in nn.summary(model)
    assert "3 → 4" in nn.summary(model)
    assert repr(nn.GRU(2, 3, 2, bidirectional=True)) == "GRU(2 → 3, 2 layers, bidirectional)"


# -------------------------------------------------------------------------------------------------------- gradients


@EVERY_KIND
def test_gradients_of_first_and_second_order(kind: str, device: Device, thrifty: bool) -> None:
    model = layer(kind, device, bidirectional=True)
    x = array(2, 3, INPUTS, device=device)
    state = begin(kind, 2, n=2, device=device)

    def function(x: dc.Tensor, *parts: dc.Tensor) -> list[dc.Tensor]:
        y, end = model(x, packed(list(parts)), lengths=[3, 2])
        return [y, *parts_of(end)]

    check_grads(function, x, *parts_of(state), order=1 if thrifty else 2)


@EVERY_KIND
def test_gradients_of_the_weights(kind: str) -> None:
    model = layer(kind)
    x = array(2, 3, INPUTS)
    names = [name for name, _ in model.named_parameters()]

    def function(*values: dc.Tensor) -> dc.Tensor:
        other = copy.deepcopy(model)
        for name, value in zip(names, values, strict=True):
            setattr(other.cells[0], name.rpartition(".")[2], value)
        found: dc.Tensor = other(x)[0]
        return found

    check_grads(function, *[p.detach() for p in model.parameters()], order=2)


def test_products_with_the_hessian_of_a_loss() -> None:
    model = layer("lstm")
    x, v = array(2, 3, INPUTS), array(2, 3, INPUTS, seed=5)
    h = 1e-4
    gradient = dc.grad(lambda x: (model(x)[0] ** 2).sum())
    expected = (gradient(x + h * v) - gradient(x - h * v)) / (2 * h)
    assert_close(hvp(lambda x: (model(x)[0] ** 2).sum(), x, v), expected, rtol=1e-6, atol=1e-7)


@EVERY_KIND
def test_forward_products_with_the_jacobian(kind: str) -> None:
    model = layer(kind, num_layers=2)
    x, v = array(2, 3, INPUTS), array(2, 3, INPUTS, seed=5)
    h = 1e-5
    _, tangent = jvp(lambda x: model(x, lengths=[3, 1])[0], (x,), (v,))
    ahead, behind = (model(x + sign * h * v, lengths=[3, 1])[0] for sign in (1, -1))
    assert_close(tangent, (ahead - behind) / (2 * h), rtol=1e-7, atol=1e-8)


@EVERY_KIND
def test_what_is_not_used_gets_no_gradient_and_costs_none(kind: str) -> None:
    model = layer(kind)
    x = dc.asarray(array(BATCH, STEPS, INPUTS), requires_grad=True)
    y, _ = model(x)
    y[:, 1, :].sum().backward()
    assert x.grad is not None
    assert bool(dc.all(x.grad[:, 2:, :] == 0))
    assert bool(dc.any(x.grad[:, :2, :] != 0))
    with dc.no_grad():
        assert not model(x)[0].requires_grad


def test_float32_stays_float32(device: Device) -> None:
    for made in LAYERS.values():
        with dc.use_device(device):
            model = made(INPUTS, UNITS, generator=Generator(0))
        x = dc.asarray(np.ones((2, 3, INPUTS), np.float32), device=device, requires_grad=True)
        y, end = model(x, lengths=[3, 1])
        y.sum().backward()
        assert x.grad is not None
        gradients = [x.grad, *[p.grad for p in model.parameters()]]
        assert {t.dtype for t in (y, *parts_of(end), *gradients) if t is not None} == {dc.float32}
        assert all(t is not None for t in gradients)


@EVERY_KIND
def test_values_far_out_neither_overflow_nor_warn(kind: str, device: Device) -> None:
    model = layer(kind, device)
    x = dc.asarray(np.array([[[1e4, -1e4], [-1e4, 1e4]]]), device=device, requires_grad=True)
    y, _ = model(x)
    y.sum().backward()
    assert x.grad is not None
    assert bool(dc.all(dc.isfinite(y)))
    assert bool(dc.all(dc.isfinite(x.grad)))


# --------------------------------------------------------------------------------------------------- weights, training


@pytest.mark.parametrize("kind", CELLS)
def test_initializers_see_one_gate(kind: str) -> None:
    cell = CELLS[kind](40, 30, initializer="glorot_uniform", hidden_initializer="orthogonal", bias_initializer="zeros")
    limit = np.sqrt(6 / 70)
    assert 0.95 * limit < np.abs(cell.weight_input.numpy()).max() <= limit
    for block in np.split(cell.weight_hidden.numpy(), cell.gates, axis=1):
        assert_close(block.T @ block, np.eye(30, dtype=np.float32), rtol=0, atol=1e-5)
    assert cell.bias_input is not None
    assert not cell.bias_input.numpy().any()


def test_the_forget_gate_may_begin_open() -> None:
    layer = nn.LSTM(2, 3, num_layers=2, forget_bias=1.0)
    for cell in layer.cells:
        assert cell.bias is not None
        values = cell.bias.numpy()
        assert values[3:6].tolist() == [1.0, 1.0, 1.0]
        assert 0 < np.abs(np.delete(values, [3, 4, 5])).max() < 2 / np.sqrt(3)
    assert isinstance(layer.cells[0].bias_input, nn.Parameter)
    with pytest.raises(dc.ConfigError, match=r"LSTMCell: forget_bias=1\.0 needs biases"):
        nn.LSTM(2, 3, forget_bias=1.0, use_bias=False)


def test_the_same_seed_gives_the_same_layer() -> None:
    a, b = (nn.GRU(2, 3, num_layers=2, dropout=0.5, generator=Generator(7)) for _ in range(2))
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert_close(p.detach(), q.detach(), rtol=0, atol=0)
    x = dc.ones((2, 3, 2))
    assert_close(a(x)[0], b(x)[0], rtol=0, atol=0)


def test_dropout_is_between_layers_and_while_training_alone() -> None:
    generator = Generator(0)
    model = nn.RNN(2, 50, num_layers=2, dropout=0.5, batch_first=False, generator=generator)
    x = array(3, 4, 2).astype(dc.float32)
    alone = [nn.RNN(size, 50, batch_first=False) for size in (2, 50)]
    for one, cell in zip(alone, model.cells, strict=True):
        one.cells = [cell]
    between = nn.Dropout(0.5, generator=copy.deepcopy(generator))
    first = model(x)[0]
    assert_close(first, alone[1](between(alone[0](x)[0]))[0])
    assert bool(dc.any(model(x)[0] != first))
    model.eval()
    assert_close(model(x)[0], alone[1](alone[0](x)[0])[0])


@EVERY_KIND
def test_states_are_saved_copied_and_pickled(kind: str) -> None:
    model, other = (LAYERS[kind](INPUTS, UNITS, num_layers=2, bidirectional=True) for _ in range(2))
    assert list(model.state_dict())[:5] == [
        *(f"cells.0.{name}" for name in ("weight_input", "weight_hidden", "bias_input", "bias_hidden")),
        "cells.1.weight_input",
    ]
    other.load_state_dict(model.state_dict())
    x = dc.ones((2, 3, INPUTS))
    for again in (other, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert_close(again(x)[0], model(x)[0], rtol=0, atol=0)


def test_an_lstm_learns_to_remember_what_came_first() -> None:
    """The first of eight signs is the label: no gradient of the last step alone could find it."""
    generator = np.random.default_rng(0)
    model = nn.Sequential(nn.LSTM(1, 8, returns="last", generator=Generator(1)), nn.Dense(8, 1, generator=Generator(2)))
    adam = optim.Adam(model.parameters(), lr=0.03)
    loss = dc.ones(())
    for _ in range(150):
        signs = generator.choice([-1.0, 1.0], (32, 8, 1)).astype(np.float32)
        adam.zero_grad()
        loss = nn.MSE()(model(dc.asarray(signs)), dc.asarray(signs[:, 0]))
        loss.backward()
        adam.step()
    assert loss.item() < 0.05


# ------------------------------------------------------------------------------------------------------------- the door


def refused(call: Any, error: type[Exception], *messages: str) -> None:
    with pytest.raises(error) as caught:
        call()
    for message in messages:
        assert message in str(caught.value)


def test_inputs_of_another_shape() -> None:
    model = nn.LSTM(3, 4)
    expected = "LSTM(3 → 4): expected an input of shape (batch, time, 3), got "
    refused(lambda: model(dc.ones((5, 3))), dc.ShapeError, expected + "(5, 3); one sequence", "x[None]")
    refused(lambda: model(dc.ones((2, 5))), dc.ShapeError, expected + "(2, 5); if there is one feature", "x[..., None]")
    refused(lambda: model(dc.ones((2, 3, 5))), dc.ShapeError, expected + "(2, 3, 5); axis 1 has length 3", "moveaxis")
    refused(lambda: model(dc.ones((2, 5, 4))), dc.ShapeError, expected + "(2, 5, 4)")
    refused(lambda: model(dc.ones((2, 0, 3))), dc.ShapeError, "no time steps in an input of shape (2, 0, 3)")
    refused(lambda: model(dc.ones((2, 5, 3), dtype=dc.int64)), dc.DTypeError, "these are int64", "one-hot")
    refused(lambda: nn.GRU(3, 4, batch_first=False)(dc.ones(3)), dc.ShapeError, "(time, batch, 3), got (3,)")
    refused(lambda: nn.GRUCell(3, 4)(dc.ones((2, 5, 3))), dc.ShapeError, "(samples, 3)", "one step at a time")
    refused(lambda: nn.GRUCell(3, 4)(dc.ones(3)), dc.ShapeError, "one sample is a batch of one: x[None]")


def test_states_of_another_shape() -> None:
    x = dc.ones((2, 5, 3))
    h = dc.zeros((1, 2, 4))
    refused(lambda: nn.LSTM(3, 4)(x, h), dc.ConfigError, "a state is hidden and cell, and 1 was given")
    refused(lambda: nn.GRU(3, 4)(x, (h, h)), dc.ConfigError, "a state is hidden, and 2 arrays were given")
    needed = "(1, 2, 4) is needed for (2, 5, 3)"
    refused(
        lambda: nn.GRU(3, 4)(x, h[0, ...]), dc.ShapeError, "the hidden state has shape (2, 4)", needed, "state[None]"
    )
    refused(lambda: nn.LSTM(3, 4)(x, (h, dc.zeros((1, 5, 4)))), dc.ShapeError, "the cell state has shape (1, 5, 4)")
    refused(lambda: nn.GRU(3, 4)(x, dc.zeros((1, 5, 4))), dc.ShapeError, needed, "was time first")
    refused(lambda: nn.GRU(3, 4, 2)(x, h), dc.ShapeError, "(2, 2, 4) is needed")
    refused(lambda: nn.RNNCell(3, 4)(dc.ones((2, 3)), dc.zeros((3, 4))), dc.ShapeError, "(2, 4) is needed")


def test_lengths_that_do_not_fit() -> None:
    model, x = nn.GRU(3, 4), dc.ones((6, 5, 3))
    refused(
        lambda: model(x, lengths=[1] * 5), dc.ShapeError, "6 sequences need lengths of shape (6,), got (5,); was time"
    )
    refused(lambda: model(x, lengths=[1] * 4), dc.ShapeError, "6 sequences need lengths of shape (6,), got (4,)")
    refused(
        lambda: model(x, lengths=[1, 2, 3, 4, 5, 6]), dc.DataError, "lengths from 1 to 6", "5 time steps", "was time"
    )
    refused(
        lambda: model(x, lengths=[1, 2, 3, 4, 5, 9]), dc.DataError, "lengths from 1 to 9, but there are 5 time steps"
    )
    refused(lambda: model(x, lengths=[-1, 2, 3, 4, 5, 5]), dc.DataError, "lengths from -1 to 5")
    refused(lambda: model(x, lengths=dc.ones(6)), dc.DTypeError, "lengths are whole numbers, and these are float32")
    assert model(x, lengths=dc.asarray([5, 1, 2, 3, 4, 5], dtype=dc.uint8))[0].shape == (6, 5, 4)


def test_options() -> None:
    refused(
        lambda: nn.LSTM(0, 4), dc.ConfigError, "LSTMCell: the numbers of inputs and units are at least 1, not 0 and 4"
    )
    refused(lambda: nn.LSTM(3, 4, 0), dc.ConfigError, "LSTM: the number of layers is at least 1, not 0")
    refused(lambda: nn.LSTM(3, 4, dropout=0.5), dc.ConfigError, "dropout is between layers, and there is one")
    refused(lambda: nn.LSTM(3, 4, 2, dropout=1.5), dc.ConfigError, "p is a probability")
    refused(lambda: nn.LSTM(3, 4, returns="all"), dc.ConfigError, "one of 'both', 'sequence', 'last', not 'all'")
    refused(lambda: nn.RNN(3, 4, activation="sigmoid"), dc.ConfigError, "one of tanh, relu, not 'sigmoid'")


def test_a_primitive_without_time_steps_or_of_another_activation_says_so(device: Device) -> None:
    weight, hidden = dc.zeros((3, 3), device=device), dc.zeros((2, 3), device=device)
    with pytest.raises(dc.ShapeError, match="at least one time step"):
        dc.rnn_sequence(dc.zeros((0, 2, 3), device=device), weight, hidden)
    with pytest.raises(dc.ConfigError, match="one of tanh and relu, not 'sigmoid'"):
        dc.rnn_sequence(dc.zeros((1, 2, 3), device=device), weight, hidden, activation="sigmoid")
