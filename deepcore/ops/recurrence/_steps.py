"""What recurrences share: the order of the steps, sequences that have ended, and the kernels of the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._errors import ConfigError, ShapeError
from ..fused import _weight

if TYPE_CHECKING:
    from ..._typing import Namespace


def time_steps(projections: Any, reverse: bool) -> range:
    """Return the time steps in the order in which they are computed."""
    steps = projections.shape[0]
    if steps == 0:
        msg = "a recurrence needs at least one time step, and the first axis, which is time, has length 0"
        raise ShapeError(msg)
    return range(steps - 1, -1, -1) if reverse else range(steps)


def check_activation(name: str) -> None:
    """Raise if a plain recurrent layer has no such function."""
    if name not in ("tanh", "relu"):
        msg = f"rnn_sequence: the activation is one of tanh and relu, not {name!r}"
        raise ConfigError(msg)


def selected(lengths: Any, t: int, new: Any, old: Any, xp: Namespace) -> Any:
    """Return the new value where a sequence has not ended, and the old one elsewhere."""
    return new if lengths is None else xp.where((lengths > t)[:, None], new, old)


def split(lengths: Any, t: int, dy: Any, xp: Namespace) -> tuple[Any, Any]:
    """Return what of the cotangent of a state goes to its new value, and what to the old one."""
    if lengths is None:
        return dy, 0
    zeros = xp.zeros_like(dy)
    return selected(lengths, t, dy, zeros, xp), selected(lengths, t, zeros, dy, xp)


def columns(z: Any, n: int) -> list[Any]:
    """Return the parts of the last axis that belong to each gate, of n units."""
    return [z[..., k : k + n] for k in range(0, z.shape[-1], n)]


def states_before(states: Any, initial: Any, reverse: bool, xp: Namespace) -> Any:
    """Return the state that each step starts from."""
    if reverse:
        return xp.concat([states[1:, ...], initial[None, ...]], axis=0)
    return xp.concat([initial[None, ...], states[:-1, ...]], axis=0)


def in_time(parts: list[Any], reverse: bool, xp: Namespace) -> Any:
    """Return what a loop over the order of the steps has found, along the axis of time."""
    return xp.stack(parts[::-1] if reverse else parts, axis=0)


def added(dy: Any, more: Any, t: int) -> Any:
    """Return a cotangent plus the one at a step of a sequence, which is None where it is zero."""
    return dy if more is None else dy + more[t, ...]


def product(hidden: Any, weight: Any, bias: Any, xp: Namespace) -> Any:
    """Return the product of a state with its weight, plus the bias if there is one."""
    return xp.matmul(hidden, weight) if bias is None else xp.matmul(hidden, weight) + bias


def bias_cotangent(dz: Any, bias: Any, xp: Namespace) -> Any:
    """Return the cotangent of the bias, where there is one."""
    return None if bias is None else xp.sum(dz, axis=(0, 1))


def weight_cotangent(dz: Any, before: Any, xp: Namespace) -> Any:
    """Return the cotangent of the weight that states are multiplied with: one product over all steps."""
    return _weight(dz, before, xp)
