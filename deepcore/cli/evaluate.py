"""``deepcore evaluate``."""

from __future__ import annotations

import json as serialization
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from .. import __version__
from .._errors import ConfigError
from ..checkpoint import check_writable, replace_file
from ..metrics import ConfusionMatrix
from . import using
from .console import output
from .measures import shown
from .parts import again, prepare, preprocessed
from .reporting import write_report
from .runs import CLASSIFICATION
from .settings import widths

if TYPE_CHECKING:
    from ..data import Dataset
    from .runs import Run

PARTS: Final = ("test", "validation", "training")
MOST_SHOWN: Final = 20
"""The largest number of classes whose confusion matrix is printed."""


def evaluate(
    run: using.RunOrWeights,
    data: Annotated[
        str | None,
        typer.Option(
            help="A data set or a path, as for training (what the run was tested on); of a file of weights, the data "
            "that it was trained with (digits)."
        ),
    ] = None,
    data_dir: using.DataFolder = None,
    part: Annotated[
        str | None, typer.Option(help=f"Part of the run's own data: {', '.join(PARTS)}. Default: test.")
    ] = None,
    snapshot: using.SnapshotOption = None,
    device: using.DeviceOption = None,
    report: Annotated[Path | None, typer.Option(help="File for a report, as a page of HTML; needs Matplotlib.")] = None,
    weights_config: using.WeightsConfig = None,
    model: using.WeightsModel = None,
    hidden: using.WeightsHidden = None,
    activation: using.WeightsActivation = None,
    json: Annotated[
        Path | None, typer.Option(help="File for the metrics, with the confusion matrix, as JSON; - for stdout.")
    ] = None,
) -> None:
    """Measure a trained model: loss and accuracy, what is taken for what, and precision and recall of every class.

    Examples
    --------
      deepcore evaluate runs/digits

      deepcore evaluate runs/houses --data new-houses.csv --json metrics.json

      deepcore evaluate runs/digits --report digits.html

      deepcore evaluate runs/houses --json - | jq .test_r2

      deepcore evaluate mnist.safetensors --data mnist --model cnn
    """
    if json is not None and str(json) != "-":
        check_writable(json)
    if report is not None:
        check_writable(report)
    given = {"model": model, "hidden": widths(hidden), "activation": activation}
    if run.is_file() and weights_config is None:
        given["data"], data = data, None
    found = using.opened(run, config=weights_config, given={**given, "data_dir": data_dir})
    dataset = _samples(found, data, part)
    trainer = using.trainer_of(found, device=device, snapshot=snapshot)
    matrix = ConfusionMatrix(len(found.classes)) if found.facts.task == CLASSIFICATION else None
    if matrix is not None:
        trainer.metrics.append(matrix)
    measured: dict[str, Any] = trainer.evaluate(dataset)
    measured.pop("confusion_matrix", None)
    results: dict[str, Any] = {
        **{f"test_{name}": value for name, value in measured.items()},
        "samples": len(dataset),
        "data": dataset.name,
        "run": str(run),
        "deepcore": __version__,
    }
    if report is not None:
        write_report(report, trainer, dataset, found.config, found.facts, title=f"{found.path} on {dataset.name}")
    if matrix is not None:
        counts = matrix.compute()
        results |= {"classes": _by_class(found.classes, counts), "confusion_matrix": counts.tolist()}
    if json is None or str(json) != "-":
        _show(found, measured, results)
    if report is not None and str(json) != "-":
        output.print(f"report: {report}", markup=False, soft_wrap=True)
    if json is not None:
        text = serialization.dumps(results, indent=2, ensure_ascii=False)
        if str(json) == "-":
            typer.echo(text)
        else:
            replace_file(json, f"{text}\n".encode())
            output.print(f"metrics: {json}", markup=False, soft_wrap=True)


def _samples(run: Run, data: str | None, part: str | None) -> Dataset:
    """Return what is measured on, preprocessed."""
    if data is not None:
        if part is not None:
            msg = f"--part {part} is of the data that the run was trained with; leave --data or --part out"
            raise ConfigError(msg)
        return preprocessed(again(run.config, run.facts, data), run.facts)
    if part is not None and part not in PARTS:
        msg = f"unknown part {part!r}; the known ones are {', '.join(PARTS)}"
        raise ConfigError(msg)
    _, parts = prepare(run.config)
    found: Dataset | None = getattr(parts, part or "test")
    if found is None:
        msg = f"the run in {run.path} has no {part or 'test'} part; name data by --data, or another part by --part"
        raise ConfigError(msg)
    return found


def _by_class(classes: tuple[str, ...], counts: Any) -> list[dict[str, Any]]:
    """Return precision, recall and their harmonic mean for every class; None where there is nothing to divide by."""
    rows: list[dict[str, Any]] = []
    for i, name in enumerate(classes):
        right, predicted, actual = (int(n) for n in (counts[i, i], counts[:, i].sum(), counts[i].sum()))
        rows.append(
            {
                "class": name,
                "precision": right / predicted if predicted else None,
                "recall": right / actual if actual else None,
                "f1": 2 * right / (predicted + actual) if predicted + actual else None,
                "samples": actual,
            }
        )
    return rows


def _show(run: Run, measured: dict[str, Any], results: dict[str, Any]) -> None:
    output.print(f"{results['data']}: {results['samples']:,} samples; {run.path}", markup=False, soft_wrap=True)
    table = Table("", "value", title="result")
    for name in [*(name for name in measured if name != "loss"), "loss"]:
        table.add_row(name, shown(name, measured[name]))
    output.print(table)
    if "classes" not in results:
        return
    of_classes = Table("class", "precision", "recall", "F1", "samples", title="classes")
    for row in results["classes"]:
        numbers = ("-" if row[key] is None else f"{row[key]:.2%}" for key in ("precision", "recall", "f1"))
        of_classes.add_row(_plain(row["class"]), *numbers, f"{row['samples']:,}")
    output.print(of_classes)
    if len(run.classes) > MOST_SHOWN:
        output.print(f"the confusion matrix of {len(run.classes)} classes is in --json FILE")
        return
    confusion = Table("is \\ taken for", *map(_plain, run.classes), title="confusion matrix")
    for name, counts in zip(run.classes, results["confusion_matrix"], strict=True):
        confusion.add_row(_plain(name), *("" if n == 0 else f"{n:,}" for n in counts))
    output.print(confusion)


def _plain(name: str) -> str:
    """Return a name in which brackets are brackets, and no markup."""
    return name.replace("[", "\\[")
