"""Compiled functions that share models and optimizers, with whatever is done between their calls.

Two worlds have the same history: in one every function is compiled, in the other none. They stay alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deepcore as dc
from deepcore import nn, optim
from deepcore.random import Generator

Step = Callable[[dc.Tensor], dc.Tensor]

WIDTH = 3


class Scaled(nn.Module):
    """A layer whose parameters have every number of axes, and one of which has no elements."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.inner = nn.Dense(WIDTH, WIDTH, activation="tanh", generator=generator)
        self.dropout = nn.Dropout(0.25, generator=Generator(7))
        self.scale = nn.Parameter(dc.asarray(1.5))
        self.empty = nn.Parameter(dc.zeros((0,)))
        self.shifts: dict[str, dc.Tensor] = {"one": dc.full((WIDTH,), 0.125)}

    def forward(self, x: dc.Tensor) -> dc.Tensor:
        y: dc.Tensor = self.dropout(self.inner(x)) * self.scale + self.empty.sum()
        for shift in self.shifts.values():
            y = y + shift
        return y


def halved(step: int) -> float:
    return 0.1 * 0.5 ** (step // 3)


class World:
    """Two models, what trains them, and functions that use them."""

    def __init__(self, wrap: Callable[[Any], Any]) -> None:
        self.models = [Scaled(Generator(0)), Scaled(Generator(1))]
        self.optimizers: list[Any] = [
            optim.Adam(self.models[0].parameters(), lr=0.05, eps=0.1),
            optim.SGD(self.models[1].parameters(), lr=0.05, momentum=0.9),
        ]
        self.average = optim.ExponentialMovingAverage(self.models[0], decay=0.5)
        self.plain: dict[str, Step] = {
            "first": self.step(0, lambda x: (self.models[0](x) ** 2).mean()),
            "first otherwise": self.step(0, lambda x: dc.abs(self.models[0](x) - 0.5).sum(axis=1).mean()),
            "second": self.step(1, lambda x: (self.models[1](x) * x).mean()),
            "second through first": self.step(1, lambda x: (self.models[0](self.models[1](x)) ** 2).mean()),
            "both in turns": self.in_turns,
            "accumulate": self.accumulate,
            "predict": self.predict,
            "average": self.averaged,
        }
        self.functions = {name: wrap(function) for name, function in self.plain.items()}
        self.kinds: list[Any] = [*self.models, *self.optimizers, self.average]
        self.saved: dict[int, Any] = {}
        self.held: list[tuple[dc.Tensor, Any]] = []

    def step(self, which: int, loss: Step) -> Step:
        optimizer = self.optimizers[which]

        def step(x: dc.Tensor) -> dc.Tensor:
            optimizer.zero_grad()
            value = loss(x)
            value.backward()
            optimizer.step()
            return value.detach()

        return step

    def in_turns(self, x: dc.Tensor) -> dc.Tensor:
        """The step of a generative adversarial network: each model through the other."""
        first, second = self.models
        total = dc.zeros(())
        for optimizer, sign in zip(self.optimizers, (1.0, -1.0), strict=True):
            for each in self.optimizers:
                each.zero_grad()
            value = sign * (second(first(x)) * x).mean()
            value.backward()
            optimizer.step()
            total = total + value.detach()
        return total

    def accumulate(self, x: dc.Tensor) -> dc.Tensor:
        value = (self.models[0](x) * self.models[1](x)).mean()
        value.backward()
        return value.detach()

    def predict(self, x: dc.Tensor) -> dc.Tensor:
        with dc.no_grad():
            y: dc.Tensor = self.models[0](x)
        return y

    def averaged(self, x: dc.Tensor) -> dc.Tensor:
        value = self.plain["first"](x)
        self.average.update()
        return value

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = {"average": self.average.state_dict()}
        for i, (model, optimizer) in enumerate(zip(self.models, self.optimizers, strict=True)):
            found |= {f"{i}.{k}": v for k, v in {**model.state_dict(), **optimizer.state_dict()}.items()}
            found |= {f"{i}.{k}.grad": p.grad for k, p in model.named_parameters()}
        return {k: host(v) for k, v in found.items()}


def host(x: Any) -> Any:
    if isinstance(x, dict):
        return {k: host(v) for k, v in x.items()}
    return x.numpy().copy() if isinstance(x, dc.Tensor) else x


Change = Callable[[World], object]
Event = tuple[str, str, int, int, bool]


def freeze(world: World, which: int, *, frozen: bool) -> None:
    world.models[which].inner.weight.requires_grad = not frozen


def replace(world: World, which: int, name: str) -> None:
    setattr(world.models[which], name, nn.Parameter(dc.full(getattr(world.models[which], name).shape, 0.75)))


def add_another(world: World, which: int) -> None:
    world.models[which].shifts["another"] = dc.full((WIDTH,), 0.25)


def remove_another(world: World, which: int) -> None:
    world.models[which].shifts.pop("another", None)


def set_values(world: World, which: int) -> None:
    with dc.no_grad():
        bias = world.models[which].inner.bias
        assert bias is not None
        bias[...] = 0.25


def set_rate(world: World, which: int, rate: Any) -> None:
    world.optimizers[which].lr = rate


def keep(world: World, what: int) -> None:
    world.saved[what] = world.kinds[what].state_dict()


def load(world: World, what: int) -> None:
    if what in world.saved:
        world.kinds[what].load_state_dict(world.saved[what])


def swapped(world: World) -> None:
    with world.average.swap():
        world.functions["predict"](dc.ones((2, WIDTH)))


def backward(world: World) -> None:
    world.plain["accumulate"](dc.ones((2, WIDTH)))


def hold(world: World, which: int) -> None:
    """Let somebody keep arrays, to which nothing may write from then on."""
    model = world.models[which]
    tensors = [model.inner.weight.detach(), model.scale.detach(), *[p.grad for p in model.parameters()]]
    world.held += [(x, host(x)) for x in tensors if x is not None]


def nothing(world: World) -> None:
    """Change nothing."""


OF_ONE: Final[dict[str, Callable[..., object]]] = {
    "freeze": partial(freeze, frozen=True),
    "unfreeze": partial(freeze, frozen=False),
    "replace a number": partial(replace, name="scale"),
    "replace an array": partial(replace, name="empty"),
    "set values": set_values,
    "add a tensor": add_another,
    "remove a tensor": remove_another,
    "a schedule": partial(set_rate, rate=halved),
    "another schedule": partial(set_rate, rate=optim.schedules.ExponentialDecay(0.1, 0.5)),
    "a rate": partial(set_rate, rate=0.02),
    "hold": hold,
    "train": lambda world, which: world.models[which].train(),
    "evaluate": lambda world, which: world.models[which].eval(),
    "no gradients": lambda world, which: world.models[which].zero_grad(),
}
CHANGES: Final[dict[str, Change]] = {
    "nothing": nothing,
    "an average is swapped in": swapped,
    "an average is updated": lambda world: world.average.update(),
    "gradients are added": backward,
    **{f"{name} {i}": partial(change, which=i) for i in (0, 1) for name, change in OF_ONE.items()},
    **{f"save {i}": partial(keep, what=i) for i in range(5)},
    **{f"load {i}": partial(load, what=i) for i in range(5)},
}
FUNCTIONS: Final = tuple(World(lambda f: f).plain)
OFTEN: Final = ["nothing", "hold 0", "hold 1"] * 3


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Draw what is changed, what is called then, with how many rows, how often, and whether first as it is written."""
    names = draw(st.lists(st.sampled_from(FUNCTIONS), min_size=1, max_size=3, unique=True))
    event = st.tuples(
        st.sampled_from([*OFTEN, *CHANGES]),
        st.sampled_from(names),
        st.sampled_from([5, 5, 3]),
        st.integers(1, 4),
        st.booleans(),
    )
    return draw(st.lists(event, min_size=4, max_size=9))


@pytest.mark.parametrize("executor", ["numpy", "fast"], indirect=True)
def test_histories(executor: str, alike: Callable[[Any, Any], None]) -> None:
    @settings(max_examples=20 if executor == "numpy" else 6)
    @given(histories())
    def live(events: list[Event]) -> None:
        _live(events, alike)

    live()


STEPS: Final[list[Event]] = [("nothing", "first", 5, 3, False)]
EXAMPLES: Final[dict[str, list[Event]]] = {
    "a layer is frozen": [*STEPS, ("freeze 0", "first", 5, 3, False), ("unfreeze 0", "first", 5, 3, False)],
    "a dictionary gets another tensor": [*STEPS, ("add a tensor 0", "first", 5, 3, False)],
    "a dictionary loses a tensor": [
        ("add a tensor 0", "first", 5, 3, False),
        ("remove a tensor 0", "first", 5, 3, False),
    ],
    "two shapes": [*STEPS, ("nothing", "first", 3, 3, False)] * 2,
    "arrays are held": [*STEPS, ("hold 0", "predict", 5, 3, False), ("hold 0", "first", 5, 3, False)] * 2,
    "a rate, two schedules and a rate": [
        *STEPS,
        *[(f"{rate} 0", "first", 5, 2, False) for rate in ("a rate", "a schedule", "another schedule", "a rate")],
    ],
    "models of two functions": [("nothing", name, 5, 3, False) for name in ("both in turns", "second", "first")] * 2,
    "the average is swapped in": [
        ("nothing", "average", 5, 3, False),
        ("an average is swapped in", "average", 5, 3, True),
    ],
    "gradients from elsewhere": [("gradients are added", "accumulate", 5, 3, False)] * 2,
}


@pytest.mark.parametrize("executor", ["numpy", "fast"], indirect=True)
@pytest.mark.parametrize("events", EXAMPLES.values(), ids=EXAMPLES)
@pytest.mark.usefixtures("executor")
def test_a_history(events: list[Event], alike: Callable[[Any, Any], None]) -> None:
    _live(events, alike)


def _live(events: list[Event], alike: Callable[[Any, Any], None]) -> None:
    """Have a history in both worlds, and compare them after every call."""
    worlds = ours, theirs = World(dc.compile), World(lambda f: f)
    calls = itertools.count()
    for change, name, size, times, is_plain in events:
        for world in worlds:
            CHANGES[change](world)
        for k in range(times):
            x = dc.asarray(np.random.default_rng(next(calls)).normal(size=(size, WIDTH)).astype(np.float32))
            function = (ours.plain if is_plain and not k else ours.functions)[name]
            alike(host(function(x)), host(theirs.plain[name](x)))
            alike(ours.state(), theirs.state())
            for tensor, values in ours.held:
                np.testing.assert_array_equal(host(tensor), values)
