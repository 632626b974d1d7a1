"""Adamax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._moments import Moments
from ._optimizer import Optimizer
from ._transform import chain
from .decay import decay
from .scale import scale_by_learning_rate

if TYPE_CHECKING:
    from .._typing import Raw
    from ._parameters import Parameters
    from ._transform import Rate, State, Step, Transform


@dataclass(frozen=True)
class scale_by_adamax(Moments):
    r"""Division of the mean of past updates by a decaying maximum of their sizes.

    $$
    \begin{align*}
    m &\leftarrow \beta_1 m + (1 - \beta_1) u \\
    v &\leftarrow \max(\beta_2 v, |u| + \varepsilon) \\
    u &\leftarrow \frac{m}{(1 - \beta_1^t)\,v}
    \end{align*}
    $$

    Parameters
    ----------
    betas
        The decay rates $\beta_1$ and $\beta_2$.
    eps
        $\varepsilon$. The paper has none; it is inside of the maximum, as in PyTorch.

    References
    ----------
    D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 2.

    Examples
    --------
    >>> from deepcore import optim
    >>> optim.scale_by_adamax()
    scale_by_adamax(betas=(0.9, 0.999), eps=1e-08)
    """

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Update mean and maximum, and divide."""
        xp = step.xp
        beta1, beta2 = self.betas
        m = beta1 * state["m"] + (1 - beta1) * updates
        v = xp.maximum(beta2 * state["v"], xp.abs(updates) + self.eps)
        return m / ((1 - beta1**step.count) * v), {"m": m, "v": v}


class Adamax(Optimizer):
    r"""Adam with the maximum norm in place of the mean square.

    $$
    \begin{align*}
    g &\leftarrow g + \lambda \theta \\
    m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
    v &\leftarrow \max(\beta_2 v, |g| + \varepsilon) \\
    \theta &\leftarrow \theta - \frac{\eta}{1 - \beta_1^t}\,\frac{m}{v}
    \end{align*}
    $$

    Parameters
    ----------
    parameters
        The tensors $\theta$ to learn, or groups of them.
    lr
        The learning rate $\eta$, or a schedule of it.
    betas
        The decay rates $\beta_1$ and $\beta_2$.
    eps
        $\varepsilon$. The paper has none; it is inside of the maximum, as in PyTorch.
    weight_decay
        $\lambda$.

    References
    ----------
    D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 2.

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.asarray([1.0, 1.0], requires_grad=True)
    >>> w.grad = dc.asarray([100.0, -0.1])
    >>> dc.optim.Adamax([w], lr=0.5).step()
    >>> [round(x, 5) for x in w.tolist()]
    [0.5, 1.5]
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: Rate = 0.002,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self._build(parameters, _adamax, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})


def _adamax(*, lr: Rate, betas: tuple[float, float], eps: float, weight_decay: float) -> Transform:
    return chain(*decay(weight_decay), scale_by_adamax(betas, eps), scale_by_learning_rate(lr))
