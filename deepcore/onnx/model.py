"""Models as ONNX files."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .. import graph as graphs
from .._backend import Library
from .._dtype import as_dtype
from .._errors import BackendError, CompileError, ConfigError, DeepcoreError
from .._files import replacing
from .._tensor import Tensor
from .._version import __version__
from ..ops.creation import arange, asarray
from ..ops.indexing import take
from ._batch import Aligned, Length, aligned, fixed
from ._graph import Graph, is_kept, onnx_dtype, rules

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from ..graph import Call, Program, Value

helper: Any = Library("onnx.helper")
checker: Any = Library("onnx.checker")

OPSETS: Final = range(17, 24)
"""The versions of ONNX's operators that can be written."""

SIZES: Final = (2, 3, 5)
"""The numbers of samples with which a program is recorded to see what follows them."""

LARGEST: Final = 2**31 - 2**20
"""How many bytes weights may have: a file is a protocol buffer, of less than 2 GiB."""

IR_VERSIONS: Final = {17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11}
"""The version of the file format for each version of the operators: as old as possible, so that many can read it."""


def export(
    model: Callable[..., Any],
    path: str | os.PathLike[str],
    example: Any,
    *,
    opset: int = 17,
    dynamic_batch: bool = True,
    batch_axis: int = 0,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    metadata: Mapping[str, str] | None = None,
    description: str = "",
) -> None:
    """Save a model, in evaluation mode, as an ONNX file.

    Parameters
    ----------
    model
        A model, or any function of tensors. Parameters and buffers have their names in the file:
        ``model.named_tensors()``.
    path
        The file. It appears when it is complete.
    example
        An input, or a tuple of inputs where the model takes several: for shapes and data types, the values do not
        matter.
    opset
        The version of ONNX's operators, from 17 to 23.
    dynamic_batch
        Whether the file takes any number of samples, or the number that the example has.
    batch_axis
        Which axis of the inputs is that of the samples.
    input_names, output_names
        What inputs and outputs are called; by default inputs have the names of the model's arguments, and outputs
        ``output``, or where there are several ``output_0`` and so on, or their keys in a dictionary.
    metadata
        More entries for the file's metadata.
    description
        What the model is, in words.

    Raises
    ------
    CompileError
        If something cannot be written in ONNX, or depends on the number of samples in a way that cannot be told. The
        message names the operation and the line.
    BackendError
        If the library ``onnx`` is not installed.
    StorageError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import deepcore as dc
    >>> from deepcore import nn, onnx
    >>> model = nn.Sequential(nn.Dense(4, 8, activation="relu"), nn.Dense(8, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     onnx.export(model, pathlib.Path(folder, "model.onnx"), dc.ones((1, 4)))
    """
    proto = model_proto(
        model,
        example,
        opset=opset,
        dynamic_batch=dynamic_batch,
        batch_axis=batch_axis,
        input_names=input_names,
        output_names=output_names,
        metadata=metadata,
        description=description,
    )
    with replacing(Path(path)) as file:
        file.write(proto.SerializeToString())


def model_proto(
    model: Callable[..., Any],
    example: Any,
    *,
    opset: int = 17,
    dynamic_batch: bool = True,
    batch_axis: int = 0,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    metadata: Mapping[str, str] | None = None,
    description: str = "",
) -> Any:
    """Return what :func:`export` saves, as an object of the library ``onnx``: a checked ``ModelProto``."""
    if importlib.util.find_spec("onnx") is None:
        msg = 'onnx is not installed; install it with: pip install "deepcore-xp[onnx]"'
        raise BackendError(msg)
    if opset not in OPSETS:
        msg = f"export: opset is from {OPSETS[0]} to {OPSETS[-1]}, not {opset}"
        raise ConfigError(msg)
    examples = [x if isinstance(x, Tensor) else asarray(x) for x in _several(example)]
    if dynamic_batch:
        programs = [_program(model, [_resized(x, n, batch_axis) for x in examples], opset) for n in SIZES]
        found = aligned(programs, SIZES)
    else:
        found = fixed(_program(model, examples, opset))
    state = found.program.inputs[: found.program.n_state]
    given = found.program.inputs[found.program.n_state :]
    ins = _names(input_names, [value.name or f"input_{i}" for i, value in enumerate(given)], "input")
    outs = _names(output_names, _output_names(found.program, ins), "output")
    if not {*ins}.isdisjoint(outs):
        both = ", ".join(sorted({*ins} & {*outs}))
        msg = f"export: inputs and outputs have different names, and {both} is that of an input and of an output"
        raise ConfigError(msg)
    g = Graph(found, opset, _batch(found, given, ins))
    for value, name in zip(given, ins, strict=True):
        g.names[value] = g.fresh(name)
    for name in outs:
        g.fresh(name)
    to_host = found.program.device.backend.to_host
    for value in state:
        g.names[value] = g.initializer(to_host(found.program.initial[value]), g.fresh(value.name or "weight"))
    for call in found.program.calls:
        _write(g, call)
    g.scope = ""
    _finish(g, found.program.outputs, outs)
    _check_size(sum(len(array.raw_data) for array in g.initializers))
    proto = helper.make_model(
        helper.make_graph(
            g.nodes,
            type(model).__name__ if hasattr(model, "named_tensors") else getattr(model, "__name__", "model"),
            [_info(found, value, name) for value, name in zip(given, ins, strict=True)],
            [_info(found, value, name) for value, name in zip(found.program.outputs, outs, strict=True)],
            initializer=g.initializers,
            doc_string=description,
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=IR_VERSIONS[opset],
        producer_name="deepcore",
        producer_version=__version__,
        doc_string=description,
    )
    helper.set_model_props(proto, dict(metadata or {}))
    checker.check_model(proto, full_check=True)
    return proto


def _check_size(nbytes: int) -> None:
    if nbytes >= LARGEST:
        msg = (
            f"export: the weights have {nbytes / 2**30:.1f} GiB, and an ONNX file less than 2; "
            "convert them first with model.astype(deepcore.float16), or export the model in parts"
        )
        raise CompileError(msg)


def _several(example: Any) -> list[Any]:
    return list(example) if isinstance(example, (tuple, list)) else [example]


def _program(model: Callable[..., Any], examples: Sequence[Tensor], opset: int) -> Program:
    program = graphs.traced(model, *examples)
    if program.draws:
        msg = (
            "export: the model draws random numbers in evaluation mode, and a file would draw the same ones always; "
            "give them as an input"
        )
        raise CompileError(msg)
    if program.updates:
        names = ", ".join(program.inputs[i].name for _, i in program.updates)
        msg = f"export: the model changes its own state in evaluation mode, and a file cannot: {names}"
        raise CompileError(msg)
    if program.numbers():
        msg = "export: the model computes with a number that changes from run to run; make it a plain number"
        raise CompileError(msg)
    return graphs.expanded(program, keep=lambda call: is_kept(program, call, opset))


def _resized(x: Tensor, n: int, axis: int) -> Tensor:
    """Return an input with n samples: those of the example, again and again."""
    if not -x.ndim <= axis < x.ndim:
        msg = f"export: an input of shape {x.shape} has no axis {axis} for samples; use dynamic_batch=False"
        raise ConfigError(msg)
    if x.shape[axis] == 0:
        msg = f"export: the example has no samples: its shape is {x.shape}"
        raise ConfigError(msg)
    return take(x.detach(), arange(n, device=x.device) % x.shape[axis], axis=axis)


def _names(given: Sequence[str] | None, default: Sequence[str], what: str) -> list[str]:
    if given is None:
        return list(default)
    if len(given) != len(default) or len({*given}) != len(given):
        msg = f"export: {len(default)} {what}s have as many different names, and not {', '.join(given) or 'none'}"
        raise ConfigError(msg)
    return list(given)


def _output_names(program: Program, inputs: Sequence[str]) -> list[str]:
    """Return what outputs are called in the program; they have names of their own, and no two the same."""
    if len(program.outputs) == 1 and not {"output", program.outputs[0].name}.issubset(inputs):
        name = program.outputs[0].name
        return [name if name and name not in inputs and program.outputs[0] not in program.inputs else "output"]
    taken, found = {*inputs}, list[str]()
    for i, value in enumerate(program.outputs):
        name = value.name
        wanted = f"output_{i}" if not name or name in taken or name[0].isdigit() else name
        taken.add(wanted)
        found.append(wanted)
    return found


def _batch(found: Aligned, given: Sequence[Value], names: Sequence[str]) -> tuple[str, int]:
    """Return the input and the axis from which the number of samples is read when the file runs."""
    for value, name in zip(given, names, strict=True):
        for axis, length in enumerate(found.lengths[value]):
            if length == Length(1, 0):
                return name, axis
    return "", 0


def _write(g: Graph, call: Call) -> None:
    rule = rules.get(call.operation)
    at = "".join([f" in {call.layer}" if call.layer else "", f" at {call.where}" if call.where else ""])
    g.scope = call.layer.partition(" ")[0]
    if rule is None:
        msg = (
            f"export: {call.operation} on {', '.join(x.kind for x in call.operands())}{at} cannot be written in ONNX; "
            "write it with other functions, or compute it outside of the model"
        )
        raise CompileError(msg)
    try:
        names = rule(g, call, *call.arguments, **call.parameters)
    except DeepcoreError as error:
        msg = f"export: {call.operation}{at} cannot be written in ONNX: {error}"
        raise CompileError(msg) from error
    for value, name in zip(call.results, [names] if isinstance(names, str) else names, strict=True):
        g.names[value] = name


def _finish(g: Graph, outputs: Sequence[Value], names: Sequence[str]) -> None:
    """Give the outputs their names: the node that computes one is told, and what is not computed is copied."""
    computed = {name for node in g.nodes for name in node.output}
    renamed: dict[str, str] = {}
    copies: list[Any] = []
    for value, name in zip(outputs, names, strict=True):
        source = g.value(value)
        if source in computed and source not in renamed:
            renamed[source] = name
        else:
            copies.append(helper.make_node("Identity", [source], [name], name=g.fresh(f"{name}_copy")))
    g.nodes += copies
    for node in g.nodes:
        for part in (node.input, node.output):
            for i, name in enumerate(part):
                part[i] = renamed.get(name, name)
    g.prune(names)


def _info(found: Aligned, value: Value, name: str) -> Any:
    shape = [str(n) if isinstance(n, Length) else n for n in found.lengths[value]]
    return helper.make_tensor_value_info(name, onnx_dtype(as_dtype(value.dtype)), shape)
