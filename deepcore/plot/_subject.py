"""What a report is about: a model, how it was trained, and what it says of data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..metrics import MAE, R2, RMSE, ConfusionMatrix
from ..ops.creation import asarray
from ._outcome import outcome, predicted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from ..data import Dataset
    from ..nn import Loss, Module
    from ..train import History, Trainer
    from ._outcome import Outcome

LONGEST: Final = 100
"""How many characters of the name of a class are shown."""

LOOK: Final = 256
"""How many samples layers are looked at with."""


@dataclass(frozen=True)
class Subject:
    """What a report is about.

    Attributes
    ----------
    model
        The model.
    trainer
        What trained it.
    history
        What was measured then.
    loss
        What was made small.
    data
        What it is tried on, which it has not learned from.
    settings
        What the user chose.
    units
        What brings predicted numbers back to their units.
    features
        The names of the inputs, if there are names.
    """

    model: Module
    trainer: Trainer | None
    history: History
    loss: Loss | None
    data: Dataset | None
    settings: Mapping[str, object] = field(default_factory=dict[str, object])
    units: Callable[[Any], Any] | None = None
    features: tuple[str, ...] = ()

    def predict(self, inputs: Any) -> NDArray[Any]:
        """Return what the model says of inputs."""
        if self.trainer is not None:
            return np.asarray(self.trainer.predict(inputs))
        return predicted(self.model, inputs)

    def predict_numbers(self, inputs: Any) -> NDArray[Any]:
        """Return what the model says of inputs, numbers in their units."""
        found = self.predict(inputs)
        return found if self.units is None else np.asarray(self.units(found))

    @cached_property
    def scores(self) -> NDArray[Any] | None:
        """What the model says of the data."""
        if self.data is None:
            return None
        return self.predict(self.data.inputs)

    @cached_property
    def outcome(self) -> Outcome | None:
        """What that is worth, where it is one class or one number for each sample."""
        if self.data is None or self.scores is None:
            return None
        threshold = 0.0 if getattr(self.loss, "from_logits", True) else 0.5
        found = outcome(self.scores, np.asarray(self.data.targets), threshold=threshold)
        if found is None or found.n_classes or self.units is None:
            return found
        chosen, right = (np.asarray(self.units(x.reshape(-1, 1))).reshape(-1) for x in (found.chosen, found.right))
        return replace(found, chosen=chosen, right=right)

    @cached_property
    def classes(self) -> list[str]:
        """The names of the classes, which are their numbers if they have none."""
        found = self.outcome
        if found is None or self.data is None:
            return []
        named = self.data.classes if len(self.data.classes) == found.n_classes else ()
        return [name[:LONGEST] for name in named] or [str(k) for k in range(found.n_classes)]

    @cached_property
    def matrix(self) -> NDArray[np.int64]:
        """How many samples of each class were taken for each."""
        found = self.outcome
        metric = ConfusionMatrix(found.n_classes if found else None)
        if found is not None:
            metric.update(asarray(found.chosen), found.right)
        return metric.matrix

    @cached_property
    def measured(self) -> dict[str, float]:
        """The loss and the metrics on the data, and what follows from the outcome."""
        if self.data is None:
            return {}
        values: dict[str, Any] = {}
        if self.trainer is not None:
            values = self.trainer.evaluate(self.data)
        elif self.loss is not None:
            loss = self.loss(
                *(asarray(np.asarray(x), device=self.model.device) for x in (self.scores, self.data.targets))
            )
            values["loss"] = loss.item()
        found = self.outcome
        if found is not None and found.n_classes:
            values.setdefault("accuracy", float((found.right == found.chosen).mean()))
        elif found is not None:
            for metric in (MAE(), RMSE(), R2()):
                metric.update(asarray(found.chosen), found.right)
                values.setdefault(metric.name, metric.compute())
        return {name: float(x) for name, x in values.items() if np.ndim(x) == 0}

    @cached_property
    def look(self) -> tuple[Any, Any] | None:
        """Some inputs and targets, on the model's device."""
        if self.data is None:
            return None
        inputs, targets = self.data[:LOOK]
        return asarray(np.asarray(inputs), device=self.model.device), asarray(
            np.asarray(targets), device=self.model.device
        )

    def images(self, rows: NDArray[np.int64]) -> list[NDArray[Any]]:
        """Return some inputs as images of numbers from 0 to 1, (h, w) or (h, w, 3); none, if they are no images."""
        if self.data is None:
            return []
        shape = tuple(self.data.inputs.shape[1:])
        layout = layout_of(shape)
        if layout is None or not len(rows):
            return []
        pixels = np.stack([np.asarray(self.data.inputs[int(i)], dtype=np.float64) for i in rows])
        pixels = np.moveaxis(pixels, 1, -1) if layout == "first" else pixels
        pixels = pixels[..., 0] if pixels.ndim == 4 and pixels.shape[-1] == 1 else pixels
        low, high = pixels.min(), pixels.max()
        return list((pixels - low) / (high - low or 1.0))


LEAST: Final = 5
"""From which height and width on inputs are taken for images."""


def layout_of(shape: tuple[int, ...]) -> str | None:
    """Return where the channels of images are, ``"none"``, ``"first"`` or ``"last"``; None, if these are no images.

    Examples
    --------
    >>> layout_of((8, 8)), layout_of((3, 32, 32)), layout_of((32, 32, 1)), layout_of((4,))
    ('none', 'first', 'last', None)
    """
    if len(shape) == 2 and min(shape) >= LEAST:
        return "none"
    if len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) >= LEAST:
        return "first"
    if len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) >= LEAST:
        return "last"
    return None
