"""Lion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._check import check_betas
from ._optimizer import Optimizer
from ._transform import Transform, chain
from .decay import decay
from .scale import scale_by_learning_rate

if TYPE_CHECKING:
    from .._typing import Raw
    from ._parameters import Parameters
    from ._transform import Rate, State, Step


@dataclass(frozen=True)
class scale_by_lion(Transform):
    r"""The sign of a mean in which the present update has more weight than in what is remembered.

    $$
    \begin{align*}
    c &= \beta_1 m + (1 - \beta_1) u \\
    m &\leftarrow \beta_2 m + (1 - \beta_2) u \\
    u &\leftarrow \operatorname{sign}(c)
    \end{align*}
    $$

    Parameters
    ----------
    betas
        $\beta_1$ and $\beta_2$.

    References
    ----------
    X. Chen et al., Symbolic discovery of optimization algorithms, NeurIPS 2023, algorithm 2.

    Examples
    --------
    >>> from deepcore import optim
    >>> optim.scale_by_lion()
    scale_by_lion(betas=(0.9, 0.99))
    """

    betas: tuple[float, float] = (0.9, 0.99)

    def __post_init__(self) -> None:
        check_betas(self.betas)

    def init(self, parameters: Raw, step: Step) -> State:
        """Begin with a mean of zero."""
        return {"m": step.xp.zeros_like(parameters)}

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Return the sign, and update the mean."""
        beta1, beta2 = self.betas
        m = state["m"]
        direction = step.xp.sign(beta1 * m + (1 - beta1) * updates)
        return direction, {"m": beta2 * m + (1 - beta2) * updates}


class Lion(Optimizer):
    r"""Evolved sign momentum: every step of every parameter is as long as the learning rate.

    $$
    \begin{align*}
    c &= \beta_1 m + (1 - \beta_1) g \\
    m &\leftarrow \beta_2 m + (1 - \beta_2) g \\
    \theta &\leftarrow \theta - \eta\,(\operatorname{sign}(c) + \lambda \theta)
    \end{align*}
    $$

    Its authors advise a learning rate 3 to 10 times smaller than that of AdamW, and a weight decay as much larger.

    Parameters
    ----------
    parameters
        The tensors $\theta$ to learn, or groups of them.
    lr
        The learning rate $\eta$, or a schedule of it.
    betas
        $\beta_1$ and $\beta_2$.
    weight_decay
        $\lambda$, decoupled.

    References
    ----------
    X. Chen et al., Symbolic discovery of optimization algorithms, NeurIPS 2023, algorithm 2.

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.asarray([1.0, 1.0], requires_grad=True)
    >>> w.grad = dc.asarray([100.0, -0.01])
    >>> dc.optim.Lion([w], lr=0.5).step()
    >>> w.tolist()
    [0.5, 1.5]
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: Rate = 0.0001,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        self._build(parameters, _lion, {"lr": lr, "betas": betas, "weight_decay": weight_decay})


def _lion(*, lr: Rate, betas: tuple[float, float], weight_decay: float) -> Transform:
    return chain(scale_by_lion(betas), *decay(weight_decay), scale_by_learning_rate(lr))
