"""Generated kernels, operation by operation and data type by data type: next to NumPy, and through NVRTC."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

import deepcore as dc
from deepcore import graph
from deepcore._dtype import DTYPES
from deepcore.graph.fusion import fused
from deepcore.graph.group import ELEMENTWISE, Group
from deepcore.graph.program import Call, Program, Value
from deepcore.graph.replay import replay
from deepcore_cupy import _library
from deepcore_cupy._expressions import MEMORY, is_known
from deepcore_cupy._fused import Kernel, generated, header, reduction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TWO = frozenset(
    (
        *("add", "atan2", "copysign", "divide", "equal", "floor_divide", "greater", "greater_equal", "hypot", "less"),
        *("less_equal", "logaddexp", "maximum", "minimum", "multiply", "nextafter", "not_equal", "pow", "remainder"),
        *("subtract", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"),
        *("logical_and", "logical_or", "logical_xor"),
    )
)
ABOVE_ONE = {"acosh"}
WITHIN_ONE = {"acos", "asin", "atanh"}
POSITIVE = {"log", "log10", "log1p", "log2", "sqrt", "reciprocal"}
FLOATING = ("float64", "float32", "float16", "bfloat16")
EXACT = frozenset(
    (
        *("abs", "add", "astype", "ceil", "clip", "copysign", "divide", "floor", "maximum", "minimum", "multiply"),
        *(
            "negative",
            "positive",
            "reciprocal",
            "relu",
            "round",
            "sign",
            "sqrt",
            "square",
            "subtract",
            "trunc",
            "where",
        ),
    )
)
"""Operations that are rounded correctly everywhere."""


def kernel_of(program: Program, name: str) -> tuple[Kernel, Group]:
    (group,) = fused(program, fusible=is_known, ends=False)
    if isinstance(group, Call):
        group = reduction(group)
    return generated(group, name), group


def single(operation: str, arrays: list[Any], *rest: Any) -> Program | None:
    """Return a program of one call of an operation of NumPy, None where NumPy has none for the data types."""
    device = dc.asarray(0.0).device
    given = [*arrays, *(device.backend.raw_dtype(x) if isinstance(x, dc.DType) else x for x in rest)]
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(device.kernels[operation](*given))
    except TypeError:
        return None
    dtypes = device.backend.dtypes
    values = [Value(x.shape, dtypes[x.dtype]) for x in arrays]
    out = Value(result.shape, dtypes[result.dtype])
    call = Call(operation, (*values, *rest), {}, (out,))
    return Program(device, inputs=values, calls=[call], outputs=[out])


def operands(operation: str, dtype: str, size: int = 37) -> list[Any]:
    rng = np.random.default_rng(0)
    raw = np.dtype(getattr(ml_dtypes, dtype) if dtype == "bfloat16" else dtype)
    two = operation in TWO
    if dtype == "bool":
        found: list[Any] = [rng.integers(0, 2, size) for _ in range(2)]
    elif dtype in FLOATING:
        low, high = (0.1, 3.0) if operation in POSITIVE or operation == "pow" else (-3.0, 3.0)
        low, high = (1.0, 3.0) if operation in ABOVE_ONE else (-0.9, 0.9) if operation in WITHIN_ONE else (low, high)
        found = [rng.uniform(low, high, size) for _ in range(2)]
        if low < -1:
            found[0][:4] = [0.0, -0.0, np.inf, -np.inf]
            found[0][4], found[1][5], found[1][6] = np.nan, np.nan, np.inf
    else:
        low = 0 if dtype.startswith("u") or "shift" in operation or operation == "pow" else -5
        found = [rng.integers(low, 6, size), rng.integers(max(low, 0) if operation == "pow" else low, 6, size)]
    if operation in ("floor_divide", "remainder", "divide", "reciprocal") and dtype not in FLOATING:
        found = [np.where(x == 0, 1, x) for x in found]
    arrays = [np.asarray(x).astype(raw) for x in found]
    if operation == "where":
        return [rng.integers(0, 2, size).astype(bool), *arrays]
    return arrays if two else arrays[:1]


def cases(dtype: str) -> dict[str, tuple[Program, list[Any]]]:
    found: dict[str, tuple[Program, list[Any]]] = {}
    for operation in sorted(ELEMENTWISE - {"astype", "special.erf"}):
        arrays = operands(operation, dtype)
        rest = {"clip": (-1.0, 2.0) if dtype in FLOATING else (1, 3)}.get(operation, ())
        program = single(operation, arrays, *rest)
        if program is not None and program.outputs[0].dtype.name in MEMORY and is_known(program.calls[0]):
            found[operation] = (program, arrays)
    for name in ("float32", "float16", "bfloat16", "int32", "bool"):
        arrays = [np.nan_to_num(operands("add", dtype)[0], posinf=3, neginf=-3)]
        program = single("astype", arrays, DTYPES[name])
        assert program is not None
        found[f"astype_{name}"] = (program, arrays)
    if dtype in FLOATING:
        for name, number in (("scaled", 0.1), ("infinite", np.inf)):
            arrays = operands("add", dtype)[1:]
            program = single("multiply", arrays, number)
            assert program is not None
            found[name] = (program, arrays)
    return found


SIGNLESS = {"maximum", "minimum", "relu", "sign"}
"""Operations that may give either zero."""

DATA_TYPES = [
    *("float32", "float16", "bfloat16", "bool", "int8"),
    *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("float64", "int32", "int64", "uint8", "uint32")),
]


@pytest.mark.parametrize("dtype", DATA_TYPES)
def test_operations_are_those_of_numpy(lanes: Any, dtype: str, tmp_path: Path) -> None:
    found = {name: (*case, kernel_of(case[0], f"k_{name}")[0]) for name, case in cases(dtype).items()}
    assert len(found) > (40 if dtype in FLOATING else 20)
    library = lanes.compiled(header(), [kernel for _, _, kernel in found.values()], tmp_path)
    for name, (program, arrays, kernel) in found.items():
        with np.errstate(all="ignore"):
            (expected,) = map(np.asarray, replay(program)(arrays))
        out = np.zeros_like(expected)
        lanes.run(library, kernel, 2, 3, [*arrays, out])
        operation = name.partition("_")[0] if name.startswith("astype") else name
        tolerance = 0.0 if operation in EXACT or name in ("scaled", "infinite") else tolerance_of(out.dtype)
        ours, theirs = out.astype(np.float64), expected.astype(np.float64)
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=name)
        if tolerance == 0.0 and dtype in FLOATING and name not in SIGNLESS:
            np.testing.assert_array_equal(np.signbit(ours), np.signbit(theirs), err_msg=name)


def tolerance_of(dtype: Any) -> float:
    """Return a few units in the last place of a data type; functions of C and of NumPy differ by one or two."""
    return 4 * {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}.get(dtype.name, 0)


@pytest.mark.parametrize("dtype", DATA_TYPES)
def test_operations_compile_to_machine_code(nvrtc: Any, dtype: str) -> None:
    sources = [header(), *(kernel_of(program, f"k_{name}")[0].source for name, (program, _) in cases(dtype).items())]
    program = nvrtc.createProgram("\n".join(sources), "expressions.cu", [], [])
    try:
        nvrtc.compileProgram(program, [*_library.OPTIONS, "-arch=sm_90"])
        assert nvrtc.getCUBIN(program)[:4] == b"\x7fELF"
    except nvrtc.NVRTCError as error:
        pytest.fail(f"{error}\n{nvrtc.getProgramLog(program)}")
    finally:
        nvrtc.destroyProgram(program)


# ----------------------------------------------------------------------------------------------------------- iteration


Case = tuple["Callable[..., Any]", tuple[Any, ...]]


def computed(lanes: Any, folder: Path, *cases: Case, threads: int = 32) -> list[str]:
    """Check functions that are one kernel each, and return the sources of these."""
    found: list[tuple[Kernel, Group, dict[Value, Any], dict[Value, Any]]] = []
    for i, (function, arrays) in enumerate(cases):
        program = graph.expanded(graph.traced(function, *map(dc.asarray, arrays)))
        (group,) = fused(program, fusible=is_known, ends=False)
        group = reduction(group) if isinstance(group, Call) else group
        strides = {x: tuple(s // a.itemsize for s in a.strides) for x, a in zip(program.inputs, arrays, strict=True)}
        given = program.constants | dict(zip(program.inputs, arrays, strict=True))
        expected = dict(zip(program.outputs, replay(program)(list(arrays)), strict=True))
        found.append((generated(group, f"kernel{i}", strides), group, given, expected))
    library = lanes.compiled(header(), [kernel for kernel, *_ in found], folder)
    for kernel, group, given, expected in found:
        out = {value: np.full_like(np.asarray(expected[value]), 77) for value in group.outputs}
        lanes.run(library, kernel, 2, threads, [given[x] for x in group.inputs] + [out[x] for x in group.outputs])
        for value, array in out.items():
            np.testing.assert_allclose(array, expected[value], rtol=1e-12, atol=1e-12)
    return [kernel.source for kernel, *_ in found]


def normal(*shape: int, dtype: str = "float64") -> Any:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def test_four_at_a_time(lanes: Any, tmp_path: Path) -> None:
    sizes = [1, 3, 4, 5, 64, 67]
    cases: list[Case] = [(lambda x, y: dc.tanh(x) * y, (normal(n), normal(n) + 1)) for n in sizes]
    sources = computed(lanes, tmp_path, *cases)
    assert [n for n, source in zip(sizes, sources, strict=True) if "four<double>" in source] == [4, 5, 64, 67]


def test_an_output_over_an_input(lanes: Any, tmp_path: Path) -> None:
    program = graph.traced(lambda x: x * 2.0, normal(67))
    kernel, group = kernel_of(program, "kernel")
    assert group.may_overwrite(group.outputs[0], group.inputs[0])
    memory = np.zeros(80)
    first = next(i for i in range(5) if memory[i:].ctypes.data % 32 == 0)
    x = memory[first : first + 67]
    x[:] = normal(67)
    expected = x * 2.0
    lanes.run(lanes.compiled(header(), [kernel], tmp_path), kernel, 2, 32, [x, x])
    np.testing.assert_array_equal(x, expected)  # each element was doubled once


def test_points(lanes: Any, tmp_path: Path) -> None:
    memory, x = normal(70), normal(6, 8)
    unaligned = memory[1:65], memory[4:68]
    assert len({array.ctypes.data % 32 for array in unaligned}) == 2
    broadcast = normal(3, 4, 5), normal(5), normal(3, 1, 1), normal(4, 1), normal()
    short = np.linspace(-3, 3, 41).astype(np.float16)
    sources = computed(
        lanes,
        tmp_path,
        (lambda x, y: x * 2.0 + y, unaligned),
        (lambda x, a, b, c, d: (x * a + b) * c - d, broadcast),
        (lambda x, y: dc.exp(x) + y, (x[:, ::2], normal(4))),
        (lambda x: (x * 0.1 + 1.0) * x - x / 3.0, (short,)),
    )
    assert ["four<" in source for source in sources] == [True, False, False, True]
    assert len(re.findall(r"\(float\)\(float16\)", sources[3])) >= 5  # rounded after each operation


def test_an_array_without_strides_is_refused(tmp_path: Path) -> None:
    program = graph.traced(lambda x: dc.exp(x) * 2.0, dc.ones((4, 6)))
    (group,) = fused(program)
    assert isinstance(group, Group)
    with pytest.raises(dc.ShapeError, match="copy it to row-major order"):
        generated(group, "kernel", {program.inputs[0]: (1, 4)})


REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "softmax": dc.softmax,
    "mean": lambda x: x - dc.mean(x, axis=-1, keepdims=True),
    "min": lambda x: x - dc.min(x, axis=-1, keepdims=True),
    "prod": lambda x: dc.prod(x, axis=-1),
    "all": lambda x: dc.where(dc.all(x > -2.0, axis=-1, keepdims=True), x, -x),
    "any": lambda x: dc.where(dc.any(x > 2.0, axis=-1, keepdims=True), x, -x),
    "two outputs": lambda x: ((y := dc.exp(x)), y / dc.sum(y, axis=-1, keepdims=True), dc.sum(y, axis=-1)),
}


def test_rows_of_a_warp(lanes: Any, tmp_path: Path) -> None:
    cases: list[Case] = [(f, (normal(5, width),)) for f in REDUCTIONS.values() for width in (3, 32, 50)]
    assert all("<32>" in source for source in computed(lanes, tmp_path, *cases))


def test_rows_of_a_block(lanes: Any, tmp_path: Path) -> None:
    def loss(x: Any, at: Any) -> Any:
        y = x * 2.0
        return dc.exp(y) - dc.take_along_axis(y, at, axis=-1) * dc.max(y, axis=-1, keepdims=True)

    at = np.asarray([[0], [1499], [-3]])
    cases: list[Case] = [(dc.softmax, (normal(3, 1500),)), (loss, (normal(3, 1500), at))]
    a, b = computed(lanes, tmp_path, *cases, threads=256)
    assert "together<256>" in a
    assert "from_lane<256>" in b


def test_what_is_picked_from_a_row(lanes: Any, tmp_path: Path) -> None:
    at, x = np.asarray([[0], [49], [-1], [33], [7]]), normal(5, 50)
    a, b = computed(
        lanes,
        tmp_path,
        (lambda x, at: x * dc.take_along_axis(dc.exp(x), at, axis=-1), (x, at)),
        (lambda x, at: x * dc.take_along_axis(x, at, axis=-1), (x, at)),
    )
    assert "from_lane<32>" in a
    assert "from_lane" not in b


def test_columns_are_reduced_by_a_thread_each(lanes: Any, tmp_path: Path) -> None:
    x = normal(7, 6, 50)
    cases: list[Case] = [(lambda x, axis=axis: dc.sum(x, axis=axis), (x,)) for axis in (0, (0, 1), 1)]
    assert all("together<1>" in source for source in computed(lanes, tmp_path, *cases))
    (source,) = computed(lanes, tmp_path, (dc.mean, (normal(7, 6),)))
    assert "together<32>" in source
