"""Stochastic gradient descent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import ConfigError
from ._optimizer import Optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._tensor import Tensor


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum.

    $$
    \begin{align*}
    v &\leftarrow \mu v + (1 - \tau) g \\
    \theta &\leftarrow \theta - \eta v
    \end{align*}
    $$

    Without momentum, $\theta \leftarrow \theta - \eta g$. The first step sets $v = g$, as PyTorch does.

    Parameters
    ----------
    parameters
        The tensors $\theta$ to learn.
    lr
        The learning rate $\eta$.
    momentum
        $\mu$, from 0 up to, but without, 1.
    dampening
        $\tau$.
    nesterov
        Whether the step looks ahead: $\theta \leftarrow \theta - \eta (g + \mu v)$.

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
        parameters: Iterable[Tensor],
        *,
        lr: float = 0.01,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(parameters, lr=lr)
        if not 0.0 <= momentum < 1.0:
            msg = f"SGD: momentum is from 0 up to, but without, 1, not {momentum}"
            raise ConfigError(msg)
        if nesterov and (momentum == 0.0 or dampening != 0.0):
            msg = f"SGD: nesterov needs momentum > 0 and dampening = 0, not {momentum} and {dampening}"
            raise ConfigError(msg)
        self.momentum = momentum
        self.dampening = dampening
        self.nesterov = nesterov

    def update(self, parameter: Tensor, gradient: Tensor, state: dict[str, Tensor], step: int) -> None:
        """Move one parameter."""
        if self.momentum:
            v = state.get("v")
            v = gradient if v is None else self.momentum * v + (1 - self.dampening) * gradient
            state["v"] = v
            gradient = gradient + self.momentum * v if self.nesterov else v
        parameter -= self.lr * gradient
