"""Weight decay: updates that pull parameters to zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._check import check_not_negative
from ._transform import Transform

if TYPE_CHECKING:
    from .._typing import Raw
    from ._transform import State, Step


@dataclass(frozen=True)
class add_decayed_weights(Transform):
    r"""Weight decay. $u \leftarrow u + \lambda \theta$.

    At the beginning of a chain it is the gradient of the penalty $\tfrac\lambda2 \lVert \theta \rVert_2^2$, and goes
    through everything that follows. Behind that, before the learning rate, it is decoupled: each step multiplies the
    parameters by $1 - \eta\lambda$. The two are the same for plain gradient descent, and for it alone.

    Parameters
    ----------
    weight_decay
        $\lambda$.

    References
    ----------
    I. Loshchilov and F. Hutter, Decoupled weight decay regularization, ICLR 2019, algorithms 1 and 2.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.asarray([1.0], requires_grad=True)
    >>> w.grad = dc.asarray([0.0])
    >>> optim.Optimizer([w], optim.chain(optim.add_decayed_weights(0.5), optim.scale_by_learning_rate(0.5))).step()
    >>> w.item()
    0.75
    """

    weight_decay: float

    def __post_init__(self) -> None:
        check_not_negative("weight_decay", self.weight_decay)

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Add the parameters."""
        return updates + self.weight_decay * parameters, state


@dataclass(frozen=True)
class add_sign(Transform):
    r"""The pull of $\lambda \lVert \theta \rVert_1$. $u \leftarrow u + \lambda \operatorname{sign}(\theta)$.

    Parameters
    ----------
    l1
        $\lambda$. At 0, where there is no derivative, the penalty pulls nowhere.

    References
    ----------
    R. Tibshirani, Regression shrinkage and selection via the lasso, Journal of the Royal Statistical Society B 58,
    1996.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.asarray([1.0, 0.0, -1.0], requires_grad=True)
    >>> w.grad = dc.zeros(3)
    >>> optim.Optimizer([w], optim.chain(optim.add_sign(0.5), optim.scale_by_learning_rate(0.5))).step()
    >>> w.tolist()
    [0.75, 0.0, -0.75]
    """

    l1: float

    def __post_init__(self) -> None:
        check_not_negative("l1", self.l1)

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Add the signs of the parameters."""
        return updates + self.l1 * step.xp.sign(parameters), state


def decay(weight_decay: float) -> list[Transform]:
    """Return the transform that a weight decay asks for, or nothing where it is 0."""
    return [add_decayed_weights(weight_decay)] if weight_decay != 0 else []
