r"""Checking derivatives against differences.

For a function $f$, cotangents $v$ and a direction $u$, the reverse sweep gives
$a = \langle \nabla_x \langle v, f(x) \rangle, u \rangle$, where
$\langle a, b \rangle = \operatorname{Re} \sum_i a_i^* b_i$. With $g(t) = \langle v, f(x + t u) \rangle$ the same number
is $g'(0)$, estimated from the central differences $D(h) = \frac{g(h) - g(-h)}{2h}$ by Richardson's extrapolation

$$R(h) = \tfrac13 \bigl(4 D(\tfrac h2) - D(h)\bigr) = g'(0) + O(h^4),$$

whose own error is estimated by $|R(h) - R(\frac h2)|$ and the rounding of $g$ divided by $h$.

At a kink the slopes $\frac{g(h) - g(0)}{h}$ and $\frac{g(0) - g(-h)}{h}$ differ by a jump $J(h)$ that does
not vanish with $h$. For a smooth function $J(h) = h g''(0) + O(h^3)$, so $|2J(\frac h2) - J(h)|$ tells them
apart.

Source: L. F. Richardson, The approximate arithmetical solution by finite differences of physical problems,
*Phil. Trans. R. Soc. A* 210, 1911; the detection of kinks follows `chainer.gradient_check`.
"""

from __future__ import annotations

import inspect
import itertools
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from .._dtype import DTYPES, complex64, complex128, float32, float64
from .._errors import ConfigError, DeepcoreError, GradientError
from .._sweep import sweep
from .._tape import Leaf, enable_grad, no_grad
from .._tensor import Tensor, lift, make
from ..ops import asarray, finfo, zeros_like

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._dtype import DType
    from .._tape import Node

HostArray: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

DIRECTIONS: Final = 2


class GradientMismatchError(GradientError, AssertionError):
    """A derivative that differences contradict, or of the wrong shape, data type or device."""


class KinkError(GradientMismatchError):
    """A point near which differences show that the function is not differentiable."""


def check_grads(
    f: Callable[..., Any],
    /,
    *args: Any,
    order: int = 1,
    rtol: float | None = None,
    atol: float | None = None,
    eps: float | None = None,
    seed: int = 0,
) -> None:
    r"""Check the reverse-mode derivatives of a function against differences.

    The derivative with respect to every floating-point tensor among the arguments is compared along random
    directions,

    $$\langle \nabla_x \langle v, f(x) \rangle, u \rangle
    \approx \frac{\langle v, f(x + hu) \rangle - \langle v, f(x - hu) \rangle}{2h},$$

    with random cotangents $v$. Differences are taken in float64 where the device has it, also when the
    arguments are float32, and are extrapolated from several steps $h$, which gives an estimate of their own
    error too.

    Parameters
    ----------
    f
        A function of the arguments. Its result is a tensor, or a list or tuple of tensors.
    args
        Its arguments. Those that are no floating-point tensors are passed on.
    order
        Up to which order. At order 2 the function $\nabla_x \langle v, f(x) \rangle$ of $x$ and $v$ is
        checked in the same way, and so on.
    rtol, atol
        How much the two may differ, besides the error of the differences: by ``atol`` and by ``rtol`` times
        $\sum_i |\nabla_{x_i} u_i|$. They default to 1e-7 in float64, 2e-4 in float32, 0.02 in float16 and
        0.15 in bfloat16.
    eps
        The largest step $h$. It defaults to $\varepsilon^{1/5} \max(1, \max_i |x_i|)$.
    seed
        What directions and cotangents are drawn from.

    Raises
    ------
    GradientMismatchError
        If a derivative is wrong. The message names the function, the operand and the element that is furthest
        off.
    KinkError
        If the function turns out not to be differentiable near the point, whether the derivative fits or not.
    ConfigError
        If there is nothing to differentiate with respect to, or ``order`` is less than 1.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore.testing import check_grads
    >>> x = dc.asarray([0.5, 1.0, 2.0], dtype=dc.float64)
    >>> check_grads(lambda x: dc.log(x) * x, x, order=2)
    >>> check_grads(lambda x: dc.abs(x - 1.0001), x)
    Traceback (most recent call last):
        ...
    deepcore.testing.gradients.KinkError: <lambda> is not differentiable near x[1]: ...
    """
    if order < 1:
        msg = f"check_grads: order is 1 or more, not {order}"
        raise ConfigError(msg)
    places = [i for i, x in enumerate(args) if isinstance(x, Tensor) and x.dtype.is_inexact]
    if not places:
        msg = "check_grads: no argument is a floating-point tensor"
        raise ConfigError(msg)

    def function(*operands: Tensor) -> list[Tensor]:
        given = list(args)
        for i, x in zip(places, operands, strict=True):
            given[i] = x
        return _results(f(*given))

    all_names = _argument_names(f, len(args))
    rng = np.random.default_rng(seed)
    check = _Check(_name(f), function, [all_names[i] for i in places], [args[i].detach() for i in places])
    check.run(order, _Options(rtol, atol, eps, rng))


@dataclass(frozen=True)
class _Options:
    rtol: float | None
    atol: float | None
    eps: float | None
    rng: np.random.Generator

    def direction(self, x: Tensor) -> HostArray:
        """Draw a direction that has no small entries, so that no element is overlooked."""

        def part() -> HostArray:
            return np.asarray(self.rng.choice([-1.0, 1.0], x.shape) * self.rng.uniform(0.5, 1.5, x.shape))

        return part() + 1j * part() if x.dtype.is_kind("complex floating") else part()


@dataclass(frozen=True)
class _Check:
    """A function of tensors alone, whose results are a list, and the point at which it is checked."""

    name: str
    function: Callable[..., list[Tensor]]
    names: Sequence[str]
    point: Sequence[Tensor]

    def run(self, order: int, options: _Options) -> None:
        with no_grad():
            results = self.function(*self.point)
        cotangents = [_like(x, options.direction(x)) for x in results]
        gradients = _vector_jacobian(self.function, self.point, cotangents, record=False)
        for name, x, dx in zip(self.names, self.point, gradients, strict=True):
            self._check_kind(name, x, dx)
        differences = _Differences(self, cotangents, options.eps)
        for i, dx in enumerate(gradients):
            for _ in range(DIRECTIONS):
                direction = options.direction(dx)
                if differences.verdict(i, direction, dx, options)[0]:
                    self._fail(i, dx, differences, options)
        if order > 1:
            self._next(cotangents, gradients, order, options)

    def _check_kind(self, name: str, x: Tensor, dx: Tensor) -> None:
        for what, found, wanted in (
            ("shape", dx.shape, x.shape),
            ("data type", dx.dtype, x.dtype),
            ("device", dx.device, x.device),
        ):
            if found != wanted:
                msg = f"{self.name}: the derivative with respect to {name} has {what} {found}, not {wanted}"
                raise GradientMismatchError(msg)

    def _fail(self, i: int, dx: Tensor, differences: _Differences, options: _Options) -> None:
        """Find the element at which the derivative is furthest off, and raise."""
        worst: tuple[float, tuple[int, ...], str, bool] = (-1.0, (), "", False)
        units = (1.0, 1.0j) if dx.dtype.is_kind("complex floating") else (1.0,)
        for index, unit in itertools.product(np.ndindex(*dx.shape), units):
            axis = np.zeros(dx.shape, dtype=type(units[-1]))
            axis[index] = unit
            message, excess, kink = differences.verdict(i, axis, dx, options)
            if message and excess > worst[0]:
                worst = (excess, index, message, kink)
        _, index, message, kink = worst
        where = f"{self.names[i]}[{', '.join(map(str, index))}]" if index else self.names[i]
        if kink:
            msg = f"{self.name} is not differentiable near {where}: {message}"
            raise KinkError(msg)
        msg = (
            f"{self.name}: the derivative with respect to {self.names[i]} ({dx.dtype} of shape {dx.shape}) "
            f"is wrong, most at {where}: {message or 'only along a random direction'}"
        )
        raise GradientMismatchError(msg)

    def _next(self, cotangents: Sequence[Tensor], gradients: Sequence[Tensor], order: int, options: _Options) -> None:
        n = len(self.point)
        recorded = _vector_jacobian(self.function, self.point, cotangents, record=True)
        for name, dx, again in zip(self.names, gradients, recorded, strict=True):
            largest = float(np.max(np.abs(_host(dx)), initial=1.0))
            if not np.allclose(_host(dx), _host(again), rtol=0, atol=_tolerance(dx.dtype) * largest, equal_nan=True):
                msg = f"{self.name}: the derivative with respect to {name} is another one when it is recorded"
                raise GradientMismatchError(msg)

        def gradient(*operands: Tensor) -> list[Tensor]:
            return _vector_jacobian(self.function, operands[:n], operands[n:], record=True)

        seeds = [f"the cotangent of result {k}" for k in range(len(cotangents))]
        if len(seeds) == 1:
            seeds = ["the cotangent"]
        name = f"the derivative of {self.name}"
        _Check(name, gradient, [*self.names, *seeds], [*self.point, *cotangents]).run(order - 1, options)


class _Differences:
    r"""The function $g(t) = \langle v, f(x + t u) \rangle$ of the directions u."""

    def __init__(self, check: _Check, cotangents: Sequence[Tensor], eps: float | None) -> None:
        self._function = check.function
        self._eps = eps
        self._cotangents = [_host(v) for v in cotangents]
        self._point = [_widened(x) for x in check.point]
        self._host = [_host(x) for x in self._point]

    def verdict(self, i: int, u: HostArray, dx: Tensor, options: _Options) -> tuple[str, float, bool]:
        """Return what is wrong along a direction, by how much, and whether it is a kink's fault."""
        unit = float(finfo(self._point[i]).eps)
        largest = float(np.max(np.abs(self._host[i]), initial=1.0))
        h = self._eps or unit**0.2 * largest
        (zero, size), *rest = [self._at(i, u, t) for t in (0.0, h, -h, h / 2, -h / 2, h / 4, -h / 4)]
        steps = (h, h / 2, h / 4)
        right, left = [v for v, _ in rest[::2]], [v for v, _ in rest[1::2]]
        d = [(r - l) / (2 * t) for r, l, t in zip(right, left, steps, strict=True)]
        jumps = [(r - 2 * zero + l) / t for r, l, t in zip(right, left, steps, strict=True)]
        coarse, fine = (4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3
        products = np.real(np.conj(_host(dx)) * u)
        reverse, scale = float(products.sum()), max(float(np.abs(products).sum()), abs(fine))
        rounding = 16 * unit * (size + scale * largest) / h
        own = abs(fine - coarse) + rounding
        usual = _tolerance(dx.dtype)
        allowed = (usual if options.atol is None else options.atol) + scale * (
            usual if options.rtol is None else options.rtol
        )
        if not np.isfinite([reverse, fine, own]).all():
            return f"the sweep gives {reverse:.9g} and differences {fine:.9g}", np.inf, False
        excess = abs(reverse - fine) - allowed - own
        bend = max(abs(2 * fine_jump - jump) for jump, fine_jump in itertools.pairwise(jumps))
        kink = bend > 4 * rounding + max(1e-3 * scale, allowed) / 2
        vague = own > max(allowed, 0.02 * scale)
        if kink:
            slopes = f"{(right[-1] - zero) * 4 / h:.6g} and {(zero - left[-1]) * 4 / h:.6g}"
            return f"its slopes on both sides are {slopes}", max(excess, bend), True
        if excess <= 0 and not vague:
            return "", excess, False
        return (
            f"the sweep gives {reverse:.9g} and differences {fine:.9g} ± {own + allowed:.2g}",
            excess + own,
            False,
        )

    def _at(self, i: int, u: HostArray, t: float) -> tuple[float, float]:
        """Return g(t), and the sum of the absolute values that it is the sum of."""
        moved = list(self._point)
        if t:
            moved[i] = _like(self._point[i], self._host[i] + t * u)
        with no_grad():
            values = [_host(y) for y in self._function(*moved)]
            terms = [np.real(np.conj(v) * y) for v, y in zip(self._cotangents, values, strict=True)]
        return sum(float(x.sum()) for x in terms), sum(float(np.abs(x).sum()) for x in terms)


def _vector_jacobian(
    function: Callable[..., list[Tensor]],
    point: Sequence[Tensor],
    cotangents: Sequence[Tensor],
    *,
    record: bool,
) -> list[Tensor]:
    """Return the derivatives with respect to the operands, recorded or not."""
    with enable_grad():
        operands = [x if x.requires_grad else make(x._data, x.device, Leaf(x._data, x.device)) for x in point]
        roots: dict[Node, Any] = {}
        for y, v in zip(function(*operands), cotangents, strict=True):
            if y._node is not None:
                seed = v if record else v._data
                with y.device.current:
                    roots[y._node] = roots[y._node] + seed if y._node in roots else seed
        targets = [x._node for x in operands if x._node is not None]
        found = sweep(roots, targets=targets, lift=lift if record else None, release=False)
    gradients: list[Tensor] = []
    for x in operands:
        dx = found.get(x._node) if x._node is not None else None
        gradients.append(zeros_like(x) if dx is None else dx if record else make(dx, x.device))
    return gradients


def _results(value: Any) -> list[Tensor]:
    results = list(value) if isinstance(value, (list, tuple)) else [value]
    for y in results:
        if not isinstance(y, Tensor):
            msg = f"check_grads: the function must return tensors, and it returned a {type(y).__name__}"
            raise ConfigError(msg)
    return [y for y in results if y.dtype.is_inexact]


def _tolerance(dtype: DType) -> float:
    return {64: 1e-7, 32: 2e-4, 16: 0.15 if dtype is DTYPES["bfloat16"] else 0.02}[finfo(dtype).bits]


def _host(x: Tensor) -> HostArray:
    values = np.asarray(x.detach().numpy())
    return values.astype(np.complex128 if x.dtype.is_kind("complex floating") else np.float64)


def _like(x: Tensor, values: HostArray) -> Tensor:
    return asarray(values.astype(x.dtype.name), device=x.device) if x.dtype.name != "bfloat16" else _bfloat16(x, values)


def _bfloat16(x: Tensor, values: HostArray) -> Tensor:
    return asarray(values.astype(np.float32), device=x.device).astype(DTYPES["bfloat16"])


def _widened(x: Tensor) -> Tensor:
    """Return the same values in the widest type of their kind that the device has."""
    for dtype in (complex128, complex64) if x.dtype.is_kind("complex floating") else (float64, float32):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # JAX without 64-bit types warns and gives another type
                wide = x if x.dtype is dtype else x.astype(dtype)
        except DeepcoreError:
            continue
        if wide.dtype is dtype:
            return wide
    return x


def _name(f: Callable[..., Any]) -> str:
    return str(getattr(f, "__name__", None) or type(f).__name__)


def _argument_names(f: Callable[..., Any], n: int) -> list[str]:
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [names[i] if i < len(names) else f"argument {i}" for i in range(n)]
