"""Compiled functions: the numbers, states and errors of the functions as they are written."""

from __future__ import annotations

import functools
import gc
import types
import warnings
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim
from deepcore.random import Generator

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._device import Device

    Make = Callable[[Any], optim.BaseOptimizer]


def half(step: int) -> float:
    return 0.05 * 0.5 ** (step // 2)


METHODS: dict[str, Make] = {
    "sgd": lambda p: optim.SGD(p, lr=0.02),
    "momentum": lambda p: optim.SGD(p, lr=0.02, momentum=0.9, dampening=0.2, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.05),
    "adam-schedule": lambda p: optim.Adam(p, lr=half),
    "adam-cosine": lambda p: optim.Adam(p, lr=optim.schedules.CosineDecay(0.1, 5)),
    "amsgrad": lambda p: optim.Adam(p, lr=0.05, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=0.05),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.01),
    "adadelta": lambda p: optim.Adadelta(p, lr=2.0),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.02, momentum=0.5, centered=True),
    "adamax": lambda p: optim.Adamax(p, lr=0.05),
    "nadam": lambda p: optim.NAdam(p, lr=0.05),
    "radam": lambda p: optim.RAdam(p, lr=0.05),
    "lion": lambda p: optim.Lion(p, lr=0.01, weight_decay=0.1),
    "lamb": lambda p: optim.LAMB(p, lr=0.05, weight_decay=0.01),
    "adafactor": lambda p: optim.Adafactor(p, lr=0.1, weight_decay=0.01),
    "muon": lambda p: optim.Optimizers(
        optim.Muon([q for q in p if q.ndim == 2], lr=0.05), optim.SGD([q for q in p if q.ndim == 1], lr=0.02)
    ),
    "accumulate": lambda p: optim.Accumulate(optim.Adam(p, lr=0.05), every=3),
    "optimizers": lambda p: optim.Optimizers(optim.Adam(list(p)[:1], lr=0.05), optim.SGD(list(p)[1:], lr=0.02)),
    "clipped": lambda p: optim.Optimizer(
        p, optim.chain(optim.clip_by_norm(0.1), optim.scale_by_adam(), optim.scale_by_learning_rate(0.1))
    ),
}


class Counter:
    """Something that has an attribute with the name of a function in this module, as optimizers have."""

    step = 2.0


COUNTER, WEIGHT, OTHER = Counter(), dc.asarray([1.0, 2.0, 3.0]), [dc.ones(5)]


@dc.compile
def step(x: dc.Tensor) -> dc.Tensor:
    return x * WEIGHT * COUNTER.step


class Net:
    """A model, what trains it, and a step."""

    def __init__(self, make: Make = METHODS["adam"], device: Any = "cpu") -> None:
        g = Generator(0)
        self.model = nn.Sequential(
            nn.Dense(6, 5, activation="tanh", generator=g),
            nn.Dropout(0.3, generator=Generator(1)),
            nn.Dense(5, 3, generator=g),
        ).to(device)
        self.optimizer = make(self.model.parameters())
        self.loss = nn.CategoricalCrossEntropy()

    def step(self, x: dc.Tensor, y: dc.Tensor) -> dc.Tensor:
        self.optimizer.zero_grad()
        loss: dc.Tensor = self.loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def state(self) -> dict[str, Any]:
        found = {**self.optimizer.state_dict(), **{f"p.{k}": v for k, v in self.model.state_dict().items()}}
        found |= {f"g.{k}": p.grad for k, p in self.model.named_parameters()}
        return {k: (v.numpy() if isinstance(v, dc.Tensor) else v) for k, v in found.items()}


def batch(n: int = 4, seed: int = 0, device: Any = "cpu") -> tuple[dc.Tensor, dc.Tensor]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6)).astype(np.float32)
    return dc.asarray(x, device=device), dc.asarray(rng.integers(0, 3, n), device=device)


@pytest.mark.parametrize("executor", ["numpy", "fast"], indirect=True)
@pytest.mark.parametrize("make", METHODS.values(), ids=METHODS)
def test_a_step_is_what_it_is_eagerly(make: Make, executor: str, alike: Callable[[Any, Any], None]) -> None:
    eager, other = Net(make), Net(make)
    compiled = dc.compile(other.step)
    for i in range(8 if executor == "numpy" else 3):  # rounding grows from step to step, and most with Muon
        x, y = batch(seed=i)
        alike(compiled(x, y), eager.step(x, y))
        alike(other.state(), eager.state())
    assert 1 <= sum(map(len, compiled.plans.values())) <= 4


def test_a_step_on_every_device(device: Device) -> None:
    eager, other = Net(device=device), Net(device=device)
    compiled = dc.compile(other.step)
    exact = device.backend.name != "jax"  # XLA computes several operations as one, and rounds once
    for i in range(4):
        x, y = batch(seed=i, device=device)
        assert compiled(x, y).item() == pytest.approx(eager.step(x, y).item(), rel=0 if exact else 1e-6)
    if exact:
        assert repr(other.state()) == repr(eager.state())
    for ours, theirs in zip(other.model.parameters(), eager.model.parameters(), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)
    assert len(compiled.plans) == 1


def test_shapes_modes_and_arguments_have_programs_of_their_own() -> None:
    eager, other = Net(), Net()
    compiled = dc.compile(other.step)
    for n in (4, 4, 4, 3, 4, 3):
        assert compiled(*batch(n)).item() == eager.step(*batch(n)).item()
    assert len(compiled.plans) == 2
    for net in (eager, other):
        net.model.eval()
    for _ in range(3):
        assert compiled(*batch()).item() == eager.step(*batch()).item()
    assert len(compiled.plans) == 3
    assert repr(other.state()) == repr(eager.state())


def test_trees_and_numbers_as_arguments() -> None:
    @dc.compile
    def f(values: dict[str, Any], power: int, *, scale: float = 1.0) -> tuple[dc.Tensor, dict[str, Any]]:
        return values["x"] ** power, {"sum": scale * (values["x"] + values["y"][0]), "power": power}

    x, y = dc.asarray([1.0, 2.0]), dc.asarray([3.0, 4.0])
    for power in (2, 3, 2):
        for scale in (1.0, 2.0):
            a, b = f({"x": x, "y": [y]}, power, scale=scale)
            assert a.tolist() == (x**power).tolist()
            assert b["sum"].tolist() == (scale * (x + y)).tolist()
            assert b["power"] == power
    assert len(f.plans) == 4
    assert f({"x": np.float64([1.0]), "y": [np.float64([2.0])]}, 2)[0].tolist() == [1.0]  # type: ignore[arg-type]


def test_eager_and_compiled_steps_take_turns() -> None:
    eager, other = Net(), Net()
    compiled = dc.compile(other.step)
    for i in range(9):
        step = other.step if i % 3 == 2 else compiled
        assert step(*batch(seed=i)).item() == eager.step(*batch(seed=i)).item()
    assert repr(other.state()) == repr(eager.state())


def test_the_first_step_after_a_state_was_loaded() -> None:
    eager, other = Net(), Net()
    eager.step(*batch())
    saved, draws = eager.optimizer.state_dict(), eager.model[1]._generator.draw  # type: ignore[attr-defined]
    other.model.load_state_dict(eager.model.state_dict())
    other.optimizer.load_state_dict(saved)
    other.model[1]._generator.draw = draws  # type: ignore[attr-defined]
    compiled = dc.compile(other.step)
    for i in range(3):
        assert compiled(*batch(seed=i)).item() == eager.step(*batch(seed=i)).item()
    assert repr(other.state()) == repr(eager.state())


def test_what_is_set_between_steps_counts() -> None:
    eager, other = Net(), Net()
    compiled = dc.compile(other.step)
    for i in range(6):
        assert compiled(*batch()).item() == eager.step(*batch()).item()
        for net in (eager, other):
            if i == 2:
                net.optimizer.lr = 0.01
            if i == 3:
                net.model.load_state_dict({k: np.ones(v.shape) for k, v in net.model.state_dict().items()})
            if i == 4:
                net.model[0].freeze()
    assert repr(other.state()) == repr(eager.state())


def test_parameters_that_are_held_keep_their_values() -> None:
    net = Net()
    compiled = dc.compile(net.step)
    weight = net.model.parameters()[0]
    held, seen = [], []
    for _ in range(6):
        compiled(*batch())
        assert weight.grad is not None
        held.append((weight.detach(), weight.grad, weight.numpy()))
        seen.append((weight.tolist(), weight.grad.tolist(), weight.tolist()))
    assert [tuple(x.tolist() for x in values) for values in held] == seen


def addresses(model: nn.Module) -> list[int]:
    return [p._data.__array_interface__["data"][0] for p in model.parameters()]


@pytest.mark.parametrize("executor", ["numpy", "fast"], indirect=True)
@pytest.mark.usefixtures("executor")
def test_functions_that_share_parameters_take_turns_in_the_same_memory() -> None:
    net = Net(lambda p: optim.Adam(p, lr=0.05))
    first, x, labels = net.model[0], *batch(6)
    step, predict = dc.compile(net.step), dc.compile(lambda x: first(x).detach())
    for _ in range(3):
        step(x, labels)
        predict(x)
    places = addresses(net.model)
    for _ in range(3):
        step(x, labels)
        y = predict(x)
        assert addresses(net.model) == places
        np.testing.assert_allclose(y.numpy(), first(x).detach().numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("executor", ["numpy", "fast"], indirect=True)
@pytest.mark.usefixtures("executor")
def test_parameters_that_are_only_read_may_be_other_arrays_in_each_call() -> None:
    layer = nn.Dense(3, 4)
    layer.weight.requires_grad = False
    bias = np.ones(4, np.float32)
    layer.load_state_dict({"weight": layer.weight, "bias": dc.asarray(bias)})
    predict = dc.compile(lambda x: layer(x).detach())
    x = dc.asarray(np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32))
    arrays = [np.full((3, 4), float(i), np.float32) for i in range(4)]
    arrays += [np.full((4, 3), 7.0, np.float32).T, np.arange(24.0, dtype=np.float32).reshape(3, 8)[:, ::2]]
    for array in [*arrays, *reversed(arrays)]:
        layer.weight._data = array
        np.testing.assert_allclose(predict(x).numpy(), x.numpy() @ array + bias, rtol=1e-5, atol=1e-5)
        np.add(array, 1.0, out=array)  # in the same place
        np.testing.assert_allclose(predict(x).numpy(), x.numpy() @ array + bias, rtol=1e-5, atol=1e-5)


def test_averages_and_buffers_are_state() -> None:
    def run(wrap: Callable[[Any], Any]) -> tuple[Any, Any, float]:
        net = Net()
        net.model.seen = dc.zeros(())  # type: ignore[attr-defined]
        average = optim.ExponentialMovingAverage(net.model, decay=0.5)

        def step(x: dc.Tensor, y: dc.Tensor) -> dc.Tensor:
            loss = net.step(x, y)
            average.update()
            net.model.seen._rebind(net.model.seen + loss)  # type: ignore[attr-defined]
            return loss

        step = wrap(step)
        for i in range(5):
            step(*batch(seed=i))
        return [a.tolist() for a in average.averages], average.updates, net.model.seen.item()  # type: ignore[attr-defined]

    assert run(dc.compile) == run(lambda f: f)


def test_random_numbers_are_those_of_the_generator() -> None:
    g, h = Generator(3), Generator(3)

    def draws(g: Generator) -> list[dc.Tensor]:
        kinds: list[Any] = [g.uniform, g.normal, functools.partial(g.integers, 9), functools.partial(g.choice, 5)]
        return [kind(shape=(3,)) * dc.ones(3) for kind in kinds] + [g.permutation(dc.asarray([1.0, 2.0, 3.0]))]

    compiled = dc.compile(lambda: draws(g))
    for _ in range(4):
        assert [x.tolist() for x in compiled()] == [x.tolist() for x in draws(h)]
    assert g.draw == h.draw
    assert len(compiled.plans) == 1


def test_recomputation_and_higher_derivatives() -> None:
    net = Net()

    def penalty(x: dc.Tensor) -> dc.Tensor:
        remade = dc.remat(lambda x: net.model(x))
        return dc.grad(lambda x: (remade(x) ** 2).sum())(x)

    other = Net()
    compiled = dc.compile(lambda x: (penalty(x) ** 2).sum().detach())
    x = batch()[0]
    values = [compiled(x).item() for _ in range(3)]
    net.model[1]._generator.draw = 0  # type: ignore[attr-defined]
    assert values == [(penalty(x) ** 2).sum().item() for _ in range(3)]
    del other


def test_a_condition_on_values_names_the_line() -> None:
    @dc.compile
    def f(x: dc.Tensor) -> dc.Tensor:
        if x.sum() > 0:  # the line
            return x
        return -x

    line = f.function.__code__.co_firstlineno + 2
    with pytest.raises(dc.CompileError, match=rf"values of an array are asked for.* at .*test_compiled.py:{line}:"):
        f(dc.ones(2))
    asks: list[Callable[[dc.Tensor], Any]] = [
        lambda x: float(x.sum()),
        lambda x: x.sum().item(),
        lambda x: x.numpy(),
        lambda x: x.tolist(),
        lambda x: x[x > 0],
        dc.nonzero,
        dc.unique_values,
    ]
    for ask in asks:
        with pytest.raises(dc.CompileError, match="value"):
            dc.compile(ask)(dc.ones(2))


def test_a_function_that_cannot_be_compiled_runs_as_it_is_written_if_asked() -> None:
    @dc.compile(fallback=True)
    def f(x: dc.Tensor) -> dc.Tensor:
        return x if x.sum() > 0 else -x

    with pytest.warns(RuntimeWarning, match="cannot be compiled, and runs as it is written"):
        assert f(dc.ones(2)).tolist() == [1.0, 1.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f(-dc.ones(2)).tolist() == [1.0, 1.0]


def test_a_failing_function_leaves_everything_as_it_was() -> None:
    net = Net()

    def step(x: dc.Tensor, y: dc.Tensor) -> dc.Tensor:
        loss = net.step(x, y)
        if loss > 0:
            return loss
        return -loss

    net.step(*batch())
    before = {k: np.asarray(v).tobytes() for k, v in net.state().items()}
    for _ in range(2):
        with pytest.raises(dc.CompileError):
            dc.compile(step)(*batch())
        assert {k: np.asarray(v).tobytes() for k, v in net.state().items()} == before
    assert net.optimizer.iteration == 1  # type: ignore[attr-defined]
    net.step(*batch())


def test_a_graph_that_would_be_lost_is_refused() -> None:
    model = nn.Dense(6, 2)
    compiled = dc.compile(model)
    with pytest.raises(dc.CompileError, match=r"the result of a compiled function has no graph"):
        compiled(batch()[0])
    with dc.no_grad():
        values = [compiled(batch(seed=i)[0]).tolist() for i in range(3)]
        assert values == [model(batch(seed=i)[0]).tolist() for i in range(3)]


def test_state_that_cannot_be_seen_is_named_or_refused() -> None:
    drawer = types.ModuleType("drawer")  # what modules hold is not looked through

    def step(x: dc.Tensor) -> dc.Tensor:
        vars(drawer)["kept"] = x + 1
        return x

    with pytest.raises(dc.CompileError, match=r"are held by something .* state="):
        dc.compile(step)(dc.ones(2))


def test_random_words_that_become_constants_are_refused() -> None:
    g = Generator(0)
    with pytest.raises(dc.CompileError, match="random words are used on the host"):
        dc.compile(lambda x: x * g.spawn(1)[0].seed)(dc.ones(2))
    with pytest.raises(dc.CompileError, match="fold_in"):
        dc.compile(lambda x: x + g.fold_in(1).uniform())(dc.ones(2))


def test_a_program_reads_like_the_computation() -> None:
    @dc.compile
    def f(x: dc.Tensor) -> dc.Tensor:
        y = dc.exp(x)
        _ = dc.sin(x)  # not used, and not in the program
        return y[1:] * 2.0

    f(dc.ones(3))
    assert str(f.graph).splitlines() == [
        "input %0: float32[3]",
        "%1: float32[3] = exp(%0)",
        "%2: float32[2] = getitem(%1, key=1:)",
        "%3: float32[2] = multiply(%2, 2.0)",
        "return %3",
    ]
    with pytest.raises(dc.CompileError, match="has not been called yet"):
        _ = dc.compile(Net().step).graph


def test_compiled_functions_nest() -> None:
    inner = dc.compile(lambda x: dc.exp(x))
    outer = dc.compile(lambda x: inner(x) + 1.0)
    for _ in range(3):
        assert outer(dc.zeros(2)).tolist() == [2.0, 2.0]
    assert not inner.plans


def test_what_a_function_does_not_name_is_no_state_of_it() -> None:
    """It names itself, as `optimizer.step()` in a function `step` does, and knows where it found its state last."""
    for n in (3, 3, 1, 1):  # recorded anew while another program is known
        np.testing.assert_allclose(step(dc.ones(n)).numpy(), [2.0, 4.0, 6.0])
        assert [x.shape for x in step.graph.inputs] == [(3,), (n,)]
    assert len(OTHER) == 1


def test_a_function_that_calls_another_has_its_state() -> None:
    weight = dc.asarray([2.0])
    inner = dc.compile(lambda x: x * weight)
    inner(dc.ones(1))
    outer = dc.compile(lambda x: inner(x) + 1.0)
    assert outer(dc.ones(1)).numpy().tolist() == [3.0]
    weight[0] = 5.0
    assert outer(dc.ones(1)).numpy().tolist() == [6.0]
    assert sum(map(len, outer.plans.values())) == 1


@pytest.mark.parametrize("executor", ["numpy", "fast"], indirect=True)
@pytest.mark.usefixtures("executor")
def test_arrays_are_made_once_and_are_gone_with_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is, no cycle of objects keeps them until Python looks for such."""
    device = dc.device("cpu")
    moves: list[Any] = []
    made: Any = type(device.backend).executor

    def executor(self: Any, program: Any) -> Any:
        run = made(self, program)
        monkeypatch.setattr(run, "move", partial(moves.append, program))
        return run

    monkeypatch.setattr(type(device.backend), "executor", executor)
    total = dc.zeros(4, device=device)

    def add(x: dc.Tensor) -> None:
        total[...] = total + x

    gc.disable()
    try:
        compiled = dc.compile(add)
        for _ in range(4):
            compiled(dc.ones(4, device=device))
        assert not moves
        kept = [weakref.ref(array) for found in compiled.plans.values() for plan in found for array in plan.run.kept]
        assert kept
        monkeypatch.undo()
        compiled.plans.clear()
        compiled._last = compiled._known = None
        total = dc.zeros(4, device=device)
        assert [array() for array in kept] == [None] * len(kept)
    finally:
        gc.enable()


class Elsewhere:
    def WEIGHT(self) -> float:
        return 3.0


def test_an_attribute_is_not_a_global_variable_of_that_name() -> None:
    elsewhere = Elsewhere()
    compiled = dc.compile(lambda x: x * elsewhere.WEIGHT())
    for _ in range(3):
        assert compiled(dc.ones(2)).tolist() == [3.0, 3.0]
    assert not compiled.graph.n_state


def test_a_tensor_of_another_library_is_named(device: Device) -> None:
    if device.backend.name == "numpy":
        pytest.skip("NumPy is the other library")
    model = {"weight": dc.ones(3, device="cpu")}
    with pytest.raises(dc.CompileError, match="refers to a tensor weight on cpu, and computes on"):
        dc.compile(lambda x: x * len(model))(dc.ones(3, device=device))
