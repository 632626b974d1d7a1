"""Generated CUDA kernels, without a GPU: compiled by NVRTC, and run on the host as C++, next to NumPy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import graph, nn, optim
from deepcore._tracing import Number
from deepcore.graph.fusion import fused
from deepcore.graph.group import Group
from deepcore.graph.program import Call, Program, Value
from deepcore.graph.replay import replay
from deepcore_cupy import _library
from deepcore_cupy._expressions import is_known
from deepcore_cupy._fused import Kernel, generated, header, reduction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ACTIVATIONS = (
    *("elu", "gaussian", "gelu", "hard_sigmoid", "hard_swish", "hard_tanh", "leaky_relu", "log_sigmoid", "mish"),
    *("relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh", "softmax", "log_softmax"),
)


# ------------------------------------------------------------------------------------------------------------ programs


def step_program(model: Any, x: Any, labels: Any) -> tuple[Program, list[Any]]:
    """Return the program of a training step with Adam, and arrays to run it on."""
    adam, loss = optim.Adam(model.parameters()), nn.CategoricalCrossEntropy()

    @dc.compile
    def step(x: dc.Tensor, labels: dc.Tensor) -> dc.Tensor:
        adam.zero_grad()
        value: dc.Tensor = loss(model(x), labels)
        value.backward()
        adam.step()
        return value.detach()

    for _ in range(2):
        step(x, labels)
    program = ready(step.graph)
    rng = np.random.default_rng(1)
    arrays: list[Any] = [np.abs(rng.normal(size=v.shape, scale=0.5)) for v in program.inputs[:-1]]
    arrays = [a.astype(program.device.backend.raw_dtype(v.dtype)) for a, v in zip(arrays, program.inputs, strict=False)]
    return program, [*arrays, labels.numpy()]


def ready(program: Program) -> Program:
    return graph.shared(graph.folded(graph.expanded(program, keep={"special.erf"})))


def perceptron(dtype: str = "float64") -> tuple[Program, list[Any]]:
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Dense(20, 16, activation="relu"), nn.Dense(16, 10)).astype(getattr(dc, dtype))
    return step_program(model, dc.asarray(rng.normal(size=(8, 20)).astype(dtype)), dc.asarray(rng.integers(0, 10, 8)))


class Transformer(nn.Module):
    def __init__(self) -> None:
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, activation="gelu")
        self.head = nn.Dense(16, 10)

    def forward(self, x: Any) -> Any:
        return self.head(dc.mean(self.layer(x), axis=1))


def transformer(dtype: str = "float64") -> tuple[Program, list[Any]]:
    rng = np.random.default_rng(0)
    model = Transformer().astype(getattr(dc, dtype))
    x = dc.asarray(rng.normal(size=(4, 6, 16)).astype(dtype))
    return step_program(model, x, dc.asarray(rng.integers(0, 10, 4)))


def activations(dtype: str = "float64") -> tuple[Program, list[Any]]:
    """Return a program of all activations and their derivatives, of arrays of several forms."""
    names = [name for name in ACTIVATIONS if hasattr(dc, name)]
    assert len(names) > 12

    def function(x: Any, dy: Any) -> Any:
        return [(f(x), dc.vjp(f, x)[1](dy)) for f in (getattr(dc, name) for name in names)]

    arrays = [np.random.default_rng(k).normal(size=(6, 7), scale=2).astype(dtype) for k in range(2)]
    return ready(graph.traced(function, *map(dc.asarray, arrays))), arrays


PROGRAMS: dict[str, Callable[..., tuple[Program, list[Any]]]] = {
    "perceptron": perceptron,
    "transformer": transformer,
    "activations": activations,
}


def planned(program: Program) -> list[tuple[Group | Call, Kernel | None]]:
    """Return a plan: groups and reductions with their kernels, and calls of libraries and views."""
    found: list[tuple[Group | Call, Kernel | None]] = []
    for i, call_or_group in enumerate(fused(program, fusible=is_known, ends=False)):
        part = call_or_group
        if isinstance(part, Call) and part.operation in ("sum", "mean", "max", "min"):
            part = reduction(part)
        found.append((part, generated(part, f"kernel{i}") if isinstance(part, Group) else None))
    return found


# ---------------------------------------------------------------------------------------------------------------- NVRTC


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_plan_compiles_to_machine_code(nvrtc: Any, name: str, dtype: str) -> None:
    program, _ = PROGRAMS[name](dtype)
    kernels = [kernel for _, kernel in planned(program) if kernel is not None]
    log = compiled_by(nvrtc, kernels)
    if dtype == "float32":  # in double, some functions need more registers than there are
        frames = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", log)
        assert frames == [("0", "0")] * len(kernels), log


def compiled_by(nvrtc: Any, kernels: list[Kernel]) -> str:
    source = "\n".join([header(), *(kernel.source for kernel in kernels)])
    program = nvrtc.createProgram(source, "fused.cu", [], [])
    try:
        nvrtc.compileProgram(program, [*_library.OPTIONS, "-arch=sm_90", "--ptxas-options=-v"])
        log, cubin = nvrtc.getProgramLog(program), nvrtc.getCUBIN(program)
    except nvrtc.NVRTCError as error:
        pytest.fail(f"{error}\n{nvrtc.getProgramLog(program)}")
    finally:
        nvrtc.destroyProgram(program)
    assert cubin[:4] == b"\x7fELF"
    assert set(re.findall(r"Compiling entry function '(\w+)'", log)) == {kernel.name for kernel in kernels}
    assert "warning" not in log, log
    return str(log)


# --------------------------------------------------------------------------------------------------------- on the host


def run_on_host(lanes: Any, program: Program, inputs: list[Any], folder: Path) -> list[Any]:
    """Run a plan, whose kernels are C++ on the host, and whose other calls are those of NumPy."""
    arrays: dict[Value, Any] = {**program.constants, **dict(zip(program.inputs, inputs, strict=True))}
    for draw in program.draws:
        arrays.update({value: produce(1, 2) for value, produce in draw.arrays})
    rerun: list[tuple[Group | Call, Kernel | None]] = []
    for part, _ in planned(program):  # once on NumPy, to know where things are in memory
        calls = [part] if isinstance(part, Call) else part.calls
        for call in calls:
            alone(program, call, arrays)
        kernel = None
        if isinstance(part, Group):
            for value in part.outputs:
                arrays[value] = np.array(arrays[value], order="C")
            strides = {x: steps(arrays[x]) for x in (*part.inputs, *part.outputs)}
            kernel = generated(part, f"kernel{len(rerun)}", strides)
        rerun.append((part, kernel))
    expected = {value: np.array(array) for value, array in arrays.items()}
    library = lanes.compiled(header(), [kernel for _, kernel in rerun if kernel is not None], folder)
    for part, kernel in rerun:
        if kernel is None:
            assert isinstance(part, Call)
            if not part.operation.startswith("attention"):
                alone(program, part, arrays)
            continue
        assert isinstance(part, Group)
        for value in part.outputs:
            arrays[value] = np.full_like(arrays[value], 77)
        given = [x.compute() if isinstance(x, Number) else arrays[x] for x in kernel.parameters]
        threads = 256 if "<256>" in kernel.source else 32
        lanes.run(library, kernel, 2, threads, given)
        for value in part.outputs:
            tolerance = 1e-11 if arrays[value].dtype == np.float64 else 1e-5
            np.testing.assert_allclose(arrays[value], expected[value], rtol=tolerance, atol=tolerance)
    return [np.asarray(arrays[value]) for value in program.outputs]


def steps(array: Any) -> tuple[int, ...]:
    return tuple(s // array.itemsize for s in array.strides)


def alone(program: Program, call: Call, arrays: dict[Value, Any]) -> None:
    operands = list(dict.fromkeys(call.operands()))
    part = Program(program.device, inputs=operands, calls=[call], outputs=list(call.results))
    found = replay(part)([arrays[x] for x in operands])
    arrays.update(zip(call.results, map(np.asarray, found), strict=True))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_plan_computes_what_numpy_does(lanes: Any, name: str, tmp_path: Path) -> None:
    program, arrays = PROGRAMS[name]()
    found = run_on_host(lanes, program, arrays, tmp_path)
    if not program.draws:
        for a, b in zip(found, replay(program)(arrays), strict=False):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
