"""NumPy's kernels of normalisation: on arrays of many blocks and several threads they are the plain forms."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
import deepcore_numpy._blocks as blocks
from deepcore._backend import composites
from deepcore_numpy import _batch_norm

if TYPE_CHECKING:
    from collections.abc import Callable

KERNELS = dc.device("cpu").kernels
DTYPES = {"float32": 2e-5, "float64": 1e-12}


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Blocks so small that the arrays here have many, on some threads."""
    monkeypatch.setattr(blocks, "BLOCK", 40)
    monkeypatch.setattr(blocks, "PARALLEL", 1)
    monkeypatch.setattr(blocks, "num_threads", lambda: request.param)
    monkeypatch.setattr(_batch_norm, "SMALL", 1)
    return request.param


def arrays(dtype: str, *shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(0)
    found = [rng.normal(1.0, 2.0, shape).astype(dtype) for shape in shapes]
    for x in found:
        x.setflags(write=False)
    return found


def assert_plain(name: str, *operands: Any, **parameters: Any) -> None:
    """Compare a kernel with the plain form, which sums the cotangents of parameters later."""
    actual, desired = KERNELS[name](*operands, **parameters), composites[name](KERNELS, *operands, **parameters)
    several = isinstance(desired, tuple)
    for a, d in zip(actual if several else (actual,), desired if several else (desired,), strict=True):
        if d is None:
            assert a is None or name == "batch_norm_vjp"
            continue
        summed = d.sum(axis=tuple(range(d.ndim - a.ndim))) if d.ndim > a.ndim else d
        assert (a.dtype, a.shape) == (summed.dtype, summed.shape)
        tolerance = DTYPES[a.dtype.name] * max(1.0, np.abs(summed).max())
        np.testing.assert_allclose(a, summed, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((1, 5), 1), ((50, 7), 1), ((50, 64), 1), ((9, 4, 3), 2), ((4, 9, 3), 1), ((7,), 1), ((3, 2), 2)],
)
@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
def test_rows(name: str, shape: tuple[int, ...], axes: int, dtype: str, small_blocks: int) -> None:
    x, dy, w, b = arrays(dtype, shape, shape, shape[-axes:], shape[-axes:])
    both = name == "layer_norm"
    for parameters in ([w, b], [w, None], [None, b], [None, None]) if both else ([w], [None]):
        assert_plain(name, x, *parameters, axes=axes, eps=1e-3)
        assert_plain(f"{name}_vjp", dy, x, *parameters, axes=axes, eps=1e-3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        *[((50, 7), 0), ((3, 64), 0), ((7, 50), 1), ((6, 3, 5, 4), (0, 2, 3)), ((6, 3, 5, 4), (2, 3))],
        *[((6, 5, 4, 3), (0, 1, 2)), ((6, 3, 5, 4), (-1, 0, -2)), ((6, 3, 70), (0, 2)), ((2, 3, 4), (1,)), ((9,), 0)],
    ],
)
def test_features(shape: tuple[int, ...], axis: Any, dtype: str, small_blocks: int) -> None:
    over = [a % len(shape) for a in ((axis,) if isinstance(axis, int) else axis)]
    kept = tuple(n for i, n in enumerate(shape) if i not in over)
    x, dy, w, b, mean, other = arrays(dtype, shape, shape, kept, kept, kept, kept)
    variance = 0.1 + other**2
    for weight, bias in ((w, b), (w, None), (None, b), (None, None)):
        assert_plain("batch_norm", x, weight, bias, axis=axis, eps=1e-3)
        assert_plain("batch_norm_inference", x, mean, variance, weight, bias, axis=axis, eps=1e-3)
    _, *moments = composites["batch_norm"](KERNELS, x, axis=axis)
    for weight in (w, None):
        assert_plain("batch_norm_vjp", dy, None, None, x, weight, *moments, axis=axis, eps=1e-3)
        assert_plain("batch_norm_vjp", dy, mean, None, x, weight, *moments, axis=axis, eps=1e-3)
        assert_plain("batch_norm_vjp", None, None, mean, x, weight, *moments, axis=axis, eps=1e-3)


def every_kernel() -> list[Any]:
    x, dy, w, b = arrays("float32", (61, 16), (61, 16), (16,), (16,))
    images, dimages, v = arrays("float32", (30, 4, 8), (30, 4, 8), (4,))
    layer, batch = {"axes": 1, "eps": 1e-5}, {"axis": (0, 2), "eps": 1e-5}
    y, *moments = KERNELS["batch_norm"](images, v, v, **batch)
    return [
        *[KERNELS["layer_norm"](x, w, b), *KERNELS["layer_norm_vjp"](dy, x, w, b, **layer)],
        *[KERNELS["rms_norm"](x, w), *KERNELS["rms_norm_vjp"](dy, x, w, **layer)],
        *[y, *moments, *KERNELS["batch_norm_vjp"](dimages, None, None, images, v, *moments, **batch)],
        *KERNELS["batch_norm"](x, w, b),
    ]


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 40)
    monkeypatch.setattr(blocks, "PARALLEL", 1)
    monkeypatch.setattr(_batch_norm, "SMALL", 1)
    found: list[list[bytes]] = []
    for threads in (1, 2, 5, 64):
        monkeypatch.setattr(blocks, "num_threads", lambda threads=threads: threads)
        found.append([x.tobytes() for x in every_kernel()])
    assert found[0] == found[1] == found[2] == found[3]


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize(("rows", "step"), [(10, 1), (10, 3), (3, 5), (64, 8), (65, 8)])
def test_every_block_is_worked_on_once(rows: int, step: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "PARALLEL", 1)
    monkeypatch.setattr(blocks, "num_threads", lambda: threads)
    ranges: list[tuple[int, int]] = []
    blocks.over_blocks(lambda a, b: ranges.append((a, b)), rows, step, 100)
    ranges.sort()
    assert [i for a, b in ranges for i in range(a, b)] == list(range(rows))
    assert all(a % step == 0 and a < b for a, b in ranges)


def test_the_numbers_of_a_thread_are_checked_as_the_caller_says(small_blocks: int) -> None:
    x = np.full((40, 16), 1e30, np.float32)
    x[:, ::2] = 0
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        KERNELS["layer_norm"](x)
    with np.errstate(over="ignore"):
        KERNELS["layer_norm"](x)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: (x.astype(np.float16), None),
        lambda x: (x, np.ones(16, np.float64)),
        lambda x: (x, np.ones((), np.float32)),
        lambda x: (x[:0], None),
    ],
    ids=["float16", "wider weight", "one weight", "empty"],
)
def test_the_rest_is_left_to_the_plain_form(make: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    (x,) = arrays("float32", (4, 16))
    x, weight = make(x)
    seen: list[str] = []
    for name in ("layer_norm", "rms_norm"):
        monkeypatch.setitem(composites, name, noted(seen, name, composites[name]))
        assert KERNELS[name](x, weight).shape == x.shape
    assert seen == ["layer_norm", "rms_norm"]


def noted(seen: list[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        seen.append(name)
        return function(*args, **kwargs)

    return called


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_threads_after_a_fork() -> None:
    script = """
import os, signal, time, deepcore as dc, deepcore_numpy._blocks as blocks
blocks.BLOCK, blocks.PARALLEL, blocks.num_threads = 40, 1, lambda: 2
dc.layer_norm(dc.ones((50, 8)))
time.sleep(0.2)  # until the threads wait for more
child = os.fork()
if child == 0:
    signal.alarm(10)
    dc.layer_norm(dc.ones((50, 8)))
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=20)
