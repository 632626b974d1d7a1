"""What was measured as a table in a file."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from ..checkpoint import check_writable, replace_file
from .callback import Callback

if TYPE_CHECKING:
    import os

    from .trainer import Trainer


class CSVLogger(Callback):
    """Write what was measured to a file of comma-separated values, a row per epoch, after every epoch.

    The file is replaced whole, so that it can be read at any moment, and has the right rows when training is resumed.

    Parameters
    ----------
    path
        The file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from deepcore import data, nn, optim, train
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "log.csv"
    >>> model = nn.Sequential(nn.Flatten(), nn.Dense(64, 10))
    >>> sgd = optim.SGD(model.parameters(), lr=0.01)
    >>> trainer = train.Trainer(model, nn.CategoricalCrossEntropy(), sgd, callbacks=[train.CSVLogger(path)])
    >>> history = trainer.fit(data.digits(), epochs=2)
    >>> path.read_text().splitlines()[0]
    'epoch,loss,samples,samples_per_second,seconds'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path

    def on_fit_start(self, trainer: Trainer, *, epochs: int, samples: int) -> None:
        """Find out whether the file can be written."""
        check_writable(self.path)

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: dict[str, float]) -> None:
        """Write."""
        rows = trainer.history.epochs
        text = io.StringIO()
        writer = csv.DictWriter(text, list({name: 0 for row in rows for name in row}), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        replace_file(self.path, text.getvalue().encode())
