"""Functions whose derivative is given, not derived."""

from __future__ import annotations

import functools
import inspect
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from .._errors import DeviceError, GradientError, ShapeError
from .._tape import enable_grad, is_recording, next_order, no_grad
from .._tensor import Tensor, make
from ..random._state import replayed, watched
from ..tree import leaves, tree_map
from .call import Saved, Slot, came_in, has_node, name_of, put_in, record, stand_in, taken_out
from .variable import closed, nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_plain: Final[ContextVar[frozenset[object]]] = ContextVar("functions whose own fwd is running", default=frozenset())


class CustomVJP:
    """A function with a pullback that is given; :func:`custom_vjp` makes it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._name = f"custom_vjp({name_of(function)})"
        self._rules: tuple[Callable[..., Any], Callable[..., Any]] | None = None
        self._signature = inspect.signature(function)
        functools.update_wrapper(self, function, updated=())

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Give the derivative.

        Parameters
        ----------
        fwd
            A function of the same arguments, which returns a pair: the value, and the residuals, a tree of whatever
            ``bwd`` needs.
        bwd
            A function of the residuals and of the cotangent of the value, which has the form of the value. It returns a
            tuple: for each argument its cotangent, of the form and shapes of the argument, or None for zeros.
        """
        self._rules = (fwd, bwd)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the value."""
        if kwargs or len(args) != len(self._signature.parameters):
            bound = self._signature.bind(*args, **kwargs)
            bound.apply_defaults()
            if bound.kwargs:
                msg = f"{self._name}: {', '.join(bound.kwargs)} must be positional, as its cotangent is"
                raise TypeError(msg)
            args = bound.args
        if not is_recording() or self in _plain.get():
            return self._function(*args)
        form, given = taken_out(args, has_node)
        if not given:
            value = self._function(*args)
            self._refuse_others(bool(nodes(value)))
            return value
        if self._rules is None:
            msg = f"{self._name} has no derivative yet; give it by defvjp(fwd, bwd)"
            raise GradientError(msg)
        return self._recorded(form, given, *self._rules)

    def _recorded(
        self, form: tuple[Any, ...], given: list[Tensor], fwd: Callable[..., Any], bwd: Callable[..., Any]
    ) -> Any:
        since = next_order()
        with watched() as keys, self._within_fwd(running=True):
            value, residuals = self._pair(fwd(*put_in(form, [stand_in(x) for x in given])))
        self._refuse_others(bool(came_in(nodes(value, residuals), since)))
        result, outputs = taken_out(value, lambda x: x.dtype.is_inexact)
        if not outputs:
            return result

        def pullback(dys: dict[int, Tensor], operands: list[Tensor], kept: Any, recorded: bool) -> list[Any]:
            if recorded:
                # The residuals as functions of the arguments: their derivative is wanted too.
                with enable_grad(), replayed(keys), self._within_fwd(running=False):
                    _, kept = self._pair(fwd(*put_in(form, operands)))
            zeros = [None if i in dys else _zeros(i) for i in range(len(kinds))]
            cotangent = tree_map(
                lambda x: dys.get(x, zeros[x]) if isinstance(x, Slot) else None, result, model=lambda _: None
            )
            with enable_grad() if recorded else no_grad():
                found = bwd(kept, cotangent)
            return self._checked(found, form, operands)

        def _zeros(i: int) -> Tensor:
            shape, dtype, device = kinds[i]
            return make(device.kernels.zeros(shape, dtype=dtype, device=device.raw), device)

        kinds = [(x.shape, x._data.dtype, x._device) for x in outputs]
        kept = closed(residuals, keep=False)
        parents = [x._node for x in given if x._node is not None]
        saved = Saved([x._data for x in given], kept)
        return put_in(result, record(self._name, parents, saved, outputs, pullback))

    @contextmanager
    def _within_fwd(self, *, running: bool) -> Generator[None]:
        """Let ``fwd`` call the function itself, as a plain one where it computes the value for the first time."""
        token = _plain.set(_plain.get() | {self} if running else _plain.get() - {self})
        try:
            yield
        finally:
            _plain.reset(token)

    def _pair(self, found: Any) -> tuple[Any, Any]:
        if not isinstance(found, tuple) or len(found) != 2:
            msg = f"{self._name}: fwd must return a pair, the value and the residuals, not {_described(found)}"
            raise ShapeError(msg)
        return found

    def _refuse_others(self, found: bool) -> None:
        if found:
            msg = (
                f"{self._name} uses a tensor that requires gradients and is not an argument, so its gradient would be "
                "lost; make it an argument, or use stop_gradient"
            )
            raise GradientError(msg)

    def _checked(self, found: Any, form: tuple[Any, ...], operands: list[Tensor]) -> list[Any]:
        """Return the cotangents of the operands among what ``bwd`` returned."""
        if not isinstance(found, tuple) or len(found) != len(form):
            msg = (
                f"{self._name}: bwd must return a tuple of {len(form)} cotangents, one for each argument, "
                f"not {_described(found)}"
            )
            raise ShapeError(msg)
        cotangents: list[Any] = [None] * len(operands)
        for i, (argument, tree) in enumerate(zip(form, found, strict=True)):
            expected = dict(leaves(argument))
            if tree is None or not any(isinstance(x, Slot) for x in expected.values()):
                continue
            given = dict(leaves(tree))
            if given.keys() != expected.keys():
                parts = [", ".join(map(repr, keys)) for keys in (expected, given)]
                msg = f"{self._name}: the cotangent of argument {i} must have the parts {parts[0]}, not {parts[1]}"
                raise ShapeError(msg)
            for path, slot in expected.items():
                if isinstance(slot, Slot) and given[path] is not None:
                    where = f"argument {i}" + (f" at {path}" if path else "")
                    cotangents[slot] = self._fitting(given[path], operands[slot], where)
        return cotangents

    def _fitting(self, dx: Any, x: Tensor, where: str) -> Tensor:
        if not isinstance(dx, Tensor) or dx.shape != x.shape:
            msg = f"{self._name}: the cotangent of {where} must have its shape, {x.shape}, and is {_described(dx)}"
            raise ShapeError(msg)
        if dx.device is not x.device:
            msg = f"{self._name}: {where} is on {x.device}, and its cotangent on {dx.device}"
            raise DeviceError(msg)
        return dx


def custom_vjp(function: Callable[..., Any], /) -> CustomVJP:
    r"""Return a function whose derivative is given by ``defvjp(fwd, bwd)``.

    Parameters
    ----------
    function
        A function from trees of tensors to a tree of tensors. Tensors that require gradients must be arguments.

    Returns
    -------
    CustomVJP
        The function. With $(y, r) = \mathrm{fwd}(x)$ and the cotangent $\bar y$, its pullback is
        $\bar x = \mathrm{bwd}(r, \bar y)$. It nests in every derivative. For higher orders ``bwd`` is differentiated,
        with respect to the cotangent and, through ``fwd``, to the arguments.

    Raises
    ------
    GradientError
        If no derivative has been given, or if the function uses a tensor that requires gradients and is no argument.
    ShapeError
        If ``fwd`` does not return a pair, or ``bwd`` not the cotangents of the arguments in their forms and shapes.

    Examples
    --------
    Clip the gradient, and not the value:

    >>> import deepcore as dc
    >>> @dc.custom_vjp
    ... def clipped(x):
    ...     return x
    >>> clipped.defvjp(lambda x: (x, None), lambda residuals, dy: (dc.clip(dy, -1, 1),))
    >>> dc.grad(lambda x: dc.sum(3 * clipped(x)))(dc.zeros(2))
    Tensor([1., 1.], dtype=float32)
    """
    return CustomVJP(function)


def _described(found: Any) -> str:
    if isinstance(found, Tensor):
        return f"a tensor of shape {found.shape}"
    return f"a tuple of {len(found)}" if isinstance(found, tuple) else f"a {type(found).__name__}"
