"""Several optimizers as one, and one that moves after several batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import ConfigError, StateError
from .._tape import enable_grad
from .._tensor import make
from ..graph._slots import AttributeSlot
from ._base import BaseOptimizer
from ._wrapper import Wrapper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .._tensor import Tensor
    from ..graph._slots import Slot
    from ._transform import Rate


class Optimizers(BaseOptimizer):
    """Several optimizers as one, each with parameters of its own.

    Parameters
    ----------
    optimizers
        The optimizers. Groups of one optimizer differ in options; these differ in anything.

    Raises
    ------
    ConfigError
        If there are none, or a parameter is in two of them.

    Examples
    --------
    >>> from deepcore import nn, optim
    >>> model = nn.Sequential(nn.Dense(8, 16, activation="relu"), nn.Dense(16, 4))
    >>> hidden, last = model.layers[0].parameters(), model.layers[1].parameters()
    >>> optimizer = optim.Optimizers(optim.SGD(hidden, lr=0.1), optim.Adam(last))
    >>> len(optimizer.parameters)
    4
    """

    def __init__(self, *optimizers: BaseOptimizer) -> None:
        self.optimizers = optimizers
        if not optimizers:
            msg = "Optimizers: there are none"
            raise ConfigError(msg)
        if len({id(p) for p in self.parameters}) < len(self.parameters):
            msg = "Optimizers: a parameter is in two of them, and would be moved twice in a step"
            raise ConfigError(msg)

    @property
    def parameters(self) -> list[Tensor]:
        """The tensors to learn."""
        return [p for optimizer in self.optimizers for p in optimizer.parameters]

    @property
    def lr(self) -> float:
        """The learning rate of the first. Setting it sets that of all."""
        return self.optimizers[0].lr

    @lr.setter
    def lr(self, rate: Rate) -> None:
        for optimizer in self.optimizers:
            optimizer.lr = rate

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; a closure is called once, first."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss

    def state_slots(self) -> Iterable[Slot]:
        """Return none: each optimizer has its own."""
        return ()

    def state_children(self) -> Iterable[Any]:
        """Return the optimizers."""
        return self.optimizers

    def state_dict(self) -> dict[str, Any]:
        """Return the states, each with the position of its optimizer before its names."""
        states = [optimizer.state_dict() for optimizer in self.optimizers]
        return {f"{i}.{name}": value for i, state in enumerate(states) for name, value in state.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what :meth:`state_dict` returned."""
        parts: list[dict[str, Any]] = [{} for _ in self.optimizers]
        for path, value in state.items():
            position, _, name = path.partition(".")
            if not position.isdigit() or int(position) >= len(parts):
                msg = f"Optimizers: the state has {path!r}, but there are {len(parts)} optimizers"
                raise StateError(msg)
            parts[int(position)][name] = value
        before = [optimizer.state_dict() for optimizer in self.optimizers]
        try:
            for optimizer, part in zip(self.optimizers, parts, strict=True):
                optimizer.load_state_dict(part)
        except StateError:
            for optimizer, old in zip(self.optimizers, before, strict=True):
                optimizer.load_state_dict(old)
            raise


class Accumulate(Wrapper):
    r"""Another optimizer, which moves once for several batches: large batches in little memory.

    Every call of :meth:`step` counts as one batch; each $k$-th call lets the optimizer move with the mean of the
    gradients since it last did, and the calls between only go on adding. So a loop that forgets the gradients, computes
    new ones and steps for every batch stays as it is. With a loss that is a mean over the batch, $k$ batches of $n$ are
    then one of $kn$. The gradients between are not part of the state: save it when ``batches`` is 0.

    Parameters
    ----------
    optimizer
        The optimizer that moves the parameters.
    every
        The number of batches $k$.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.asarray([1.0], requires_grad=True)
    >>> optimizer = optim.Accumulate(optim.SGD([w], lr=1.0), every=2)
    >>> for x in (0.25, 0.75):
    ...     optimizer.zero_grad()
    ...     (x * w).sum().backward()
    ...     optimizer.step()
    ...     w.item()
    1.0
    0.5
    """

    def __init__(self, optimizer: BaseOptimizer, *, every: int) -> None:
        super().__init__(optimizer)
        if every < 1:
            msg = f"Accumulate: the number of batches is at least 1, not {every}"
            raise ConfigError(msg)
        self.every = every
        self.batches = 0  # since the last step

    def state_slots(self) -> Iterable[Slot]:
        """Return the number of batches."""
        return (AttributeSlot(self, "batches"),)

    def zero_grad(self) -> None:
        """Forget the gradients, if the optimizer has moved with them."""
        if self.batches == 0:
            super().zero_grad()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Count a batch, and move every parameter that has a gradient if it was the last of several."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self.batches += 1
        if self.batches == self.every:
            for p in self.parameters:
                if p.grad is not None:
                    xp, g = p.grad.device.kernels, p.grad._data
                    with p.grad.device.current:
                        mean = xp.astype(xp.asarray(g / self.every), g.dtype, copy=False)
                    p.grad = make(mean, p.grad.device)
            self.optimizer.step()
            self.batches = 0
        return loss
