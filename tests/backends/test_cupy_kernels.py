"""The CUDA kernels, without a GPU: compiled to machine code by NVRTC, and run on the host as C++."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from deepcore_cupy import _library, _philox, _scatter

KEYS = [(0, 0), (1, 0), (0, 1), (2**64 - 1, 2**64 - 1), (0x9E3779B97F4A7C15, 12345)]
SIZES = [1, 3, 4, 7, 8, 9, 1000]
USED = {
    "philox.cu": set(_philox.PER_THREAD),
    "scatter.cu": {f"add_rows_{name}" for name in (*_scatter.WIDE.values(), "int64")},
}


def test_every_source_is_tested() -> None:
    assert set(_library.SOURCES) == set(USED)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90", "sm_100"])
@pytest.mark.parametrize("name", _library.SOURCES)
def test_sources_compile_without_spills(nvrtc: Any, name: str, architecture: str) -> None:
    compiler = nvrtc
    if architecture == "sm_100" and compiler.getVersion() < (12, 8):
        pytest.skip("this NVRTC is older than sm_100")
    program = compiler.createProgram(_library.source(name), name, [], [])
    try:
        compiler.compileProgram(program, [*_library.OPTIONS, f"-arch={architecture}", "--ptxas-options=-v"])
        log, cubin = compiler.getProgramLog(program), compiler.getCUBIN(program)
    except compiler.NVRTCError as error:
        pytest.fail(f"{error}\n{compiler.getProgramLog(program)}")
    finally:
        compiler.destroyProgram(program)
    assert cubin[:4] == b"\x7fELF"
    assert set(re.findall(r"Compiling entry function '(\w+)'", log)) == USED[name]
    frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", log)
    assert frames == [("0", "0", "0")] * len(USED[name]), log
    assert all(int(used) <= 64 for used in re.findall(r"Used (\d+) registers", log)), log  # 4 blocks of 256 threads
    assert "warning" not in log


def drawn(host: Any, function: str, size: int, key: tuple[int, int], dtype: str) -> Any:
    # One element more than the kernel may write, and fewer threads than there are blocks of words.
    out = np.full(size + 1, 77).astype(dtype)
    arguments = (out, np.uint64(size), np.uint64(key[0]), np.uint64(key[1]))
    host.run(_library.source("philox.cu"), function, 2, 5, arguments)
    assert out[-1] == np.asarray(77).astype(dtype)
    return out[:-1]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("size", SIZES)
def test_philox_is_that_of_numpy(host: Any, key: tuple[int, int], size: int) -> None:
    def bits() -> Any:
        return np.random.Philox(key=np.array(key, dtype=np.uint64))

    np.testing.assert_array_equal(drawn(host, "words", size, key, "uint64"), bits().random_raw(size))
    for name in ("float64", "float32"):
        expected = np.random.Generator(bits()).random(size, dtype=np.dtype(name).type)
        np.testing.assert_array_equal(drawn(host, f"uniform_{name}", size, key, name), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize(("rows", "columns", "of"), [(1, 1, 1), (1000, 3, 7), (50, 40, 5), (300, 1, 1), (20, 2, 1000)])
def test_rows_are_added_as_numpy_adds_them(host: Any, dtype: str, rows: int, columns: int, of: int) -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(rows, columns)) * 1000).astype(dtype)
    taken = rng.integers(0, of, rows)
    expected = (rng.normal(size=(of, columns)) * 1000).astype(dtype)
    y = expected.copy()
    np.add.at(expected, taken, x)
    order = np.argsort(taken, kind="stable")
    arguments = (y, x, taken[order], order, np.int64(rows), np.int64(columns))
    host.run(_library.source("scatter.cu"), f"add_rows_{dtype}", 3, 64, arguments)
    np.testing.assert_array_equal(y, expected)
