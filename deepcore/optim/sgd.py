"""Stochastic gradient descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._errors import ConfigError
from ._check import check_fraction
from ._optimizer import Optimizer
from ._transform import Transform, chain
from .decay import decay
from .scale import scale_by_learning_rate

if TYPE_CHECKING:
    from .._typing import Raw
    from ._parameters import Parameters
    from ._transform import Rate, State, Step


@dataclass(frozen=True)
class scale_by_momentum(Transform):
    r"""A sum of past updates, of which older ones count less.

    $$
    \begin{align*}
    v &\leftarrow \mu v + (1 - \tau) u \\
    u &\leftarrow v \qquad\text{or, with Nesterov's look ahead,}\qquad u \leftarrow u + \mu v
    \end{align*}
    $$

    The first step sets $v = u$.

    Parameters
    ----------
    momentum
        $\mu$, from 0 up to, but without, 1, or a schedule of it.
    dampening
        $\tau$.
    nesterov
        Whether to look ahead.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.asarray([1.0], requires_grad=True)
    >>> w.grad = dc.asarray([1.0])
    >>> optimizer = optim.Optimizer([w], optim.chain(optim.scale_by_momentum(0.5), optim.scale_by_learning_rate(0.1)))
    >>> for _ in range(2):
    ...     optimizer.step()
    >>> w
    Tensor([0.75], dtype=float32, requires_grad=True)
    """

    momentum: Rate
    dampening: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        check_fraction("momentum", self.momentum(0) if callable(self.momentum) else self.momentum)
        if self.nesterov and (self.momentum == 0.0 or self.dampening != 0.0):
            msg = f"nesterov needs momentum > 0 and dampening = 0, not {self.momentum} and {self.dampening}"
            raise ConfigError(msg)

    def init(self, parameters: Raw, step: Step) -> State:
        """Begin at rest."""
        return {"v": step.xp.zeros_like(parameters)}

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Add to the velocity, and return it."""
        momentum = step.value(self.momentum)
        v = updates if step.count == 1 else momentum * state["v"] + (1 - self.dampening) * updates
        return (updates + momentum * v if self.nesterov else v), {"v": v}


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum.

    $$
    \begin{align*}
    g &\leftarrow g + \lambda \theta \\
    v &\leftarrow \mu v + (1 - \tau) g \\
    \theta &\leftarrow \theta - \eta v
    \end{align*}
    $$

    Without momentum, $\theta \leftarrow \theta - \eta g$. The first step sets $v = g$, as PyTorch does.

    Parameters
    ----------
    parameters
        The tensors $\theta$ to learn, or groups of them.
    lr
        The learning rate $\eta$, or a schedule of it.
    momentum
        $\mu$, from 0 up to, but without, 1, or a schedule of it.
    dampening
        $\tau$.
    nesterov
        Whether the step looks ahead: $\theta \leftarrow \theta - \eta (g + \mu v)$.
    weight_decay
        $\lambda$, of the penalty $\tfrac\lambda2 \lVert \theta \rVert_2^2$.

    References
    ----------
    I. Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013. There the
    learning rate is inside $v$; the two forms agree while the learning rate is constant.

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.asarray([1.0], requires_grad=True)
    >>> optimizer = dc.optim.SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([0.8], dtype=float32, requires_grad=True)
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: Rate = 0.01,
        momentum: Rate = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "nesterov": nesterov}
        self._build(parameters, _sgd, {**options, "weight_decay": weight_decay})


def _sgd(*, lr: Rate, momentum: Rate, dampening: float, nesterov: bool, weight_decay: float) -> Transform:
    moving = scale_by_momentum(momentum, dampening, nesterov)  # which also checks that they fit together
    return chain(*decay(weight_decay), *([moving] if momentum else []), scale_by_learning_rate(lr))
