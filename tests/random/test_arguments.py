"""Random numbers: what their methods accept, what they refuse, and gradients to parameters."""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore.random import Generator, default_generator, generator

if TYPE_CHECKING:
    from deepcore._device import Device

CONTINUOUS = ("uniform", "normal", "truncated_normal", "exponential", "gumbel")


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("dtype", [dc.float16, dc.bfloat16, dc.float32, dc.float64])
def test_every_floating_point_type(name: str, dtype: dc.DType) -> None:
    draw = getattr(Generator(3), name)
    assert draw(5, dtype=dtype).dtype is dtype
    assert draw(dtype=dtype).shape == ()
    if dtype.bits == 16:  # half precision is float32, rounded
        wide = getattr(Generator(3), name)(64, dtype=dc.float32)
        half = getattr(Generator(3), name)(64, dtype=dtype)
        assert half.astype(dc.float64).tolist() == wide.astype(dtype).astype(dc.float64).tolist()


@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_other_types_are_refused(name: str) -> None:
    for dtype in (dc.int64, dc.bool, dc.complex64):
        with pytest.raises(dc.DTypeError, match=f"{name}: the result is real floating point"):
            getattr(Generator(), name)(dtype=dtype)


@pytest.mark.parametrize("dtype", [dc.float16, dc.bfloat16, dc.float32, dc.float64])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.0, 1.25), (-3.0, -1.0), (1024.0, 1024.5), (0.0, 0.0)])
def test_uniform_numbers_are_below_the_upper_bound_after_rounding_too(low: float, high: float, dtype: dc.DType) -> None:
    u = Generator(0).uniform(50_000, low=low, high=high, dtype=dtype).astype(dc.float64).numpy()
    assert low <= u.min() <= u.max()
    bounds = dc.asarray([low, high], dtype=dtype).tolist()
    assert u.max() < high or bounds[0] == bounds[1] == u.max()


@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
@pytest.mark.parametrize(
    ("low", "high"), [(-2.0, 2.0), (-0.1, 0.1), (0.5, math.inf), (-math.inf, -3.0), (6.0, 9.0), (20.0, 21.0)]
)
def test_truncation_is_exact(low: float, high: float, dtype: dc.DType) -> None:
    bounds = dc.asarray([low, high], dtype=dtype).tolist()
    z = Generator(1).truncated_normal(20_000, low=low, high=high, dtype=dtype)
    assert bounds[0] <= dc.min(z).item() < dc.max(z).item() <= bounds[1]
    y = Generator(1).truncated_normal(20_000, low=low, high=high, mean=3.0, std=0.02, dtype=dtype)
    ends = 3.0 + 0.02 * dc.asarray([low, high], dtype=dtype)
    assert ends[0].item() <= dc.min(y).item() < dc.max(y).item() <= ends[1].item()


def test_gradients_flow_to_parameters(device: Device) -> None:
    a, b = (
        dc.asarray(values, dtype=dc.float64, device=device, requires_grad=True)
        for values in ([[0.5], [1.5]], [2.0, 3.0, 4.0])
    )

    def gradients(y: dc.Tensor) -> tuple[list[Any], Any]:
        assert (y.shape, y.dtype, y.device) == ((2, 3), dc.float64, device)
        a.grad = b.grad = None
        y.sum().backward()
        return [None if x.grad is None else x.grad.numpy() for x in (a, b)], y.detach().numpy()

    for name, first, second in (
        ("normal", "mean", "std"),
        ("truncated_normal", "mean", "std"),
        ("gumbel", "loc", "scale"),
    ):
        (da, db), y = gradients(getattr(Generator(4), name)(**{first: a, second: b}))
        noise = (y - a.numpy()) / b.numpy()
        np.testing.assert_allclose(da, [[3.0], [3.0]])
        np.testing.assert_allclose(db, noise.sum(axis=0), rtol=1e-12)
        np.testing.assert_allclose(noise, getattr(Generator(4), name)((2, 3), dtype=dc.float64).numpy(), atol=1e-13)
    (da, db), y = gradients(Generator(4).uniform(low=a, high=b))
    u = Generator(4).uniform((2, 3), dtype=dc.float64).numpy()
    np.testing.assert_allclose(y, a.numpy() + u * (b.numpy() - a.numpy()), rtol=1e-14)
    np.testing.assert_allclose(da, (1 - u).sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(db, u.sum(axis=0), rtol=1e-12)
    z = Generator(4).exponential((2, 3), rate=b.detach())
    (db,) = dc.grad(lambda rate: Generator(4).exponential((2, 3), rate=rate).sum(), argnums=(0,))(b)
    np.testing.assert_allclose(db.numpy(), -(z.numpy() / b.numpy()).sum(axis=0), rtol=1e-12)


def test_shapes_of_parameters() -> None:
    g = Generator(0)
    mean = dc.zeros((3,))
    assert g.normal((2, 3), mean=mean).shape == (2, 3)
    assert g.normal(mean=mean, std=dc.ones((2, 1))).shape == (2, 3)
    assert g.bernoulli(p=dc.zeros((2, 2))).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    with pytest.raises(dc.ShapeError, match=r"normal: parameters of shapes mean \(3,\) do not fit the shape \(2,\)"):
        g.normal(2, mean=mean)
    with pytest.raises(dc.ShapeError, match="do not fit"):
        g.normal((), mean=mean)
    with pytest.raises(dc.ShapeError, match="bernoulli: parameters of shapes p"):
        g.bernoulli(1, p=mean)
    with pytest.raises(dc.ShapeError, match="do not fit"):
        g.normal(mean=mean, std=dc.ones(4))


def test_integers_have_the_whole_range_of_their_type() -> None:
    g = Generator(0)
    for dtype in (dc.int8, dc.int16, dc.int32, dc.int64, dc.uint8, dc.uint16, dc.uint32, dc.uint64):
        info = dc.iinfo(dtype)
        values = g.integers(info.min, info.max + 1, 4000, dtype=dtype)
        assert values.dtype is dtype
        spread = (info.max - info.min) / 50
        assert int(values.numpy().min()) < info.min + spread
        assert int(values.numpy().max()) > info.max - spread
        last = g.integers(info.max, info.max + 1, 3, dtype=dtype)
        assert last.tolist() == [info.max] * 3
    assert g.integers(5, shape=()).shape == ()
    assert set(g.integers(-2, 1, 100).tolist()) == {-2, -1, 0}


def test_rejected_words_are_replaced_by_those_that_follow() -> None:
    bound = 2**63 + 2**62  # a quarter of the words is rejected
    got = Generator(5).integers(0, bound, 1000, dtype=dc.uint64).numpy()
    words = np.random.Philox(key=np.array([5, 0], np.uint64)).random_raw(2000)
    kept = words[:1000] < bound
    assert 700 < kept.sum() < 800
    np.testing.assert_array_equal(got[kept], words[:1000][kept])
    assert (got < bound).all()
    later = words[1000:][: 1000 - kept.sum()]
    fits = later < bound
    np.testing.assert_array_equal(got[~kept][fits], later[fits])


@pytest.mark.parametrize(
    ("low", "high", "dtype"), [(3, 3, dc.int64), (0, 257, dc.uint8), (-1, 3, dc.uint64), (0, 2**63 + 1, dc.int64)]
)
def test_ranges_of_integers(low: int, high: int, dtype: dc.DType) -> None:
    with pytest.raises(dc.ConfigError, match=f"low is below high, and both fit {dtype}"):
        Generator().integers(low, high, dtype=dtype)


def test_permutations_move_slices_and_carry_gradients(device: Device) -> None:
    x = dc.asarray(np.arange(12.0).reshape(3, 4), device=device, requires_grad=True)
    y = Generator(1).permutation(x, axis=-1)
    order = Generator(1).permutation(4).tolist()
    assert y.tolist() == np.arange(12.0).reshape(3, 4)[:, order].tolist()
    (y * dc.arange(4, dtype=dc.float64, device=device)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist()[0] == np.argsort(order).tolist()
    assert sorted(Generator(2).permutation(x).numpy()[:, 0].tolist()) == [0.0, 4.0, 8.0]
    assert Generator().permutation(0).tolist() == []


def test_choices_take_the_place_of_an_axis() -> None:
    x = dc.asarray(np.arange(24.0).reshape(2, 3, 4))
    for axis in (1, -2):
        y = Generator(1).choice(x, (5, 2), axis=axis)
        rows = Generator(1).choice(3, (5, 2)).numpy()
        np.testing.assert_array_equal(y.numpy(), np.take(x.numpy(), rows, axis=1))
    assert Generator(1).choice(x, axis=2).shape == (2, 3)
    assert Generator(1).choice(0, 0).tolist() == []
    chosen = Generator(1).choice(6, 4, replace=False, p=[0, 0.25, 0.25, 0, 0.25, 0.25]).tolist()
    assert sorted(chosen) == [1, 2, 4, 5]


def test_choices_that_cannot_be_made() -> None:
    g = Generator()
    with pytest.raises(dc.ConfigError, match="5 elements cannot be drawn from 4 without replacement"):
        g.choice(4, 5, replace=False)
    with pytest.raises(dc.ConfigError, match="3 elements cannot be drawn from 2 without replacement"):
        g.choice(4, 3, replace=False, p=[0.5, 0, 0.5, 0])
    with pytest.raises(dc.ConfigError, match="1 elements cannot be drawn from 0"):
        g.choice(0, 1)
    for p in ([0.5, 0.5], [0.5, 0.6, -0.1], [0.5, 0.2, 0.2], [math.nan, 0.5, 0.5]):
        with pytest.raises(dc.ConfigError, match="choice: p is 3 non-negative numbers whose sum is 1"):
            g.choice(3, 1, p=p)
    with pytest.raises(dc.ShapeError, match="no axis 1"):
        g.choice(dc.zeros(3), 1, axis=1)
    with pytest.raises(dc.ConfigError, match="permutation: x is an integer from 0"):
        g.permutation(-1)
    assert g.draw == 0  # what is refused is not a draw


def test_a_choice_at_the_edge_of_a_probability(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "uniforms", lambda *key: np.asarray([0.0, 0.25, 0.5, 1 - 2.0**-53]))
    assert Generator().choice(5, 4, p=[0.0, 0.25, 0.0, 0.75, 0.0]).tolist() == [1, 3, 3, 3]


def test_categories(device: Device) -> None:
    logits = dc.asarray([[0.0, -math.inf], [-math.inf, 3.0], [-1e4, 1e4]], device=device)
    g = Generator(0)
    assert g.categorical(logits, (2,)).tolist() == [[0, 1, 1], [0, 1, 1]]
    assert g.categorical(logits, axis=0).shape == (2,)
    assert g.categorical(dc.zeros((2, 5, 3)), 4, axis=1).shape == (4, 2, 3)
    with pytest.raises(dc.ShapeError, match="no category"):
        g.categorical(dc.zeros((2, 0)))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("uniform", {"low": 2.0}, "low is not above high"),
        ("uniform", {"high": math.inf}, "the bounds are finite"),
        ("uniform", {"low": math.nan}, "the bounds are finite"),
        ("exponential", {"rate": 0.0}, "the rate is a number above 0"),
        ("truncated_normal", {"low": 2.0}, "low is below high"),
        ("truncated_normal", {"low": math.nan}, "low is below high"),
        ("truncated_normal", {"low": 50.0, "high": 51.0}, "too small for float64"),
        ("truncated_normal", {"low": -math.inf, "high": -50.0}, "too small for float64"),
    ],
)
def test_bounds(name: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(dc.ConfigError, match=message):
        getattr(Generator(), name)(**options)


def test_streams_that_are_derived() -> None:
    g = Generator(7)
    children = g.spawn(3)
    assert len({c.seed for c in (g, *children, *g.spawn(3))}) == 7
    assert g.draw == 2
    assert [c.seed for c in Generator(7).spawn(3)] == [c.seed for c in children]
    before = repr(g)
    folded = [g.fold_in(i).seed for i in (0, 1, 2**64 - 1)]
    assert repr(g) == before
    assert len({*folded, g.seed, Generator(7).fold_in(0).seed, Generator(8, draw=2).fold_in(0).seed}) == 6
    for bad in (-1, 2**64, 0.5):
        with pytest.raises(dc.ConfigError, match="data is an integer from 0"):
            g.fold_in(bad)  # type: ignore[arg-type]
        with pytest.raises(dc.ConfigError, match="n is an integer from 0"):
            g.spawn(bad)  # type: ignore[arg-type]
    a, b = (c.uniform(2000).numpy() for c in children[:2])
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.1


def test_a_state_is_saved_loaded_and_copied() -> None:
    g = Generator(2)
    g.normal(3)
    twin, again, pickled = g.copy(), Generator(), pickle.loads(pickle.dumps(g))
    again.load_state_dict(g.state_dict())
    expected = g.uniform(4).tolist()
    assert twin.uniform(4).tolist() == again.uniform(4).tolist() == pickled.uniform(4).tolist() == expected
    with pytest.raises(dc.StateError, match="'seed' and 'draw', not 'seed'"):
        g.load_state_dict({"seed": 1})
    with pytest.raises(dc.ConfigError, match="draw is an integer"):
        g.load_state_dict({"seed": 1, "draw": -1})
    assert repr(g) == "Generator(seed=2, draw=2)"


def test_functions_draw_from_the_default_generator() -> None:
    for name, args in (
        *((name, (3,)) for name in CONTINUOUS),
        *(("integers", (5,)), ("permutation", (5,)), ("choice", (5, 2)), ("categorical", (dc.zeros(9),))),
    ):
        dc.random.seed(11)
        assert getattr(dc.random, name)(*args).tolist() == getattr(Generator(11), name)(*args).tolist()
        assert default_generator().draw == 1
    dc.random.seed(11)
    assert dc.random.bernoulli(9, p=0.5).tolist() == Generator(11).bernoulli(9, p=0.5).tolist()


@pytest.mark.parametrize("name", CONTINUOUS)
def test_half_words_are_used_to_the_last(name: str) -> None:
    draw = [getattr(Generator(1), name)(n).tolist() for n in (1, 2, 3, 4, 100_000)]
    assert all(draw[-1][: len(d)] == d for d in draw)
