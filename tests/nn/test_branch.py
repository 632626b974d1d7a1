"""Modules made of modules, functions and shapes."""

from __future__ import annotations

import operator
import pickle

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.random import Generator


def x(*shape: int) -> dc.Tensor:
    return dc.asarray(np.random.default_rng(0).normal(size=shape).astype(np.float32))


def test_residual_adds_what_goes_around() -> None:
    layers = [nn.Dense(4, 8, activation="tanh"), nn.Dense(8, 4)]
    block = nn.Residual(*layers)
    a = x(3, 4)
    assert block(a).tolist() == (layers[1](layers[0](a)) + a).tolist()
    assert [name for name, _ in block.named_parameters()] == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "layers.1.bias",
    ]
    shortcut = nn.Dense(4, 2)
    assert nn.Residual(nn.Dense(4, 2), shortcut=shortcut)(a).shape == (3, 2)
    assert nn.Residual()(a).tolist() == (a + a).tolist()
    gradient = dc.grad(lambda a: nn.Residual(nn.Tanh())(a).sum())(a)
    assert gradient.numpy() == pytest.approx(2 - np.tanh(a.numpy()) ** 2, rel=1e-6)


def test_residual_refuses_what_would_broadcast() -> None:
    with pytest.raises(dc.ShapeError, match=r"layers give shape \(3, 1\), and the way around them \(3, 4\); give a"):
        nn.Residual(nn.Dense(4, 1))(x(3, 4))
    with pytest.raises(dc.ShapeError, match=r"\(3, 1\), and the way around them \(3, 2\)$"):
        nn.Residual(nn.Dense(4, 1), shortcut=nn.Dense(4, 2))(x(3, 4))


def test_parallel_and_concatenate() -> None:
    one, two = nn.Dense(4, 2), nn.Dense(4, 3, use_bias=False)
    model = nn.Sequential(nn.Parallel(one, two, nn.Identity()), nn.Concatenate())
    a = x(5, 4)
    assert model(a).tolist() == dc.concat([one(a), two(a), a], axis=-1).tolist()
    assert [name for name, _ in model.named_parameters()] == ["0.0.weight", "0.0.bias", "0.1.weight"]
    ways = model[0]
    assert isinstance(ways, nn.Parallel)
    assert (len(ways), list(ways), ways[1]) == (3, [one, two, ways[2]], two)
    assert repr(ways) == "Parallel(Dense(4 → 2), Dense(4 → 3), Identity())"
    channels = nn.Concatenate(axis=1)
    assert channels((x(2, 3, 4, 4), x(2, 1, 4, 4))).shape == (2, 4, 4, 4)


def test_mistakes_with_branches_are_named() -> None:
    with pytest.raises(dc.ConfigError, match="Parallel: there are no layers"):
        nn.Parallel()
    with pytest.raises(dc.ShapeError, match="expected several tensors, as Parallel gives them, got one"):
        nn.Concatenate()(x(2, 2))
    with pytest.raises(dc.ShapeError, match="concat"):
        nn.Concatenate()((x(2, 2), x(3, 2)))
    with pytest.raises(dc.ShapeError) as caught:
        nn.Parallel(nn.Identity(), nn.Dense(3, 1))(x(2, 2))
    assert caught.value.__notes__ == ["in branch 1 of 2, Dense(3 → 1)"]


def test_lambda() -> None:
    model = nn.Sequential(nn.Lambda(dc.sin), nn.Lambda(lambda a: a[:, 0], name="first"))
    assert model(x(3, 2)).tolist() == dc.sin(x(3, 2))[:, 0].tolist()
    assert repr(model) == "Sequential(Lambda(sin), Lambda(first))"
    assert nn.Lambda(operator.add)(x(2), 1.0).tolist() == (x(2) + 1.0).tolist()
    assert pickle.loads(pickle.dumps(nn.Lambda(operator.neg)))(x(2)).tolist() == (-x(2)).tolist()


def test_reshape() -> None:
    a = x(5, 12)
    assert nn.Reshape(3, 4)(a).tolist() == a.reshape(5, 3, 4).tolist()
    assert nn.Reshape(2, -1, 2)(a).shape == (5, 2, 3, 2)
    assert nn.Reshape(-1)(x(5, 2, 3)).shape == (5, 6)
    assert nn.Reshape()(x(5, 1)).shape == (5,)
    assert nn.Reshape(2, 3)(dc.ones((0, 6))).shape == (0, 2, 3)
    assert repr(nn.Reshape(1, -1)) == "Reshape(n × 1 × -1)"


@pytest.mark.parametrize("shape", [(2, 3), (5, -1), (0, -1)])
def test_reshape_says_what_does_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(dc.ShapeError, match=r"samples of 12 elements do not fit, got an input of shape \(5, 12\)"):
        nn.Reshape(*shape)(x(5, 12))


def test_reshape_has_at_most_one_open_length() -> None:
    with pytest.raises(dc.ConfigError, match="lengths are 0 or more"):
        nn.Reshape(-1, -1)
    with pytest.raises(dc.ShapeError, match="samples along the first axis"):
        nn.Reshape(1)(dc.asarray(1.0))


def test_parts_of_a_sequence_share_its_layers() -> None:
    g = Generator(0)
    model = nn.Sequential(nn.Dense(2, 3, generator=g), nn.Tanh()).append(nn.Dense(3, 1, generator=g))
    head = model[:2]
    assert isinstance(head, nn.Sequential)
    assert head[0] is model[0]
    assert model[2:](head(x(4, 2))).tolist() == model(x(4, 2)).tolist()
