"""States of optimizers as flat dictionaries, which can be saved, and the way back."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from .._errors import StateError
from .._tensor import make
from ..ops.creation import asarray
from ._group import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._group import Group
    from ._transform import State

NUMBERS = ("iteration", "steps", "lr")


class Numbers(NamedTuple):
    """What a state says about the optimizer as a whole."""

    iteration: int
    rates: list[float]


def named(states: list[State]) -> list[tuple[int, str, str]]:
    """Return where each thing that is remembered is, and a name for it that is its own among all."""
    found: list[tuple[int, str, str]] = []
    taken: set[str] = set()
    for part, state in enumerate(states):
        for name in state:
            key = name if name not in taken else f"{name}_{part}"
            taken.add(key)
            found.append((part, name, key))
    return found


def number(x: Any) -> Any:
    """Return a Python number, which may have become an array of one element on its way through a file."""
    return x.item() if hasattr(x, "item") else x


def copied(x: Any, memory: Memory) -> Any:
    """Return a copy of an array as a tensor, and a number as it is."""
    if not hasattr(x, "dtype") or memory.device is None:
        return x
    return make(memory.device.kernels.asarray(x, copy=True), memory.device)


def restored(
    method: str, groups: Sequence[Group], names: Sequence[str], state: Mapping[str, Any]
) -> tuple[Numbers, list[list[Memory]]]:
    """Return what a state says, checked against the parameters, whose names are given in the order of the groups."""
    steps = [int(n) for n in state.get("steps", [])]
    rates = [float(rate) for rate in state.get("lr", [])]
    if len(steps) != len(names):
        msg = f"{method}: the state has steps of {len(steps)} parameters, not {len(names)}"
        raise StateError(msg)
    if rates and len(rates) != len(groups):
        msg = f"{method}: the state has learning rates of {len(rates)} groups, not {len(groups)}"
        raise StateError(msg)
    entries: dict[str, dict[str, Any]] = {name: {} for name in names}
    for path, value in state.items():
        if path not in NUMBERS:
            name, _, key = path.rpartition(".")
            if name not in entries:
                msg = f"{method}: the state has {path!r}, but there are {len(names)} parameters, and none has that name"
                raise StateError(msg)
            entries[name][key] = value
    ends = accumulate((len(group.parameters) for group in groups), initial=0)
    memories = [
        [_memory(method, group, i, names[first + i], steps[first + i], entries) for i in range(last - first)]
        for group, (first, last) in zip(groups, pairwise(ends), strict=True)
    ]
    return Numbers(int(number(state.get("iteration", max(steps)))), rates), memories


def _memory(method: str, group: Group, i: int, name: str, count: int, entries: dict[str, dict[str, Any]]) -> Memory:
    """Return what is remembered about a parameter after some steps."""
    if not count:
        return Memory()
    device = group.parameters[i].device
    states = group.expected(i)
    places = named(states)
    expected, given = {key for _, _, key in places}, entries[name]
    if given.keys() - expected:
        strange = ", ".join(f"{name}.{key}" for key in sorted(given.keys() - expected))
        msg = f"{method}: the state has {strange}, which this optimizer does not remember"
        raise StateError(msg)
    if expected - given.keys():
        missing = ", ".join(f"{name}.{key}" for key in sorted(expected - given.keys()))
        msg = f"{method}: the state has no {missing}, which this optimizer remembers"
        raise StateError(msg)
    for part, own, key in places:
        pattern, value = states[part][own], given[key]
        if not hasattr(pattern, "dtype"):
            states[part][own] = type(pattern)(number(value))
            continue
        if tuple(value.shape) != tuple(pattern.shape):
            msg = f"{method}: {name}.{key} has shape {tuple(value.shape)}, not {tuple(pattern.shape)}"
            raise StateError(msg)
        dtype = device.backend.dtypes[pattern.dtype]
        states[part][own] = asarray(value, device=device, copy=True).detach().astype(dtype)._data
    return Memory(count, device, states)
