"""Adam."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import ops
from .._errors import ConfigError
from ._optimizer import Optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._tensor import Tensor


class Adam(Optimizer):
    r"""Adaptive moment estimation.

    $$
    \begin{align*}
    m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
    v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
    \theta &\leftarrow \theta - \eta\,\frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}
    \end{align*}
    $$

    Parameters
    ----------
    parameters
        The tensors $\theta$ to learn.
    lr
        The learning rate $\eta$.
    betas
        The decay rates $\beta_1$ and $\beta_2$.
    eps
        $\varepsilon$.
    bias_correction
        Whether the moments are divided by $1 - \beta^t$. False gives the uncorrected form of some textbooks.

    References
    ----------
    D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 1.

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.asarray([1.0], requires_grad=True)
    >>> optimizer = dc.optim.Adam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)  # the first step is as long as the learning rate
    0.5
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        bias_correction: bool = True,
    ) -> None:
        super().__init__(parameters, lr=lr)
        if not all(0.0 <= beta < 1.0 for beta in betas):
            msg = f"Adam: the betas are from 0 up to, but without, 1, not {betas}"
            raise ConfigError(msg)
        self.betas = betas
        self.eps = eps
        self.bias_correction = bias_correction

    def update(self, parameter: Tensor, gradient: Tensor, state: dict[str, Tensor], step: int) -> None:
        """Move one parameter."""
        beta1, beta2 = self.betas
        m, v = state.get("m"), state.get("v")
        m = (1 - beta1) * gradient if m is None else beta1 * m + (1 - beta1) * gradient
        v = (1 - beta2) * (gradient * gradient) if v is None else beta2 * v + (1 - beta2) * (gradient * gradient)
        state["m"], state["v"] = m, v
        # The corrections are numbers, so they go where they cost one operation on an array and not two.
        correction1 = 1 - beta1**step if self.bias_correction else 1.0
        correction2 = math.sqrt(1 - beta2**step) if self.bias_correction else 1.0
        parameter -= (self.lr / correction1) * m / (ops.sqrt(v) / correction2 + self.eps)
