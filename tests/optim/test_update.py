"""Steps that run as programs: the same bits as steps that are computed one operation after another."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

import deepcore as dc
from deepcore import optim
from deepcore.optim import _update

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore.optim import Optimizer

    Make = Callable[[list[dc.Tensor]], Optimizer]

SHAPES = [(3, 5), (7,), (), (0,), (2, 1, 4)]
NEVER = 10**9

METHODS: dict[str, Make] = {
    "Adadelta": lambda p: optim.Adadelta(p, weight_decay=0.1),
    "Adagrad": lambda p: optim.Adagrad(p, lr_decay=0.1),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "Adam, penalty": lambda p: optim.Adam(p, lr=0.01, weight_decay=0.1),
    "AMSGrad": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "Adamax": lambda p: optim.Adamax(p, lr=0.01),
    "Lion": lambda p: optim.Lion(p, lr=0.01),
    "NAdam": lambda p: optim.NAdam(p, lr=0.01),
    "RAdam": lambda p: optim.RAdam(p, lr=0.01),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "SGD": lambda p: optim.SGD(p, lr=0.01),
    "SGD, momentum": lambda p: optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1),
    "schedule": lambda p: optim.SGD(p, lr=lambda step: 0.1 / (1 + step)),
    "clipped": lambda p: optim.Optimizer(p, optim.chain(optim.clip_by_value(0.5), optim.scale_by_learning_rate(0.1))),
}


@pytest.fixture(autouse=True, params=["numpy", "machine code"])
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs programs."""
    if request.param != "numpy":
        pytest.importorskip("llvmlite", reason="llvmlite is not installed")
    monkeypatch.setenv("DEEPCORE_FAST", "0" if request.param == "numpy" else "1")


def begun(dtype: dc.DType = dc.float32) -> list[dc.Tensor]:
    rng = np.random.default_rng(0)
    return [dc.asarray(rng.normal(size=s), dtype=dtype, device="cpu", requires_grad=True) for s in SHAPES]


def give_gradients(parameters: list[dc.Tensor], i: int) -> None:
    rng = np.random.default_rng(i)
    for p in parameters:
        p.grad = dc.asarray(rng.normal(size=p.shape), dtype=p.dtype, device="cpu")


def after(
    warm: int,
    monkeypatch: pytest.MonkeyPatch,
    make: Make,
    between: Callable[[Optimizer, list[dc.Tensor], int], Any] = lambda *_: None,
    dtype: dc.DType = dc.float32,
) -> tuple[Any, int]:
    """Return all bits after some steps, and how many of them were runs of a program."""
    monkeypatch.setattr(_update, "WARM", warm)
    runs: list[int] = []
    run = _update._Recorded.run

    def counted(self: _update._Recorded) -> None:
        runs.append(1)
        run(self)

    monkeypatch.setattr(_update._Recorded, "run", counted)
    parameters = begun(dtype)
    optimizer = make(parameters)
    for i in range(6):
        give_gradients(parameters, i)
        changed = between(optimizer, parameters, i)
        optimizer = optimizer if changed is None else changed
        parameters = optimizer.parameters
        if changed is not None:
            give_gradients(parameters, i)
        optimizer.step()
    monkeypatch.setattr(_update._Recorded, "run", run)
    state = [x.numpy().tobytes() if isinstance(x, dc.Tensor) else x for own in optimizer.state for x in own.values()]
    return [[p.numpy().tobytes() for p in parameters], state, optimizer.steps], len(runs)


def same_bits(monkeypatch: pytest.MonkeyPatch, make: Make, *how: Any, **more: Any) -> int:
    expected, none = after(NEVER, monkeypatch, make, *how, **more)
    actual, runs = after(1, monkeypatch, make, *how, **more)
    assert actual == expected
    assert none == 0
    return runs


@pytest.mark.parametrize("dtype", [dc.float32, dc.float64, dc.float16], ids=str)
@pytest.mark.parametrize("make", METHODS.values(), ids=METHODS)
def test_programs_give_the_same_bits(make: Make, dtype: dc.DType, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = same_bits(monkeypatch, make, dtype=dtype)
    assert runs == 5 or (runs == 4 and isinstance(make(begun()), optim.RAdam))  # whose first steps are others


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.LAMB(p),
        lambda p: optim.Optimizer(p, optim.chain(optim.clip_by_norm(1.0), optim.scale_by_learning_rate(0.1))),
    ],
    ids=["LAMB", "clip_by_norm"],
)
def test_sums_could_be_rounded_in_another_way_and_stay_as_they_are(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    assert same_bits(monkeypatch, make) == 0


def test_nothing_is_recorded_in_the_first_steps() -> None:
    parameters = begun()
    optimizer = optim.SGD(parameters)
    for i in range(_update.WARM):
        give_gradients(parameters, i)
        optimizer.step()
        assert optimizer.groups[0]._update._recorded is None
    optimizer.step()
    assert optimizer.groups[0]._update._recorded is not None


def test_transforms_of_others_are_called_in_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    @dataclass(frozen=True)
    class Noted(optim.Transform):
        def update(self, updates: Any, state: Any, parameters: Any, step: Any) -> Any:
            calls.append(step.count)
            return updates, state

    chain = optim.chain(Noted(), optim.scale_by_learning_rate(0.1))
    assert same_bits(monkeypatch, lambda p: optim.Optimizer(p, chain)) == 0
    assert calls == [1, 2, 3, 4, 5, 6] * 2


def test_rates_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    def between(optimizer: Optimizer, parameters: list[dc.Tensor], i: int) -> None:
        rates: list[Any] = [0.1, 0.2, 0.3, lambda step: 1.0 / (1 + step), lambda step: 0.5 / (1 + step), 0.7]
        optimizer.lr = rates[i]

    assert same_bits(monkeypatch, METHODS["Adam"], between) == 2  # every schedule is another program
    assert same_bits(monkeypatch, METHODS["Adam"], lambda o, _, i: setattr(o, "lr", i / 10)) == 5


def test_transforms_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    def between(optimizer: Optimizer, parameters: list[dc.Tensor], i: int) -> None:
        if i == 3:
            optimizer.groups[0].transform = optim.chain(optim.add_sign(0.1), optim.scale_by_learning_rate(0.1))

    plain = optim.chain(optim.clip_by_value(0.5), optim.scale_by_learning_rate(0.1))
    assert same_bits(monkeypatch, lambda p: optim.Optimizer(p, plain), between) > 0


def test_parameters_may_be_set_frozen_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def between(optimizer: Optimizer, parameters: list[dc.Tensor], i: int) -> None:
        if i == 2:
            with dc.no_grad():
                parameters[0][1, ...] = 0.5
        if i == 4:
            parameters[1].grad = None

    assert same_bits(monkeypatch, METHODS["AMSGrad"], between) == 3


def test_states_can_be_loaded_and_optimizers_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(optimizer: Optimizer, parameters: list[dc.Tensor], i: int) -> None:
        if i == 3:
            optimizer.load_state_dict(optimizer.state_dict())

    assert same_bits(monkeypatch, METHODS["NAdam"], load) == 4
    for how in (copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        assert same_bits(monkeypatch, METHODS["Adam"], lambda o, _, i, how=how: how(o) if i == 3 else None) >= 3


HOLDERS: dict[str, Callable[[dc.Tensor], Any]] = {
    "tensor": lambda p: p.detach(),
    "view": lambda p: p.detach()[1:],
    "array": lambda p: p.detach().numpy(),
    "memory": lambda p: memoryview(cast("Any", p.detach().numpy())),
    "library": lambda p: np.from_dlpack(cast("Any", p.detach())),
}


def running(monkeypatch: pytest.MonkeyPatch) -> tuple[Optimizer, list[dc.Tensor]]:
    """Return an optimizer whose steps are runs of a program."""
    monkeypatch.setattr(_update, "WARM", 1)
    parameters = begun()
    optimizer = optim.Adam(parameters, lr=0.1)
    for i in range(4):
        give_gradients(parameters, i)
        optimizer.step()
    assert optimizer.groups[0]._update._recorded is not None
    return optimizer, parameters


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
def test_what_somebody_holds_stays_as_it_is(hold: Callable[[dc.Tensor], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer, parameters = running(monkeypatch)
    held = hold(parameters[0])
    before = np.array(parameters[0].numpy())
    for i in range(6):  # it is given up, and recorded again
        give_gradients(parameters, i)
        optimizer.step()
    assert optimizer.groups[0]._update._recorded is not None
    assert not np.array_equal(parameters[0].numpy(), before)
    np.testing.assert_array_equal(np.asarray(held), before[-len(held) :])


def test_a_graph_keeps_the_parameters_that_it_was_recorded_with(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer, parameters = running(monkeypatch)
    before = np.array(parameters[0].numpy())
    y = (parameters[0] * parameters[0]).sum()
    for i in range(3):
        give_gradients(parameters, i)
        optimizer.step()
    optimizer.zero_grad()
    y.backward()
    assert parameters[0].grad is not None
    np.testing.assert_array_equal(parameters[0].grad.numpy(), 2 * before)


def test_who_is_always_held_tries_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_update, "WARM", 1)
    recorded: list[int] = []
    record = _update.Update._record

    def counted(self: _update.Update) -> None:
        recorded.append(optimizer.iteration)
        record(self)

    monkeypatch.setattr(_update.Update, "_record", counted)
    parameters = begun()
    optimizer = optim.SGD(parameters, lr=0.1)
    held: list[dc.Tensor] = []
    for i in range(40):
        give_gradients(parameters, i)
        optimizer.step()
        held = [p.detach() for p in parameters]
    assert held
    assert recorded == [1, 5, 11, 21, 39]


def test_within_a_compiled_step_it_is_part_of_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_update, "WARM", 1)
    one, two = begun()[:2], begun()[:2]
    eager, both = optim.Adam(one, lr=0.1), optim.Adam(two, lr=0.1)

    def step(x: dc.Tensor) -> None:
        both.zero_grad()
        sum([(x * p * p).sum() for p in two], start=dc.asarray(0.0, device="cpu")).backward()
        both.step()

    compiled = dc.compile(step)
    x = dc.asarray(2.0, device="cpu")
    for i in range(8):
        eager.zero_grad()
        sum([(x * p * p).sum() for p in one], start=dc.asarray(0.0, device="cpu")).backward()
        eager.step()
        (compiled if i in (1, 4, 5, 7) else step)(x)
    for p, q in zip(one, two, strict=True):
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-6, atol=1e-6)
