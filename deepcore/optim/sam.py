"""Sharpness-aware minimization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import ConfigError
from .._tape import enable_grad
from ._check import check_not_negative
from ._rebind import rebind
from ._wrapper import Wrapper
from .clip import combined_norm

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._tensor import Tensor
    from .._typing import Raw
    from ._base import BaseOptimizer

_TINY = 1e-12  # added to a norm that is divided by


class SAM(Wrapper):
    r"""Sharpness-aware minimization: another optimizer, with gradients from where the loss is worst nearby.

    $$
    \begin{align*}
    \hat\epsilon &= \rho\,\frac{\nabla L(\theta)}{\lVert \nabla L(\theta) \rVert_2} \\
    g &= \nabla L(\theta + \hat\epsilon)
    \end{align*}
    $$

    and with $g$ the optimizer moves $\theta$. A step computes the loss twice, so it needs a closure.

    Parameters
    ----------
    optimizer
        The optimizer that moves the parameters.
    rho
        How far away the gradient is computed, $\rho$.
    adaptive
        Whether the neighbourhood is relative to the parameters:
        $\hat\epsilon = \rho\,\theta^2 g / \lVert \theta g \rVert_2$, element by element. It wants a larger $\rho$.

    References
    ----------
    P. Foret et al., Sharpness-aware minimization for efficiently improving generalization, ICLR 2021, algorithm 1 and
    equation 2 with $p = 2$. Adaptive: J. Kwon et al., ASAM, ICML 2021, equation 10.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.asarray([1.0], requires_grad=True)
    >>> optimizer = optim.SAM(optim.SGD([w], lr=0.1), rho=0.5)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (w * w).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()  # the loss before the step
    1.0
    >>> round(w.item(), 6)  # the gradient is that at 1.5
    0.7
    """

    def __init__(self, optimizer: BaseOptimizer, *, rho: float = 0.05, adaptive: bool = False) -> None:
        super().__init__(optimizer)
        check_not_negative("SAM: rho", rho)
        self.rho = rho
        self.adaptive = adaptive

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Compute the gradient nearby, and let the optimizer move the parameters.

        Parameters
        ----------
        closure
            Forgets the gradients, computes the loss and its gradients anew, and returns the loss.
        """
        if closure is None:
            msg = "SAM: a step computes the loss twice, so it needs a closure: optimizer.step(closure)"
            raise ConfigError(msg)
        with enable_grad():
            loss = closure()
        moved = [p for p in self.parameters if p._node is not None and p.grad is not None]
        before = [p._data for p in moved]
        self._climb()
        try:
            with enable_grad():
                closure()
        finally:
            for p, value in zip(moved, before, strict=True):
                rebind(p, value)
        self.optimizer.step()
        return loss

    def _climb(self) -> None:
        """Move every parameter to where the loss is worst nearby, to first order."""
        moved = [(p, p.grad._data) for p in self.parameters if p._node is not None and p.grad is not None]
        if not moved:
            return
        scaled = [(p._device, self._scaled(g, p)) for p, g in moved]
        norms = combined_norm(scaled)
        for (p, _), (device, u) in zip(moved, scaled, strict=True):
            xp = device.kernels
            with device.current:
                factor = xp.astype(xp.asarray(self.rho / (norms[device] + _TINY)), u.dtype)
                climb = factor * self._scaled(u, p)
                rebind(p, xp.asarray(p._data + xp.astype(climb, p._data.dtype, copy=False)))

    def _scaled(self, u: Raw, p: Tensor) -> Raw:
        if not self.adaptive:
            return u
        with p._device.current:
            return p._device.kernels.abs(p._data) * u
