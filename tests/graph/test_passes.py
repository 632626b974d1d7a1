"""Passes: the program afterwards computes the same bits, of less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deepcore as dc
from deepcore import graph, nn, optim
from deepcore._dtype import bool_
from deepcore._tracing import Number
from deepcore.graph.passes import LARGEST, simplified
from deepcore.graph.program import Call, Program, Value
from deepcore.graph.replay import replay
from deepcore.random import Generator
from deepcore.transform import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable


def operations(program: Program) -> list[str]:
    return [call.operation for call in program.calls]


def traced(function: Callable[..., Any], *examples: Any) -> Program:
    return graph.traced(function, *examples)


# --------------------------------------------------------------------------------------------------------------- folded


def test_what_depends_on_shapes_alone_is_constant() -> None:
    program = traced(lambda x: x * (dc.sum(dc.ones_like(x)) / 4), dc.ones((2, 3)))
    program.calls.insert(0, like := Call("ones_like", (program.inputs[0],), {}, (Value((2, 3), dc.float32),)))
    program.calls.insert(1, total := Call("sum", like.results, {}, (Value((), dc.float32),)))
    program.calls.append(
        last := Call("multiply", (program.outputs[0], *total.results), {}, (Value((2, 3), dc.float32),))
    )
    program.outputs = list(last.results)
    assert operations(graph.folded(program)) == ["multiply", "multiply"]
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(replay(graph.folded(program))([x])[0], replay(program)([x])[0])


def test_a_backward_pass_begins_with_a_constant() -> None:
    w = nn.Parameter(dc.ones(3))

    def step(x: dc.Tensor) -> Any:
        w.grad = None
        dc.mean(dc.tanh(x * w)).backward()
        return w.grad

    compiled = dc.compile(step)
    compiled(dc.ones((2, 3)))
    compiled(dc.ones((2, 3)))
    assert not {"ones_like", "broadcast_to"}.intersection(operations(compiled.graph))


def test_numbers_of_the_host_and_outputs_are_no_constants() -> None:
    program = traced(lambda x: x, dc.ones(3))
    (x,), a, b, c, d = program.inputs, *(Value((3,), dc.float32) for _ in range(4))
    program.calls = [
        Call("ones_like", (x,), {}, (a,)),
        Call("multiply", (Number(lambda: 3.0), a), {}, (b,)),
        Call("negative", (b,), {}, (d,)),
        Call("zeros_like", (x,), {}, (c,)),
    ]
    program.outputs = [d, c]
    folded = graph.folded(program)
    assert operations(folded) == ["multiply", "negative", "zeros_like"]
    assert [y.tolist() for y in replay(folded)([np.ones(3, np.float32)])] == [[-3.0] * 3, [0.0] * 3]


def test_large_arrays_are_computed() -> None:
    n = LARGEST // 4
    for size, expected in ((n, ["multiply"]), (n + 1, ["ones_like", "multiply"])):
        program = traced(lambda x: x, dc.ones(size))
        (x,), one, y = program.inputs, *(Value((size,), dc.float32) for _ in range(2))
        program.calls = [Call("ones_like", (x,), {}, (one,)), Call("multiply", (x, one), {}, (y,))]
        program.outputs = [y]
        assert operations(graph.folded(program)) == expected


# --------------------------------------------------------------------------------------------------------------- shared


def test_what_is_computed_twice_is_computed_once() -> None:
    program = traced(lambda x: dc.exp(x) * dc.exp(x) + dc.sum(dc.exp(x), axis=0), dc.ones((2, 3)))
    assert operations(graph.shared(program)) == ["exp", "multiply", "sum", "add"]


def test_what_differs_is_computed_apart() -> None:
    functions: list[Callable[[dc.Tensor], Any]] = [
        lambda x: (x * 1.0) + (x * True),
        lambda x: dc.copysign(x, dc.asarray(0.0)) + dc.copysign(x, dc.asarray(-0.0)),
        lambda x: dc.sum(x, axis=0) + dc.sum(x, axis=1),
        lambda x: x[0] + x[1],
        lambda x: dc.sum(x[:1]) + dc.sum(x[1:]),
        lambda x: dc.astype(x, dc.float64) + dc.astype(dc.astype(x, dc.float16), dc.float64),
        lambda x: dc.subtract(x, 1) + dc.subtract(1, x),
    ]
    for function in functions:
        program = traced(function, dc.ones((2, 2)))
        assert len(graph.shared(program).calls) == len(program.calls)


def test_two_draws_are_two() -> None:
    g = Generator(0)
    program = traced(lambda x: dc.sqrt(g.uniform((3,))) + dc.sqrt(g.uniform((3,))) + x, dc.ones(3))
    assert operations(graph.shared(program)).count("sqrt") == 2


def test_what_is_recomputed_to_save_memory_stays_apart() -> None:
    def function(x: dc.Tensor) -> dc.Tensor:
        return dc.sin(dc.exp(x))

    def derivative(f: Callable[[dc.Tensor], dc.Tensor]) -> Program:
        return graph.shared(traced(lambda x: (dc.sum(f(x)), dc.grad(lambda x: dc.sum(f(x)))(x)), dc.ones(3)))

    assert operations(derivative(function)).count("exp") == 1
    assert operations(derivative(checkpoint(function))).count("exp") == 2


def test_every_output_is_an_array_of_its_own() -> None:
    program = graph.shared(traced(lambda x: (dc.exp(x), dc.exp(x), dc.sin(dc.exp(x))), dc.ones(3)))
    assert operations(program) == ["exp", "exp", "sin"]
    a, b, _ = replay(program)([np.ones(3, np.float32)])
    assert a is not b


# --------------------------------------------------------------------------------------------------------- any program


@st.composite
def programs(draw: Any) -> Program:
    """Draw a program of few operations on few operands, so that calls recur."""
    program = Program(dc.asarray(0.0).device)
    values = [Value((2, 3), dc.float32) for _ in range(2)]
    program.inputs = list(values)
    constant = Value((2, 3), dc.float32)
    program.constants[constant] = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    values.append(constant)
    for _ in range(draw(st.integers(1, 20))):
        a, b = draw(st.sampled_from(values)), draw(st.sampled_from(values))
        name = draw(st.sampled_from(["exp", "ones_like", "zeros_like", "add", "multiply", "number", "greater", "sum"]))
        parameters = {"axis": draw(st.sampled_from([0, 1])), "keepdims": True} if name == "sum" else {}
        arguments = {"add": (a, b), "multiply": (a, b), "number": (draw(st.sampled_from([1, 1.0, True])), a)}
        result = Value((2, 3), dc.float32)
        if name == "greater":
            mask = Value((2, 3), bool_)
            program.calls.append(Call("greater", (a, b), {}, (mask,)))
            program.calls.append(Call("where", (mask, b, a), {}, (result,)))
        elif name == "sum":
            total = Value((1, 3) if parameters["axis"] == 0 else (2, 1), dc.float32)
            program.calls.append(Call("sum", (a,), parameters, (total,)))
            program.calls.append(Call("subtract", (b, total), {}, (result,)))
        else:
            operation = "multiply" if name == "number" else name
            program.calls.append(Call(operation, arguments.get(name, (a,)), {}, (result,)))
        values.append(result)
    program.outputs = draw(st.lists(st.sampled_from(values), min_size=1, max_size=4))
    return program


@pytest.mark.parametrize("simplify", [graph.cleaned, graph.folded, graph.shared, simplified])
@settings(max_examples=60, deadline=None)
@given(program=programs(), seed=st.integers(0, 2**31))
def test_a_program_computes_the_same_bits(simplify: Callable[[Program], Program], program: Program, seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs = [rng.normal(size=value.shape).astype(np.float32) for value in program.inputs]
    text, after = str(program), simplify(program)
    assert len(after.calls) <= len(program.calls)
    with np.errstate(all="ignore"):
        for expected, found in zip(replay(program)(inputs), replay(after)(inputs), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert str(program) == text  # the program that is given stays as it is


def test_a_compiled_step_has_no_call_twice() -> None:
    model = nn.Sequential(nn.Dense(6, 5, activation="gelu"), nn.Dense(5, 3))
    adam, loss = optim.Adam(model.parameters()), nn.CategoricalCrossEntropy()

    @dc.compile
    def step(x: dc.Tensor, y: dc.Tensor) -> dc.Tensor:
        adam.zero_grad()
        value: dc.Tensor = loss(model(x), y)
        value.backward()
        adam.step()
        return value.detach()

    for _ in range(2):
        step(dc.ones((4, 6)), dc.asarray([0, 1, 2, 0]))
    program = step.graph
    assert len(graph.shared(program).calls) == len(program.calls)
    assert len(graph.folded(program).calls) == len(program.calls)
