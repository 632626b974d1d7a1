"""RAdam."""

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
class scale_by_radam(Moments):
    r"""Adam's direction, multiplied by how well its denominator is known.

    $$
    \begin{align*}
    m &\leftarrow \beta_1 m + (1 - \beta_1) u \\
    v &\leftarrow \beta_2 v + (1 - \beta_2) u^2 \\
    \rho_\infty &= \frac{2}{1 - \beta_2} - 1, \qquad \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t} \\
    r_t &= \sqrt{\frac{(\rho_t - 4)(\rho_t - 2)\rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2)\rho_t}} \\
    u &\leftarrow \frac{m}{1 - \beta_1^t} \cdot
    \begin{cases} r_t \sqrt{1 - \beta_2^t} / (\sqrt{v} + \varepsilon) & \rho_t > 5 \\ 1 & \text{otherwise} \end{cases}
    \end{align*}
    $$

    Parameters
    ----------
    betas
        The decay rates $\beta_1$ and $\beta_2$.
    eps
        $\varepsilon$. It is added to $\sqrt v$ before the correction, as in PyTorch.

    References
    ----------
    L. Liu et al., On the variance of the adaptive learning rate and beyond, ICLR 2020, algorithm 2. There the bound of
    $\rho_t$ is 4; 5 is that of its authors' implementation, and PyTorch's.

    Examples
    --------
    >>> from deepcore import optim
    >>> optim.scale_by_radam()
    scale_by_radam(betas=(0.9, 0.999), eps=1e-08)
    """

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Estimate both moments, and divide once the second is known well enough."""
        beta1, beta2 = self.betas
        t = step.count
        m = beta1 * state["m"] + (1 - beta1) * updates
        v = beta2 * state["v"] + (1 - beta2) * (updates * updates)
        state = {"m": m, "v": v}
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / (1 - beta2**t)
        if length <= 5.0:
            return m * (1 / (1 - beta1**t)), state
        known = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        factor = (known * (1 - beta2**t)) ** 0.5 / (1 - beta1**t)
        return factor * m / (step.xp.sqrt(v) + self.eps), state


class RAdam(Optimizer):
    r"""Adam that warms up by itself: rectified by the variance of its denominator.

    $$
    \theta \leftarrow \theta - \eta\,\frac{m}{1 - \beta_1^t} \cdot
    \begin{cases} r_t \sqrt{1 - \beta_2^t} / (\sqrt{v} + \varepsilon) & \rho_t > 5 \\ 1 & \text{otherwise} \end{cases}
    $$

    with the moments $m$ and $v$ of :class:`Adam`, and $\rho_t$ and $r_t$ of :class:`scale_by_radam`.

    Parameters
    ----------
    parameters
        The tensors $\theta$ to learn, or groups of them.
    lr
        The learning rate $\eta$, or a schedule of it.
    betas
        The decay rates $\beta_1$ and $\beta_2$.
    eps
        $\varepsilon$. It is added to $\sqrt v$ before the correction, as in PyTorch.
    weight_decay
        $\lambda$: $g \leftarrow g + \lambda\theta$, or, decoupled, $\theta \leftarrow (1 - \eta\lambda)\theta$.
    decoupled_weight_decay
        Whether weight decay is decoupled, as in :class:`AdamW`.

    References
    ----------
    L. Liu et al., On the variance of the adaptive learning rate and beyond, ICLR 2020, algorithm 2. There the bound of
    $\rho_t$ is 4; 5 is that of its authors' implementation, and PyTorch's.

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.asarray([1.0], requires_grad=True)
    >>> w.grad = dc.asarray([0.5])
    >>> dc.optim.RAdam([w], lr=0.1).step()  # at first, gradient descent with momentum
    >>> round(w.item(), 5)
    0.95
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: Rate = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        self._build(parameters, _radam, {**options, "decoupled_weight_decay": decoupled_weight_decay})


def _radam(
    *, lr: Rate, betas: tuple[float, float], eps: float, weight_decay: float, decoupled_weight_decay: bool
) -> Transform:
    radam, decaying = scale_by_radam(betas, eps), decay(weight_decay)
    parts = [radam, *decaying] if decoupled_weight_decay else [*decaying, radam]
    return chain(*parts, scale_by_learning_rate(lr))
