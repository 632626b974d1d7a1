"""Averages of parameters over the steps of training, which often generalise better than the last ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .._errors import StateError
from .._tensor import Tensor, make
from ..graph._slots import AttributeSlot
from ..ops.creation import asarray
from ._check import check_factor
from ._parameters import sorted_into_groups
from ._rebind import rebind
from ._slots import AverageSlot
from ._state import number

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from .._device import Device
    from .._typing import Raw
    from ..graph._slots import Slot


@runtime_checkable
class Model(Protocol):
    """What has parameters with names: a module."""

    def named_parameters(self) -> Iterable[tuple[str, Tensor]]:
        """Yield every parameter with its name."""
        ...


class WeightAverage(ABC):
    """An average of parameters. Averages of types of 16 bits are in float32, and rounded where they are used.

    Parameters
    ----------
    parameters
        The tensors, or a model, whose names are then those in the state.

    Attributes
    ----------
    parameters
        The tensors.
    updates
        How often the average has been updated.
    """

    def __init__(self, parameters: Model | Iterable[Tensor | tuple[str, Tensor]]) -> None:
        given = parameters.named_parameters() if isinstance(parameters, Model) else parameters
        ((named, _),) = sorted_into_groups(type(self).__name__, given)
        self._names = list(named)
        self.parameters = list(named.values())
        self.updates = 0
        self._averages: list[tuple[Raw, Device]] = [(_wide(p), p._device) for p in self.parameters]

    @abstractmethod
    def _weight(self) -> float:
        """Return the weight of the present parameters in the next average."""

    def update(self) -> None:
        """Take the present parameters into the average. The first time, they are the average."""
        weight = self._weight() if self.updates else 1.0
        for i, p in enumerate(self.parameters):
            value, average = _wide(p), self._on(p, i)
            with p._device.current:
                self._averages[i] = (average + weight * (value - average) if self.updates else value, p._device)
        self.updates += 1

    def state_slots(self) -> Iterable[Slot]:
        """Return the places that a compiled step reads and writes."""
        return [AttributeSlot(self, "updates"), *(AverageSlot(self._averages, i) for i in range(len(self._averages)))]

    def state_children(self) -> Iterable[Tensor]:
        """Return the tensors."""
        return self.parameters

    def _on(self, p: Tensor, i: int) -> Raw:
        """Return an average on the device on which its parameter now is."""
        average, device = self._averages[i]
        return average if device is p._device else make(average, device).to_device(p._device)._data

    @property
    def averages(self) -> list[Tensor]:
        """The averages, in the data types and on the devices of the parameters."""
        return [make(self._rounded(p, i), p._device) for i, p in enumerate(self.parameters)]

    def _rounded(self, p: Tensor, i: int) -> Raw:
        xp = p._device.kernels
        return xp.asarray(xp.astype(xp.asarray(self._on(p, i)), p._data.dtype), copy=True)

    def copy_to(self) -> None:
        """Set the parameters to their averages, for good."""
        for i, p in enumerate(self.parameters):
            rebind(p, self._rounded(p, i))

    @contextmanager
    def swap(self) -> Generator[None]:
        """Set the parameters to their averages in a ``with`` block, for example to evaluate or save the model."""
        before = [p._data for p in self.parameters]
        self.copy_to()
        try:
            yield
        finally:
            for p, value in zip(self.parameters, before, strict=True):
                rebind(p, value)

    def state_dict(self) -> dict[str, Any]:
        """Return the number of updates, and copies of the averages by the names or positions of the parameters."""
        copies = [make(d.kernels.asarray(x, copy=True), d) for x, d in self._averages]
        return {"updates": self.updates, **dict(zip(self._names, copies, strict=True))}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what :meth:`state_dict` returned.

        Raises
        ------
        StateError
            If the state does not fit. Nothing has been changed.
        """
        expected = {"updates", *self._names}
        if state.keys() ^ expected:
            wrong = ", ".join(sorted(state.keys() ^ expected))
            msg = f"{type(self).__name__}: {wrong} is in the state or among the parameters, and not in both"
            raise StateError(msg)
        for name, p in zip(self._names, self.parameters, strict=True):
            if tuple(state[name].shape) != p.shape:
                msg = f"{type(self).__name__}: {name} has shape {tuple(state[name].shape)}, its parameter {p.shape}"
                raise StateError(msg)
        self._averages[:] = [
            (asarray(state[name], device=p.device, copy=True).detach()._data, p._device)
            for name, p in zip(self._names, self.parameters, strict=True)
        ]
        self.updates = int(number(state["updates"]))


class ExponentialMovingAverage(WeightAverage):
    r"""An average in which older parameters count less. $\bar\theta \leftarrow d\,\bar\theta + (1 - d)\,\theta$.

    Parameters
    ----------
    parameters
        The tensors, or a model.
    decay
        $d$. The average is over about $1 / (1 - d)$ updates.

    References
    ----------
    B. T. Polyak and A. B. Juditsky, Acceleration of stochastic approximation by averaging, SIAM Journal on Control and
    Optimization 30, 1992.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.asarray([0.0], requires_grad=True)
    >>> sgd, average = optim.SGD([w], lr=1.0), optim.ExponentialMovingAverage([w], decay=0.5)
    >>> for _ in range(3):
    ...     w.grad = dc.asarray([-1.0])
    ...     sgd.step()
    ...     average.update()
    >>> with average.swap():
    ...     w.item()  # the mean of 1, 2, 3 with weights 1/4, 1/4, 1/2
    2.25
    >>> w.item()
    3.0
    """

    def __init__(self, parameters: Model | Iterable[Tensor | tuple[str, Tensor]], decay: float = 0.999) -> None:
        super().__init__(parameters)
        check_factor("ExponentialMovingAverage: decay", decay)
        self.decay = decay

    def _weight(self) -> float:
        return 1.0 - self.decay


class StochasticWeightAverage(WeightAverage):
    r"""The mean of all that it was updated with. $\bar\theta \leftarrow \bar\theta + (\theta - \bar\theta)/(n+1)$.

    It is updated once in a while, near the end of training, with a learning rate that stays large.

    Parameters
    ----------
    parameters
        The tensors, or a model.

    References
    ----------
    P. Izmailov et al., Averaging weights leads to wider optima and better generalization, UAI 2018, algorithm 1.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.asarray([0.0], requires_grad=True)
    >>> sgd, average = optim.SGD([w], lr=1.0), optim.StochasticWeightAverage([w])
    >>> for _ in range(3):
    ...     w.grad = dc.asarray([-1.0])
    ...     sgd.step()
    ...     average.update()
    >>> average.copy_to()
    >>> w.item()
    2.0
    """

    def _weight(self) -> float:
        return 1.0 / (self.updates + 1)


def _wide(p: Tensor) -> Raw:
    xp = p._device.kernels
    return xp.astype(p._data, xp.float32) if p.dtype.bits == 16 else p._data
