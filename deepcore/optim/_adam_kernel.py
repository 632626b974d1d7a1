"""The kernel ``optim.adam``: a whole step of Adam.

It is the function below on every array library whose adapter does not override it. A test holds it equal, bit for bit,
to the transforms that Adam is a chain of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._record import kernel

if TYPE_CHECKING:
    from .._typing import Namespace, Raw

KERNEL: Final = "optim.adam"


def adam(
    xp: Namespace,
    parameters: Raw,
    gradient: Raw,
    m: Raw,
    v: Raw,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    factor: float,
    eps: float,
    penalty: float,
    decay: float,
) -> tuple[Raw, Raw, Raw]:
    r"""Return parameters and moments after a step of Adam.

    $$
    \begin{align*}
    g &\leftarrow g + \lambda_1 \theta \\
    m &\leftarrow \beta_1 m + (1 - \beta_1) g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
    \theta &\leftarrow \theta - \eta \left(\frac{m}{f \sqrt v + \varepsilon} + \lambda_2 \theta\right)
    \end{align*}
    $$

    with ``penalty`` $\lambda_1$ and ``decay`` $\lambda_2$; the bias corrections are in $f$ and $\varepsilon$. An
    override may write to the gradient and to the moments, which are copies that nobody but the optimizer holds, and
    not to the parameters.
    """
    if penalty != 0:
        gradient = gradient + penalty * parameters
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * (gradient * gradient)
    update = m / (factor * xp.sqrt(v) + eps)
    if decay != 0:
        update = update + decay * parameters
    return parameters + -lr * update, m, v


kernel(adam, name=KERNEL, overwrites=(1, 2, 3))
