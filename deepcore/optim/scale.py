"""Multiplication of the updates: by a number, and by the learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._check import check_rate
from ._transform import Transform

if TYPE_CHECKING:
    from .._typing import Raw
    from ._transform import Rate, State, Step


@dataclass(frozen=True)
class scale(Transform):
    r"""Multiplication by a number. $u \leftarrow c u$.

    Parameters
    ----------
    factor
        $c$, or a schedule of it. With −1 at the beginning of a chain, what is computed becomes large, not small.

    Examples
    --------
    >>> from deepcore import optim
    >>> optim.chain(optim.scale(-1.0), optim.scale_by_learning_rate(0.1)).rate
    0.1
    """

    factor: Rate

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Multiply."""
        return step.value(self.factor) * updates, state


@dataclass(frozen=True)
class scale_by_learning_rate(Transform):
    r"""The last transform of a chain: a step against the direction. $u \leftarrow -\eta u$.

    Parameters
    ----------
    lr
        The learning rate $\eta$, or a schedule of it. It is never divided by the batch size.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.asarray([1.0], requires_grad=True)
    >>> optimizer = optim.Optimizer([w], optim.scale_by_learning_rate(lambda step: 0.5 / (1 + step)))
    >>> optimizer.lr
    0.5
    """

    lr: Rate

    def __post_init__(self) -> None:
        check_rate(self.lr)

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Multiply."""
        return -step.value(self.lr) * updates, state

    @property
    def rate(self) -> Rate:
        """The learning rate."""
        return self.lr

    def with_rate(self, rate: Rate) -> scale_by_learning_rate:
        """Return the same transform with another learning rate."""
        return scale_by_learning_rate(rate)
