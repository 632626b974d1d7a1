"""A function as a program, without running it again: what exports and drawings read."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._device import default_device
from .._modes import in_mode
from .._tape import no_grad
from ..tree import itself, leaves, tree_map
from ._slots import TensorSlot
from .compiled import taken
from .plan import Result
from .recording import Recording
from .state import State
from .trace import Trace, check_released

if TYPE_CHECKING:
    from collections.abc import Callable

    from .program import Program


def traced(function: Callable[..., Any], /, *examples: Any, training: bool = False, **keywords: Any) -> Program:
    """Return what a function computes as a program, recorded while it runs once on examples.

    Everything is afterwards as it was before: tensors that the function changes get their values back, and models
    their mode.

    Parameters
    ----------
    function
        A model, or any function of tensors.
    examples, keywords
        What to call it with. Tensors, and arrays of other libraries, become inputs of the program, which is for their
        shapes and data types; other arguments are constants of it.
    training
        The mode that models are in meanwhile: training or, by default, evaluation.

    Returns
    -------
    Program
        Its first ``n_state`` inputs are the tensors that the function refers to and uses, by their names: parameters
        and buffers of a model by their paths. The examples follow, by the names of the arguments.

    Raises
    ------
    CompileError
        If the program would depend on the values of arrays. The message names the line.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import graph, nn
    >>> print(graph.traced(nn.Dense(3, 2, activation="relu"), dc.ones((5, 3))))
    input %0: float32[3,2]  # weight
    input %1: float32[2]  # bias
    input %2: float32[5,3]  # x
    %3: float32[5,2] = linear(%2, %0, %1)
    %4: float32[5,2] = relu(%3)
    return %4
    """
    arguments, form = taken(examples, keywords)
    state = State([function, form])
    device = arguments[0].device if arguments else state.device or default_device()
    recording = Recording(Trace(device), state, [function])
    recording.trace.layers = _layers(function)
    try:
        with no_grad(), in_mode(state.modes, training=training):
            recording.run(function, form, arguments)
    finally:
        recording.undo()
    program = recording.program()
    _name(program, recording, _argument_names(function, form), _paths(function))
    alive = recording.trace.alive
    del recording
    state.slots.clear()
    check_released(alive)
    return _without_unused_state(program)


def _model(function: Any) -> Any:
    """Return a model, or the model that a function is a method of, or None."""
    owner = function if hasattr(function, "named_modules") else getattr(function, "__self__", None)
    return owner if hasattr(owner, "named_modules") else None


def _paths(function: Any) -> dict[int, str]:
    """Return the paths of the tensors of a model, by their ids."""
    owner = _model(function)
    return {} if owner is None else {id(x): path for path, x in owner.named_tensors()}


def _layers(function: Any) -> dict[int, str]:
    """Return what the layers of a model are called: their paths and kinds."""
    owner = _model(function)
    if owner is None:
        return {}
    kinds = [(layer, path, type(layer).__name__) for path, layer in owner.named_modules()]
    return {id(layer): f"{path} ({kind})" if path else kind for layer, path, kind in kinds}


def _argument_names(function: Any, form: Any) -> dict[int, str]:
    """Return what the arguments that are arrays are called, by their places."""
    args, kwargs = form
    try:
        bound = inspect.signature(getattr(function, "forward", function)).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):  # built-in functions have no signature
        bound = {f"x{i}": x for i, x in enumerate(args)} | kwargs
    return {int(x): path for path, x in leaves(tree_map(lambda x: x, dict(bound), model=itself)) if type(x) is Result}


def _name(program: Program, recording: Recording, arguments: dict[int, str], paths: dict[int, str]) -> None:
    for slot, value in recording.values():
        if isinstance(slot, TensorSlot):
            value.name = paths.get(id(slot.tensor), slot.name)
        program.initial[value] = slot.get()
    for i, value in enumerate(program.inputs[program.n_state :]):
        value.name = arguments.get(i, "")
    for path, x in leaves(recording.form):
        if type(x) is Result:
            value = recording.results[x]
            value.name = value.name or path


def _without_unused_state(program: Program) -> Program:
    """Return the program without the state that it neither reads nor writes."""
    if program.updates:
        return program
    used = {*program.outputs, *(value for call in program.calls for value in call.operands())}
    state = [value for value in program.inputs[: program.n_state] if value in used]
    initial = {value: program.initial[value] for value in state}
    return replace(program, inputs=[*state, *program.inputs[program.n_state :]], n_state=len(state), initial=initial)
