"""Fusion: groups compute what their calls do, from what they say they read, in the order and the sweeps they say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deepcore as dc
from deepcore import graph, nn, optim
from deepcore._dtype import bool_
from deepcore._tracing import Number
from deepcore.graph.fusion import fused
from deepcore.graph.group import PICK, REDUCTIONS, VIEWS, Group
from deepcore.graph.program import Call, Program, Value, mapped
from deepcore.graph.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def run_groups(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """Run a fused program: each group on arrays of its iteration space, which are gathered by the strides it gives."""
    arrays: dict[Value, Any] = {**program.constants, **dict(zip(program.inputs, inputs, strict=True))}
    for draw in program.draws:
        seed, position = draw.generator._next()
        arrays.update({value: produce(seed, position) for value, produce in draw.arrays})
    for part in fused(program):
        if isinstance(part, Group):
            check(part, set(arrays))
            run_group(program, part, arrays)
        else:
            call_alone(program, part, arrays)
    return [np.asarray(arrays[value]) for value in program.outputs]


def call_alone(program: Program, call: Call, arrays: dict[Value, Any]) -> None:
    operands = list(dict.fromkeys(call.operands()))
    alone = Program(program.device, inputs=operands, calls=[call], outputs=list(call.results))
    arrays.update(zip(call.results, replay(alone)([arrays[x] for x in operands]), strict=True))


def positions(group: Group, value: Value) -> Any:
    """Return the element of a value at each point."""
    grid = np.indices(group.shape, dtype=np.int64).reshape(len(group.shape), math.prod(group.shape))
    return np.asarray(group.patterns[value], np.int64) @ grid


def run_group(program: Program, group: Group, arrays: dict[Value, Any]) -> None:
    here = {value: np.ravel(arrays[value])[positions(group, value)].reshape(-1, group.width) for value in group.inputs}
    for call in group.calls:
        (result,) = call.results
        if call.operation in VIEWS:
            here[result] = here[next(call.operands())]
        elif call.operation in REDUCTIONS or call.operation == PICK:
            here[result] = reduced(program, group, call, here)
        else:
            arguments, parameters = mapped((call.arguments, call.parameters), lambda x: now(program, here, x))
            here[result] = program.device.kernels[call.operation](*arguments, **parameters)
        assert here[result].dtype == program.device.backend.raw_dtype(result.dtype)
    for value in group.outputs:
        memory = np.empty(value.size, here[value].dtype)
        memory[positions(group, value)] = np.ravel(here[value])
        arrays[value] = memory.reshape(value.shape)


def now(program: Program, here: dict[Value, Any], x: Any) -> Any:
    if isinstance(x, dc.DType):
        return program.device.backend.raw_dtype(x)
    if isinstance(x, Number):
        return x.compute()
    return here[x] if isinstance(x, Value) else x


def reduced(program: Program, group: Group, call: Call, here: dict[Value, Any]) -> Any:
    operands, (result,) = list(call.operands()), call.results
    x = here[operands[0]]
    if call.operation == PICK:
        return np.broadcast_to(np.take_along_axis(x, here[operands[1]][:, :1], axis=1), x.shape)
    kernel = program.device.kernels[call.operation]
    if call not in group.ends:
        return np.broadcast_to(kernel(x, axis=1, keepdims=True), x.shape)
    # Elements that are the same along the row count once.
    once = x[:, 0] if group.is_per_row(operands[0]) and group.columns else np.ravel(x)
    where = positions(group, result).reshape(group.rows, group.width)
    where = where[:, 0] if once.size != where.size else where.ravel()
    parts = [kernel(once[where == i]) for i in range(result.size)]
    return np.asarray(parts, program.device.backend.raw_dtype(result.dtype))[positions(group, result)].reshape(x.shape)


def check(group: Group, known: set[Value]) -> None:
    """Check what does not depend on numbers."""
    levels: dict[Value, int] = {}
    computed = {value for call in group.calls for value in call.results}
    ended = {value for call in group.ends for value in call.results}
    assert known.issuperset(group.inputs)
    assert computed.issuperset(group.outputs)
    assert not computed.intersection(group.inputs)
    assert group.patterns.keys() == computed | set(group.inputs)
    assert all(n > 1 for n in group.shape)
    for call, level in zip(group.calls, group.levels, strict=True):
        (result,) = call.results
        assert not ended.intersection(call.operands())
        assert level == max((levels[x] for x in call.operands() if x in computed), default=0)
        is_gathered = call.operation == PICK and next(call.operands()) in group.inputs
        is_level = (call.operation in REDUCTIONS or call.operation == PICK) and call not in group.ends
        levels[result] = level + (is_level and not is_gathered)
        assert group.is_contiguous(result) or group.is_per_row(result) or result in ended


# ------------------------------------------------------------------------------------------------------------ functions


def groups_of(function: Callable[..., Any], *examples: Any) -> list[Group | Call]:
    return fused(graph.expanded(graph.traced(function, *examples)))


def operations(part: Group | Call) -> list[str]:
    return [call.operation for call in part.calls] if isinstance(part, Group) else [part.operation]


@pytest.mark.parametrize("name", ["gelu", "silu", "sigmoid", "softplus", "mish", "selu", "hard_swish", "softsign"])
def test_an_activation_is_one_kernel(name: str) -> None:
    (group,) = groups_of(getattr(dc, name), dc.ones((4, 7)))
    assert isinstance(group, Group)
    assert (group.shape, group.columns, len(group.inputs), len(group.outputs)) == ((28,), 0, 1, 1)


def test_rows() -> None:
    for function, levels in (
        (dc.softmax, 2),
        (dc.log_softmax, 2),
        (lambda x: x - dc.mean(x, axis=-1, keepdims=True), 1),
    ):
        (group,) = groups_of(function, dc.ones((3, 4, 7)))
        assert isinstance(group, Group)
        assert (group.rows, group.width, group.shape, group.columns) == (12, 7, (12, 7), 1)
        assert max(group.levels) == levels
    (group,) = groups_of(lambda x, w, b: dc.layer_norm(x, w, b, axes=2), *map(dc.ones, [(3, 4, 7), (4, 7), (4, 7)]))
    assert isinstance(group, Group)
    assert (group.shape, group.columns) == ((3, 28), 1)


def test_the_columns_of_a_bias_are_an_end() -> None:
    def function(x: Any, w: Any) -> Any:
        y = dc.tanh(x) * w
        return y, dc.sum(y, axis=0)

    (group,) = groups_of(function, dc.ones((4, 7)), dc.ones(7))
    assert isinstance(group, Group)
    assert [call.operation for call in group.ends] == ["sum"]
    assert [group.patterns[x] for x in group.inputs] == [(7, 1), (0, 1)]
    assert [group.patterns[x] for x in group.outputs] == [(7, 1), (0, 1)]
    parts = fused(graph.expanded(graph.traced(function, dc.ones((4, 7)), dc.ones(7))), ends=False)
    assert list(map(operations, parts)) == [["tanh", "multiply"], ["sum"]]


def test_nothing_is_fused_past_what_depends_on_it() -> None:
    def function(x: Any) -> Any:
        a = dc.exp(x)
        return dc.matmul(a, x) + a

    assert list(map(operations, groups_of(function, dc.ones((4, 4))))) == [["exp"], ["matmul"], ["add"]]


def test_what_reads_the_same_is_put_together_unless_one_reads_an_end_of_the_other() -> None:
    parts = groups_of(lambda x: (dc.exp(x), dc.sin(x)), dc.ones((4, 7)))
    assert list(map(operations, parts)) == [["exp", "sin"]]
    parts = groups_of(lambda x: (dc.tanh(x), dc.where(x > 0.1, x, dc.sum(x, axis=0))), dc.ones((1, 2)))
    assert all(not ("sum" in names and "where" in names) for names in map(operations, parts))


def test_a_row_vector_is_not_computed_for_each_row() -> None:
    parts = groups_of(lambda x, w: x * dc.exp(w), dc.ones((4, 7)), dc.ones(7))
    assert list(map(operations, parts)) == [["exp"], ["multiply"]]
    parts = groups_of(lambda x, w: x * dc.exp(w), dc.ones((4, 7)), dc.ones((4, 1)))
    assert list(map(operations, parts)) == [["exp", "multiply"]]


def test_an_output_may_take_the_place_of_an_input_that_is_read_no_more() -> None:
    (group,) = groups_of(dc.softmax, dc.ones((4, 7)))
    assert isinstance(group, Group)
    assert group.may_overwrite(group.outputs[0], group.inputs[0])
    (group,) = groups_of(lambda x: (y := dc.exp(x), y / dc.sum(y, axis=-1, keepdims=True)), dc.ones((4, 7)))
    assert isinstance(group, Group)
    assert [group.may_overwrite(x, group.inputs[0]) for x in group.outputs] == [False, True]


# ---------------------------------------------------------------------------------------------------------------- steps


def test_a_step_is_few_kernels() -> None:
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Dense(20, 16, activation="gelu"), nn.LayerNorm(16), nn.Dense(16, 10))
    adam, loss = optim.Adam(model.parameters()), nn.CategoricalCrossEntropy()

    def step(x: Any, labels: Any) -> Any:
        adam.zero_grad()
        value = loss(model(x), labels)
        value.backward()
        adam.step()
        return value.detach()

    compiled = dc.compile(step)
    x, labels = dc.asarray(rng.normal(size=(8, 20)).astype(np.float32)), dc.asarray(rng.integers(0, 10, 8))
    compiled(x, labels)
    compiled(x, labels)
    program = graph.expanded(compiled.graph)
    arrays: list[Any] = [np.abs(rng.normal(size=v.shape)).astype(np.float32) for v in program.inputs[:-1]]
    arrays.append(np.asarray(rng.integers(0, 10, 8)))
    expected, found = replay(program)(arrays), run_groups(program, arrays)
    for a, b in zip(expected, found, strict=False):
        np.testing.assert_allclose(b, a, rtol=2e-5, atol=1e-6)
    assert sum(isinstance(part, Group) for part in fused(program)) <= 8


# ---------------------------------------------------------------------------------------------------- any program


class Drawn:
    """A program that is being drawn, of a few shapes that broadcast."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        a, b, c = draw(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)))
        self.shapes: list[Any] = [(a, b, c), (a, b, 1), (c,), (a * b, c), (a, 1, c), ()]
        self.program = Program(dc.asarray(0.0).device)
        shapes = draw(st.lists(st.sampled_from(self.shapes), min_size=2, max_size=5))
        self.program.inputs = [Value(shape, dc.float64) for shape in shapes]
        self.values = list(self.program.inputs)

    def one(self) -> Value:
        value: Value = self.draw(st.sampled_from(self.values))
        return value

    def call(self, name: str, arguments: tuple[Any, ...], shape: Any, **parameters: Any) -> Value:
        result = Value(tuple(map(int, shape)), bool_ if name == "greater" else dc.float64)
        self.program.calls.append(Call(name, arguments, parameters, (result,)))
        return result

    def step(self) -> None:
        kinds = (self.unary, self.binary, self.binary, self.choice, self.reduction, self.view, self.product)
        found = self.draw(st.sampled_from(kinds))(self.one())
        if found is not None:
            self.values.append(found)

    def unary(self, x: Value) -> Value:
        name = self.draw(st.sampled_from(["tanh", "sin", "abs", "multiply"]))
        return self.call(name, (0.5, x) if name == "multiply" else (x,), x.shape)

    def together(self, *values: Value) -> Any:
        try:
            return np.broadcast_shapes(*(x.shape for x in values))
        except ValueError:
            return None

    def binary(self, x: Value) -> Value | None:
        y = self.one()
        shape = self.together(x, y)
        name = self.draw(st.sampled_from(["add", "multiply", "maximum"]))
        return None if shape is None else self.call(name, (x, y), shape)

    def choice(self, x: Value) -> Value | None:
        y = self.one()
        shape = self.together(x, y)
        return None if shape is None else self.call("where", (self.call("greater", (x, 0.1), x.shape), x, y), shape)

    def reduction(self, x: Value) -> Value | None:
        if not x.shape:
            return None
        axis, keepdims = self.draw(st.integers(0, len(x.shape) - 1)), self.draw(st.booleans())
        axes = self.draw(st.sampled_from([axis, -1, tuple(range(axis, len(x.shape))), None]))
        shape = np.sum(np.empty(x.shape), axis=axes, keepdims=keepdims).shape
        return self.call(self.draw(st.sampled_from(["sum", "max", "mean"])), (x,), shape, axis=axes, keepdims=keepdims)

    def view(self, x: Value) -> Value | None:
        kind = self.draw(st.sampled_from(["reshape", "broadcast_to", "matrix_transpose"]))
        if kind == "matrix_transpose":
            return self.call(kind, (x,), (*x.shape[:-2], *x.shape[:-3:-1])) if len(x.shape) > 1 else None
        if kind == "broadcast_to":
            shape = self.together(x, self.one())
        else:
            shape = self.draw(st.sampled_from([s for s in self.shapes if math.prod(s) == x.size] or [(x.size,)]))
        return None if shape is None else self.call(kind, (x, shape), shape)

    def product(self, x: Value) -> Value | None:
        if len(x.shape) != 2:
            return None
        square = (x.shape[0], x.shape[0])
        turned = self.call("matrix_transpose", (x,), x.shape[::-1])
        return self.call("matmul", (self.call("matmul", (x, turned), square), x), x.shape)


@st.composite
def programs(draw: Any) -> Program:
    drawn = Drawn(draw)
    for _ in range(draw(st.integers(1, 14))):
        drawn.step()
    drawn.program.outputs = draw(st.lists(st.sampled_from(drawn.values), min_size=1, max_size=4))
    return graph.cleaned(drawn.program)


@settings(max_examples=100, deadline=None)
@given(programs(), st.integers(0, 2**31))
def test_a_fused_program_computes_the_same(program: Program, seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs = [np.asarray(rng.normal(size=value.shape)) for value in program.inputs]
    expected, found = replay(program)(inputs), run_groups(program, inputs)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12)
    for part in fused(program, ends=False):
        assert isinstance(part, Call) or not part.ends
