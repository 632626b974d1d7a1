"""Optimizers: parameters in groups, the transforms of each group, and steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .._errors import ConfigError
from .._tape import enable_grad
from ..graph._slots import AttributeSlot
from ._base import BaseOptimizer
from ._check import check_rate
from ._group import Group
from ._parameters import sorted_into_groups
from ._state import copied, named, number, restored
from .schedules import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .._tensor import Tensor
    from ..graph._slots import Slot
    from ._parameters import Parameters
    from ._transform import Rate, Transform


class Optimizer(BaseOptimizer):
    """Parameters, and the transforms that move them.

    Every method of this package is an ``Optimizer`` with a transform of its own; a chain that is put together by hand
    makes a new one. Parameters of the same group, data type and device are updated as one long vector.

    A parameter without a gradient, and a frozen one, stays as it is and remembers what it remembered. Parameters may be
    moved to another device, and set, between steps.

    Parameters
    ----------
    parameters
        The tensors to learn, usually ``model.parameters()``; pairs of a name and a tensor, as
        ``model.named_parameters()`` yields, whose names are then those in the state; or groups, which are dictionaries
        with the tensors under ``"params"`` and options that differ from those of the other groups. In groups for this
        class itself the transform may differ, under ``"transform"``.
    transform
        How they are moved.

    Attributes
    ----------
    groups
        The groups. ``optimizer.groups[0].lr`` is the learning rate of the first one.
    iteration
        The number of steps taken.

    Raises
    ------
    ConfigError
        If there are no parameters, one is in two groups, or an option is outside of what is allowed.
    DTypeError
        If a parameter is not real floating-point.

    Examples
    --------
    Two layers, each with a method of its own:

    >>> from deepcore import nn, optim
    >>> model = nn.Sequential(nn.Dense(4, 3, activation="relu"), nn.Dense(3, 2))
    >>> hidden, last = model.layers[0], model.layers[1]
    >>> momentum = optim.chain(optim.scale_by_momentum(0.9), optim.scale_by_learning_rate(0.1))
    >>> plain = optim.scale_by_learning_rate(0.01)
    >>> optimizer = optim.Optimizer(
    ...     [{"params": hidden.parameters(), "transform": momentum}, {"params": last.parameters()}], plain
    ... )
    >>> [group.lr for group in optimizer.groups]
    [0.1, 0.01]
    """

    def __init__(self, parameters: Parameters, transform: Transform) -> None:
        self._build(parameters, _given, {"transform": transform})

    def _build(self, parameters: Parameters, make_transform: Callable[..., Transform], options: dict[str, Any]) -> None:
        """Make the groups. A method calls this instead of the initializer above, with what makes its transform."""
        method = type(self).__name__
        self.groups: list[Group] = []
        self._names: list[str] = []
        for tensors, own in sorted_into_groups(method, parameters):
            unknown = own.keys() - options.keys()
            if unknown:
                msg = f"{method}: a group has no option {min(unknown)!r}; the options are {', '.join(options)}"
                raise ConfigError(msg)
            try:
                transform = make_transform(**{**options, **own})
            except ConfigError as error:
                msg = f"{method}: {error}"
                raise ConfigError(msg) from None
            self.groups.append(Group(list(tensors.values()), transform))
            self._names += tensors
        self.iteration = 0

    # -------------------------------------------------------------------------------------------------- parameters

    @property
    def parameters(self) -> list[Tensor]:
        """The tensors to learn."""
        return [p for group in self.groups for p in group.parameters]

    @property
    def lr(self) -> float:
        """The learning rate of the next step, of the first group that has one. Setting it sets that of all groups."""
        for group in self.groups:
            if group.lr is not None:
                return group.lr(self.iteration) if callable(group.lr) else group.lr
        msg = f"{type(self).__name__} has no learning rate: there is no scale_by_learning_rate in its chain"
        raise AttributeError(msg)

    @lr.setter
    def lr(self, rate: Rate) -> None:
        try:
            check_rate(rate)
        except ConfigError as error:
            msg = f"{type(self).__name__}: {error}"
            raise ConfigError(msg) from None
        for group in self.groups:
            group.lr = rate

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient.

        Parameters
        ----------
        closure
            If given, it is called first, to compute the gradients, and what it returns is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.groups:
            group.step(self.iteration)
        self.iteration += 1
        return loss

    # ------------------------------------------------------------------------------------------------------ states

    def state_slots(self) -> Iterator[Slot]:
        """Yield the places that a compiled step reads and writes."""
        yield AttributeSlot(self, "iteration")
        for group in self.groups:
            yield from group.state_slots()

    def state_children(self) -> list[Tensor]:
        """Return the tensors to learn."""
        return self.parameters

    @property
    def steps(self) -> list[int]:
        """The number of steps that each parameter has taken."""
        return [memory.count for group in self.groups for memory in group.memories()]

    @property
    def state(self) -> list[dict[str, Any]]:
        """What is remembered about each parameter: tensors and numbers by name, as copies."""
        return [
            {key: copied(memory.states[part][name], memory) for part, name, key in named(memory.states)}
            for group in self.groups
            for memory in group.memories()
        ]

    def state_dict(self) -> dict[str, Any]:
        """Return copies of everything that is remembered, by name.

        There are ``"iteration"``, the steps of the optimizer; ``"steps"``, those of each parameter; ``"lr"``, a number
        per group, NaN where it is a schedule or there is none; and, for each parameter, tensors and numbers such as
        ``"0.m"``, by its position or name. The names do not depend on how the parameters are grouped. What the schedule
        of a group remembers is in numbers such as ``"schedule.0.best"``.
        """
        rates = [group.lr for group in self.groups]
        schedules = [(g, rate) for g, rate in enumerate(rates) if isinstance(rate, Schedule)]
        return {
            "iteration": self.iteration,
            "steps": self.steps,
            "lr": [float("nan") if rate is None or callable(rate) else float(rate) for rate in rates],
            **{
                f"{name}.{key}": value
                for name, state in zip(self._names, self.state, strict=True)
                for key, value in state.items()
            },
            **{
                f"schedule.{g}.{name}": value
                for g, schedule in schedules
                for name, value in schedule.state_dict().items()
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what :meth:`state_dict` returned; going on is then as never having stopped, bit for bit.

        Tensors and numbers may have become NumPy arrays on the way. A learning rate that is a number becomes that of
        the state; a schedule stays, and goes on where it was.

        Raises
        ------
        StateError
            If the state does not fit. Nothing has been changed.
        """
        method = type(self).__name__
        remembered = {name: value for name, value in state.items() if not name.startswith("schedule.")}
        numbers, memories = restored(method, self.groups, self._names, remembered)
        for g, group in enumerate(self.groups):
            prefix = f"schedule.{g}."
            numbers_of = {path[len(prefix) :]: number(x) for path, x in state.items() if path.startswith(prefix)}
            if isinstance(group.lr, Schedule) and numbers_of:
                group.lr.load_state_dict(numbers_of)
        for group, own in zip(self.groups, memories, strict=True):
            group.remember(own)
        for group, rate in zip(self.groups, numbers.rates, strict=False):
            if not math.isnan(rate) and group.lr is not None and not callable(group.lr):
                group.lr = rate
        self.iteration = numbers.iteration

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self._names)} parameters, {', '.join(str(g.transform) for g in self.groups)})"
        )


def _given(transform: Transform) -> Transform:
    return transform
