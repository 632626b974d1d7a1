"""Muon."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._errors import ConfigError
from ._check import check_fraction, check_positive
from ._optimizer import Optimizer
from ._transform import PerArray, Transform, chain
from .decay import decay
from .scale import scale_by_learning_rate

if TYPE_CHECKING:
    from .._typing import Raw
    from ._parameters import Parameters
    from ._transform import Rate, State, Step

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ADJUSTMENTS = ("original", "match_rms_adamw", None)


@dataclass(frozen=True)
class scale_by_mean(Transform):
    r"""The mean of past updates.

    $$
    \begin{align*}
    m &\leftarrow \mu m + (1 - \mu) u \\
    u &\leftarrow m \qquad\text{or, with Nesterov's look ahead,}\qquad u \leftarrow \mu m + (1 - \mu) u
    \end{align*}
    $$

    Parameters
    ----------
    momentum
        $\mu$, from 0 up to, but without, 1.
    nesterov
        Whether to look ahead.

    Examples
    --------
    >>> from deepcore import optim
    >>> optim.scale_by_mean(0.9)
    scale_by_mean(momentum=0.9, nesterov=False)
    """

    momentum: float
    nesterov: bool = False

    def __post_init__(self) -> None:
        check_fraction("momentum", self.momentum)

    def init(self, parameters: Raw, step: Step) -> State:
        """Begin with a mean of zero."""
        return {"m": step.xp.zeros_like(parameters)}

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Update the mean, and return it."""
        m = self.momentum * state["m"] + (1 - self.momentum) * updates
        return (self.momentum * m + (1 - self.momentum) * updates if self.nesterov else m), {"m": m}


@dataclass(frozen=True)
class orthogonalise(PerArray):
    r"""Matrices whose singular values are all near 1.

    With the singular value decomposition $U = P \Sigma Q^\top$, the result is near $P Q^\top$. It is found by a few
    steps of a Newton-Schulz iteration, which needs products alone:

    $$X_0 = U / \lVert U \rVert_F, \qquad X_{k+1} = a X_k + b (X_k X_k^\top) X_k + c (X_k X_k^\top)^2 X_k$$

    The usual coefficients make small singular values grow as fast as possible, and leave all between about 0.7 and 1.2.

    Parameters
    ----------
    coefficients
        $a$, $b$ and $c$.
    steps
        The number of steps.
    eps
        The smallest norm that is divided by.
    adjustment
        How the result depends on the shape, $n$ inputs times $m$ outputs: ``"original"`` multiplies it by
        $\sqrt{\max(1, m/n)}$, ``"match_rms_adamw"`` by $0.2 \sqrt{\max(n, m)}$, and None leaves it as it is.

    References
    ----------
    K. Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024,
    https://kellerjordan.github.io/posts/muon. ``"match_rms_adamw"``: J. Liu et al., Muon is scalable for LLM training,
    arXiv:2502.16982, 2025, section 2.2.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> W = dc.zeros((2, 2), requires_grad=True)
    >>> W.grad = dc.asarray([[0.0, 5.0], [-1.0, 0.0]])
    >>> optim.Optimizer([W], optim.chain(optim.orthogonalise(), optim.scale_by_learning_rate(1.0))).step()
    >>> [[round(x, 1) for x in row] for row in W.tolist()]
    [[0.0, -0.7], [0.8, 0.0]]
    """

    coefficients: tuple[float, float, float] = COEFFICIENTS
    steps: int = 5
    eps: float = 1e-7
    adjustment: str | None = "original"

    def __post_init__(self) -> None:
        check_positive("eps", self.eps)
        if self.steps < 1:
            msg = f"the number of steps is at least 1, not {self.steps}"
            raise ConfigError(msg)
        if self.adjustment not in ADJUSTMENTS:
            msg = f"the adjustment is one of {', '.join(map(repr, ADJUSTMENTS))}, not {self.adjustment!r}"
            raise ConfigError(msg)

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Orthogonalise one matrix."""
        if updates.ndim != 2:
            msg = (
                f"orthogonalise: a parameter has shape {tuple(updates.shape)}, and only matrices can be orthogonalised"
            )
            raise ConfigError(msg)
        xp = step.xp
        n, m = updates.shape
        a, b, c = self.coefficients
        x = updates if n <= m else xp.matrix_transpose(updates)  # the product below is then the smaller one
        x = x / xp.maximum(xp.sqrt(xp.sum(x * x)), self.eps)
        for _ in range(self.steps):
            square = xp.matmul(x, xp.matrix_transpose(x))
            x = a * x + xp.matmul(b * square + c * xp.matmul(square, square), x)
        x = x if n <= m else xp.matrix_transpose(x)
        return x if self.adjustment is None else self._factor(n, m) * x, state

    def _factor(self, n: int, m: int) -> float:
        if self.adjustment == "original":
            return math.sqrt(max(1.0, m / max(1, n)))
        return 0.2 * math.sqrt(max(n, m))


class Muon(Optimizer):
    r"""Momentum, orthogonalised: every direction of a weight matrix moves equally far.

    $$
    \begin{align*}
    M &\leftarrow \mu M + (1 - \mu) G \\
    \Theta &\leftarrow \Theta - \eta \left(\sqrt{\max(1, m/n)}\, \operatorname{orth}(\mu M + (1 - \mu) G)
    + \lambda \Theta\right)
    \end{align*}
    $$

    It is for the matrices of hidden layers. Biases, embeddings and the last layer are better left to :class:`AdamW`;
    :class:`Optimizers` takes both.

    Parameters
    ----------
    parameters
        The matrices $\Theta$ to learn, of $n$ inputs times $m$ outputs, or groups of them.
    lr
        The learning rate $\eta$, or a schedule of it.
    weight_decay
        $\lambda$, decoupled.
    momentum
        $\mu$, from 0 up to, but without, 1.
    nesterov
        Whether to look ahead, as above; otherwise $M$ itself is orthogonalised.
    coefficients, steps, eps, adjustment
        See :class:`orthogonalise`.

    References
    ----------
    K. Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024,
    https://kellerjordan.github.io/posts/muon. Its matrices have a row per output and ours one per input, hence $m/n$.
    It, and PyTorch, iterate in bfloat16; this is in the parameters' own type.

    Examples
    --------
    >>> from deepcore import nn, optim
    >>> model = nn.Sequential(nn.Dense(8, 16, activation="relu"), nn.Dense(16, 4))
    >>> matrices = [p for p in model.parameters() if p.ndim == 2]
    >>> others = [p for p in model.parameters() if p.ndim != 2]
    >>> optimizer = optim.Optimizers(optim.Muon(matrices, lr=0.02), optim.AdamW(others))
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: Rate = 0.001,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        coefficients: tuple[float, float, float] = COEFFICIENTS,
        steps: int = 5,
        eps: float = 1e-7,
        adjustment: str | None = "original",
    ) -> None:
        options: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov}
        options |= {"coefficients": coefficients, "steps": steps, "eps": eps, "adjustment": adjustment}
        self._build(parameters, _muon, options)
        for name, p in zip(self._names, self.parameters, strict=True):
            if p.ndim != 2:
                msg = (
                    f"Muon: parameter {name} has shape {p.shape}, and Muon is for matrices; "
                    "give the others to another method, with Optimizers(Muon(matrices), AdamW(others))"
                )
                raise ConfigError(msg)


def _muon(
    *,
    lr: Rate,
    weight_decay: float,
    momentum: float,
    nesterov: bool,
    coefficients: tuple[float, float, float],
    steps: int,
    eps: float,
    adjustment: str | None,
) -> Transform:
    return chain(
        scale_by_mean(momentum, nesterov),
        orthogonalise(coefficients, steps, eps, adjustment),
        *decay(weight_decay),
        scale_by_learning_rate(lr),
    )
