"""The training loop: learning, validation, records, and what happens when something goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import data, metrics, nn, optim
from deepcore.checkpoint import load_weights
from deepcore.random import Generator
from deepcore.train import Callback, History, SaveWeights, Trainer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from deepcore._device import Device

    Pair = tuple[NDArray[Any], NDArray[Any]]


def blobs(n: int = 60) -> Pair:
    """Return points around three corners, and the corner of each."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, n)
    corners = np.array([[2.0, 0.0], [-2.0, 1.0], [0.0, -2.0]])
    return (corners[labels] + 0.4 * rng.normal(size=(n, 2))).astype(np.float32), labels


def trainer(
    device: Any = None, *, seed: int = 0, lr: float = 0.05, callbacks: Any = (), dropout: float = 0.1
) -> Trainer:
    g = Generator(seed)
    model = nn.Sequential(
        nn.Dense(2, 8, activation="tanh", generator=g), nn.Dropout(dropout, generator=g), nn.Dense(8, 3, generator=g)
    )
    return Trainer(
        model,
        nn.CategoricalCrossEntropy(),
        optim.Adam(model.parameters(), lr=lr),
        metrics=[metrics.Accuracy()],
        device=device,
        callbacks=callbacks,
    )


def weights(model: nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.named_tensors()}


def test_it_learns_and_keeps_a_record(device: Device) -> None:
    t = trainer(device)
    history = t.fit(blobs(), epochs=8, batch_size=16, validation=blobs(23))
    assert history["loss"][-1] < 0.2 < history["loss"][0]
    assert t.evaluate(blobs())["accuracy"] > 0.95
    assert len(history) == 8
    assert not history.interrupted
    assert history["epoch"] == list(range(1, 9))
    assert set(history.last) == {
        *("epoch", "loss", "accuracy", "seconds", "samples", "samples_per_second", "val_loss", "val_accuracy"),
    }
    assert history.last["samples"] == 60
    measured = t.evaluate(blobs(23))
    assert history.last["val_loss"] == pytest.approx(measured["loss"], rel=1e-5)
    assert history.last["val_accuracy"] == measured["accuracy"]
    assert all(p.device is device for p in t.model.parameters())


def test_the_loss_of_an_epoch_is_the_mean_over_the_samples() -> None:
    t = trainer(lr=0.0, dropout=0.0)
    history = t.fit(blobs(50), epochs=1, batch_size=16)  # the last batch has 2 samples
    assert history.last["loss"] == pytest.approx(t.evaluate(blobs(50))["loss"], rel=1e-5)
    assert t.evaluate(blobs(50), batch_size=7)["loss"] == pytest.approx(t.evaluate(blobs(50))["loss"], rel=1e-5)


def test_the_same_seed_gives_the_same_bits() -> None:
    def trained(seed: int, order: int) -> tuple[dict[str, bytes], list[float]]:
        t = trainer(seed=seed)
        history = t.fit(blobs(), epochs=2, batch_size=16, seed=order)
        return weights(t.model), history["loss"]

    assert trained(0, 0) == trained(0, 0)
    assert trained(0, 0) != trained(0, 1)
    assert trained(0, 0) != trained(1, 0)


def test_every_library_learns_nearly_the_same(device: Device) -> None:
    here, there = trainer("cpu"), trainer(device)
    for t in (here, there):
        t.fit(blobs(), epochs=2, batch_size=16)
    for a, b in zip(here.model.parameters(), there.model.parameters(), strict=True):
        assert b.numpy() == pytest.approx(a.numpy(), rel=1e-3, abs=1e-4)


def test_data_sets_pairs_and_loaders_are_the_same() -> None:
    x, y = blobs()
    histories: list[list[float]] = []
    for source in ((x, y), data.Dataset(x, y), data.DataLoader(data.Dataset(x, y), batch_size=16, shuffle=True)):
        histories.append(trainer().fit(source, epochs=2, batch_size=16)["loss"])  # noqa: PERF401 - each trains anew
    assert histories[0] == histories[1] == histories[2]


def test_regression_with_targets_in_float64() -> None:
    x = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    model = nn.Dense(1, 1)
    t = Trainer(model, nn.MSE(), optim.SGD(model.parameters(), lr=0.3))
    t.fit((x, 3.0 * x.astype(np.float64) - 1.0), epochs=30, batch_size=8)
    assert model.weight.item() == pytest.approx(3.0, abs=1e-2)
    assert model.weight.dtype is dc.float32


# ----------------------------------------------------------------------------------------- evaluation, prediction


@pytest.mark.parametrize("batch_size", [1, 7, 50, 1024])
def test_predictions_of_ragged_batches(batch_size: int, device: Device) -> None:
    t = trainer(device)
    x, _ = blobs(50)
    scores = t.predict(x, batch_size=batch_size)
    assert (scores.shape, scores.dtype) == ((50, 3), np.dtype(np.float32))
    t.model.eval()
    assert scores == pytest.approx(t.model(dc.asarray(x, device=device)).numpy(), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("what", ["predict", "evaluate", "predict-error", "evaluate-error"])
def test_every_part_stays_in_its_mode(what: str) -> None:
    t = trainer()
    x, y = blobs(10)
    parts = [m for _, m in t.model.named_modules()]
    for mode in (True, False):
        t.model.train(mode)
        parts[1].training = not mode
        before = [m.training for m in parts]
        if what == "predict":
            t.predict(x)
        elif what == "evaluate":
            t.evaluate((x, y))
        elif what == "predict-error":
            with pytest.raises(dc.ShapeError):
                t.predict(x[:, :1])
        else:
            with pytest.raises(dc.ShapeError):
                t.evaluate((x[:, :1], y))
        assert [m.training for m in parts] == before


def test_a_trained_model_is_in_evaluation_mode() -> None:
    t = trainer()
    t.fit(blobs())
    assert not any(m.training for _, m in t.model.named_modules())
    assert np.array_equal(t.predict(blobs()[0]), t.predict(blobs()[0]))


def test_predictions_of_nothing() -> None:
    with pytest.raises(dc.DataError, match="predict: there are no samples"):
        trainer().predict(np.zeros((0, 2), np.float32))


# -------------------------------------------------------------------------------------------------------- unusable data


def broken(where: str) -> Pair:
    x, y = blobs()
    if where in ("nan", "inf"):
        x[7, 1] = float(where)
    elif where == "label":
        y[5] = 3
    elif where == "negative":
        y[5] = -1
    elif where == "empty":
        return x[:0], y[:0]
    elif where == "length":
        return x, y[:-1]
    return x, y


UNUSABLE = pytest.mark.parametrize(
    ("where", "message"),
    [
        ("nan", r"NaN or infinite; the first is nan in sample 7 at position \(1,\)"),
        ("inf", "the first is inf in sample 7"),
        ("label", "the first is 3 in sample 5"),
        ("negative", "the first is -1 in sample 5"),
        ("empty", "empty"),
        ("length", "60 inputs but 59 targets"),
    ],
)


@UNUSABLE
def test_unusable_data_is_refused_before_anything_is_learned(where: str, message: str) -> None:
    t = trainer()
    before = weights(t.model)
    with pytest.raises(dc.DataError, match=message):
        t.fit(broken(where))
    with pytest.raises(dc.DataError, match=message):
        t.fit(blobs(), validation=broken(where))
    with pytest.raises(dc.DataError, match=message):
        t.evaluate(broken(where))
    assert weights(t.model) == before


def test_the_number_of_epochs_is_at_least_one() -> None:
    with pytest.raises(dc.ConfigError, match="the number of epochs is at least 1, not 0"):
        trainer().fit(blobs(), epochs=0)


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_loss_that_is_no_number_names_epoch_and_batch(value: str) -> None:
    class Explodes(nn.MSE):
        calls = 0

        def forward(self, prediction: dc.Tensor, target: dc.Tensor, weight: dc.Tensor | None = None) -> dc.Tensor:
            self.calls += 1
            return super().forward(prediction, target) * (float(value) if self.calls == 6 else 1.0)

    model = nn.Dense(2, 1)
    x, y = blobs(40)
    t = Trainer(model, Explodes(), optim.SGD(model.parameters(), lr=0.01))
    with pytest.raises(
        dc.NumericalError, match=f"the loss became {value} in epoch 2, batch 2; a smaller learning rate"
    ):
        t.fit((x, y[:, None].astype(np.float32)), epochs=3, batch_size=10)
    assert np.isfinite(model.weight.numpy()).all()  # nothing was learned from that batch


# ---------------------------------------------------------------------------------------------------------- callbacks


class Log(Callback):
    def __init__(self, name: str, events: list[str]) -> None:
        self.name, self.events = name, events

    def on_fit_start(self, trainer: Trainer, *, epochs: int, samples: int) -> None:
        self.events.append(f"{self.name}: fit of {epochs} epochs of {samples}")

    def on_epoch_start(self, trainer: Trainer, epoch: int) -> None:
        self.events.append(f"{self.name}: epoch {epoch}")

    def on_batch_end(self, trainer: Trainer, batch: int, values: Mapping[str, float]) -> None:
        assert {"loss", "accuracy", "samples", "samples_per_second"} == set(values)
        self.events.append(f"{self.name}: batch {batch}, {values['samples']} samples")

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: dict[str, float]) -> None:
        self.events.append(f"{self.name}: end of epoch {epoch}")

    def on_fit_end(self, trainer: Trainer) -> None:
        self.events.append(f"{self.name}: end")


class Raises(Callback):
    """Raise an exception in the middle of an epoch, and say what the weights were after the first."""

    def __init__(self, error: BaseException, *, epoch: int, batch: int) -> None:
        self.error, self.when, self.epoch = error, (epoch, batch), 0
        self.after_first: dict[str, bytes] = {}

    def on_epoch_start(self, trainer: Trainer, epoch: int) -> None:
        self.epoch = epoch

    def on_batch_end(self, trainer: Trainer, batch: int, values: Mapping[str, float]) -> None:
        if (self.epoch, batch) == self.when:
            raise self.error

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: dict[str, float]) -> None:
        if epoch == 1:
            self.after_first = weights(trainer.model)


def test_callbacks_are_called_in_order() -> None:
    events: list[str] = []
    trainer(callbacks=[Log("a", events), Log("b", events)]).fit(blobs(40), epochs=2, batch_size=32)
    epochs = [
        [f"{name}: {event}" for event in (f"epoch {i}", "batch 1, 32 samples", "batch 2, 40 samples") for name in "ab"]
        + [f"{name}: end of epoch {i}" for name in "ab"]
        for i in (1, 2)
    ]
    begin = ["a: fit of 2 epochs of 40", "b: fit of 2 epochs of 40"]
    assert events == [*begin, *epochs[0], *epochs[1], "a: end", "b: end"]


def test_an_interruption_keeps_the_weights_of_every_complete_epoch(tmp_path: Path) -> None:
    events: list[str] = []
    saver, stop = SaveWeights(tmp_path / "w.safetensors"), Raises(KeyboardInterrupt(), epoch=2, batch=2)
    t = trainer(callbacks=[saver, stop, Log("log", events)])
    history = t.fit(blobs(), epochs=5, batch_size=16)
    assert history.interrupted
    assert len(history) == 1
    assert events[-1] == "log: end"
    assert saver.epoch == 1
    assert weights(t.model) != stop.after_first
    saved = trainer(seed=7)
    load_weights(saver.path, saved.model)
    assert weights(saved.model) == stop.after_first
    assert list(tmp_path.iterdir()) == [saver.path]
    assert not t.model.training


def test_an_interruption_in_the_first_epoch_saves_nothing(tmp_path: Path) -> None:
    saver = SaveWeights(tmp_path / "w.safetensors")
    history = trainer(callbacks=[saver, Raises(KeyboardInterrupt(), epoch=1, batch=1)]).fit(blobs(), epochs=2)
    assert history.interrupted
    assert history.last == {}
    assert len(history) == saver.epoch == 0
    assert list(tmp_path.iterdir()) == []


def test_a_callback_that_fails_is_heard() -> None:
    events: list[str] = []
    t = trainer(callbacks=[Raises(LookupError("mine"), epoch=1, batch=1), Log("log", events)])
    with pytest.raises(LookupError, match="mine"):
        t.fit(blobs())
    assert events == ["log: fit of 1 epochs of 60", "log: epoch 1", "log: end"]
    assert not t.model.training


def test_an_empty_history() -> None:
    history = History()
    assert (len(history), history.last, history["loss"], history.interrupted) == (0, {}, [], False)


def test_labels_to_ignore_and_class_weights_on_another_device() -> None:
    x = np.random.default_rng(0).normal(size=(60, 2)).astype("f")
    y = (x[:, 0] > 0).astype(np.int64)
    y[::5] = -1
    model = nn.Dense(2, 2)
    loss = nn.CategoricalCrossEntropy(ignore_index=-1, class_weights=[1.0, 2.0])
    device = "array_api_strict:device1"
    pytest.importorskip("array_api_strict")
    t = Trainer(model, loss, optim.SGD(model.parameters(), lr=0.5), device=device)
    history = t.fit((x, y), epochs=2)
    assert history.epochs[1]["loss"] < history.epochs[0]["loss"]
    assert loss.class_weights is not None
    assert str(loss.class_weights.device) == device
