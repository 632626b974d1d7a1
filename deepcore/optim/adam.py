"""Adam, and AdamW."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._adam_kernel import KERNEL
from ._moments import Moments
from ._optimizer import Optimizer
from ._transform import Chain
from .decay import add_decayed_weights, decay
from .scale import scale_by_learning_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._typing import Raw
    from ._block import Block
    from ._parameters import Parameters
    from ._transform import Rate, State, Step, Transform


@dataclass(frozen=True)
class scale_by_adam(Moments):
    r"""Division of the mean of past updates by the root of that of their squares.

    $$
    \begin{align*}
    m &\leftarrow \beta_1 m + (1 - \beta_1) u \\
    v &\leftarrow \beta_2 v + (1 - \beta_2) u^2 \\
    u &\leftarrow \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}
    \end{align*}
    $$

    Parameters
    ----------
    betas
        The decay rates $\beta_1$ and $\beta_2$.
    eps
        $\varepsilon$. It is outside of the root, as in the paper and PyTorch.
    bias_correction
        Whether the moments are divided by $1 - \beta^t$.
    amsgrad
        Whether $v$ in the last line is the largest so far.

    References
    ----------
    D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 1. AMSGrad: S. J. Reddi,
    S. Kale and S. Kumar, On the convergence of Adam and beyond, ICLR 2018, algorithm 2.

    Examples
    --------
    >>> from deepcore import optim
    >>> optim.scale_by_adam((0.9, 0.99))
    scale_by_adam(betas=(0.9, 0.99), eps=1e-08, bias_correction=True, amsgrad=False)
    """

    bias_correction: bool = True
    amsgrad: bool = False

    def init(self, parameters: Raw, step: Step) -> State:
        """Begin with moments of zero."""
        state = super().init(parameters, step)
        return {**state, "v_max": step.xp.zeros_like(parameters)} if self.amsgrad else state

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Estimate both moments, and divide."""
        xp = step.xp
        beta1, beta2 = self.betas
        m = beta1 * state["m"] + (1 - beta1) * updates
        v = beta2 * state["v"] + (1 - beta2) * (updates * updates)
        new = {"m": m, "v": v}
        if self.amsgrad:
            v = new["v_max"] = xp.maximum(state["v_max"], v)
        correction1, correction2 = self.corrections(step.count)
        return m / ((correction1 / correction2) * xp.sqrt(v) + correction1 * self.eps), new

    def corrections(self, count: int) -> tuple[float, float]:
        r"""Return $1 - \beta_1^t$ and $\sqrt{1 - \beta_2^t}$. They are numbers, and go where they cost no operation."""
        if not self.bias_correction:
            return 1.0, 1.0
        beta1, beta2 = self.betas
        return 1 - beta1**count, (1 - beta2**count) ** 0.5


@dataclass(frozen=True)
class AdamChain(Chain):
    """The chain of Adam or AdamW, for which there is a kernel: one function for the whole step."""

    def take(self, blocks: Sequence[Block]) -> None:
        """Take a step with all parameters of a group."""
        part = next(i for i, x in enumerate(self.parts) if isinstance(x, scale_by_adam))
        rule, lr = self.parts[part], self.rate
        if not isinstance(rule, scale_by_adam) or rule.amsgrad or lr is None:
            super().take(blocks)
            return
        penalty, after = (
            sum(x.weight_decay for x in parts if isinstance(x, add_decayed_weights))
            for parts in (self.parts[:part], self.parts[part:])
        )
        for block in blocks:
            step, state = block.now, block.state[part]
            correction1, correction2 = rule.corrections(step.count)
            block.moved, m, v = step.xp[KERNEL](
                block.values(step.xp),
                block.own_vector(step.xp),
                state["m"],
                state["v"],
                lr=step.value(lr),
                beta1=rule.betas[0],
                beta2=rule.betas[1],
                factor=correction1 / correction2,
                eps=correction1 * rule.eps,
                penalty=penalty,
                decay=after,
            )
            block.state[part] = {"m": m, "v": v}


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
        The tensors $\theta$ to learn, or groups of them.
    lr
        The learning rate $\eta$, or a schedule of it.
    betas
        The decay rates $\beta_1$ and $\beta_2$.
    eps
        $\varepsilon$. It is outside of the root, as in the paper and PyTorch.
    weight_decay
        $\lambda$, of the penalty $\tfrac\lambda2 \lVert \theta \rVert_2^2$, whose gradient is part of $g$. See
        :class:`AdamW` for decoupled weight decay.
    bias_correction
        Whether the moments are divided by $1 - \beta^t$. False gives the uncorrected form of some textbooks.
    amsgrad
        Whether $v$ in the last line is the largest so far.

    References
    ----------
    D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 1. AMSGrad: S. J. Reddi,
    S. Kale and S. Kumar, On the convergence of Adam and beyond, ICLR 2018, algorithm 2.

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
        parameters: Parameters,
        *,
        lr: Rate = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        bias_correction: bool = True,
        amsgrad: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        self._build(parameters, _adam, {**options, "bias_correction": bias_correction, "amsgrad": amsgrad})


class AdamW(Optimizer):
    r"""Adam with decoupled weight decay.

    $$
    \theta \leftarrow \theta - \eta \left(
    \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon} + \lambda\theta \right)
    $$

    with the moments $m$ and $v$ of :class:`Adam`, in which the weight decay has no part.

    Parameters
    ----------
    parameters
        The tensors $\theta$ to learn, or groups of them.
    lr
        The learning rate $\eta$, or a schedule of it.
    betas
        The decay rates $\beta_1$ and $\beta_2$.
    eps
        $\varepsilon$.
    weight_decay
        $\lambda$.
    bias_correction
        Whether the moments are divided by $1 - \beta^t$.
    amsgrad
        Whether $v$ is the largest so far.

    References
    ----------
    I. Loshchilov and F. Hutter, Decoupled weight decay regularization, ICLR 2019, algorithm 2. There the factor
    $\alpha$ is of the first term alone, and the schedule $\eta_t$ of both; here, as in PyTorch, $\eta$ is of both.

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.asarray([1.0], requires_grad=True)
    >>> w.grad = dc.asarray([0.0])
    >>> dc.optim.AdamW([w], lr=0.5, weight_decay=0.5).step()
    >>> w.item()
    0.75
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: Rate = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        bias_correction: bool = True,
        amsgrad: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        self._build(parameters, _adamw, {**options, "bias_correction": bias_correction, "amsgrad": amsgrad})


def _adam(
    *, lr: Rate, betas: tuple[float, float], eps: float, weight_decay: float, bias_correction: bool, amsgrad: bool
) -> Transform:
    adam = scale_by_adam(betas, eps, bias_correction, amsgrad)
    return AdamChain((*decay(weight_decay), adam, scale_by_learning_rate(lr)))


def _adamw(
    *, lr: Rate, betas: tuple[float, float], eps: float, weight_decay: float, bias_correction: bool, amsgrad: bool
) -> Transform:
    adam = scale_by_adam(betas, eps, bias_correction, amsgrad)
    return AdamChain((adam, *decay(weight_decay), scale_by_learning_rate(lr)))
