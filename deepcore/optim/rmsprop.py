"""RMSprop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._check import check_fraction, check_not_negative
from ._optimizer import Optimizer
from ._transform import Transform, chain
from .decay import decay
from .scale import scale_by_learning_rate
from .sgd import scale_by_momentum

if TYPE_CHECKING:
    from .._typing import Raw
    from ._parameters import Parameters
    from ._transform import Rate, State, Step


@dataclass(frozen=True)
class scale_by_rms(Transform):
    r"""Division by the root of the mean of past squares.

    $$
    \begin{align*}
    v &\leftarrow \alpha v + (1 - \alpha) u^2 \\
    u &\leftarrow \frac{u}{\sqrt{v} + \varepsilon}
    \qquad\text{or, centered,}\qquad
    m \leftarrow \alpha m + (1 - \alpha) u, \quad u \leftarrow \frac{u}{\sqrt{v - m^2} + \varepsilon}
    \end{align*}
    $$

    Parameters
    ----------
    alpha
        The decay rate $\alpha$.
    eps
        $\varepsilon$. It is outside of the root, as in PyTorch.
    centered
        Whether to divide by an estimate of the standard deviation. Where rounding makes the variance negative, it is 0.

    References
    ----------
    T. Tieleman and G. Hinton, Neural networks for machine learning, lecture 6.5, 2012. Centered: A. Graves, Generating
    sequences with recurrent neural networks, arXiv:1308.0850, 2013, equations 38 to 41.

    Examples
    --------
    >>> from deepcore import optim
    >>> optim.scale_by_rms(0.9)
    scale_by_rms(alpha=0.9, eps=1e-08, centered=False)
    """

    alpha: float = 0.99
    eps: float = 1e-8
    centered: bool = False

    def __post_init__(self) -> None:
        check_fraction("alpha", self.alpha)
        check_not_negative("eps", self.eps)

    def init(self, parameters: Raw, step: Step) -> State:
        """Begin with means of zero."""
        return {name: step.xp.zeros_like(parameters) for name in (("v", "m") if self.centered else ("v",))}

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Update the means, and divide."""
        xp = step.xp
        v = self.alpha * state["v"] + (1 - self.alpha) * (updates * updates)
        if not self.centered:
            return updates / (xp.sqrt(v) + self.eps), {"v": v}
        m = self.alpha * state["m"] + (1 - self.alpha) * updates
        return updates / (xp.sqrt(xp.maximum(v - m * m, 0.0)) + self.eps), {"v": v, "m": m}


class RMSprop(Optimizer):
    r"""Gradients divided by their root mean square, with momentum.

    $$
    \begin{align*}
    g &\leftarrow g + \lambda \theta \\
    v &\leftarrow \alpha v + (1 - \alpha) g^2 \\
    b &\leftarrow \mu b + \frac{g}{\sqrt{v} + \varepsilon} \\
    \theta &\leftarrow \theta - \eta b
    \end{align*}
    $$

    Parameters
    ----------
    parameters
        The tensors $\theta$ to learn, or groups of them.
    lr
        The learning rate $\eta$, or a schedule of it.
    alpha
        The decay rate $\alpha$.
    eps
        $\varepsilon$. It is outside of the root, as in PyTorch.
    weight_decay
        $\lambda$.
    momentum
        $\mu$, from 0 up to, but without, 1.
    centered
        Whether to divide by $\sqrt{v - m^2} + \varepsilon$, where $m$ is the mean of past gradients.

    References
    ----------
    T. Tieleman and G. Hinton, Neural networks for machine learning, lecture 6.5, 2012. Centered: A. Graves, Generating
    sequences with recurrent neural networks, arXiv:1308.0850, 2013, equations 38 to 41.

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.asarray([1.0, 1.0], requires_grad=True)
    >>> w.grad = dc.asarray([100.0, -0.1])
    >>> dc.optim.RMSprop([w], lr=0.1).step()
    >>> [round(x, 4) for x in w.tolist()]  # the first step is ten times as long as the learning rate
    [0.0, 2.0]
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: Rate = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        options = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay}
        self._build(parameters, _rmsprop, {**options, "momentum": momentum, "centered": centered})


def _rmsprop(*, lr: Rate, alpha: float, eps: float, weight_decay: float, momentum: float, centered: bool) -> Transform:
    moving = scale_by_momentum(momentum)
    scaling = scale_by_rms(alpha, eps, centered)
    return chain(*decay(weight_decay), scaling, *([moving] if momentum else []), scale_by_learning_rate(lr))
