"""What all optimizers share: parameters, a state for each, and steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .._errors import ConfigError, StateError
from .._tape import no_grad
from ..ops.creation import asarray

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._tensor import Tensor


class Optimizer:
    """The base of all optimizers. A subclass says how one parameter moves, in :meth:`update`.

    Parameters
    ----------
    parameters
        The tensors to learn, usually ``model.parameters()``.
    lr
        The learning rate. It is never divided by the batch size.
    """

    def __init__(self, parameters: Iterable[Tensor], *, lr: float) -> None:
        self.parameters = list(parameters)
        if not self.parameters:
            msg = f"{type(self).__name__}: there are no parameters to learn"
            raise ConfigError(msg)
        if not 0.0 <= lr < math.inf:
            msg = f"{type(self).__name__}: the learning rate is at least 0 and finite, not {lr}"
            raise ConfigError(msg)
        self.lr = lr
        self.steps = [0] * len(self.parameters)  # for each parameter, the steps that it has taken
        self.state: list[dict[str, Tensor]] = [{} for _ in self.parameters]

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        with no_grad():
            for i, (parameter, state) in enumerate(zip(self.parameters, self.state, strict=True)):
                if parameter.requires_grad and parameter.grad is not None:
                    for name, value in state.items():  # the model may have moved to another device
                        state[name] = value.to_device(parameter.device)
                    self.steps[i] += 1
                    self.update(parameter, parameter.grad.detach(), state, self.steps[i])

    def update(self, parameter: Tensor, gradient: Tensor, state: dict[str, Tensor], step: int) -> None:
        """Move one parameter, of which this is the given step, counted from 1."""
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Return the state: the steps of each parameter, and tensors by parameter position and name."""
        tensors = {f"{i}.{name}": value for i, state in enumerate(self.state) for name, value in state.items()}
        return {"steps": list(self.steps), **tensors}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set the state that :meth:`state_dict` returned."""
        steps = [int(n) for n in state.get("steps", [])]
        if len(steps) != len(self.parameters):
            msg = f"{type(self).__name__}: the state has steps of {len(steps)} parameters, not {len(self.parameters)}"
            raise StateError(msg)
        fresh: list[dict[str, Tensor]] = [{} for _ in self.parameters]
        for path, value in state.items():
            if path == "steps":
                continue
            position, _, name = path.partition(".")
            if not position.isdigit() or int(position) >= len(fresh):
                msg = f"{type(self).__name__}: the state has {path!r}, but there are {len(fresh)} parameters"
                raise StateError(msg)
            parameter = self.parameters[int(position)]
            if tuple(value.shape) != parameter.shape:
                msg = f"{type(self).__name__}: {path} has shape {tuple(value.shape)}, its parameter {parameter.shape}"
                raise StateError(msg)
            fresh[int(position)][name] = asarray(value, device=parameter.device, copy=True)
        self.steps = steps
        self.state = fresh
