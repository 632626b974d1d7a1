"""Adafactor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._errors import ConfigError
from ._check import check_not_negative, check_positive, check_rate
from ._optimizer import Optimizer
from ._transform import PerArray, Transform, chain

if TYPE_CHECKING:
    from .._typing import Namespace, Raw
    from ._parameters import Parameters
    from ._transform import Rate, State, Step


def _rms(x: Raw, xp: Namespace) -> Raw:
    return xp.sqrt(xp.sum(x * x) / max(1, math.prod(x.shape)))


@dataclass(frozen=True)
class scale_by_factored_rms(PerArray):
    r"""Division by the root of the mean of past squares, of which a matrix remembers those of rows and columns alone.

    $$
    \begin{align*}
    \hat\beta_t &= 1 - t^{-\gamma} \\
    r &\leftarrow \hat\beta_t r + (1 - \hat\beta_t)\,\tfrac1m\, U^2 1_m, \qquad
    c \leftarrow \hat\beta_t c + (1 - \hat\beta_t)\,\tfrac1n\, 1_n^\top U^2 \\
    U &\leftarrow U \Big/ \sqrt{\max(r c / \operatorname{mean}(r),\ \varepsilon^2)}
    \end{align*}
    $$

    for $n \times m$ matrices, which are the last two axes of larger arrays; vectors and numbers remember all squares.

    Parameters
    ----------
    beta2_decay
        $-\gamma$.
    eps
        $\varepsilon$; the machine epsilon of the data type, if not given. Its square is the smallest denominator, as in
        PyTorch.

    References
    ----------
    N. Shazeer and M. Stern, Adafactor: adaptive learning rates with sublinear memory cost, ICML 2018, algorithms 4
    and 5. There $\varepsilon$ is added to the squares.

    Examples
    --------
    >>> from deepcore import optim
    >>> optim.scale_by_factored_rms()
    scale_by_factored_rms(beta2_decay=-0.8, eps=None)
    """

    beta2_decay: float = -0.8
    eps: float | None = None

    def __post_init__(self) -> None:
        if not -math.inf < self.beta2_decay <= 0:
            msg = f"beta2_decay is at most 0 and finite, not {self.beta2_decay}"
            raise ConfigError(msg)
        check_not_negative("eps", self.eps or 0.0)

    def init(self, parameters: Raw, step: Step) -> State:
        """Begin with zeros."""
        zeros = step.xp.zeros_like(parameters)
        if parameters.ndim < 2:
            return {"v": zeros}
        return {
            "row": step.xp.sum(zeros, axis=-1, keepdims=True),
            "column": step.xp.sum(zeros, axis=-2, keepdims=True),
        }

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Update the means, and divide."""
        xp = step.xp
        eps = float(xp.finfo(updates.dtype).eps) if self.eps is None else self.eps
        new = step.count**self.beta2_decay
        squares = updates * updates
        if updates.ndim < 2:
            v = (1 - new) * state["v"] + new * squares
            return updates / xp.sqrt(xp.maximum(v, eps * eps)), {"v": v}
        *_, rows, columns = updates.shape
        row = (1 - new) * state["row"] + (new / max(1, columns)) * xp.sum(squares, axis=-1, keepdims=True)
        column = (1 - new) * state["column"] + (new / max(1, rows)) * xp.sum(squares, axis=-2, keepdims=True)
        mean = xp.sum(row, axis=-2, keepdims=True) / max(1, rows)
        v = xp.matmul(row, column) / xp.maximum(mean, eps)
        return updates / xp.sqrt(xp.maximum(v, eps * eps)), {"row": row, "column": column}


@dataclass(frozen=True)
class clip_by_rms(PerArray):
    r"""Every array of updates made smaller, where its root mean square is too large.

    $$u \leftarrow u / \max(1, \operatorname{RMS}(u) / d)$$

    Parameters
    ----------
    d
        The largest root mean square.

    References
    ----------
    N. Shazeer and M. Stern, Adafactor, ICML 2018, section 6.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.zeros(2, requires_grad=True)
    >>> w.grad = dc.asarray([3.0, -3.0])
    >>> optim.Optimizer([w], optim.chain(optim.clip_by_rms(1.0), optim.scale_by_learning_rate(1.0))).step()
    >>> w.tolist()
    [-1.0, 1.0]
    """

    d: float = 1.0

    def __post_init__(self) -> None:
        check_positive("d", self.d)

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Clip one array."""
        return updates / step.xp.maximum(_rms(updates, step.xp) / self.d, 1.0), state


@dataclass(frozen=True)
class scale_by_parameter_rms(PerArray):
    r"""Updates in proportion to the size of the parameters, array by array.

    $$u \leftarrow \max(\varepsilon, \operatorname{RMS}(\theta))\,u$$

    Parameters
    ----------
    eps
        $\varepsilon$, so that parameters of zero can grow.

    References
    ----------
    N. Shazeer and M. Stern, Adafactor, ICML 2018, section 8.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.asarray([2.0, -2.0], requires_grad=True)
    >>> w.grad = dc.asarray([1.0, 0.0])
    >>> optim.Optimizer([w], optim.chain(optim.scale_by_parameter_rms(), optim.scale_by_learning_rate(0.5))).step()
    >>> w.tolist()
    [1.0, -2.0]
    """

    eps: float = 1e-3

    def __post_init__(self) -> None:
        check_not_negative("eps", self.eps)

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Rescale one array."""
        return step.xp.maximum(_rms(parameters, step.xp), self.eps) * updates, state


@dataclass(frozen=True)
class scale_by_relative_step(Transform):
    r"""The last transform of Adafactor. $u \leftarrow -\min(\eta, t^{-1/2})\,u - \eta \lambda \theta$.

    Parameters
    ----------
    lr
        The learning rate $\eta$, or a schedule of it.
    weight_decay
        $\lambda$.

    Examples
    --------
    >>> from deepcore import optim
    >>> optim.scale_by_relative_step(0.01)
    scale_by_relative_step(lr=0.01, weight_decay=0.0)
    """

    lr: Rate
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_rate(self.lr)
        check_not_negative("weight_decay", self.weight_decay)

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Multiply, and decay."""
        lr = step.value(self.lr)
        change = -min(lr, step.count**-0.5) * updates
        return (change - (lr * self.weight_decay) * parameters if self.weight_decay else change), state

    @property
    def rate(self) -> Rate:
        """The learning rate."""
        return self.lr

    def with_rate(self, rate: Rate) -> scale_by_relative_step:
        """Return the same transform with another learning rate."""
        return scale_by_relative_step(rate, self.weight_decay)


class Adafactor(Optimizer):
    r"""Adaptive steps with memory for the sums of rows and columns only.

    $$
    \begin{align*}
    U &= G \Big/ \sqrt{\max(r c / \operatorname{mean}(r),\ \varepsilon_1^2)} \\
    \theta &\leftarrow \theta - \eta\lambda\theta
    - \min(\eta, t^{-1/2}) \max(\varepsilon_2, \operatorname{RMS}(\theta))\,\frac{U}{\max(1, \operatorname{RMS}(U) / d)}
    \end{align*}
    $$

    where $r$ and $c$ are the means of past squares of :class:`scale_by_factored_rms`. There is no momentum.

    Parameters
    ----------
    parameters
        The tensors $\theta$ to learn, or groups of them.
    lr
        The largest learning rate $\eta$, or a schedule of it; the steps are relative to the size of the parameters.
    beta2_decay
        The means begin with weights of $t$ to this power.
    eps
        $\varepsilon_1$, by default the machine epsilon of the data type, and $\varepsilon_2$.
    d
        The largest root mean square of $U$.
    weight_decay
        $\lambda$, decoupled.

    References
    ----------
    N. Shazeer and M. Stern, Adafactor: adaptive learning rates with sublinear memory cost, ICML 2018, algorithms 4
    and 5. Weight decay, and where $\varepsilon_1$ is, as in PyTorch.

    Examples
    --------
    >>> import deepcore as dc
    >>> W = dc.ones((100, 50), requires_grad=True)
    >>> W.grad = dc.ones((100, 50))
    >>> optimizer = dc.optim.Adafactor([W])
    >>> optimizer.step()
    >>> {name: x.size for name, x in optimizer.state[0].items()}
    {'row': 100, 'column': 50}
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: Rate = 0.01,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
    ) -> None:
        options: dict[str, Any] = {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d}
        self._build(parameters, _adafactor, {**options, "weight_decay": weight_decay})


def _adafactor(
    *, lr: Rate, beta2_decay: float, eps: tuple[float | None, float], d: float, weight_decay: float
) -> Transform:
    return chain(
        scale_by_factored_rms(beta2_decay, eps[0]),
        clip_by_rms(d),
        scale_by_parameter_rms(eps[1]),
        scale_by_relative_step(lr, weight_decay),
    )
