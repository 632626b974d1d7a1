"""Everything that training remembers, as one tree."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import DeepcoreError, StateError
from ..checkpoint import generators_in
from ..ops.creation import asarray

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..metrics import Metric
    from .callback import Callback
    from .trainer import Trainer


def state_of(trainer: Trainer) -> dict[str, Any]:
    """Return the state of a trainer between two batches."""
    step = trainer.step
    state: dict[str, Any] = {
        "model": step.model.state_dict(),
        "loss": step.loss.state_dict(),
        "optimizer": step.optimizer.state_dict(),
        "generators": {name: g.state_dict() for name, g in _generators(trainer).items()},
        "progress": trainer.progress.state_dict(),
        "history": trainer.history.state_dict(),
        "metrics": {name: _gathered(metric) for name, metric in _numbered_metrics(trainer)},
        "callbacks": {name: callback.state_dict() for name, callback in _numbered_callbacks(trainer)},
        "data": dict(trainer.data_shape),
    }
    if step.average is not None:
        state["average"] = step.average.state_dict()
    if step.precision is not None:
        state["precision"] = step.precision.state_dict()
    if trainer.progress.batches_waiting:
        gradients = ((str(i), p.grad) for i, p in enumerate(step.optimizer.parameters))
        state["gradients"] = {name: gradient for name, gradient in gradients if gradient is not None}
    return state


def restore(trainer: Trainer, state: Mapping[str, Any]) -> None:
    """Set a state, whose tensors may have become NumPy arrays.

    Raises
    ------
    StateError
        If it does not fit. Nothing has been changed.
    """
    before = state_of(trainer)
    try:
        _set(trainer, state)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        with suppress(DeepcoreError):
            _set(trainer, before)
        if isinstance(error, StateError):
            raise
        msg = f"the state is not one of this training: {error!r}"
        raise StateError(msg) from error


def _set(trainer: Trainer, state: Mapping[str, Any]) -> None:
    step = trainer.step
    _check(trainer, state)
    step.model.load_state_dict(state["model"])
    step.optimizer.load_state_dict(state["optimizer"])
    step.loss.load_state_dict(state["loss"])
    if step.average is not None:
        step.average.load_state_dict(state["average"])
    if step.precision is not None:
        step.precision.load_state_dict(state["precision"])
    for name, generator in _generators(trainer).items():
        generator.load_state_dict(state["generators"][name])
    for name, metric in _numbered_metrics(trainer):
        for attribute, value in state["metrics"][name].items():
            setattr(metric, attribute, value)
    for name, callback in _numbered_callbacks(trainer):
        if name in state["callbacks"]:
            callback.load_state_dict(state["callbacks"][name])
    trainer.progress.load_state_dict(state["progress"])
    trainer.history.load_state_dict(state["history"])
    gradients = state.get("gradients", {})
    for i, p in enumerate(step.optimizer.parameters):
        given = gradients.get(str(i))
        p.grad = None if given is None else asarray(given, device=p.device, copy=True).detach()


def _check(trainer: Trainer, state: Mapping[str, Any]) -> None:
    """Refuse the state of other training, as far as it can be told before anything is set."""
    step = trainer.step
    if state["data"] and trainer.data_shape and state["data"] != trainer.data_shape:
        there, here = (
            f"{shape['samples']} samples in {shape['batches']} batches" for shape in (state["data"], trainer.data_shape)
        )
        msg = f"the training that was saved has epochs of {there}, and this one of {here}; resume it with the same data"
        raise StateError(msg)
    for part in ("average", "precision"):
        if (part in state) != (getattr(step, part) is not None):
            msg = f"only one of the training that was saved and this one has {part}; give the trainer the same options"
            raise StateError(msg)
    generators = _generators(trainer)
    if generators.keys() != state["generators"].keys():
        differ = ", ".join(sorted(generators.keys() ^ state["generators"].keys()))
        msg = f"the generators {differ} are in the state or in the model, and not in both"
        raise StateError(msg)


def _generators(trainer: Trainer) -> dict[str, Any]:
    return generators_in(model=trainer.step.model, loss=trainer.step.loss)


def _gathered(metric: Metric) -> dict[str, Any]:
    """Return what a metric has gathered in this epoch."""
    names = metric.sums or [
        name for name, value in vars(metric).items() if isinstance(value, (int, float, list, np.ndarray, np.generic))
    ]
    return {name: getattr(metric, name) for name in names}


def _numbered_metrics(trainer: Trainer) -> Iterator[tuple[str, Metric]]:
    return ((f"{i} {metric.name}", metric) for i, metric in enumerate(trainer.metrics))


def _numbered_callbacks(trainer: Trainer) -> Iterator[tuple[str, Callback]]:
    """Yield callbacks with names that do not change when one of another kind is added."""
    seen: Counter[str] = Counter()
    for callback in trainer.callbacks:
        kind = type(callback).__name__
        seen[kind] += 1
        yield (f"{kind} {seen[kind]}", callback)
