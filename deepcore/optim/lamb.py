"""LAMB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._optimizer import Optimizer
from ._transform import PerArray, Transform, chain
from .adam import scale_by_adam
from .decay import decay
from .scale import scale_by_learning_rate

if TYPE_CHECKING:
    from .._typing import Raw
    from ._parameters import Parameters
    from ._transform import Rate, State, Step


@dataclass(frozen=True)
class scale_by_trust_ratio(PerArray):
    r"""Updates as long as the parameters, array by array.

    $$u \leftarrow \frac{\lVert \theta \rVert_2}{\lVert u \rVert_2}\,u$$

    The ratio is 1 where either norm is 0.

    References
    ----------
    Y. You, I. Gitman and B. Ginsburg, Large batch training of convolutional networks, arXiv:1708.03888, 2017,
    equation 6.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.asarray([3.0, 4.0], requires_grad=True)
    >>> w.grad = dc.asarray([0.0, 0.1])
    >>> optim.Optimizer([w], optim.chain(optim.scale_by_trust_ratio(), optim.scale_by_learning_rate(0.5))).step()
    >>> w.tolist()
    [3.0, 1.5]
    """

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Rescale one array."""
        xp = step.xp
        large = xp.sqrt(xp.sum(parameters * parameters))
        small = xp.sqrt(xp.sum(updates * updates))
        one = xp.ones_like(large)
        ratio = large / xp.where(small > 0, small, one)
        return xp.where((large > 0) & (small > 0), ratio, one) * updates, state


class LAMB(Optimizer):
    r"""Adam with a learning rate for each array, in proportion to the size of its parameters.

    $$
    \begin{align*}
    m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
    v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
    r &= \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon} + \lambda\theta \\
    \theta &\leftarrow \theta - \eta\,\frac{\lVert \theta \rVert_2}{\lVert r \rVert_2}\,r
    \end{align*}
    $$

    The norms are those of one array, and their ratio is 1 where either is 0.

    Parameters
    ----------
    parameters
        The tensors $\theta$ to learn, or groups of them.
    lr
        The learning rate $\eta$, or a schedule of it.
    betas
        The decay rates $\beta_1$ and $\beta_2$.
    eps
        $\varepsilon$. It is outside of the root.
    weight_decay
        $\lambda$.
    bias_correction
        Whether the moments are divided by $1 - \beta^t$.

    References
    ----------
    Y. You et al., Large batch optimization for deep learning: training BERT in 76 minutes, ICLR 2020, algorithm 2, with
    $\phi(z) = z$.

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.asarray([3.0, 4.0], requires_grad=True)
    >>> w.grad = dc.asarray([0.0, 7.0])
    >>> dc.optim.LAMB([w], lr=0.1).step()
    >>> [round(x, 4) for x in w.tolist()]
    [3.0, 3.5]
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: Rate = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        bias_correction: bool = True,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        self._build(parameters, _lamb, {**options, "bias_correction": bias_correction})


def _lamb(*, lr: Rate, betas: tuple[float, float], eps: float, weight_decay: float, bias_correction: bool) -> Transform:
    adam = scale_by_adam(betas, eps, bias_correction)
    return chain(adam, *decay(weight_decay), scale_by_trust_ratio(), scale_by_learning_rate(lr))
