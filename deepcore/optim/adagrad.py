"""AdaGrad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._check import check_not_negative
from ._optimizer import Optimizer
from ._transform import Transform, chain
from .decay import decay
from .scale import scale_by_learning_rate

if TYPE_CHECKING:
    from .._typing import Raw
    from ._parameters import Parameters
    from ._transform import Rate, State, Step


@dataclass(frozen=True)
class scale_by_adagrad(Transform):
    r"""Division by the root of the sum of all squares so far.

    $$
    \begin{align*}
    s &\leftarrow s + u^2 \\
    u &\leftarrow \frac{1}{1 + (t - 1)\delta}\,\frac{u}{\sqrt{s} + \varepsilon}
    \end{align*}
    $$

    Parameters
    ----------
    lr_decay
        $\delta$.
    initial_accumulator_value
        $s$ before the first step.
    eps
        $\varepsilon$. It is outside of the root, as in PyTorch.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, Adaptive subgradient methods for online learning and stochastic optimization,
    Journal of Machine Learning Research 12, 2011, figure 1, with diagonal matrices.

    Examples
    --------
    >>> from deepcore import optim
    >>> optim.scale_by_adagrad()
    scale_by_adagrad(lr_decay=0.0, initial_accumulator_value=0.0, eps=1e-10)
    """

    lr_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10

    def __post_init__(self) -> None:
        check_not_negative("lr_decay", self.lr_decay)
        check_not_negative("initial_accumulator_value", self.initial_accumulator_value)
        check_not_negative("eps", self.eps)

    def init(self, parameters: Raw, step: Step) -> State:
        """Begin with a given sum."""
        return {"sum": step.xp.zeros_like(parameters) + self.initial_accumulator_value}

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Add the squares, and divide."""
        s = state["sum"] + updates * updates
        slower = 1 + (step.count - 1) * self.lr_decay
        return updates / (slower * (step.xp.sqrt(s) + self.eps)), {"sum": s}


class Adagrad(Optimizer):
    r"""AdaGrad: rarely changed parameters take larger steps.

    $$
    \begin{align*}
    g &\leftarrow g + \lambda \theta \\
    s &\leftarrow s + g^2 \\
    \theta &\leftarrow \theta - \frac{\eta}{1 + (t - 1)\delta}\,\frac{g}{\sqrt{s} + \varepsilon}
    \end{align*}
    $$

    Parameters
    ----------
    parameters
        The tensors $\theta$ to learn, or groups of them.
    lr
        The learning rate $\eta$, or a schedule of it.
    lr_decay
        $\delta$.
    weight_decay
        $\lambda$.
    initial_accumulator_value
        $s$ before the first step.
    eps
        $\varepsilon$. It is outside of the root, as in PyTorch.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, Adaptive subgradient methods for online learning and stochastic optimization,
    Journal of Machine Learning Research 12, 2011, figure 1, with diagonal matrices.

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.asarray([1.0, 1.0], requires_grad=True)
    >>> w.grad = dc.asarray([100.0, -0.01])
    >>> dc.optim.Adagrad([w], lr=0.5).step()
    >>> w.tolist()
    [0.5, 1.5]
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: Rate = 0.01,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        options = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps}
        self._build(parameters, _adagrad, {**options, "initial_accumulator_value": initial_accumulator_value})


def _adagrad(
    *, lr: Rate, lr_decay: float, weight_decay: float, initial_accumulator_value: float, eps: float
) -> Transform:
    scaling = scale_by_adagrad(lr_decay, initial_accumulator_value, eps)
    return chain(*decay(weight_decay), scaling, scale_by_learning_rate(lr))
