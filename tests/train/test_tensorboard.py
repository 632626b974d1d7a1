"""Event files, read back by TensorBoard itself."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import metrics, nn, optim
from deepcore.random import Generator
from deepcore.train import Callback, Checkpoint, LearningRate, TensorBoard, Trainer
from deepcore.train.tensorboard import histogram

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deepcore._device import Device

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def read(folder: Path) -> Any:
    found = accumulator.EventAccumulator(str(folder), size_guidance={"histograms": 0, "scalars": 0})
    found.Reload()
    return found


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(folder).Scalars(tag)]


def trainer(*callbacks: Callback, device: Any = None) -> Trainer:
    g = Generator(0)
    model = nn.Sequential(nn.Dense(2, 4, activation="relu", generator=g), nn.Dropout(0.1), nn.Dense(4, 3, generator=g))
    adam = optim.Adam(model.parameters(), lr=0.05)
    loss = nn.CategoricalCrossEntropy()
    return Trainer(model, loss, adam, metrics=[metrics.Accuracy()], callbacks=callbacks, device=device)


def data() -> Any:
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 2)).astype("f"), rng.integers(0, 3, 40)


def test_scalars(device: Device, tmp_path: Path) -> None:
    board = TensorBoard(tmp_path, every_batches=2)
    run = trainer(LearningRate(lambda epoch: 0.1 / (epoch + 1)), board, device=device)
    history = run.fit(data(), epochs=3, batch_size=8, validation=data())

    def single(x: float) -> float:
        return float(np.float32(x))

    for tag in ("loss", "accuracy"):
        for folder, name in (("training", tag), ("validation", f"val_{tag}")):
            assert scalars(tmp_path / folder, tag) == [(i + 1, single(x)) for i, x in enumerate(history[name])]
    assert scalars(tmp_path / "training", "learning_rate") == [(i, single(0.1 / i)) for i in (1, 2, 3)]
    batches = scalars(tmp_path / "batches", "loss")
    assert [step for step, _ in batches] == [2, 4, 6, 8, 10, 12, 14]
    assert "samples" not in read(tmp_path / "training").Tags()["scalars"]


def test_histograms_and_the_graph(device: Device, tmp_path: Path) -> None:
    run = trainer(TensorBoard(tmp_path, histograms=2), device=device)
    run.fit(data(), epochs=4, batch_size=10)
    found = read(tmp_path / "training")
    names = [name for name, _ in run.model.named_parameters()]
    assert sorted(found.Tags()["histograms"]) == sorted(f"{k}/{n}" for k in ("weights", "gradients") for n in names)
    steps = found.Histograms("weights/0.weight")
    assert [event.step for event in steps] == [2, 4]
    last = steps[-1].histogram_value
    w = run.model.parameters()[0].numpy().astype(np.float64)
    assert (last.num, last.min, last.max) == (8, w.min(), w.max())
    assert last.sum == pytest.approx(w.sum())
    assert last.sum_squares == pytest.approx((w**2).sum())
    graph = {node.name: node for node in found.Graph().node}
    assert [node.op for node in graph.values() if node.op == "Parameter"] == ["Parameter"] * 4
    assert {"linear", "relu"} <= {node.op for node in graph.values()}
    assert all(source in graph for node in graph.values() for source in node.input)
    assert "bernoulli" not in str(graph)  # the graph is that of evaluation
    weights = [n for n in graph.values() if n.op == "Parameter"]
    assert [2, 4] in [[d.size for d in n.attr["_output_shapes"].list.shape[0].dim] for n in weights]


def test_a_histogram_counts_every_number_once() -> None:
    x = np.array([0.0, 0.11, 0.11, 1.0, np.nan, np.inf])
    found = histogram(x)
    counts = dict(zip(found.bucket_limit, found.bucket, strict=True))
    assert sum(counts.values()) == found.num == 4
    edges = np.array(found.bucket_limit)
    assert [found.bucket[i] for i in np.searchsorted(edges, [1e-9, 0.11, 1.0])] == [1, 2, 1]
    for odd in (np.zeros(3), np.array([np.nan])):
        assert sum(histogram(odd).bucket) == np.isfinite(odd).sum()


def test_a_resumed_run_replaces_what_came_after_its_snapshot(tmp_path: Path) -> None:
    class Stop(Callback):
        comes_last = True

        def on_batch_end(self, trainer: Trainer, batch: int, values: Mapping[str, float]) -> None:
            if trainer.progress.iteration == 14:
                raise KeyboardInterrupt

    store, board = tmp_path / "store", tmp_path / "board"
    first = trainer(TensorBoard(board, every_batches=1), Checkpoint(store, every=2), Stop())
    assert first.fit(data(), epochs=5, batch_size=10).interrupted  # in the fourth epoch; the snapshot is of the second
    again = trainer(TensorBoard(board, every_batches=1), Checkpoint(store))
    history = again.fit(data(), epochs=4, batch_size=10, resume=True)
    assert scalars(board / "training", "loss") == [(i + 1, float(np.float32(x))) for i, x in enumerate(history["loss"])]
    assert [step for step, _ in scalars(board / "batches", "loss")] == list(range(1, 17))


def test_a_model_without_a_graph(tmp_path: Path) -> None:
    class Looks(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Dense(2, 3, generator=Generator(0))

        def forward(self, x: dc.Tensor) -> dc.Tensor:
            y: dc.Tensor = self.layer(x)
            return y if y.sum().item() > 0 else y * 2.0

    model = Looks()
    run = Trainer(
        model, nn.CategoricalCrossEntropy(), optim.SGD(model.parameters(), lr=0.1), callbacks=[TensorBoard(tmp_path)]
    )
    with pytest.warns(RuntimeWarning, match="there is no graph of this model"):
        run.fit(data())
    assert not read(tmp_path / "training").Tags()["graph"]


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(dc.BackendError, match="event files need TensorBoard; install it with: pip install"):
        trainer(TensorBoard(tmp_path)).fit(data())
    assert list(tmp_path.iterdir()) == []
