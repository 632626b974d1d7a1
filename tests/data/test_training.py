"""Training on data that are not held in memory, and in the background, gives the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from deepcore import DataError, metrics, nn, optim, random, train
from deepcore.data import DataLoader, Dataset, digits, read_npy

if TYPE_CHECKING:
    from pathlib import Path


def losses(data: Dataset, prefetch: int) -> list[float]:
    random.seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Dense(64, 10))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    trainer = train.Trainer(model, nn.CategoricalCrossEntropy(), optimizer, metrics=[metrics.Accuracy()])
    loader = DataLoader(data, batch_size=100, shuffle=True, prefetch=prefetch, workers=2)
    history = trainer.fit(loader, epochs=2, validation=data.subset([5, 1, 700]))
    return [epoch[name] for epoch in history.epochs for name in ("loss", "accuracy", "val_loss")]


def test_a_memory_map_trains_like_an_array(tmp_path: Path) -> None:
    source = digits()
    np.save(tmp_path / "x.npy", source.inputs)
    mapped = Dataset(read_npy(tmp_path / "x.npy", memory_map=True), source.targets)
    expected = losses(source, 0)
    assert losses(mapped, 0) == expected
    assert losses(mapped.map(lambda x: x * np.float32(1)), 3) == expected


@pytest.mark.parametrize("prefetch", [0, 2])
def test_bad_data_are_refused_before_the_first_step(tmp_path: Path, prefetch: int) -> None:
    source = digits()
    inputs = source.inputs.copy()
    inputs[1234, 5, 6] = np.nan
    np.save(tmp_path / "x.npy", inputs)
    mapped = Dataset(read_npy(tmp_path / "x.npy", memory_map=True), source.targets)
    with pytest.raises(DataError, match=r"nan in sample 1234 at position \(5, 6\)"):
        losses(mapped, prefetch)
