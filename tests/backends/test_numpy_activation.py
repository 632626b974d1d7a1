"""NumPy's kernels of activation functions: in blocks, on several threads and in place, they are the plain forms."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
import deepcore_numpy._blocks as blocks
from deepcore import graph
from deepcore._backend import composites
from deepcore_numpy import _activation
from deepcore_numpy._plan import Executor

if TYPE_CHECKING:
    from collections.abc import Callable

KERNELS = dc.device("cpu").kernels
TOLERANCE = {"float32": 2e-6, "float64": 4e-15}
OF_THE_OPERAND = ("silu", "gelu", "gelu_tanh")
"""Functions whose rule asks for the operand; that of the others asks for the result."""
NAMES = [*_activation.ELEMENTWISE, *_activation.ROWWISE, *_activation.SINGLE, "special.erf", "special.gammaln"]
SHAPES: list[tuple[int, ...]] = [(7,), (50, 7), (3, 64), (4, 9, 3), (0, 3), (1, 1)]


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Blocks so small that the arrays here have many, on some threads."""
    monkeypatch.setattr(blocks, "BLOCK", 40)
    monkeypatch.setattr(blocks, "PARALLEL", 1)
    monkeypatch.setattr(blocks, "num_threads", lambda: request.param)
    return request.param


def plain(name: str) -> Callable[..., Any]:
    return (lambda *a, **kw: composites[name](KERNELS, *a, **kw)) if name in composites else getattr(np, name)


def operands_of(name: str, shape: tuple[int, ...], dtype: str) -> tuple[list[Any], dict[str, Any]]:
    rng = np.random.default_rng(0)
    x, dy = (rng.normal(0.0, 3.0, shape).astype(dtype) for _ in range(2))
    options = {"axis": -1} if name in _activation.ROWWISE else {}
    base = name.removesuffix("_vjp")
    kept = x if base == name or base in OF_THE_OPERAND else plain(base)(x, **options)
    found = [kept] if base == name else [dy, kept]
    for a in found:
        a.setflags(write=False)
    return found, options


def assert_plain(name: str, actual: Any, operands: list[Any], options: dict[str, Any]) -> None:
    desired = plain(name)(*operands, **options)
    assert (actual.dtype, actual.shape) == (desired.dtype, desired.shape)
    tolerance = TOLERANCE[actual.dtype.name] * max(1.0, np.abs(desired).max(initial=0.0))
    np.testing.assert_allclose(actual, desired, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*_activation.ELEMENTWISE, *_activation.SINGLE])
def test_an_array_of_one_number(name: str, dtype: str) -> None:
    operands = [np.asarray(0.75, dtype)] * (2 if name.endswith("_vjp") else 1)
    found = KERNELS[name](*operands)
    assert found.shape == ()
    assert found == KERNELS[name](*[x[None] for x in operands])[0]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_blocks(name: str, shape: tuple[int, ...], dtype: str, small_blocks: int) -> None:
    operands, options = operands_of(name, shape, dtype)
    assert_plain(name, KERNELS[name](*operands, **options), operands, options)
    if name in _activation.WRITERS:
        out = np.full(shape, np.nan, dtype)
        _activation.WRITERS[name](out, *operands, **options)
        assert_plain(name, out, operands, options)


@pytest.mark.parametrize("name", NAMES)
def test_other_layouts_and_types_are_left_to_the_plain_form(name: str, small_blocks: int) -> None:
    operands, options = operands_of(name, (8, 6), "float64")
    for chosen in (
        [a[::2] for a in operands],
        [np.asfortranarray(a) for a in operands],
        [np.broadcast_to(a[:1], a.shape) for a in operands],
    ):
        assert_plain(name, KERNELS[name](*chosen, **options), chosen, options)
        if name in _activation.WRITERS:
            out = np.full(chosen[0].shape[::-1], np.nan).T
            _activation.WRITERS[name](out, *chosen, **options)
            assert_plain(name, out, chosen, options)
    halves = [a.astype(np.float16) for a in operands]
    if name != "special.gammaln":
        assert KERNELS[name](*halves, **options).dtype == np.float16


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
@pytest.mark.parametrize("shape", [(8, 6), (), (0, 3)])
def test_small_rectifiers_have_the_bits_of_the_plain_form(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, dy = (np.asarray(rng.normal(0.0, 3.0, shape)).astype(dtype) for _ in range(2))
    if x.size and x.dtype.kind == "f":
        x.reshape(-1)[:4] = [np.nan, -np.inf, np.inf, -0.0][: x.size]
    for change in (np.asarray, np.asfortranarray, np.flip):
        a, b = change(x), change(dy)
        for name, given in {"relu": [a], "relu_vjp": [b, np.maximum(a, 0)]}.items():
            actual, desired = KERNELS[name](*given), plain(name)(*given)
            assert (actual.dtype, actual.shape) == (desired.dtype, desired.shape)
            np.testing.assert_array_equal(actual, desired)
            assert not any(np.shares_memory(actual, array) for array in given)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", [(50, 7), (3, 64), (1, 1)])
@pytest.mark.parametrize("name", _activation.OVERWRITTEN)
def test_a_result_takes_the_place_of_an_operand(
    name: str, shape: tuple[int, ...], dtype: str, small_blocks: int
) -> None:
    operands, options = operands_of(name, shape, dtype)
    desired = KERNELS[name](*operands, **options)
    given = [a.copy() for a in operands]
    (target,) = (given[position] for position in _activation.OVERWRITTEN[name].values())
    _activation.WRITERS[name](target, *given, **options)
    np.testing.assert_array_equal(target, desired)


def test_plans_compute_activations_in_the_place_of_their_operands() -> None:
    program = graph.traced(lambda x: dc.sum(dc.relu(x @ x)) + dc.sum(dc.softmax(x @ x.mT)), dc.ones((20, 20)))
    arrays = Executor(program).layout.arrays
    for call in program.calls:
        if call.operation in ("relu", "softmax"):
            assert np.shares_memory(arrays[call.results[0]], arrays[call.arguments[0]])


@pytest.mark.parametrize("name", _activation.WRITERS)
def test_a_result_of_another_layout_is_written_too(name: str, small_blocks: int) -> None:
    operands, options = operands_of(name, (8, 6), "float64")
    out = np.full((6, 8), np.nan).T
    _activation.WRITERS[name](out, *operands, **options)
    assert_plain(name, out, operands, options)


@pytest.mark.parametrize("name", [name for name in _activation.ELEMENTWISE if name.endswith("_vjp")])
def test_a_cotangent_may_be_broadcast(name: str, small_blocks: int) -> None:
    (dy, kept), options = operands_of(name, (8, 6), "float64")
    for part in (dy[0], dy[:, :1], dy[0, 0]):
        assert_plain(name, KERNELS[name](part, kept), [part, kept], options)


@pytest.mark.parametrize("name", _activation.ROWWISE)
def test_another_axis_is_left_to_the_plain_form(name: str, small_blocks: int) -> None:
    operands, _ = operands_of(name, (5, 6, 7), "float64")
    for axis in (0, 1, 2, -1, -2, (1, 2), None):
        assert_plain(name, KERNELS[name](*operands, axis=axis), operands, {"axis": axis})


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 40)
    monkeypatch.setattr(blocks, "PARALLEL", 1)
    found: list[list[bytes]] = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(blocks, "num_threads", lambda threads=threads: threads)
        every = [(name, *operands_of(name, (61, 16), "float32")) for name in NAMES]
        found.append([KERNELS[name](*operands, **options).tobytes() for name, operands, options in every])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ["sigmoid", "silu", "gelu_tanh", "softmax", "log_softmax"])
def test_values_far_out_neither_overflow_nor_warn(name: str, dtype: str, small_blocks: int) -> None:
    x = np.linspace(-1e4, 1e4, 401, dtype=dtype).reshape(1, -1)
    options = {"axis": -1} if name in _activation.ROWWISE else {}
    kept = x if name in OF_THE_OPERAND else KERNELS[name](x, **options)
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        y, dx = KERNELS[name](x, **options), KERNELS[f"{name}_vjp"](np.ones_like(x), kept, **options)
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()


def test_numbers_that_are_none_stay_none(small_blocks: int) -> None:
    x = np.asarray([np.nan, 1.0, np.inf, -np.inf], dtype=np.float32)
    with np.errstate(invalid="ignore"):
        for name, at_ends in {"sigmoid": (1, 0), "tanh": (1, -1), "relu": (np.inf, 0)}.items():
            y = KERNELS[name](x)
            assert np.isnan(y[0])
            assert tuple(y[2:]) == at_ends


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "silu", "gelu", "gelu_tanh", "softmax", "log_softmax"])
def test_a_plan_writes_the_same_bits(name: str) -> None:
    def step(x: dc.Tensor) -> dc.Tensor:
        x = dc.asarray(x, requires_grad=True)
        y = getattr(dc, name)(x)
        (y * y - 3.0 * y).sum().backward()
        assert x.grad is not None
        return x.grad

    x = dc.asarray(np.random.default_rng(0).normal(0, 2, (50, 10)).astype(np.float32))
    assert graph.compile(step)(x).numpy().tobytes() == step(x).numpy().tobytes()
