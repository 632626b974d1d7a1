"""Functions as programs, and programs whose composites are what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import graph, nn
from deepcore._backend import composites
from deepcore._primitive import Primitive, Sample, registry
from deepcore._record import composite
from deepcore.graph.replay import replay
from deepcore.graph.trace import Trace
from deepcore.testing import assert_close, sample_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deepcore._device import Device
    from deepcore._typing import Array, Namespace

Case = tuple[Primitive[...], Sample]


def run(program: graph.Program, *arguments: Any) -> list[Any]:
    """Return the outputs of a program as tensors."""
    state = [program.initial[value] for value in program.inputs[: program.n_state]]
    return [dc.asarray(raw) for raw in replay(program)([*state, *(x._data for x in arguments)])]


def network() -> Any:
    return nn.Sequential(nn.Dense(4, 3, activation="gelu"), nn.Dropout(0.5), nn.Dense(3, 2))


def test_a_model_is_its_parameters_and_its_arguments() -> None:
    model = network()
    program = graph.traced(model, dc.ones((5, 4)))
    names = [name for name, _ in model.named_parameters()]
    assert [value.name for value in program.inputs] == [*names, "x"]
    assert program.n_state == len(names)
    assert [program.initial[value] is p._data for value, p in zip(program.inputs, model.parameters(), strict=False)]
    assert [call.operation for call in program.calls] == ["linear", "gelu", "linear"]
    assert not program.draws


def test_a_program_computes_what_the_model_does(device: Device) -> None:
    model = network().to(device)
    x = dc.asarray(np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32), device=device)
    (y,) = run(graph.traced(model, x), x)
    with dc.no_grad():
        assert_close(y, model.eval()(x))


def test_everything_is_as_it_was() -> None:
    model = nn.Sequential(nn.Dense(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    model[0].eval()
    before = {name: value.numpy().copy() for name, value in model.named_tensors()}
    tensors = dict(model.named_tensors())
    graph.traced(model, dc.ones((5, 4)), training=True)
    assert [layer.training for layer in model] == [False, True, True]
    for name, value in model.named_tensors():
        assert value is tensors[name]
        assert value.requires_grad == isinstance(value, nn.Parameter)
        np.testing.assert_array_equal(value.numpy(), before[name])


def test_training_writes_state_and_draws() -> None:
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5))
    program = graph.traced(model, dc.ones((5, 4)), training=True)
    assert len(program.draws) == 1
    assert {program.inputs[i].name for _, i in program.updates} >= {"0.running_mean", "0.running_var"}
    program = graph.traced(model, dc.ones((5, 4)))
    assert not program.updates
    assert not program.draws


def test_an_error_leaves_everything_as_it_was() -> None:
    model = nn.Sequential(nn.Dense(4, 3), nn.Lambda(lambda x: x if x.sum() > 0 else -x))
    with pytest.raises(dc.CompileError, match=r"test_traced\.py:\d+"):
        graph.traced(model, dc.ones((5, 4)))
    assert model.training
    assert model(dc.ones((5, 4))).shape == (5, 3)


def test_results_and_arguments_have_names() -> None:
    def function(a: Any, rest: Any, *, b: Any) -> Any:
        return {"sum": a + rest["c"], "product": a * b, "number": 3}

    program = graph.traced(function, dc.ones(2), {"c": dc.ones(2)}, b=dc.ones(2))
    assert [value.name for value in program.inputs] == ["a", "rest.c", "b"]
    assert [value.name for value in program.outputs] == ["sum", "product"]


def test_arrays_of_other_libraries_are_inputs() -> None:
    program = graph.traced(lambda x: x + 1, np.ones(3, np.float32))
    assert [value.kind for value in program.inputs] == ["float32[3]"]


def test_calls_know_their_layer_and_line() -> None:
    class Mine(nn.Module):
        def __init__(self) -> None:
            self.inner = nn.Sequential(nn.Dense(4, 3), nn.Tanh())

        def forward(self, x: Any) -> Any:
            return self.inner(x) * 2.0

    program = graph.traced(Mine(), dc.ones((5, 4)))
    assert [call.layer for call in program.calls] == ["inner.0 (Dense)", "inner.1 (Tanh)", "Mine"]
    assert all("test_traced.py:" in call.where for call in program.calls)
    program = graph.expanded(graph.traced(nn.Sequential(nn.Dense(4, 2), nn.Mish()), dc.ones((5, 4))))
    assert {call.layer for call in program.calls} == {"0 (Dense)", "1 (Mish)"}


# ------------------------------------------------------------------------------------------------------------ expanded


def cases() -> Iterator[Any]:
    leaving = {"transfer", "unique_all", "unique_counts", "unique_inverse", "unique_values"}
    for name in sorted(registry):
        samples = registry[name].samples
        for k, sample in enumerate(samples[:1] if name.startswith("special.") else samples):
            if name not in leaving:
                yield pytest.param((registry[name], sample), id=f"{name}-{k}")


@pytest.mark.parametrize("case", list(cases()))
def test_an_expanded_program_computes_the_same(case: Case, device: Device, thrifty: bool) -> None:
    primitive, sample = case
    if thrifty:
        pytest.skip("the passes are the same on every device")
    operation: Any = primitive
    operands, parameters = sample_arguments(primitive, sample, device)
    arrays = [x for part in operands for x in (part if isinstance(part, list) else [part])]

    def function(*given: Any) -> Any:
        rest = iter(given)
        own = [[next(rest) for _ in part] if isinstance(part, list) else next(rest) for part in operands]
        result = operation(*own, **parameters)
        return tuple(result) if isinstance(result, tuple) else (result,)

    program = graph.expanded(graph.traced(function, *arrays))
    assert {call.operation for call in program.calls} & set(composites) <= {"getitem", "setitem"}
    for found, expected in zip(run(program, *arrays), function(*arrays), strict=True):
        assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "shapes",
    [
        *(((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4))),
        *(((5, 1, 2, 3), (4, 3, 6)), ((3,), (4, 3, 2)), ((4, 2, 3), (3,))),
        *(((2, 0), (0, 3)), ((0, 3), (3, 2)), ((0, 2, 3), (3, 4))),
    ],
)
def test_products_have_their_shapes_without_being_computed(shapes: tuple[tuple[int, ...], ...]) -> None:
    trace = Trace(dc.device("cpu"), of_shapes=True)
    a, b = (trace.input(trace.stand_in(shape, np.full((1,) * len(shape), 0.5))) for shape in shapes)
    found = trace.kernels["matmul"](a, b)
    assert found.shape == np.matmul(*map(np.zeros, shapes)).shape
    assert found.size < 2 or not any(found.array.strides)


def test_operations_to_keep_are_named_or_chosen() -> None:
    program = graph.traced(nn.Sequential(nn.SiLU(), nn.Mish()), dc.ones((2, 4)))
    found = [call.operation for call in graph.expanded(program, keep={"sigmoid", "mish"}).calls]
    assert found == ["sigmoid", "multiply", "mish"]
    found = [call.operation for call in graph.expanded(program, keep=lambda call: call.operation == "silu").calls]
    assert found[0] == "silu"
    assert "mish" not in found


def test_what_is_made_of_constants_is_a_constant() -> None:
    w = np.ones((4, 2), np.float32)
    program = graph.expanded(graph.traced(lambda x: x @ dc.silu(dc.asarray(w)), dc.ones((3, 4))))
    assert [call.operation for call in program.calls] == ["matmul"]
    assert len(program.constants) == 1


@composite()
def _itself(xp: Namespace, x: Array, /) -> Any:
    return x


@composite()
def _singular_at_one_half(xp: Namespace, x: Array, /) -> Any:
    return xp.log(x - 0.5)


# They are operations of this file alone: what is derived from all declarations does not see them.
for _operation in (_itself, _singular_at_one_half):
    registry.pop(_operation.name)


def test_a_body_may_return_what_it_is_given() -> None:
    program = graph.expanded(graph.traced(lambda x: _itself(x) * 2, dc.ones(3)))
    assert [call.operation for call in program.calls] == ["multiply"]
    program = graph.expanded(graph.traced(_itself, dc.ones(3)))
    assert program.outputs == program.inputs


def test_values_of_a_body_mean_nothing_and_do_not_warn() -> None:
    program = graph.expanded(graph.traced(_singular_at_one_half, dc.ones(3)))
    assert [call.operation for call in program.calls] == ["subtract", "log"]
