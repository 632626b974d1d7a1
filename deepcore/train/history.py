"""What happened in training."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """The record of a training run.

    Attributes
    ----------
    epochs
        One dictionary per complete epoch: ``epoch``, ``loss``, each metric, ``seconds``, ``samples_per_second``, and
        the same of the validation data with ``val_`` before the name.
    interrupted
        Whether the run was stopped before its last epoch was complete.
    """

    epochs: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    interrupted: bool = False

    def __getitem__(self, name: str) -> list[float]:
        """Return one quantity, epoch by epoch: ``history["loss"]``."""
        return [epoch[name] for epoch in self.epochs]

    def __len__(self) -> int:
        return len(self.epochs)

    @property
    def last(self) -> dict[str, float]:
        """The last complete epoch, empty before there is one."""
        return self.epochs[-1] if self.epochs else {}
