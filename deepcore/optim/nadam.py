"""NAdam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._check import check_not_negative
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
class scale_by_nadam(Moments):
    r"""Adam's direction with Nesterov's look ahead.

    $$
    \begin{align*}
    \mu_t &= \beta_1 \left(1 - \tfrac12\, 0.96^{t\psi}\right), \qquad \Pi_t = \mu_1 \cdots \mu_t \\
    m &\leftarrow \beta_1 m + (1 - \beta_1) u \\
    v &\leftarrow \beta_2 v + (1 - \beta_2) u^2 \\
    u &\leftarrow \left(\frac{(1 - \mu_t)\,u}{1 - \Pi_t} + \frac{\mu_{t+1}\,m}{1 - \Pi_{t+1}}\right)
    \Big/ \left(\sqrt{v / (1 - \beta_2^t)} + \varepsilon\right)
    \end{align*}
    $$

    Parameters
    ----------
    betas
        The decay rates $\beta_1$ and $\beta_2$.
    eps
        $\varepsilon$. It is outside of the root.
    momentum_decay
        $\psi$.

    References
    ----------
    T. Dozat, Incorporating Nesterov momentum into Adam, ICLR 2016 workshop, algorithm 2, with the warming momentum of
    its implementation, as in PyTorch.

    Examples
    --------
    >>> from deepcore import optim
    >>> optim.scale_by_nadam()
    scale_by_nadam(betas=(0.9, 0.999), eps=1e-08, momentum_decay=0.004)
    """

    momentum_decay: float = 0.004

    def __post_init__(self) -> None:
        super().__post_init__()
        check_not_negative("momentum_decay", self.momentum_decay)

    def init(self, parameters: Raw, step: Step) -> State:
        """Begin with moments of zero and an empty product."""
        return {**super().init(parameters, step), "mu_product": 1.0}

    def _mu(self, t: int) -> float:
        return self.betas[0] * (1.0 - 0.5 * 0.96 ** (t * self.momentum_decay))

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Estimate both moments, look ahead, and divide."""
        beta1, beta2 = self.betas
        m = beta1 * state["m"] + (1 - beta1) * updates
        v = beta2 * state["v"] + (1 - beta2) * (updates * updates)
        mu, ahead = self._mu(step.count), self._mu(step.count + 1)
        product: float = state["mu_product"] * mu
        root = step.xp.sqrt(v) * (1 - beta2**step.count) ** -0.5 + self.eps
        direction = ((1 - mu) / (1 - product)) * updates + (ahead / (1 - product * ahead)) * m
        return direction / root, {"m": m, "v": v, "mu_product": product}


class NAdam(Optimizer):
    r"""Adam with Nesterov momentum.

    $$
    \begin{align*}
    m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
    v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
    \theta &\leftarrow \theta - \eta \left(\frac{(1 - \mu_t)\,g}{1 - \Pi_t} + \frac{\mu_{t+1}\,m}{1 - \Pi_{t+1}}\right)
    \Big/ \left(\sqrt{v / (1 - \beta_2^t)} + \varepsilon\right)
    \end{align*}
    $$

    with $\mu_t = \beta_1 (1 - \tfrac12\, 0.96^{t\psi})$ and $\Pi_t = \mu_1 \cdots \mu_t$.

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
        $\lambda$: $g \leftarrow g + \lambda\theta$, or, decoupled, $\theta \leftarrow (1 - \eta\lambda)\theta$.
    momentum_decay
        $\psi$.
    decoupled_weight_decay
        Whether weight decay is decoupled, as in :class:`AdamW`.

    References
    ----------
    T. Dozat, Incorporating Nesterov momentum into Adam, ICLR 2016 workshop, algorithm 2, with the warming momentum of
    its implementation, as in PyTorch.

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.asarray([1.0], requires_grad=True)
    >>> optimizer = dc.optim.NAdam([w], lr=0.1)
    >>> for _ in range(40):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> abs(w.item()) < 0.1
    True
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: Rate = 0.002,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 0.004,
        decoupled_weight_decay: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        options |= {"momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay}
        self._build(parameters, _nadam, options)


def _nadam(
    *,
    lr: Rate,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    momentum_decay: float,
    decoupled_weight_decay: bool,
) -> Transform:
    nadam, decaying = scale_by_nadam(betas, eps, momentum_decay), decay(weight_decay)
    parts = [nadam, *decaying] if decoupled_weight_decay else [*decaying, nadam]
    return chain(*parts, scale_by_learning_rate(lr))
