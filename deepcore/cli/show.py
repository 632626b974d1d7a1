"""``deepcore show``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from .. import graph, nn, zeros
from .._device import use_device
from .._dtype import DTYPES
from .._errors import ConfigError
from ..checkpoint import check_writable
from ..train.step import Step
from . import models, optimizers
from .console import output
from .measures import loss_of
from .runs import CLASSIFICATION, Facts, open_run
from .settings import Settings, whole_numbers, widths
from .training import filled

if TYPE_CHECKING:
    from .._tensor import Tensor
    from ..graph import Program

SHAPE: Final = (8, 8)
OUTPUTS: Final = 10
PROGRAMS: Final = ("forward", "backward", "step")
MOST: Final = 2**24
"""The most numbers that a sample may have."""


@dataclass(frozen=True)
class Shown:
    """A model, and what is needed to train it.

    Parameters
    ----------
    model
        The model.
    facts
        What its data are.
    settings
        What it is trained with.
    """

    model: nn.Module
    facts: Facts
    settings: Settings


def show(
    model: Annotated[
        str,
        typer.Argument(
            help="Folder of a run, of deepcore train --checkpoint; mlp, cnn or lstm; or module:factory, a function of "
            "yours of input_shape and n_outputs."
        ),
    ],
    input_shape: Annotated[
        str | None, typer.Option(help="Shape of a sample: 1,28,28. Default: the run's, else 8,8, as digits have it.")
    ] = None,
    outputs: Annotated[int, typer.Option(min=1, max=2**24, help="Classes of a model that is no run.")] = OUTPUTS,
    hidden: Annotated[
        str | None, typer.Option(help="Units of the hidden layers of a model that is no run, as for training.")
    ] = None,
    activation: Annotated[str | None, typer.Option(help="Activation of a model that is no run.")] = None,
    batch: Annotated[int, typer.Option(min=1, max=2**16, help="Samples that the computation is recorded for.")] = 1,
    program: Annotated[
        str | None,
        typer.Option(
            help="The computation that --text and --graph show, as it is compiled: forward (the default), backward "
            "(loss and gradients), or step (and the optimizer's move)."
        ),
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Print the computation, a line for each operation.")] = False,
    picture: Annotated[
        Path | None, typer.Option("--graph", help="File for a drawing of the computation, as an SVG image.")
    ] = None,
) -> None:
    """Show a model: its layers with shapes and parameters, and what it computes as text or as a drawing.

    Examples
    --------
      deepcore show runs/digits

      deepcore show cnn --input-shape 1,28,28 --hidden 8,16 --graph cnn.svg

      deepcore show mlp --hidden 16 --program step --batch 32

      deepcore show nets:resnet --input-shape 3,32,32 --text
    """
    if program is not None and program not in PROGRAMS:
        msg = f"unknown program {program!r}; the known ones are {', '.join(PROGRAMS)}"
        raise ConfigError(msg)
    if picture is not None:
        check_writable(picture)
    with use_device("cpu"):
        shown = _found(model, input_shape, outputs, hidden, activation)
        x = zeros((batch, *shown.facts.input_shape), dtype=DTYPES[shown.facts.inputs.dtype])
        output.print(
            nn.summary(shown.model, None if x.dtype == DTYPES["float64"] else x.shape), markup=False, soft_wrap=True
        )
        forward = graph.traced(shown.model, x)
        output.print(f"{_counted(flops(forward) // batch)} for a sample, in products of matrices", soft_wrap=True)
        if not (text or picture or program):
            return
        recorded = forward if program in (None, "forward") else _recorded(shown, x, moves=program == "step")
    if text or picture is None:
        output.print("", str(recorded), sep="\n", markup=False, soft_wrap=True)
    if picture is not None:
        graph.draw(recorded).save(picture)
        output.print(f"drawing: {picture}", markup=False, soft_wrap=True)


def flops(program: Program) -> int:
    """Return how many additions and multiplications a program does in products of matrices.

    Convolutions, recurrent layers and attention are made of such products; what is left out is small next to them.
    """
    count = 0
    for call in graph.expanded(program).calls:
        if call.operation == "matmul":
            first = next(call.operands())
            count += 2 * first.shape[-1] * call.results[0].size
    return count


def _found(model: str, input_shape: str | None, n_outputs: int, hidden: str | None, activation: str | None) -> Shown:
    """Return the model of a run, or a new one."""
    if Path(model).is_dir() or (model not in models.KNOWN and ":" not in model):
        given = {"input-shape": input_shape, "hidden": hidden, "activation": activation}
        if named := [name for name, value in given.items() if value is not None]:
            msg = f"a run has its own model, {model}; leave --{named[0]} out"
            raise ConfigError(msg)
        run = open_run(model)
        return Shown(run.model(), run.facts, run.config)
    settings = filled(Settings(model=model, hidden=widths(hidden), activation=activation))
    shape = SHAPE if input_shape is None else tuple(whole_numbers("input-shape", input_shape, example="1,28,28"))
    if not shape or math.prod(shape) > MOST:
        msg = f"--input-shape is that of a sample, of 1 to {MOST:,} numbers, and not {shape}"
        raise ConfigError(msg)
    facts = Facts(task=CLASSIFICATION, input_shape=shape, n_outputs=n_outputs)
    return Shown(models.build(settings, shape, n_outputs), facts, settings)


def _recorded(shown: Shown, x: Tensor, *, moves: bool) -> Program:
    """Return the loss and its gradients as a program, and what the optimizer does with them, if it moves."""
    loss, model = loss_of(shown.facts), shown.model.train()
    if shown.facts.task == CLASSIFICATION:
        y = zeros(x.shape[0], dtype=DTYPES["int64"])
    else:
        y = zeros((x.shape[0], shown.facts.n_outputs), dtype=x.dtype)
    step = Step(model, loss, optimizers.optimizer(shown.settings, model, optimizers.rate(shown.settings, 1)))

    def step_of(inputs: Tensor, targets: Tensor) -> Tensor:
        if moves:
            return step(inputs, targets)[0]
        for p in model.parameters():
            p.grad = None
        value = loss(model(inputs), targets)
        value.backward()
        return value.detach()

    compiled = graph.compile(step_of)
    for _ in range(3):  # the first time, gradients and the optimizer's state are new
        compiled(x, y)
    return compiled.graph


def _counted(n: float) -> str:
    """Return a number of operations in words."""
    for unit in ("", "k", "M"):
        if n < 1000:
            return f"{n:.3g} {unit}FLOP"
        n /= 1000
    return f"{n:,.3g} GFLOP"
