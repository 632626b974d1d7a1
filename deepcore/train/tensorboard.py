"""Event files, which TensorBoard reads."""

from __future__ import annotations

import importlib.util
import math
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._backend import Library
from .._errors import BackendError, CompileError, ConfigError
from .._modes import in_mode
from .._tape import no_grad
from ..graph import compile as compile_function
from .callback import Callback

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..graph import Program, Value
    from .trainer import Trainer

_files: Any = Library("tensorboard.summary.writer.event_file_writer")
_event: Any = Library("tensorboard.compat.proto.event_pb2")
_summary: Any = Library("tensorboard.compat.proto.summary_pb2")
_graph: Any = Library("tensorboard.compat.proto.graph_pb2")

BINS: Final = 30


class TensorBoard(Callback):
    """Write what was measured, the weights and their gradients, and the graph of the model, for TensorBoard.

    What is measured after each epoch is in the folders ``training`` and ``validation``, under the same names, so that
    TensorBoard draws the two in one picture; the learning rate, histograms and the graph are in the first, and what is
    measured after batches in ``batches``. TensorFlow is not needed.

    Parameters
    ----------
    path
        The folder; ``tensorboard --logdir PATH`` shows it.
    every_batches
        The number of batches between values of the loss within epochs; none are written, if not given.
    histograms
        The number of epochs between histograms of parameters and their gradients; none are written, if not given.
    graph
        Whether the graph of the model in evaluation is written: one node for each operation.

    Raises
    ------
    BackendError
        When training begins, if the package ``tensorboard`` is not installed.
    ConfigError
        If a number is below 1.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        every_batches: int | None = None,
        histograms: int | None = None,
        graph: bool = True,
    ) -> None:
        for name, number in (("every_batches", every_batches), ("histograms", histograms)):
            if number is not None and number < 1:
                msg = f"TensorBoard: {name} is at least 1, not {number}"
                raise ConfigError(msg)
        self.path = Path(path)
        self.every_batches, self.histograms, self.graph = every_batches, histograms, graph
        self._writers: dict[str, Any] = {}
        self._resumed_at: tuple[int, int] | None = None

    # ------------------------------------------------------------------------------------------------------- events

    def on_fit_start(self, trainer: Trainer, *, epochs: int, samples: int) -> None:
        """Find out whether the files can be written."""
        if importlib.util.find_spec("tensorboard") is None:
            msg = 'event files need TensorBoard; install it with: pip install "tensorboard>=2.18"'
            raise BackendError(msg)
        self._writers, self._resumed_at = {}, None

    def on_epoch_start(self, trainer: Trainer, epoch: int) -> None:
        """Take note of where training begins."""
        if self._resumed_at is None and trainer.is_resumed:
            # TensorBoard then forgets what was written between the snapshot and the end of the run before.
            self._resumed_at = epoch, trainer.progress.iteration + 1

    def on_batch_end(self, trainer: Trainer, batch: int, values: Mapping[str, float]) -> None:
        """Write the graph, and now and then the loss."""
        iteration = trainer.progress.iteration
        if iteration == 1 and self.graph:
            self._write_graph(trainer)
        if self.every_batches is not None and iteration % self.every_batches == 0:
            self._scalars("batches", {"loss": trainer.progress.last_loss, "learning_rate": trainer.rate}, iteration)

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: dict[str, float]) -> None:
        """Write what was measured."""
        training = {name: x for name, x in values.items() if not name.startswith("val_") and name != "samples"}
        validation = {name.removeprefix("val_"): x for name, x in values.items() if name.startswith("val_")}
        self._scalars("training", {**training, "learning_rate": trainer.rate}, epoch)
        if validation:
            self._scalars("validation", validation, epoch)
        if self.histograms is not None and epoch % self.histograms == 0:
            self._write_histograms(trainer, epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_fit_end(self, trainer: Trainer) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    # ------------------------------------------------------------------------------------------------------ writing

    def _writer(self, name: str) -> Any:
        if name not in self._writers:
            self._writers[name] = _files.EventFileWriter(str(self.path / name))
            if self._resumed_at is not None:
                step = self._resumed_at[name == "batches"]
                start = _event.SessionLog(status=_event.SessionLog.START)
                self._writers[name].add_event(_event.Event(wall_time=time.time(), step=step, session_log=start))
        return self._writers[name]

    def _add(self, name: str, values: list[Any], step: int) -> None:
        summary = _summary.Summary(value=values)
        self._writer(name).add_event(_event.Event(wall_time=time.time(), step=step, summary=summary))

    def _scalars(self, name: str, scalars: Mapping[str, float], step: int) -> None:
        known = {tag: x for tag, x in scalars.items() if np.ndim(x) == 0 and not math.isnan(x)}
        self._add(name, [_summary.Summary.Value(tag=tag, simple_value=float(x)) for tag, x in known.items()], step)

    def _write_histograms(self, trainer: Trainer, step: int) -> None:
        arrays: dict[str, NDArray[Any]] = {}
        for name, parameter in trainer.model.named_parameters():
            arrays[f"weights/{name}"] = parameter.detach().numpy()
            if parameter.grad is not None:
                arrays[f"gradients/{name}"] = parameter.grad.numpy()
        histograms = {name: histogram(x.astype(np.float64).reshape(-1)) for name, x in arrays.items() if x.size}
        self._add("training", [_summary.Summary.Value(tag=name, histo=x) for name, x in histograms.items()], step)

    def _write_graph(self, trainer: Trainer) -> None:
        if trainer.batch is None:
            return
        modules = [module for _, module in trainer.model.named_modules()]
        forward = compile_function(trainer.model.__call__)
        try:
            with no_grad(), in_mode(modules, training=False):
                forward(trainer.batch[0])
            content = graph_of(forward.graph)
        except CompileError as error:
            warnings.warn(f"TensorBoard: there is no graph of this model: {error}", RuntimeWarning, stacklevel=2)
            return
        self._writer("training").add_event(_event.Event(wall_time=time.time(), graph_def=content.SerializeToString()))


def histogram(x: NDArray[Any]) -> Any:
    """Return the histogram of numbers, of which those that are not finite are left out."""
    x = x[np.isfinite(x)]
    counts, edges = np.histogram(x, bins=BINS)
    return _summary.HistogramProto(
        min=float(x.min()) if x.size else 0.0,
        max=float(x.max()) if x.size else 0.0,
        num=float(x.size),
        sum=float(x.sum()),
        sum_squares=float(x @ x),
        # The first bin ends where the others begin: TensorBoard takes a bin to begin where the one before ends.
        bucket_limit=[float(edges[0]), *edges[1:].tolist()],
        bucket=[0.0, *counts.tolist()],
    )


def graph_of(program: Program) -> Any:
    """Return a program as the graph that TensorBoard draws."""
    graph = _graph.GraphDef()
    graph.versions.producer = 22
    names: dict[Value, str] = {}

    def add(name: str, operation: str, inputs: list[str], value: Value) -> None:
        node = graph.node.add(name=name, op=operation, input=inputs)
        shape = node.attr["_output_shapes"].list.shape.add()
        for length in value.shape:
            shape.dim.add(size=length)

    used = {value for call in program.calls for value in call.operands()} | set(program.outputs)
    for i, value in enumerate([*program.inputs, *program.constants]):
        if value not in used:
            continue
        kind = "Parameter" if i < program.n_state else "Input" if i < len(program.inputs) else "Const"
        names[value] = value.name.replace(".", "/") if value.name else f"{kind.lower()}_{i}"
        if names[value] in list(names.values())[:-1]:
            names[value] += f"_{i}"
        add(names[value], kind, [], value)
    for i, call in enumerate(program.calls):
        operands = [names[value] for value in call.operands()]
        for k, value in enumerate(call.results):
            names[value] = f"{call.operation.replace('.', '/')}_{i}" + (f"_{k}" if k else "")
            add(names[value], call.operation, operands, value)
    for i, value in enumerate(program.outputs):
        graph.node.add(name=f"output_{i}", op="Output", input=[names[value]])
    return graph
