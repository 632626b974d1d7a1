"""Routines: what is written out by hand gives what NumPy's kernels give, on any number of threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import graph
from deepcore.graph.replay import replay

pytest.importorskip("llvmlite", reason="llvmlite is not installed")

from deepcore_llvm import NativeExecutor, _plan
from deepcore_llvm._step import RoutineStep

if TYPE_CHECKING:
    from collections.abc import Callable

RNG = np.random.default_rng(0)


def normal(*shape: int, dtype: Any = np.float32) -> Any:
    return RNG.normal(size=shape).astype(dtype)


def check(
    function: Callable[..., Any], *arrays: Any, routines: set[str], monkeypatch: pytest.MonkeyPatch, rtol: float = 2e-6
) -> None:
    """Compare a function and its gradients as machine code with its program call by call."""
    found: set[str] = set()
    routine = _plan._routine

    def noted(call: Any, places: Any) -> Any:
        step = routine(call, places)
        if isinstance(step, RoutineStep):
            found.add(call.operation)
        return step

    monkeypatch.setattr(_plan, "_routine", noted)

    def both(*given: dc.Tensor) -> list[dc.Tensor]:
        leaves = [x for x in given if x.dtype.is_inexact]
        rest = given[len(leaves) :]
        results, pull = dc.vjp(lambda *x: function(*x, *rest), *leaves)
        weights = [dc.cos(dc.arange(y.size, dtype=y.dtype)).reshape(y.shape) for y in results]
        return [*results, *pull(weights)]

    program = graph.traced(both, *map(dc.asarray, arrays))
    native_program = NativeExecutor(program)
    with np.errstate(all="ignore"):  # whatever was in memory before does not matter
        native_program([np.full_like(x, np.nan) if x.dtype.kind == "f" else x for x in arrays])
    ours, theirs = native_program(arrays), replay(program)(arrays)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * max(1.0, np.abs(b).max(initial=0)))
    assert found >= routines


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "padding": 1},
        {"stride": (1, 2), "padding": (0, 2), "dilation": (2, 1), "groups": 2},
        {"padding": ((1, 0), (0, 2)), "groups": 4},
    ],
    ids=str,
)
def test_convolution(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    groups = options.get("groups", 1)
    arrays = normal(3, 4, 7, 9), normal(8, 4 // groups, 3, 2), normal(8)
    names = {"convolution", "convolution_transpose", "convolution_weight"}
    check(
        lambda x, w, b: [dc.convolution(x, w, b, **options)],
        *arrays,
        routines=names,
        monkeypatch=monkeypatch,
        rtol=1e-5,
    )


@pytest.mark.parametrize("shape", [(2, 3, 50), (2, 3, 5, 4, 6)], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_convolution_in_other_dimensions(shape: tuple[int, ...], dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = normal(4, 3, *(2,) * (len(shape) - 2), dtype=dtype)
    arrays = normal(*shape, dtype=dtype), weight
    check(
        lambda x, w: [dc.convolution(x, w, padding=1)],
        *arrays,
        routines={"convolution"},
        monkeypatch=monkeypatch,
        rtol=1e-5,
    )


def test_convolution_of_a_large_image_is_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = normal(2, 16, 60, 50), normal(4, 16, 3, 3)
    names = {"convolution", "convolution_transpose", "convolution_weight"}
    check(lambda x, w: [dc.convolution(x, w, padding=1)], *arrays, routines=names, monkeypatch=monkeypatch, rtol=1e-5)


def test_transposed_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = normal(2, 4, 5, 3), normal(4, 3, 3, 2), normal(6)
    options: dict[str, Any] = {"stride": 2, "padding": (1, 0), "output_padding": 1, "groups": 2}
    names = {"convolution", "convolution_transpose", "convolution_weight"}
    check(
        lambda x, w, b: [dc.convolution_transpose(x, w, b, **options)],
        *arrays,
        routines=names,
        monkeypatch=monkeypatch,
        rtol=1e-5,
    )


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    "options", [{"kernel_size": 2}, {"kernel_size": 3, "stride": 2}, {"kernel_size": (1, 2), "dilation": 2}], ids=str
)
def test_the_place_of_a_maximum(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    x = RNG.integers(0, 4, (3, 2, 7, 9)).astype(np.float32)  # the first of equal ones
    names = {"max_pool_indices", "max_unpool"}
    check(lambda x: [dc.max_pool(x, **options)], x, routines=names, monkeypatch=monkeypatch)


def test_the_place_of_what_is_not_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    x = normal(1, 2, 4, 4)
    x[0, 0, 1, 0] = x[0, 1, 2, 3] = x[0, 1, 3, 3] = np.nan
    program = graph.traced(lambda x: dc.max_pool_indices(x, kernel_size=2), dc.asarray(x))
    np.testing.assert_array_equal(NativeExecutor(program)([x])[0], replay(program)([x])[0])


def test_places_that_are_none_put_nothing() -> None:
    values, places = normal(1, 1, 2, 2), np.asarray([[[[0, 9], [-1, 3]]]])
    program = graph.traced(
        lambda v, k: dc.max_unpool(v, k, size=(4, 4), kernel_size=2), *map(dc.asarray, (values, places))
    )
    (ours,), (theirs,) = NativeExecutor(program)([values, places]), replay(program)([values, places])
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("reverse", [False, True])
def test_long_short_term_memory(reverse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = normal(6, 5, 4 * 19), normal(19, 4 * 19) / 4, normal(5, 19), normal(5, 19), normal(4 * 19)

    def run(*given: dc.Tensor) -> list[dc.Tensor]:
        states, cells, _ = dc.lstm_sequence(*given, reverse=reverse)
        return [states, cells]

    check(run, *arrays, routines={"lstm_sequence", "lstm_backward"}, monkeypatch=monkeypatch, rtol=5e-6)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("mask", ["none", "rows", "keys"])
def test_attention(is_causal: bool, mask: str, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 37 if is_causal else 23
    arrays = normal(2, 3, 37, 5), normal(2, 3, n, 5), normal(2, 3, n, 4)
    allowed = {"none": None, "rows": RNG.random((37, n)) < 0.6, "keys": RNG.random((2, 1, 1, n)) < 0.6}[mask]
    if allowed is not None:
        allowed[..., 0, :] &= mask != "rows"  # a query that may attend to nothing
    given = [] if allowed is None else [allowed]

    def run(q: dc.Tensor, k: dc.Tensor, v: dc.Tensor, *masks: dc.Tensor) -> list[dc.Tensor]:
        return [dc.attention(q, k, v, *masks, is_causal=is_causal)]

    names = {"attention_with_kept", "attention_gradients"}
    check(run, *arrays, *given, routines=names, monkeypatch=monkeypatch)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("keep", ["weights", "logsumexp"])
def test_attention_in_blocks(keep: str, is_causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = [normal(1, 2, 300, 8) for _ in range(3)]

    def run(q: dc.Tensor, k: dc.Tensor, v: dc.Tensor) -> list[dc.Tensor]:
        y, _ = dc.attention_with_kept(q, k, v, keep=keep, is_causal=is_causal)
        return [y]

    names = {"attention_with_kept", "attention_gradients"}
    check(run, *arrays, routines=names, monkeypatch=monkeypatch, rtol=5e-6)


def test_attention_with_the_cotangent_of_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = normal(2, 6, 4), normal(2, 7, 4), normal(2, 7, 4)
    names = {"attention_with_kept", "attention_gradients"}
    check(lambda *given: [*dc.attention_with_kept(*given)], *arrays, routines=names, monkeypatch=monkeypatch)
    check(
        lambda q, k, v: [dc.attention(q, k, v, dropout=lambda p: p * 2.0)],
        *arrays,
        routines=names,
        monkeypatch=monkeypatch,
    )


@pytest.mark.parametrize(
    "options", [{"enable_gqa": True}, {"mask": normal(1, 6, 6)}, {"is_causal": True, "scale": 0.0}], ids=str
)
def test_what_has_no_routine_is_computed_all_the_same(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    keys = 2 if "enable_gqa" in options else 4
    arrays = normal(4, 6, 3), normal(keys, 6, 3), normal(keys, 6, 3)
    mask = [options["mask"]] if "mask" in options else []
    rest = {name: x for name, x in options.items() if name != "mask"}
    check(lambda *given: [dc.attention(*given, **rest)], *arrays, *mask, routines=set(), monkeypatch=monkeypatch)
