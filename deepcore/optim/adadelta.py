"""AdaDelta."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._check import check_fraction, check_not_negative
from ._optimizer import Optimizer
from ._transform import Transform, chain
from .decay import decay
from .scale import scale_by_learning_rate

if TYPE_CHECKING:
    from .._typing import Raw
    from ._parameters import Parameters
    from ._transform import Rate, State, Step


@dataclass(frozen=True)
class scale_by_adadelta(Transform):
    r"""Updates in the units of the parameters: the mean size of past results over that of past updates.

    $$
    \begin{align*}
    v &\leftarrow \rho v + (1 - \rho) u^2 \\
    \Delta &\leftarrow \frac{\sqrt{a + \varepsilon}}{\sqrt{v + \varepsilon}}\,u \\
    a &\leftarrow \rho a + (1 - \rho) \Delta^2 \\
    u &\leftarrow \Delta
    \end{align*}
    $$

    Parameters
    ----------
    rho
        The decay rate $\rho$.
    eps
        $\varepsilon$, inside of both roots. The first steps are about $\sqrt\varepsilon$ long.

    References
    ----------
    M. D. Zeiler, ADADELTA: an adaptive learning rate method, arXiv:1212.5701, 2012, algorithm 1.

    Examples
    --------
    >>> from deepcore import optim
    >>> optim.scale_by_adadelta()
    scale_by_adadelta(rho=0.9, eps=1e-06)
    """

    rho: float = 0.9
    eps: float = 1e-6

    def __post_init__(self) -> None:
        check_fraction("rho", self.rho)
        check_not_negative("eps", self.eps)

    def init(self, parameters: Raw, step: Step) -> State:
        """Begin with means of zero."""
        return {"v": step.xp.zeros_like(parameters), "a": step.xp.zeros_like(parameters)}

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Update both means, and rescale."""
        xp = step.xp
        v = self.rho * state["v"] + (1 - self.rho) * (updates * updates)
        delta = xp.sqrt(state["a"] + self.eps) / xp.sqrt(v + self.eps) * updates
        a = self.rho * state["a"] + (1 - self.rho) * (delta * delta)
        return delta, {"v": v, "a": a}


class Adadelta(Optimizer):
    r"""AdaDelta: steps whose length follows that of past steps.

    $$
    \begin{align*}
    g &\leftarrow g + \lambda \theta \\
    v &\leftarrow \rho v + (1 - \rho) g^2 \\
    \Delta &\leftarrow \frac{\sqrt{a + \varepsilon}}{\sqrt{v + \varepsilon}}\,g \\
    a &\leftarrow \rho a + (1 - \rho) \Delta^2 \\
    \theta &\leftarrow \theta - \eta \Delta
    \end{align*}
    $$

    Parameters
    ----------
    parameters
        The tensors $\theta$ to learn, or groups of them.
    lr
        The learning rate $\eta$, or a schedule of it. The paper has none, which is 1.
    rho
        The decay rate $\rho$.
    eps
        $\varepsilon$, inside of both roots.
    weight_decay
        $\lambda$.

    References
    ----------
    M. D. Zeiler, ADADELTA: an adaptive learning rate method, arXiv:1212.5701, 2012, algorithm 1.

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.asarray([1.0], requires_grad=True)
    >>> optimizer = dc.optim.Adadelta([w])
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 5)
    0.99684
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: Rate = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        self._build(parameters, _adadelta, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay})


def _adadelta(*, lr: Rate, rho: float, eps: float, weight_decay: float) -> Transform:
    return chain(*decay(weight_decay), scale_by_adadelta(rho, eps), scale_by_learning_rate(lr))
