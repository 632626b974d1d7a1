"""L-BFGS."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .._errors import ConfigError, StateError
from .._tape import enable_grad
from .._tensor import make
from ..ops.creation import asarray
from ._base import BaseOptimizer
from ._check import check_not_negative, check_rate
from ._layout import Layout
from ._line_search import Point, strong_wolfe
from ._parameters import sorted_into_groups
from ._rebind import rebind
from ._state import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .._tensor import Tensor
    from .._typing import Namespace, Raw
    from ..graph._slots import Slot
    from ._parameters import Parameters
    from ._transform import Rate

NUMBERS = ("iteration", "n_iter", "func_evals", "t", "scale", "lr")
SMALLEST_CURVATURE = 1e-10


class LBFGS(BaseOptimizer):
    r"""Newton's method with an inverse Hessian that is estimated from the last few gradients.

    $$\theta \leftarrow \theta - t\,H g$$

    where $H g$ is computed from the differences $s_i$ of parameters and $y_i$ of gradients, with
    $\rho_i = 1 / s_i^\top y_i$:

    $$
    \begin{align*}
    q &\leftarrow g, \qquad & \alpha_i &= \rho_i s_i^\top q, \quad q \leftarrow q - \alpha_i y_i
    && \text{from the last $i$ to the first} \\
    r &\leftarrow \frac{s^\top y}{y^\top y}\,q, \qquad & r &\leftarrow r + (\alpha_i - \rho_i y_i^\top r)\,s_i
    && \text{from the first $i$ to the last}
    \end{align*}
    $$

    It is for functions without noise: whole data sets, or the same batch until it is done. A step computes the loss
    several times, so it needs a closure. All parameters are on one device and of one data type, and those without a
    gradient stay where they are.

    Parameters
    ----------
    parameters
        The tensors $\theta$ to learn, in one group.
    lr
        The step length $t$, or a schedule of it; the first that the line search tries.
    max_iter
        The number of iterations of one step.
    max_eval
        The largest number of evaluations of one step; $\tfrac54$ of ``max_iter``, if not given.
    tolerance_grad
        A step ends where no element of the gradient is larger.
    tolerance_change
        A step ends where neither a parameter nor the loss changes by more.
    history_size
        The number of differences that are remembered.
    line_search_fn
        ``"strong_wolfe"``, or None for steps of fixed length.

    Raises
    ------
    ConfigError
        If an option is outside of what is allowed, or the parameters are of several groups, devices or data types.

    References
    ----------
    J. Nocedal and S. J. Wright, *Numerical Optimization*, 2nd edition, Springer 2006, algorithms 7.4 and 7.5. The
    conditions to stop are PyTorch's.

    Examples
    --------
    >>> import deepcore as dc
    >>> x = dc.asarray([-1.5, 2.0], dtype=dc.float64, requires_grad=True)
    >>> optimizer = dc.optim.LBFGS([x], line_search_fn="strong_wolfe", max_iter=50)
    >>> def rosenbrock():
    ...     optimizer.zero_grad()
    ...     loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> loss = optimizer.step(rosenbrock)
    >>> [round(v, 3) for v in x.tolist()]
    [1.0, 1.0]
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: Rate = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        groups = sorted_into_groups("LBFGS", parameters)
        tensors = [t for own, _ in groups for t in own.values()]
        if len(groups) > 1 or any(options for _, options in groups):
            msg = "LBFGS: there is one group without options, because one Hessian is estimated for all parameters"
            raise ConfigError(msg)
        self._names = list(groups[0][0])
        self._parameters = tensors
        self._same_kind()
        if line_search_fn not in ("strong_wolfe", None):
            msg = f"LBFGS: line_search_fn is 'strong_wolfe' or None, not {line_search_fn!r}"
            raise ConfigError(msg)
        for what, count in (("max_iter", max_iter), ("max_eval", max_eval or 1), ("history_size", history_size)):
            if count < 1:
                msg = f"LBFGS: {what} is at least 1, not {count}"
                raise ConfigError(msg)
        check_not_negative("LBFGS: tolerance_grad", tolerance_grad)
        check_not_negative("LBFGS: tolerance_change", tolerance_change)
        self.lr = lr
        self.max_iter = max_iter
        self.max_eval = max_iter * 5 // 4 if max_eval is None else max_eval
        self.tolerance_grad, self.tolerance_change = tolerance_grad, tolerance_change
        self.history_size = history_size
        self.line_search_fn = line_search_fn
        self.iteration = self.n_iter = self.func_evals = 0
        self._t, self._scale = 0.0, 1.0  # the length of the last step, and the size of the inverse Hessian
        # Vectors by name: the last direction, the gradient before it, and differences of gradients (y) and steps (s).
        self._vectors: dict[str, Raw] = {}
        self._device = tensors[0]._device
        self._layout = Layout(p._data.shape for p in tensors)

    @property
    def parameters(self) -> list[Tensor]:
        """The tensors to learn."""
        return list(self._parameters)

    @property
    def lr(self) -> float:
        """The step length of the next step, before any line search."""
        return self._lr(self.iteration) if callable(self._lr) else self._lr

    @lr.setter
    def lr(self, rate: Rate) -> None:
        try:
            check_rate(rate)
        except ConfigError as error:
            msg = f"LBFGS: {error}"
            raise ConfigError(msg) from None
        self._lr = rate

    # ------------------------------------------------------------------------------------------------- one vector

    def _follow(self) -> None:
        """Take what is remembered to the device that the parameters have moved to."""
        self._same_kind()
        device = self._parameters[0]._device
        if device is not self._device:
            moved = {name: make(x, self._device).to_device(device)._data for name, x in self._vectors.items()}
            self._device, self._vectors = device, moved

    def _same_kind(self) -> None:
        kinds = {(str(p.device), p.dtype.name) for p in self._parameters}
        if len(kinds) > 1:
            msg = f"LBFGS: all parameters are on one device and of one data type, not {sorted(kinds)}"
            raise ConfigError(msg)

    @property
    def _xp(self) -> Namespace:
        return self._parameters[0]._device.kernels

    def _number(self, x: Raw) -> float:
        value: float = self._parameters[0]._device.backend.to_host(x).item()
        return value

    def _dot(self, a: Raw, b: Raw) -> float:
        return self._number(self._xp.asarray(self._xp.sum(a * b)))

    def _largest(self, x: Raw) -> float:
        return self._number(self._xp.asarray(self._xp.max(self._xp.abs(x)))) if self._layout.size else 0.0

    def _joined(self, arrays: list[Raw]) -> Raw:
        xp, dtype = self._xp, self._parameters[0].dtype
        vector = self._layout.join(arrays, xp)
        return xp.astype(vector, xp.float32) if dtype.bits == 16 else vector

    def _values(self) -> Raw:
        return self._joined([p._data for p in self._parameters])

    def _gradient(self) -> Raw:
        zeros = self._xp.zeros_like
        return self._joined([zeros(p._data) if p.grad is None else p.grad._data for p in self._parameters])

    def _set(self, vector: Raw) -> None:
        vector = self._xp.astype(vector, self._parameters[0]._data.dtype, copy=False)
        for p, value in zip(self._parameters, self._layout.split(vector, self._xp), strict=True):
            rebind(p, value)

    # ------------------------------------------------------------------------------------------------------- steps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Iterate until the loss is smallest, or one of the limits is reached.

        Parameters
        ----------
        closure
            Forgets the gradients, computes the loss and its gradients anew, and returns the loss.

        Returns
        -------
        loss
            What the closure returned first, before the step.
        """
        if closure is None:
            msg = "LBFGS: a step computes the loss several times, so it needs a closure: optimizer.step(closure)"
            raise ConfigError(msg)
        self._follow()
        with self._parameters[0]._device.current:
            return self._iterated(closure)

    def _iterated(self, closure: Callable[[], Any]) -> Any:
        first = self._evaluated(closure)
        loss, gradient = float(first), self._gradient()
        evaluations, lr = 1, self.lr
        self.iteration += 1
        if self._largest(gradient) <= self.tolerance_grad:
            return first
        for i in range(1, self.max_iter + 1):
            self.n_iter += 1
            direction = self._direction(gradient)
            self._vectors["direction"], self._vectors["gradient"] = direction, gradient
            before = loss
            self._t = lr if self.n_iter > 1 else lr * min(1.0, 1.0 / self._dot(gradient, self._xp.sign(gradient)))
            slope = self._dot(gradient, direction)
            if slope > -self.tolerance_change:
                break
            start = self._values()
            if self.line_search_fn is not None:
                point, used = self._search(closure, start, Point(0.0, loss, slope, gradient), evaluations)
                self._t, loss, gradient = point.t, point.f, point.gradient
                evaluations += used
            self._set(start + self._t * direction)
            if self.line_search_fn is None and i < self.max_iter:
                loss, gradient = float(self._evaluated(closure)), self._gradient()
                evaluations += 1
            if (
                evaluations >= self.max_eval
                or self._largest(gradient) <= self.tolerance_grad
                or abs(self._t) * self._largest(direction) <= self.tolerance_change
                or abs(loss - before) < self.tolerance_change
            ):
                break
        return first

    def _evaluated(self, closure: Callable[[], Any]) -> Any:
        self.func_evals += 1
        with enable_grad():
            return closure()

    def _search(self, closure: Callable[[], Any], start: Raw, point: Point, evaluations: int) -> tuple[Point, int]:
        direction = self._vectors["direction"]

        def evaluate(t: float) -> Point:
            self._set(start + t * direction)
            loss = float(self._evaluated(closure))
            gradient = self._gradient()
            return Point(t, loss, self._dot(gradient, direction), gradient)

        return strong_wolfe(
            evaluate,
            point,
            self._t,
            longest=self._largest(direction),
            tolerance=self.tolerance_change,
            limit=self.max_eval - evaluations,
        )

    def _direction(self, gradient: Raw) -> Raw:
        """Return the direction to go, having remembered how the gradient changed along the last one."""
        if self.n_iter == 1:
            return -gradient
        y = gradient - self._vectors["gradient"]
        s = self._t * self._vectors["direction"]
        curvature = self._dot(y, s)
        pairs = self._pairs()
        if curvature > SMALLEST_CURVATURE:
            pairs = [*pairs, (y, s)][-self.history_size :]
            self._scale = curvature / self._dot(y, y)
            for i, (own_y, own_s) in enumerate(pairs):
                self._vectors[f"y{i}"], self._vectors[f"s{i}"] = own_y, own_s
        rho = [1.0 / self._dot(y, s) for y, s in pairs]
        q = -gradient
        alpha: list[float] = []
        for (y, s), r in zip(reversed(pairs), reversed(rho), strict=True):
            alpha.append(self._dot(s, q) * r)
            q = q - alpha[-1] * y
        q = self._scale * q
        for (y, s), r, a in zip(pairs, rho, reversed(alpha), strict=True):
            q = q + (a - self._dot(y, q) * r) * s
        return q

    def _pairs(self) -> list[tuple[Raw, Raw]]:
        count = sum(name.startswith("y") for name in self._vectors)
        return [(self._vectors[f"y{i}"], self._vectors[f"s{i}"]) for i in range(count)]

    # ------------------------------------------------------------------------------------------------------ states

    def state_slots(self) -> Iterable[Slot]:
        """Return none: its line search looks at values, and cannot be compiled."""
        return ()

    def state_children(self) -> Iterable[Tensor]:
        """Return the tensors to learn."""
        return self.parameters

    def state_dict(self) -> dict[str, Any]:
        """Return copies of everything that is remembered: numbers, and tensors such as ``"0.y3"``, by parameter."""
        xp, device = self._device.kernels, self._device
        state: dict[str, Any] = {
            "iteration": self.iteration,
            "n_iter": self.n_iter,
            "func_evals": self.func_evals,
            "t": self._t,
            "scale": self._scale,
            "lr": float("nan") if callable(self._lr) else self._lr,
        }
        for key, vector in self._vectors.items():
            for name, part in zip(self._names, self._layout.split(vector, xp), strict=True):
                state[f"{name}.{key}"] = make(xp.asarray(part, copy=True), device)
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what :meth:`state_dict` returned; going on is then as never having stopped, bit for bit.

        Raises
        ------
        StateError
            If the state does not fit. Nothing has been changed.
        """
        missing = [name for name in NUMBERS if name not in state]
        if missing:
            msg = f"LBFGS: the state has no {', '.join(missing)}"
            raise StateError(msg)
        parts: dict[str, dict[str, Any]] = {}
        for path, value in state.items():
            if path not in NUMBERS:
                name, _, key = path.rpartition(".")
                parts.setdefault(key, {})[name] = value
        self._follow()
        vectors = {key: self._loaded(key, own) for key, own in parts.items()}
        numbers = {name: number(state[name]) for name in NUMBERS}
        if not math.isnan(numbers["lr"]) and not callable(self._lr):
            self._lr = float(numbers["lr"])
        self.iteration, self.n_iter = int(numbers["iteration"]), int(numbers["n_iter"])
        self.func_evals = int(numbers["func_evals"])
        self._t, self._scale = float(numbers["t"]), float(numbers["scale"])
        self._vectors = vectors

    def _loaded(self, key: str, parts: dict[str, Any]) -> Raw:
        if parts.keys() != set(self._names):
            msg = f"LBFGS: the state has {key!r} of the parameters {', '.join(parts)}, not {', '.join(self._names)}"
            raise StateError(msg)
        arrays: list[Raw] = []
        for name, shape in zip(self._names, self._layout.shapes, strict=True):
            if tuple(parts[name].shape) != shape:
                msg = f"LBFGS: {name}.{key} has shape {tuple(parts[name].shape)}, not {shape}"
                raise StateError(msg)
            arrays.append(asarray(parts[name], device=self._parameters[0].device, copy=True).detach()._data)
        return self._layout.join(arrays, self._xp)
