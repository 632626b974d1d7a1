"""The report that ``--report`` asks for."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .._backend import Library
from .runs import CLASSIFICATION

if TYPE_CHECKING:
    import os

    from ..data import Dataset
    from ..train import History, Trainer
    from .runs import Facts
    from .settings import Settings

_plot: Any = Library("deepcore.plot")  # imported where a report is asked for: other commands do not wait for it


def write_report(
    path: str | os.PathLike[str],
    trainer: Trainer,
    samples: Dataset | None,
    settings: Settings,
    facts: Facts,
    *,
    history: History | None = None,
    title: str = "",
) -> None:
    """Write the report of a run to a file, with numbers that are predicted in the units of the data."""
    _plot.report(
        path,
        trainer,
        samples,
        history=history,
        settings={name: value for name, value in asdict(settings).items() if value is not None},
        units=None if facts.task == CLASSIFICATION else facts.outputs.inverse,
        features=facts.columns or (),
        title=title,
    )
