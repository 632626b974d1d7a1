"""A run as one page of HTML."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import ConfigError
from .._files import replacing
from .._page import page
from ..data import Dataset
from ..train import History, Trainer
from ._data_sections import confusion, most_wrong, surface
from ._model_sections import layers, parameters, units
from ._run_sections import progress, result, run
from ._subject import Subject
from ._svg import STYLE as PLOTS

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from ..nn import Loss, Module

SECTIONS: Final = (result, progress, confusion, surface, most_wrong, parameters, units, layers, run)

STYLE: Final = (
    PLOTS
    + """
.row { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: flex-start; }
.examples figure { width: 7.5rem; margin: 0 0 .8rem; }
.examples img { width: 100%; image-rendering: pixelated; border: 1px solid var(--line); }
.examples figcaption { line-height: 1.3; overflow-wrap: anywhere; }
.drawing, pre, details, .wide { overflow-x: auto; }
pre { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
summary { cursor: pointer; margin: .5rem 0; } figure { max-width: 100%; break-inside: avoid; }
@media print { body { max-width: none; margin: 0; } h2, h3 { break-after: avoid; }
  details::details-content { content-visibility: visible; display: block; } }
"""
)


def report(
    path: str | os.PathLike[str],
    model: Trainer | Module,
    data: Dataset | tuple[Any, Any] | None = None,
    *,
    history: History | None = None,
    loss: Loss | None = None,
    settings: Mapping[str, object] | None = None,
    units: Callable[[Any], Any] | None = None,
    features: Sequence[str] = (),
    title: str = "",
) -> None:
    """Write a report of a run: one file of HTML, which can be read where there is no network.

    It has the result, the curves, what is taken for what (or predictions against targets), what the model says of the
    plane where it has two inputs, the samples that it got most wrong, its weights, what its units give and which
    gradients reach them, its layers and its graph, and what was run, on which machine, and how long it took. What
    there is nothing to say of is left out. It is light or dark as its reader has it, plots have alternative texts
    and tables, and it can be printed. It is at most 2 MB long, whatever the model and the data: of long tables and
    large images parts are left out.

    Parameters
    ----------
    path
        The file, which is replaced when the report is complete.
    model
        A trainer, or a model. It is asked in evaluation mode, with its averaged weights if it has any, and nothing of
        it is changed.
    data
        What to try it on, and what it has not learned from: a data set, or inputs and targets.
    history
        What was measured in training; that of the trainer, if not given.
    loss
        What was made small; that of the trainer, if not given. Without a loss there are no gradients.
    settings
        What the user chose, such as seeds and sizes, by name.
    units
        Of a regression: what brings predictions and targets back to the units that they had before they were scaled.
    features
        The names of the inputs, where these are two.
    title
        What stands above it.

    Raises
    ------
    BackendError
        If Matplotlib is not installed.
    ConfigError
        If there is neither data nor a history to report.
    StorageError
        If the file cannot be written.

    Examples
    --------
    >>> from deepcore import data, nn, optim, plot, train
    >>> training, test = data.train_test_split(data.moons(200, seed=0), seed=0)
    >>> model = nn.Sequential(nn.Dense(2, 8, activation="tanh"), nn.Dense(8, 2))
    >>> trainer = train.Trainer(model, nn.CategoricalCrossEntropy(), optim.Adam(model.parameters(), lr=0.03))
    >>> history = trainer.fit(training, epochs=3, validation=test)
    >>> plot.report("/tmp/moons.html", trainer, test, settings={"seed": 0})  # doctest: +SKIP
    """
    trainer, module = (model, model.model) if isinstance(model, Trainer) else (None, model)
    measured = history or (trainer.history if trainer else History())
    if data is None and not measured.epochs:
        msg = "report: there is nothing to report, neither data to try the model on nor a history; give one of them"
        raise ConfigError(msg)
    subject = Subject(
        model=module,
        trainer=trainer,
        history=measured,
        loss=loss or (trainer.loss if trainer else None),
        data=data if data is None or isinstance(data, Dataset) else Dataset(np.asarray(data[0]), np.asarray(data[1])),
        settings=settings or {},
        units=units,
        features=tuple(features),
    )
    heading = title or f"{type(subject.model).__name__}{f' on {subject.data.name}' if subject.data else ''}"
    written = datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")
    with trainer.averaged() if trainer else nullcontext():
        parts = [f"<h1>{escape(heading)}</h1><p>{written}</p>", *(section(subject) for section in SECTIONS)]
    with replacing(Path(path)) as file:
        file.write(page(heading, parts, style=STYLE).encode())
