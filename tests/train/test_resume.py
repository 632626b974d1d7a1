"""Training that is stopped, killed or out of disk space, and goes on: with the same bits."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import data, metrics, nn, optim, random
from deepcore.checkpoint import CheckpointFolder
from deepcore.random import Generator
from deepcore.train import Callback, Checkpoint, EarlyStopping, LambdaCallback, TimeLimit, Trainer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from deepcore._device import Device

EPOCHS = 6
BATCHES = 8  # in an epoch


def blobs(n: int = 60) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return points around three corners, and the corner of each."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, n)
    corners = np.array([[2.0, 0.0], [-2.0, 1.0], [0.0, -2.0]])
    return (corners[labels] + 0.4 * rng.normal(size=(n, 2))).astype(np.float32), labels


def trainer(*callbacks: Callback, device: Any = None, **options: Any) -> Trainer:
    """Return a trainer that has a bit of everything that is to be remembered."""
    random.seed(5)
    g = Generator(1)
    model = nn.Sequential(
        nn.Dense(2, 8, activation="tanh", generator=g),
        nn.Dropout(0.2, generator=g),
        nn.Dense(8, 8, activation="relu", generator=g),
        nn.Dropout(0.2),  # from the default generator
        nn.Dense(8, 3, generator=g),
    )
    schedule = optim.schedules.CosineDecay(0.05, 60)
    average = optim.ExponentialMovingAverage(model, 0.9)
    given: dict[str, Any] = {"accumulate": 2, "clip_norm": 1.0, "average": average, **options}
    return Trainer(
        model,
        nn.CategoricalCrossEntropy(),
        optim.Adam(model.named_parameters(), lr=schedule),
        metrics=[metrics.Accuracy()],
        callbacks=callbacks,
        device=device,
        **given,
    )


def fit(run: Trainer, *, resume: bool = False, epochs: int = EPOCHS) -> list[dict[str, float]]:
    """Train, and return the history without times."""
    history = run.fit(blobs(), epochs=epochs, batch_size=8, validation=blobs(20), seed=3, resume=resume)
    return [{k: v for k, v in epoch.items() if k not in ("seconds", "samples_per_second")} for epoch in history.epochs]


def digest(run: Trainer, history: Sequence[dict[str, float]]) -> str:
    """Return a hash of everything that training has made."""
    state = run.state_dict()
    found = hashlib.sha256(repr(history).encode())
    for part in ("model", "optimizer", "average"):
        for name, value in state[part].items():
            found.update(f"{part} {name}".encode())
            found.update(value.numpy().tobytes() if hasattr(value, "numpy") else repr(value).encode())
    found.update(repr(state["generators"]).encode())
    return found.hexdigest()


class Stop(Callback):
    """Stop after some batches, as a time limit does, or by an error."""

    comes_last = True

    def __init__(self, iteration: int, error: BaseException | None = None) -> None:
        self.iteration, self.error = iteration, error

    def on_batch_end(self, trainer: Trainer, batch: int, values: Mapping[str, float]) -> None:
        if trainer.progress.iteration == self.iteration:
            if self.error is not None:
                raise self.error
            trainer.stop("that is enough", interrupted=True)


@pytest.fixture(scope="module")
def whole() -> str:
    """What a run that is never stopped makes."""
    run = trainer()
    return digest(run, fit(run))


# ------------------------------------------------------------------------------------------------------------- killed


def run_on(folder: Path, epochs: int, batches: int = 0, seconds: float | None = None) -> str:
    """Run on, and kill the run some time after so many batches; return its result, if it came to one."""
    command = [sys.executable, "-W", "error", __file__, str(folder), str(epochs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if seconds is not None:
            for _ in range(batches):
                process.stdout.readline()
            time.sleep(seconds)
            process.kill()
        *_, result = process.stdout.read().split("\n")
    assert process.returncode in (0, -9)
    return result


def killed(folder: Path, epochs: int, times: int, seed: int) -> tuple[str, list[int]]:
    """Kill a run so many times at random moments, and return what it came to and how far it was each time."""
    moments, places = Random(seed), list[int]()
    for _ in range(times):
        result = run_on(folder, epochs, moments.randint(0, 5), moments.uniform(0.0, 0.05))
        store = CheckpointFolder(folder)
        if store.exists():  # whenever it was killed, what is there can be loaded
            places.append({name: store.load(name) for name in store.names()}["last"]["progress"]["iteration"])
        assert not result
    return run_on(folder, epochs), places


def test_killing_it_at_random_moments_changes_nothing(tmp_path: Path) -> None:
    result, places = killed(tmp_path / "run", 20, times=5, seed=1)
    run = trainer()
    assert result == digest(run, fit(run, epochs=20))
    assert places[0] > 0
    assert places == sorted(places)


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(5))
def test_killing_it_at_many_random_moments_changes_nothing(seed: int, tmp_path: Path) -> None:
    result, places = killed(tmp_path / "run", 40, times=20, seed=seed)
    run = trainer()
    assert result == digest(run, fit(run, epochs=40))
    assert len(set(places)) > 10


# ------------------------------------------------------------------------------------------------------------ resumed


@pytest.mark.parametrize("iteration", [1, 2, 7, 8, 9, 13, 16, 40])
def test_stopping_after_any_batch_and_going_on_changes_nothing(iteration: int, tmp_path: Path, whole: str) -> None:
    run = trainer(Checkpoint(tmp_path), Stop(iteration))
    assert len(fit(run)) == iteration // BATCHES
    assert run.history.interrupted
    assert run.history.stopped == "that is enough"
    again = trainer(Checkpoint(tmp_path))
    assert digest(again, fit(again, resume=True)) == whole


@pytest.mark.parametrize("error", [KeyboardInterrupt(), LookupError("mine")])
def test_an_error_within_an_epoch_loses_only_the_batches_since_the_snapshot(
    error: BaseException, tmp_path: Path, whole: str
) -> None:
    run = trainer(Checkpoint(tmp_path, every_batches=3), Stop(13, error))
    if isinstance(error, KeyboardInterrupt):
        fit(run)
    else:
        with pytest.raises(LookupError, match="mine"):
            fit(run)
    assert CheckpointFolder(tmp_path).load()["progress"]["iteration"] == 12
    again = trainer(Checkpoint(tmp_path))
    assert digest(again, fit(again, resume=True)) == whole


def test_resuming_on_every_library(device: Device, tmp_path: Path) -> None:
    run = trainer(device=device)
    expected = digest(run, fit(run, epochs=2))
    fit(trainer(Checkpoint(tmp_path), Stop(11), device=device), epochs=2)
    again = trainer(Checkpoint(tmp_path), device=device)
    assert digest(again, fit(again, resume=True, epochs=2)) == expected


@pytest.mark.parametrize("iteration", [5, 8])
def test_resuming_a_compiled_step(iteration: int, device: Device, tmp_path: Path) -> None:
    options: dict[str, Any] = {"compile": True, "device": device}
    run = trainer(**options)
    expected = digest(run, fit(run, epochs=2))
    fit(trainer(Checkpoint(tmp_path), Stop(iteration), **options), epochs=2)
    again = trainer(Checkpoint(tmp_path), **options)
    found = digest(again, fit(again, resume=True, epochs=2))
    assert again._compiled is not None
    assert again._compiled.plans
    if device.backend.name != "jax":  # whose compiler makes other roundings of what it fuses, and the first step is not
        assert found == expected


class Everything(nn.Module):
    """Convolution, statistics of batches, attention and recurrence."""

    def __init__(self) -> None:
        self.convolution = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.attention = nn.TransformerEncoderLayer(16, 2, 8)
        self.recurrence = nn.LSTM(16, 5)
        self.last = nn.Dense(5, 3)

    def forward(self, x: dc.Tensor) -> dc.Tensor:
        maps = self.convolution(x)
        y, _ = self.recurrence(self.attention(maps.reshape(*maps.shape[:2], 16)))
        z: dc.Tensor = self.last(y[:, -1])
        return z


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_resuming_with_every_family_of_layers(precision: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = (rng.normal(size=(30, 1, 6, 6)).astype("f"), rng.integers(0, 3, 30))

    def result(*callbacks: Callback, **options: Any) -> dict[str, bytes]:
        random.seed(4)
        model = Everything()
        adam = optim.Adam(model.parameters(), lr=0.01)
        run = Trainer(model, nn.CategoricalCrossEntropy(), adam, callbacks=callbacks, precision=precision)
        run.fit(images, epochs=3, batch_size=8, **options)
        return {name: x.numpy().tobytes() for name, x in model.named_tensors()}

    expected = result()
    assert "convolution.1.running_mean" in expected
    result(Checkpoint(tmp_path), Stop(6))
    assert result(Checkpoint(tmp_path), resume=True) == expected


def sgd(model: nn.Module) -> Any:
    return optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


OPTIMIZERS: dict[str, Callable[[Any], optim.BaseOptimizer]] = {
    "plateau": lambda m: optim.Adam(m.parameters(), lr=optim.schedules.ReduceOnPlateau(0.1, patience=1)),
    "several": lambda m: optim.Optimizers(optim.SGD(m[0].parameters(), lr=0.1), optim.AdamW(m[2].parameters())),
    "sam": lambda m: optim.SAM(sgd(m)),
    "lbfgs": lambda m: optim.LBFGS(m.parameters(), max_iter=3, history_size=4),
    "muon": lambda m: optim.Optimizers(optim.Muon([m[0].weight]), optim.SGD([m[0].bias, *m[2].parameters()], lr=0.1)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_resuming_with_every_kind_of_optimizer(name: str, precision: str, tmp_path: Path) -> None:
    if precision == "float16" and name in ("sam", "lbfgs"):
        pytest.skip("a loss scale may leave out a step, and these compute gradients in the middle of one")

    def made(*callbacks: Callback) -> Trainer:
        g = Generator(2)
        model = nn.Sequential(nn.Dense(2, 6, generator=g), nn.Tanh(), nn.Dense(6, 3, generator=g))
        loss = nn.CategoricalCrossEntropy()
        return Trainer(model, loss, OPTIMIZERS[name](model), callbacks=callbacks, precision=precision)

    def result(run: Trainer, **options: Any) -> Any:
        history = run.fit(blobs(), epochs=3, batch_size=10, **options)
        return history["loss"], [p.numpy().tobytes() for p in run.model.parameters()]

    expected = result(made())
    assert expected[0][2] < expected[0][0]
    result(made(Checkpoint(tmp_path), Stop(8)))
    assert result(made(Checkpoint(tmp_path)), resume=True) == expected


def test_a_loader_goes_on_with_its_own_epochs(tmp_path: Path) -> None:
    def result(run: Trainer, **options: Any) -> str:
        loader = data.DataLoader(data.Dataset(*blobs()), batch_size=8, shuffle=True, seed=9)
        loader.epoch = 5
        run.fit(loader, epochs=3, **options)
        assert loader.epoch == (8 if run.progress.epoch == 3 else 7)
        return digest(run, [])

    expected = result(trainer())
    result(trainer(Checkpoint(tmp_path), Stop(11)))
    assert result(trainer(Checkpoint(tmp_path)), resume=True) == expected


def test_a_snapshot_after_the_last_batch_of_an_epoch(tmp_path: Path, whole: str) -> None:
    run = trainer(Checkpoint(tmp_path, every_batches=8), Stop(16, LookupError("between batch and epoch")))
    with pytest.raises(LookupError, match="between"):
        fit(run)
    assert CheckpointFolder(tmp_path).load()["progress"]["batch"] == 8
    again = trainer(Checkpoint(tmp_path))
    assert digest(again, fit(again, resume=True)) == whole


def test_a_complete_run_is_resumed_without_training(tmp_path: Path, whole: str) -> None:
    fit(trainer(Checkpoint(tmp_path)))
    again = trainer(Checkpoint(tmp_path), Stop(1, LookupError("it trains")))
    assert digest(again, fit(again, resume=True)) == whole


def test_more_epochs_than_before(tmp_path: Path, whole: str) -> None:
    fit(trainer(Checkpoint(tmp_path)), epochs=2)
    again = trainer(Checkpoint(tmp_path))
    assert digest(again, fit(again, resume=True, epochs=EPOCHS)) == whole


def test_early_stopping_is_remembered(tmp_path: Path) -> None:
    def run(resume: bool, *callbacks: Callback) -> Trainer:
        t = trainer(EarlyStopping("val_accuracy", patience=2), Checkpoint(tmp_path), *callbacks)
        fit(t, resume=resume, epochs=50)
        return t

    first = run(False)
    assert 2 < len(first.history) < 50
    again = run(True, Stop(1, LookupError("it trains")))
    assert again.history.epochs == first.history.epochs
    assert again.history.stopped == first.history.stopped == f"val_accuracy was best in epoch {len(first.history) - 2}"


def test_a_time_limit_can_be_resumed(tmp_path: Path, whole: str) -> None:
    run = trainer(TimeLimit(1e-9), Checkpoint(tmp_path))
    assert fit(run) == []
    assert run.progress.iteration == 1
    again = trainer(Checkpoint(tmp_path))
    assert digest(again, fit(again, resume=True)) == whole


# ------------------------------------------------------------------------------------------------------------- refused


def test_a_folder_of_an_earlier_run_is_not_overwritten(tmp_path: Path) -> None:
    fit(trainer(Checkpoint(tmp_path)), epochs=1)
    with pytest.raises(dc.ConfigError, match=r"snapshots of an earlier run in .*; fit\(resume=True\) goes on"):
        fit(trainer(Checkpoint(tmp_path)), epochs=1)
    fit(trainer(Checkpoint(tmp_path, overwrite=True)), epochs=2)
    assert CheckpointFolder(tmp_path).load()["progress"]["epoch"] == 2


def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    class Second(Callback):
        def on_batch_end(self, trainer: Trainer, batch: int, values: Mapping[str, float]) -> None:
            with pytest.raises(dc.StorageError, match=rf"another run is saving to .*: process {os.getpid()} on"):
                fit(second)

    second = trainer(Checkpoint(tmp_path))
    fit(trainer(Second(), Checkpoint(tmp_path)), epochs=1)
    fit(second, resume=True, epochs=2)  # the first has let go


def test_other_data_is_refused(tmp_path: Path) -> None:
    fit(trainer(Checkpoint(tmp_path)), epochs=1)
    message = "epochs of 60 samples in 8 batches, and this one of 60 samples in 4 batches"
    with pytest.raises(dc.StateError, match=message):
        trainer(Checkpoint(tmp_path)).fit(blobs(), batch_size=16, epochs=2, resume=True)


def test_another_model_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    fit(trainer(Checkpoint(tmp_path)), epochs=1)
    state = CheckpointFolder(tmp_path).load()
    run = trainer()
    fit(run, epochs=2)
    before = digest(run, [])
    changed: list[Mapping[str, Any]] = [
        {**state, "model": {**state["model"], "0.weight": np.zeros((3, 3), np.float32)}},
        {**state, "optimizer": {}},
        {**state, "generators": {}},
        {name: value for name, value in state.items() if name != "average"},
        {name: value for name, value in state.items() if name != "progress"},
        {**state, "metrics": {}},
        {**state, "data": {"samples": 1, "batches": 1}},
    ]
    for wrong in changed:
        with pytest.raises(dc.StateError):
            run.load_state_dict(wrong)
        assert digest(run, []) == before
    run.load_state_dict(state)


def test_resuming_without_a_checkpoint() -> None:
    with pytest.raises(dc.ConfigError, match="there is none among the callbacks"):
        trainer().fit(blobs(), resume=True)


def test_the_best_and_every_other_epoch_are_kept(tmp_path: Path) -> None:
    run = trainer(Checkpoint(tmp_path, every=3, keep_every=2, best="val_loss"))
    fit(run, epochs=5)
    store = CheckpointFolder(tmp_path)
    assert sorted(store.names()) == ["best", "epoch 2", "epoch 4", "last"]
    assert store.load("last")["progress"]["epoch"] == 5  # the end is always saved
    assert store.load("best")["progress"]["epoch"] == run.history.best("val_loss")["epoch"]
    assert store.load("epoch 2")["history"]["epochs"] == run.history.epochs[:2]
    with pytest.raises(dc.ConfigError, match="'val_f1' was not measured; there are loss, "):
        fit(trainer(Checkpoint(tmp_path / "b", best="val_f1")))


if __name__ == "__main__":  # a run that may be killed at any moment: it goes on, and says what has become of it
    this = trainer(
        Checkpoint(sys.argv[1], every_batches=1, best="val_loss", keep_every=4),
        LambdaCallback(on_batch_end=lambda *_: os.write(1, b"\n")),
    )
    os.write(1, digest(this, fit(this, resume=True, epochs=int(sys.argv[2]))).encode())
