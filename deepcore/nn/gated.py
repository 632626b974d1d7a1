"""Gated activation functions as layers. The mathematics is in :mod:`deepcore.ops.gated`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from .._errors import ConfigError, ShapeError
from ._axis import length_along
from ._module import Module
from ._parameter import Parameter

if TYPE_CHECKING:
    from .._tensor import Tensor


class HardSwish(Module):
    r"""$\phi(x) = x \min(\max(x + 3, 0), 6) / 6$; $\phi' = (2x + 3) / 6$ where $|x| < 3$, else 0 or 1."""

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.hard_swish(x)


class SiLU(Module):
    r"""$\phi(x) = x\,\sigma(x)$, $\phi' = \sigma(x) (1 + x (1 - \sigma(x)))$."""

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.silu(x)


class Swish(Module):
    r"""$\phi(x) = x\,\sigma(\beta x)$, $\phi' = \sigma(\beta x) (1 + \beta x (1 - \sigma(\beta x)))$; with $\beta = 1$
    it is :class:`SiLU`.

    Parameters
    ----------
    beta
        0 makes a line of it, and a large number a rectifier.
    learned
        Whether $\beta$ is a parameter, which begins there.

    References
    ----------
    P. Ramachandran, B. Zoph and Q. V. Le, Searching for activation functions, arXiv:1710.05941, 2017, section 4.
    """

    def __init__(self, beta: float = 1.0, *, learned: bool = False) -> None:
        self.beta = Parameter(ops.full((), beta, dtype=ops.default_dtype())) if learned else beta

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        if isinstance(self.beta, float) and self.beta == 1.0:
            return ops.silu(x)
        return x * ops.sigmoid(self.beta * x)

    def describe(self) -> str:
        """Return beta."""
        return "β learned" if isinstance(self.beta, Parameter) else f"β = {self.beta}"


class Mish(Module):
    r"""$\phi(x) = x t$ with $t = \tanh \ln(1 + e^x)$, $\phi' = t + x\,\sigma(x) (1 - t^2)$."""

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.mish(x)


class GELU(Module):
    r"""$\phi(x) = x\,\Phi(x)$ with the normal distribution function $\Phi(x) = \frac12 (1 + \operatorname{erf}
    \frac{x}{\sqrt2})$, $\phi' = \Phi(x) + x e^{-x^2/2} / \sqrt{2\pi}$.

    Parameters
    ----------
    approximate
        ``"none"``, or ``"tanh"`` for $\frac x2 (1 + \tanh u)$ with $u = \sqrt{2 / \pi}\,(x + 0.044715\,x^3)$, which is
        within 0.0005 of it, and what GPT-2 and BERT were trained with.

    Examples
    --------
    >>> import deepcore as dc
    >>> round(dc.nn.GELU()(dc.asarray(1.0)).item(), 4), round(dc.nn.GELU("tanh")(dc.asarray(1.0)).item(), 4)
    (0.8413, 0.8412)
    """

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in {"none", "tanh"}:
            msg = f"GELU: unknown approximation {approximate!r}; the known ones are none, tanh"
            raise ConfigError(msg)
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.gelu(x) if self.approximate == "none" else ops.gelu_tanh(x)

    def describe(self) -> str:
        """Return the approximation, if there is one."""
        return "" if self.approximate == "none" else self.approximate


class _Halved(Module):
    """What splits an axis into values and gates."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def check(self, x: Tensor) -> None:
        """Raise if the axis cannot be halved."""
        if length_along(self, x, self.axis) % 2:
            msg = (
                f"{self!r}: axis {self.axis} is split into values and gates, so its length is even; "
                f"got an input of shape {x.shape}"
            )
            raise ShapeError(msg)

    def describe(self) -> str:
        """Return the axis."""
        return f"axis {self.axis}"


class GLU(_Halved):
    r"""Gated linear unit, $y = a \odot \sigma(b)$, where $a$ and $b$ are the halves of $x$ along an axis.

    Parameters
    ----------
    axis
        The axis to split. The result is half as long there.

    Raises
    ------
    ShapeError
        When called on an array whose axis has no even length.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.GLU()(dc.ones((5, 8))).shape
    (5, 4)
    """

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $a \odot \sigma(b)$."""
        self.check(x)
        return ops.glu(x, axis=self.axis)


class SwiGLU(_Halved):
    r"""Gated linear unit with a swish, $y = a \odot b\,\sigma(b)$, where $a$ and $b$ are the halves of $x$.

    Parameters
    ----------
    axis
        The axis to split. The result is half as long there.

    Raises
    ------
    ShapeError
        When called on an array whose axis has no even length.

    Notes
    -----
    The second half is the gate, as in :class:`GLU`; models that hold the gate's weights first exchange the two.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.SwiGLU()(dc.ones((5, 8))).shape
    (5, 4)
    """

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $a \odot b\,\sigma(b)$."""
        self.check(x)
        return ops.swiglu(x, axis=self.axis)
