"""Recurrent layers and cells against PyTorch: the same weights give the same outputs, gradients and training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim
from deepcore.random import Generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
packed = torch.nn.utils.rnn.pack_padded_sequence
padded = torch.nn.utils.rnn.pad_packed_sequence

TOLERANCES: Final = {"float32": 1e-5, "float64": 1e-10}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCES)
KINDS: Final[dict[str, tuple[Any, Any, dict[str, Any], dict[str, Any]]]] = {
    "tanh": (nn.RNN, torch.nn.RNN, {}, {}),
    "relu": (nn.RNN, torch.nn.RNN, {"activation": "relu"}, {"nonlinearity": "relu"}),
    "gru": (nn.GRU, torch.nn.GRU, {}, {}),
    "lstm": (nn.LSTM, torch.nn.LSTM, {}, {}),
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
STEPS, BATCH, INPUTS, UNITS = 7, 5, 4, 6
LENGTHS: Final = [3, 7, 1, 6, 7]


def assert_equal(ours: dc.Tensor | None, theirs: Any) -> None:
    assert ours is not None
    desired = np.asarray(theirs.detach() if isinstance(theirs, torch.Tensor) else theirs)
    assert ours.dtype.name == desired.dtype.name
    assert ours.shape == desired.shape
    tolerance = TOLERANCES[desired.dtype.name]
    np.testing.assert_allclose(ours.numpy(), desired, rtol=tolerance, atol=tolerance)


def both(values: NDArray[Any]) -> tuple[dc.Tensor, Any]:
    return dc.asarray(values.copy(), requires_grad=True), torch.tensor(values, requires_grad=True)


def theirs_of(name: str, model: Any) -> Any:
    """Return PyTorch's parameter for the path of one of ours: ``cells.3.weight_input`` is ``weight_ih_l1_reverse``."""
    *place, parameter = name.split(".")
    kind, _, what = parameter.partition("_")
    short = f"{kind}_{'ih' if what == 'input' else 'hh'}"
    if not place:
        return getattr(model, short)
    layer, direction = divmod(int(place[-1]), 2 if model.bidirectional else 1)
    return getattr(model, f"{short}_l{layer}{'_reverse' * direction}")


def as_ours(theirs: Any) -> NDArray[Any]:
    """Return PyTorch's weight, whose transpose ours is, or its bias."""
    return np.asarray(theirs.detach().numpy().T)


def pair(kind: str, dtype: str, *, cell: bool = False, **options: Any) -> tuple[Any, Any]:
    """Return our layer and PyTorch's, with the same random weights."""
    own, other, own_options, other_options = KINDS[kind]
    sizes = (INPUTS, UNITS)
    if cell:
        own, other = getattr(nn, f"{own.__name__}Cell"), getattr(torch.nn, f"{other.__name__}Cell")
        ours, theirs = own(*sizes, **own_options), other(*sizes, **other_options)
    else:
        torch_options = {"batch_first": True, **options}
        torch_options["bias"] = torch_options.pop("use_bias", True)
        ours, theirs = own(*sizes, **own_options, **options), other(*sizes, **other_options, **torch_options)
    theirs = theirs.to(getattr(torch, dtype))
    source = np.random.default_rng(1)
    for name, parameter in ours.named_parameters():
        values = (0.5 * source.normal(size=parameter.shape)).astype(dtype)
        parameter.requires_grad = False
        parameter._rebind(dc.asarray(values))
        parameter.requires_grad = True
        with torch.no_grad():
            theirs_of(name, theirs).copy_(torch.tensor(values.T))
    assert len(ours.parameters()) == len(list(theirs.parameters()))
    return ours, theirs


def states(kind: str, shape: tuple[int, ...], dtype: str) -> tuple[list[dc.Tensor], list[Any]]:
    source = np.random.default_rng(2)
    drawn = [both(source.normal(size=shape).astype(dtype)) for _ in range(2 if kind == "lstm" else 1)]
    return [a for a, _ in drawn], [b for _, b in drawn]


def given(parts: list[Any]) -> Any:
    return tuple(parts) if len(parts) > 1 else parts[0]


def parts_of(state: Any) -> list[Any]:
    return list(state) if isinstance(state, tuple) else [state]


def backward(ours: list[dc.Tensor], theirs: list[Any]) -> None:
    """Send the same cotangents back through both."""
    source = np.random.default_rng(3)
    total: Any = 0.0
    total_torch: Any = 0.0
    for y, z in zip(ours, theirs, strict=True):
        weights = source.normal(size=y.shape).astype(y.dtype.name)
        total = total + (y * dc.asarray(weights)).sum()
        total_torch = total_torch + (z * torch.tensor(weights)).sum()
    total.backward()
    total_torch.backward()


@DTYPES
@EVERY_KIND
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "padded"])
def test_outputs_states_and_gradients(kind: str, bidirectional: bool, lengths: list[int] | None, dtype: str) -> None:
    ours, theirs = pair(kind, dtype, num_layers=2, bidirectional=bidirectional)
    x, x_torch = both(np.random.default_rng(0).normal(size=(BATCH, STEPS, INPUTS)).astype(dtype))
    begin, begin_torch = states(kind, (4 if bidirectional else 2, BATCH, UNITS), dtype)
    y, end = ours(x, given(begin), lengths=lengths)
    if lengths is None:
        y_torch, end_torch = theirs(x_torch, given(begin_torch))
    else:
        sequences = packed(x_torch, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
        y_torch, end_torch = theirs(sequences, given(begin_torch))
        y_torch, _ = padded(y_torch, batch_first=True, total_length=STEPS)
    results, results_torch = [y, *parts_of(end)], [y_torch, *parts_of(end_torch)]
    for result, result_torch in zip(results, results_torch, strict=True):
        assert_equal(result, result_torch)
    backward(results, results_torch)
    assert_equal(x.grad, x_torch.grad)
    for a, b in zip(begin, begin_torch, strict=True):
        assert_equal(a.grad, b.grad)
    for name, parameter in ours.named_parameters():
        assert_equal(parameter.grad, as_ours(theirs_of(name, theirs).grad))


@DTYPES
@EVERY_KIND
def test_without_biases_time_first_and_without_a_state(kind: str, dtype: str) -> None:
    ours, theirs = pair(kind, dtype, use_bias=False, batch_first=False)
    x, x_torch = both(np.random.default_rng(0).normal(size=(STEPS, BATCH, INPUTS)).astype(dtype))
    (y, end), (y_torch, end_torch) = ours(x), theirs(x_torch)
    results, results_torch = [y, *parts_of(end)], [y_torch, *parts_of(end_torch)]
    for result, result_torch in zip(results, results_torch, strict=True):
        assert_equal(result, result_torch)
    backward(results, results_torch)
    assert_equal(x.grad, x_torch.grad)
    for name, parameter in ours.named_parameters():
        assert_equal(parameter.grad, as_ours(theirs_of(name, theirs).grad))


@DTYPES
@EVERY_KIND
def test_cells(kind: str, dtype: str) -> None:
    ours, theirs = pair(kind, dtype, cell=True)
    x, x_torch = both(np.random.default_rng(0).normal(size=(BATCH, INPUTS)).astype(dtype))
    begin, begin_torch = states(kind, (BATCH, UNITS), dtype)
    once, once_torch = ours(x, given(begin)), theirs(x_torch, given(begin_torch))
    results, results_torch = parts_of(ours(x, once)), parts_of(theirs(x_torch, once_torch))
    for result, result_torch in zip(results, results_torch, strict=True):
        assert_equal(result, result_torch)
    backward(results, results_torch)
    assert_equal(x.grad, x_torch.grad)
    for a, b in zip(begin, begin_torch, strict=True):
        assert_equal(a.grad, b.grad)
    for name, parameter in ours.named_parameters():
        assert_equal(parameter.grad, as_ours(theirs_of(name, theirs).grad))


@DTYPES
@EVERY_KIND
def test_twenty_steps_of_training(kind: str, dtype: str) -> None:
    ours, theirs = pair(kind, dtype, num_layers=2, bidirectional=True)
    source = np.random.default_rng(0)
    adam = optim.Adam(ours.parameters(), lr=0.01)
    adam_torch = torch.optim.Adam(theirs.parameters(), lr=0.01)
    for _ in range(20):
        x = source.normal(size=(BATCH, STEPS, INPUTS)).astype(dtype)
        target = source.normal(size=(BATCH, STEPS, 2 * UNITS)).astype(dtype)
        adam.zero_grad()
        loss = ((ours(dc.asarray(x), lengths=LENGTHS)[0] - dc.asarray(target)) ** 2).mean()
        loss.backward()
        adam.step()
        adam_torch.zero_grad()
        sequences = packed(torch.tensor(x), torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
        y_torch, _ = padded(theirs(sequences)[0], batch_first=True, total_length=STEPS)
        loss_torch = ((y_torch - torch.tensor(target)) ** 2).mean()
        loss_torch.backward()
        adam_torch.step()
        assert_equal(loss, loss_torch)
    for name, parameter in ours.named_parameters():
        assert_equal(parameter.detach(), as_ours(theirs_of(name, theirs)))


@pytest.mark.parametrize("kind", ["tanh", "gru", "lstm"])
def test_initial_weights_have_pytorchs_limits(kind: str) -> None:
    torch.manual_seed(0)
    layer = KINDS[kind][0](40, 64, generator=Generator(0))
    theirs = KINDS[kind][1](40, 64)
    for name, parameter in layer.named_parameters():
        values, values_torch = parameter.numpy(), theirs_of(name, theirs).detach().numpy()
        assert max(np.abs(values).max(), np.abs(values_torch).max()) <= 1 / 8
        if values.ndim == 2:  # a bias has too few values to compare the spread of
            assert values.std() == pytest.approx(values_torch.std(), rel=0.05)
