"""What all schedules share: they are functions of the step, and some remember something."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ..._errors import ConfigError, StateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Schedule(ABC):
    """A learning rate that depends on the step. Any function of the number of steps taken, counted from 0, will do too.

    Steps are those of the optimizer, one per batch; :class:`PerEpoch` counts epochs.
    """

    @abstractmethod
    def __call__(self, step: int) -> float:
        """Return the learning rate of the step that follows so many others."""

    def parts(self) -> Sequence[object]:
        """Return the schedules that this one is made of."""
        return ()

    def state_dict(self) -> dict[str, Any]:
        """Return the numbers that are remembered, by name. Most schedules remember nothing."""
        return {
            f"{i}.{name}": value
            for i, part in enumerate(self.parts())
            if isinstance(part, Schedule)
            for name, value in part.state_dict().items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what :meth:`state_dict` returned."""
        unknown = state.keys() - self.state_dict().keys()
        if unknown:
            msg = f"{type(self).__name__}: the state has {', '.join(sorted(unknown))}, which it does not remember"
            raise StateError(msg)
        for i, part in enumerate(self.parts()):
            own = {name[len(f"{i}.") :]: value for name, value in state.items() if name.startswith(f"{i}.")}
            if isinstance(part, Schedule) and own:
                part.load_state_dict(own)


def check_steps(what: str, steps: int) -> None:
    """Refuse numbers of steps below 1."""
    if steps < 1:
        msg = f"{what} is at least 1, not {steps}"
        raise ConfigError(msg)
