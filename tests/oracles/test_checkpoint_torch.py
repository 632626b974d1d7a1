"""Weights of PyTorch's models in our layers: the same predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.checkpoint import load_pytorch

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")


def theirs() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(5, 8),
        torch.nn.Tanh(),
        torch.nn.Linear(8, 8, bias=False),
        torch.nn.ReLU(),
        torch.nn.Linear(8, 3),
    )


def ours() -> nn.Module:
    return nn.Sequential(nn.Dense(5, 8), nn.Tanh(), nn.Dense(8, 8, use_bias=False), nn.ReLU(), nn.Dense(8, 3))


def agree(model: Any, own: nn.Module) -> None:
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("f")
    expected = model(torch.from_numpy(x)).detach().numpy()
    assert own(dc.asarray(x)).numpy() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_a_file_of_pytorch(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    model, own = theirs(), ours()
    save_file(model.state_dict(), tmp_path / "model.safetensors", metadata={"format": "pt"})
    load_pytorch(tmp_path / "model.safetensors", own)
    agree(model, own)
    assert all(p.requires_grad for p in own.parameters())


def test_a_state_dictionary_in_another_data_type() -> None:
    model, own = theirs().double(), ours()
    load_pytorch(model.state_dict(), own)
    agree(model.float(), own)
    assert all(p.dtype is dc.float32 for p in own.parameters())
    before = own.parameters()[0].numpy().copy()
    with torch.no_grad():
        model[0].weight.zero_()  # the memory is not shared
    assert np.array_equal(own.parameters()[0].numpy(), before)


def test_names_that_differ() -> None:
    class Theirs(torch.nn.Module):  # type: ignore[misc, name-defined]  # PyTorch is Any to mypy
        def __init__(self) -> None:
            super().__init__()
            self.body = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh())
            self.head = torch.nn.Linear(8, 3)
            self.bn = torch.nn.BatchNorm1d(3)

        def forward(self, x: Any) -> Any:
            return self.head(self.body(x))

    model = Theirs()
    own = nn.Sequential(nn.Dense(5, 8, activation="tanh"), nn.Dense(8, 3))
    given = {name: x for name, x in model.state_dict().items() if not name.startswith("bn.")}
    given["bn.num_batches_tracked"] = model.state_dict()["bn.num_batches_tracked"]
    load_pytorch(given, own, names={"0": "body.0", "1": "head"})
    agree(model, own)
    again = nn.Sequential(nn.Dense(5, 8, activation="tanh"), nn.Dense(8, 3))
    load_pytorch(given, again, names=lambda name: name.replace("0.", "body.0.").replace("1.", "head."))
    agree(model, again)
    alone = nn.Dense(8, 3)
    load_pytorch(given, alone, names={"": "head"}, strict=False)
    assert np.array_equal(alone.weight.numpy(), model.head.weight.detach().numpy().T)


def test_all_that_does_not_fit_is_named_at_once() -> None:
    own = nn.Sequential(nn.Dense(5, 8), nn.Tanh(), nn.Dense(8, 8), nn.ReLU(), nn.Dense(8, 4))
    before = [p.numpy().copy() for p in own.parameters()]
    given = {**theirs().state_dict(), "extra": torch.zeros(2)}
    with pytest.raises(dc.StateError) as caught:
        load_pytorch(given, own)
    message = str(caught.value)
    for part in (
        r"4.weight: shape (8, 3) in the state, (8, 4) in the model",
        r"4.bias: shape (3,) in the state, (4,) in the model",
        "2.bias: missing in the state",
        "extra (of PyTorch): not in the model",
    ):
        assert part in message
    assert all(np.array_equal(a, p.numpy()) for a, p in zip(before, own.parameters(), strict=True))
    with pytest.raises(dc.StateError, match="shape") as caught:
        load_pytorch(given, own, strict=False)
    assert "missing" not in str(caught.value)
