"""``deepcore train``."""

from __future__ import annotations

import itertools
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from .. import __version__, data, nn, optim, random
from .._device import device as find_device
from .._device import use_device
from .._errors import ConfigError
from ..checkpoint import check_writable, replace_file
from ..metrics import Accuracy
from ..train import Callback, History, SaveWeights, Trainer
from .console import errors, output
from .progress import DownloadProgress, TrainingProgress

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..data import Dataset


@dataclass(frozen=True)
class Defaults:
    """What a data set is trained with where the command line does not say."""

    epochs: int
    batch_size: int
    hidden: str


DATA: Final = {
    "digits": Defaults(epochs=30, batch_size=32, hidden="256,128"),
    "mnist": Defaults(epochs=10, batch_size=50, hidden="100,50"),
}
OPTIMIZERS: Final[dict[str, Callable[..., optim.Optimizer]]] = {
    "adam": lambda parameters, lr, momentum: optim.Adam(parameters, lr=lr),
    "sgd": lambda parameters, lr, momentum: optim.SGD(parameters, lr=lr, momentum=momentum),
}


@dataclass(frozen=True)
class Settings:
    """What a run is trained with: every option, as it took effect."""

    data: str
    data_dir: str | None
    device: str
    epochs: int
    batch_size: int
    lr: float
    optimizer: str
    momentum: float
    seed: int
    hidden: list[int]
    activation: str
    save: str | None


def train(
    dataset: Annotated[str, typer.Option("--data", help="digits (comes with deepcore) or mnist.")] = "digits",
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the MNIST files; they are downloaded once if there are none.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu, cuda, torch:cpu, ...; see deepcore devices. Default: DEEPCORE_DEVICE, else cpu."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="How often to go through the data (digits: 30, mnist: 10).")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Samples of a step (digits: 32, mnist: 50).")] = None,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 0.001,
    optimizer: Annotated[str, typer.Option(help="adam or sgd.")] = "adam",
    momentum: Annotated[float, typer.Option(help="Momentum of sgd.")] = 0.9,
    seed: Annotated[int, typer.Option(min=0, help="Decides weights, order and split.")] = 0,
    hidden: Annotated[
        str | None, typer.Option(help="Units of the hidden layers (digits: 256,128, mnist: 100,50).")
    ] = None,
    activation: Annotated[str, typer.Option(help="relu, tanh, sigmoid, leaky_relu or identity.")] = "relu",
    save: Annotated[Path | None, typer.Option(help="File for the weights, saved after every epoch.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for the final metrics and the settings, as JSON.")
    ] = None,
) -> None:
    """Train a multilayer perceptron, by default on the handwritten digits that come with deepcore.

    Examples
    --------
      deepcore train

      deepcore train --data mnist --save mnist.safetensors

      deepcore train --device cuda --hidden 512,512 --batch-size 128
    """
    defaults = _chosen("data", dataset, DATA)
    make_optimizer = _chosen("optimizer", optimizer, OPTIMIZERS)
    settings = Settings(
        data=dataset,
        data_dir=None if data_dir is None else str(data_dir),
        device=str(find_device(device)),
        epochs=epochs or defaults.epochs,
        batch_size=batch_size or defaults.batch_size,
        lr=_positive("lr", lr),
        optimizer=optimizer,
        momentum=momentum,
        seed=seed,
        hidden=_widths(hidden if hidden is not None else defaults.hidden),
        activation=activation,
        save=None if save is None else str(save),
    )
    for path in (save, json_file):
        if path is not None:
            check_writable(path)
    training, test = _load(settings)
    random.seed(seed)
    with use_device(settings.device):
        model = _mlp(math.prod(training.inputs.shape[1:]), settings.hidden, training.n_classes, activation)
    output.print(f"{dataset}: {len(training):,} samples to train, {len(test):,} to test; on {settings.device}\n")
    output.print(nn.summary(model, (1, *training.inputs.shape[1:])) + "\n", markup=False)

    saver = None if save is None else SaveWeights(save)
    callbacks: list[Callback] = [TrainingProgress(output), *([saver] if saver else [])]
    trainer = Trainer(
        model,
        nn.CategoricalCrossEntropy(),
        make_optimizer(model.parameters(), settings.lr, momentum),
        metrics=[Accuracy()],
        device=settings.device,
        callbacks=callbacks,
    )
    start = time.perf_counter()
    history = trainer.fit(training, epochs=settings.epochs, batch_size=settings.batch_size, seed=seed)
    seconds = time.perf_counter() - start
    if history.interrupted:
        _say_interrupted(history, saver)
        raise typer.Exit(130)
    results = _results(trainer, test, history, seconds)
    _show(results, settings, json_file)


def _chosen(what: str, name: str, known: dict[str, Any]) -> Any:
    if name not in known:
        msg = f"unknown {what} {name!r}; the known ones are {', '.join(known)}"
        raise ConfigError(msg)
    return known[name]


def _positive(name: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        msg = f"--{name} is a number above 0, not {value}"
        raise ConfigError(msg)
    return value


def _widths(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(part.isascii() and part.isdigit() and len(part) < 10 and int(part) > 0 for part in parts):
        msg = f"--hidden is whole numbers from 1 to 999999999 with commas between them, such as 100,50, not {text!r}"
        raise ConfigError(msg)
    return [int(part) for part in parts]


def _load(settings: Settings) -> tuple[Dataset, Dataset]:
    if settings.data == "mnist":
        with DownloadProgress(errors) as progress:
            return data.mnist(settings.data_dir, progress=progress)
    return data.train_test_split(data.digits(), test_size=0.2, seed=settings.seed)


def _mlp(n_inputs: int, hidden: list[int], n_classes: int, activation: str) -> nn.Module:
    widths = [n_inputs, *hidden]
    initializer = "he_uniform" if activation in ("relu", "leaky_relu") else "glorot_uniform"
    layers: list[nn.Module] = [nn.Flatten()]
    for n, m in itertools.pairwise(widths):
        layers += [nn.Dense(n, m, initializer=initializer), nn.activation_named(activation)]
    return nn.Sequential(*layers, nn.Dense(widths[-1], n_classes))


def _results(trainer: Trainer, test: Dataset, history: History, seconds: float) -> dict[str, Any]:
    measured = trainer.evaluate(test)
    return {
        "test_accuracy": measured["accuracy"],
        "test_loss": measured["loss"],
        "train_accuracy": history.last["accuracy"],
        "train_loss": history.last["loss"],
        "epochs": len(history),
        "seconds": seconds,
        "samples_per_second": sum(history["samples"]) / sum(history["seconds"]),
        "parameters": trainer.model.n_parameters,
    }


def _show(results: dict[str, Any], settings: Settings, json_file: Path | None) -> None:
    table = Table("", "training", "test", title="result")
    table.add_row("accuracy", f"{results['train_accuracy']:.2%}", f"{results['test_accuracy']:.2%}")
    table.add_row("loss", f"{results['train_loss']:.4f}", f"{results['test_loss']:.4f}")
    output.print("", table)
    output.print(
        f"{results['epochs']} epochs in {results['seconds']:.1f} s, {results['samples_per_second']:,.0f} samples/s"
    )
    if settings.save:
        output.print(f"weights: {settings.save}", markup=False)
    if json_file is not None:
        content = {**results, "device": settings.device, "deepcore": __version__, "settings": asdict(settings)}
        replace_file(json_file, (json.dumps(content, indent=2) + "\n").encode())
        output.print(f"metrics: {json_file}", markup=False)
    output.print("\nHow to go on:")
    steps = [
        ("deepcore train --data mnist", "the classic 784-100-50-10 network on 70,000 digits"),
        ("deepcore train --device cuda", "the same on a GPU; `deepcore devices` lists what there is"),
        ("deepcore train --save weights.safetensors", "keep the weights"),
        ("deepcore train --help", "everything else"),
    ]
    for command, meaning in steps:
        output.print(f"  {command:<42} {meaning}", markup=False, soft_wrap=True)


def _say_interrupted(history: History, saver: SaveWeights | None) -> None:
    done = f"after {len(history)} complete epochs" if history.epochs else "in the first epoch"
    kept = "nothing was saved (--save PATH keeps the weights of every complete epoch)"
    if saver is not None and saver.epoch:
        kept = f"the weights after epoch {saver.epoch} are in {saver.path}"
    errors.print(f"interrupted {done}; {kept}", markup=False, soft_wrap=True)
