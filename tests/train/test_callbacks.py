"""Callbacks: to stop, to measure, to warn."""

from __future__ import annotations

import csv
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import metrics, nn, optim
from deepcore.random import Generator
from deepcore.train import (
    Callback,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRate,
    NaNGuard,
    ObservePlateau,
    TimeLimit,
    Trainer,
    UnitStatistics,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def data(n: int = 40) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 2)).astype("f")
    return x, (x[:, 0] > 0).astype(np.int64)


def trainer(*callbacks: Callback, model: nn.Module | None = None, lr: Any = 0.1, **options: Any) -> Trainer:
    model = model or nn.Sequential(nn.Dense(2, 4, activation="tanh", generator=Generator(0)), nn.Dense(4, 2))
    loss = nn.CategoricalCrossEntropy()
    return Trainer(model, loss, optim.SGD(model.parameters(), lr=lr), callbacks=callbacks, **options)


def told(values: list[float], **options: Any) -> tuple[EarlyStopping, Trainer]:
    """Return a stopper that has been told these values, epoch by epoch, until it stopped."""
    run, stopper = trainer(), EarlyStopping("x", **options)
    stopper.on_fit_start(run, epochs=1, samples=1)
    for epoch, value in enumerate(values, start=1):
        stopper.on_epoch_end(run, epoch, {"x": value})
        if run.history.stopped:
            break
    return stopper, run


# ------------------------------------------------------------------------------------------------------------ stopping


def test_early_stopping_counts_epochs_that_are_no_better() -> None:
    stopper, run = told([3.0, 2.0, 2.0, 2.5, 1.9, 1.95, 1.92, 1.91, 0.0], patience=3)
    assert (stopper.best, stopper.best_epoch) == (1.9, 5)
    assert run.history.stopped == "x was best in epoch 5"
    assert told([1.0, 2.0, 3.0], patience=3)[1].history.stopped == ""
    assert told([0.5, 0.6, 0.61, 0.62, 0.9], patience=2, largest=True, min_delta=0.05)[0].best == 0.6
    assert told([float("nan"), 1.0, 2.0, 3.0], patience=2)[0].best_epoch in (1, 2)


def test_early_stopping_gives_the_best_weights_back() -> None:
    kept: dict[int, bytes] = {}

    def remember(run: Trainer, epoch: int, values: dict[str, float]) -> None:
        kept[epoch] = run.model.parameters()[0].numpy().tobytes()

    stopper = EarlyStopping("loss", patience=1, largest=True, restore_best=True)  # the loss falls, so epoch 1 is best
    run = trainer(stopper, LambdaCallback(on_epoch_end=remember))
    history = run.fit(data(), epochs=9)
    assert len(history) == 2
    assert history.stopped == "loss was best in epoch 1"
    assert not history.interrupted
    assert run.model.parameters()[0].numpy().tobytes() == kept[1] != kept[2]
    run.fit(data(), epochs=1)  # it begins anew
    assert stopper.best_epoch == 1


def test_what_was_not_measured_is_named() -> None:
    plateau = optim.schedules.ReduceOnPlateau(0.1)
    for callback in (EarlyStopping("val_loss"), ObservePlateau(plateau, "val_loss")):
        with pytest.raises(dc.ConfigError, match="'val_loss' was not measured; there are loss, samples"):
            trainer(callback).fit(data())


def test_a_time_limit_ends_between_two_batches() -> None:
    history = trainer(TimeLimit(1e-9)).fit(data(), epochs=3, batch_size=10)
    assert (len(history), history.interrupted, history.stopped) == (0, True, "after 1e-09 seconds")
    history = trainer(TimeLimit(1e-9)).fit(data(), epochs=3, batch_size=40)  # the epoch is complete
    assert (len(history), history.interrupted) == (1, True)
    assert trainer(TimeLimit(60)).fit(data(), epochs=3).stopped == ""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EarlyStopping(patience=0), "patience is at least 1"),
        (lambda: TimeLimit(0), "above 0, not 0"),
        (lambda: TimeLimit(float("nan")), "above 0, not nan"),
        (lambda: NaNGuard(every=0), "at least 1, not 0"),
        (lambda: UnitStatistics(every=0), "every is at least 1"),
        (lambda: LambdaCallback(on_epoch=print), "'on_epoch' is no method of callbacks; these are on_fit_start"),
        (lambda: trainer(accumulate=0), "at least 1, not 0"),
        (lambda: trainer(clip_norm=0.0), "clip_norm is a number above 0"),
        (lambda: trainer(precision="int8"), "one of float16, bfloat16, not 'int8'"),
        (lambda: trainer(precision="float16", compile=True), "cannot be compiled; use bfloat16"),
    ],
)
def test_options_outside_of_what_is_allowed(make: Any, message: str) -> None:
    with pytest.raises(dc.ConfigError, match=message):
        make()


# ------------------------------------------------------------------------------------------------------- learning rates


def test_the_learning_rate_of_every_epoch() -> None:
    seen: list[float] = []
    schedule = optim.schedules.ExponentialDecay(0.1, 0.5)
    look = LambdaCallback(on_batch_end=lambda run, batch, values: seen.append(run.optimizer.lr))
    trainer(LearningRate(schedule), look).fit(data(), epochs=3, batch_size=20)
    assert seen == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]


def test_a_plateau_hears_what_was_measured() -> None:
    plateau = optim.schedules.ReduceOnPlateau(0.1, patience=1, factor=0.5, largest=True)
    history = trainer(ObservePlateau(plateau, "loss"), lr=plateau).fit(data(), epochs=4)
    assert plateau.best == history["loss"][0]  # it never got larger
    assert plateau.lr == 0.05


# ---------------------------------------------------------------------------------------------------------- measuring


def test_a_table_of_every_epoch(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    lines: list[int] = []
    count = LambdaCallback(on_epoch_end=lambda *_: lines.append(len(path.read_text().splitlines())))
    history = trainer(CSVLogger(path), count).fit(data(), epochs=3, validation=data(5))
    with path.open(newline="") as file:
        rows = [{name: float(x) for name, x in row.items()} for row in csv.DictReader(file)]
    assert rows == history.epochs
    assert lines == [2, 3, 4]
    with pytest.raises(dc.StorageError, match="cannot save to"):
        trainer(CSVLogger(tmp_path / "no" / "log.csv")).fit(data())


def test_metrics_are_computed_when_they_are_looked_up() -> None:
    class Counted(metrics.Accuracy):
        computed = 0

        def compute(self) -> float:
            self.computed += 1
            return super().compute()

    metric, values_seen = Counted(), list[float]()
    trainer(metrics=[metric]).fit(data(), epochs=3, batch_size=5)
    assert metric.computed == 3

    def look(run: Trainer, batch: int, values: Any) -> None:
        if batch == 4:
            values_seen.extend([values["accuracy"], dict(values)["accuracy"]])
            assert set(values) == {"loss", "samples", "samples_per_second", "accuracy"}
            assert len(values) == 4

    metric = Counted()
    trainer(LambdaCallback(on_batch_end=look), metrics=[metric]).fit(data(), batch_size=5)
    assert metric.computed == 2
    assert values_seen[0] == values_seen[1]


def test_functions_are_called_with_everything() -> None:
    events: list[str] = []
    names = ("on_fit_start", "on_epoch_start", "on_gradients", "on_batch_end", "on_epoch_end", "on_fit_end")

    def made(name: str) -> Any:
        return lambda run, *arguments, **options: events.append(name)

    trainer(LambdaCallback(**{name: made(name) for name in names})).fit(data(), batch_size=20)
    once = ["on_gradients", "on_batch_end"]
    assert events == ["on_fit_start", "on_epoch_start", *once, *once, "on_epoch_end", "on_fit_end"]


def test_gradients_are_there_before_they_move_anything() -> None:
    moved: list[bool] = []
    run = trainer(
        LambdaCallback(
            on_fit_start=lambda run, **_: start.extend(weights(run)),
            on_gradients=lambda run, batch: moved.append(
                weights(run) != start or any(p.grad is None for p in run.model.parameters())
            ),
        )
    )
    start: list[bytes] = []
    run.fit(data(), batch_size=40)
    assert moved == [False]
    assert weights(run) != start


def weights(run: Trainer) -> list[bytes]:
    return [p.numpy().tobytes() for p in run.model.parameters()]


# ---------------------------------------------------------------------------------------------- numbers that are none


class Root(nn.Module):
    """A square root, whose gradient at 0 is infinite."""

    def forward(self, x: dc.Tensor) -> dc.Tensor:
        return dc.sqrt(dc.abs(x))


def rooted() -> nn.Module:
    g = Generator(0)
    return nn.Sequential(nn.Dense(2, 3, generator=g, use_bias=False), Root(), nn.Dense(3, 2, generator=g))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_gradients_that_are_not_finite_are_named_before_they_do_harm() -> None:
    x, y = data()
    x[25] = 0.0
    run = trainer(NaNGuard(), model=rooted())
    unguarded = trainer(model=rooted())
    with pytest.raises(dc.NumericalError, match=r"batch \d; .*; 0\.weight was not finite before this batch"):
        unguarded.fit((x, y), batch_size=10, seed=4)
    message = r"gradients are not finite in epoch 1, batch \d, and nothing was learned .* that of 0\.weight \(6 of 6\)"
    with pytest.raises(dc.NumericalError, match=message):
        run.fit((x, y), batch_size=10, seed=4)
    assert all(np.isfinite(p.numpy()).all() for p in run.model.parameters())
    assert not np.isfinite(unguarded.model.parameters()[0].numpy()).all()  # what it has kept from happening


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_layer_where_it_began_is_named() -> None:
    class Log(nn.Module):
        def __init__(self) -> None:
            self.count = dc.asarray(0.0)

        def forward(self, x: dc.Tensor) -> dc.Tensor:
            if self.training:
                with dc.no_grad():
                    self.count += 1.0
            return dc.log(x - 2.0)

    g = Generator(0)
    model = nn.Sequential(nn.Dense(2, 2, generator=g), nn.Dropout(0.5, generator=g), Log(), nn.Dense(2, 2))
    before = [p.numpy().tobytes() for _, p in model.named_tensors()]
    message = r"the loss became nan in epoch 1, batch 1; .*; the first that are not finite are \d+ of the 20 numbers"
    with pytest.raises(dc.NumericalError, match=message + r" that layer '2', Log\(\), gave"):
        trainer(model=model).fit(data(), batch_size=10)
    assert [p.numpy().tobytes() for _, p in model.named_tensors()] == before  # buffers too


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_weights_and_losses_that_are_not_finite_are_named() -> None:
    model = nn.Dense(2, 2)
    with dc.no_grad():
        model.weight[0, 0] = float("inf")
    with pytest.raises(dc.NumericalError, match="weight was not finite before this batch"):
        trainer(model=model).fit(data())

    class Bad(nn.MSE):
        def forward(self, prediction: dc.Tensor, target: dc.Tensor, weight: dc.Tensor | None = None) -> dc.Tensor:
            return super().forward(prediction, target) * float("nan")

    line = nn.Dense(2, 1)
    run = Trainer(line, Bad(), optim.SGD(line.parameters(), lr=0.1))
    with pytest.raises(dc.NumericalError, match="the predictions are finite, so it was the loss"):
        run.fit((data()[0], data()[0][:, :1]))


# ---------------------------------------------------------------------------------------------------------- statistics


def test_units_that_cannot_learn_are_warned_of_once() -> None:
    g = Generator(0)
    model = nn.Sequential(
        nn.Dense(2, 4, activation="relu", generator=g),
        nn.Dense(4, 4, activation="sigmoid", generator=g),
        nn.Dense(4, 2, generator=g),
    )
    with dc.no_grad():
        model.layers[0].parameters()[1][...] = -100.0
        model.layers[1].parameters()[1][...] = 30.0
    watch = UnitStatistics(every=2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer(watch, model=model, lr=1e-3).fit(data(), epochs=5, batch_size=10)
    messages = [str(w.message) for w in caught]
    assert [m for m in messages if m.startswith("epoch 1: 0 (Dense): 100% of its units are 0 for every sample")]
    assert [m for m in messages if m.startswith("epoch 1: 1 (Dense): 100% of its values are saturated")]
    assert [m for m in messages if "vanishes" in m]
    assert len(messages) == len(set(messages)) == len({m.partition(": ")[2][:12] + m[-20:] for m in messages})
    assert sorted(watch.reports) == [1, 3, 5]
    assert watch.reports[1]["0"].dead == 1.0


def test_gradients_that_explode_are_warned_of() -> None:
    layers = [nn.Dense(2, 2, generator=Generator(i)) for i in range(4)]
    with dc.no_grad():
        for layer in layers:
            layer.weight[...] = layer.weight * 100.0
    watch = UnitStatistics(ratio=100.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer(watch, model=nn.Sequential(*layers), lr=1e-9).fit(data())
    assert [str(w.message)[:12] for w in caught] == ["epoch 1: 0 (", "epoch 1: 1 ("]
    assert all("and explodes from" in str(w.message) for w in caught)


def test_a_healthy_model_is_not_warned_of_and_not_changed() -> None:
    def trained(*callbacks: Callback) -> list[bytes]:
        dc.random.seed(0)
        run = trainer(*callbacks)
        run.fit(data(), epochs=2, batch_size=10)
        return weights(run)

    assert trained(UnitStatistics()) == trained()


# ------------------------------------------------------------------------------------------------------------- pictures


def test_a_picture_of_the_history() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    history = trainer(metrics=[metrics.Accuracy()]).fit(data(), epochs=3, validation=data(7))
    figure = history.plot()
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss", "accuracy"]
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert list(lines["training"].get_ydata()) == history["loss"]
    assert list(lines["validation"].get_ydata()) == history["val_loss"]
    assert list(lines["training"].get_xdata()) == [1, 2, 3]
    assert len(history.plot(["accuracy"]).axes) == 1
    with pytest.raises(dc.ConfigError, match="f1 was not measured; there are loss, accuracy"):
        history.plot(["f1"])
    with pytest.raises(dc.ConfigError, match="no epoch is complete"):
        History().plot()
