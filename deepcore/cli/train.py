"""``deepcore train``."""

from __future__ import annotations

import json as serialization
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from .. import __version__, nn
from .._errors import ConfigError
from .._threads import use_threads
from ..checkpoint import replace_file
from . import optimizers, runs
from . import settings as options
from . import training as work
from .console import errors, output
from .measures import shown
from .settings import Settings, settled, widths

if TYPE_CHECKING:
    from ..train import History
    from .training import Training

_DATA, _MODEL, _TRAINING, _FILES = "The data", "The model", "Training", "The run and its files"
RESUMABLE: Final = (
    *(
        "epochs",
        "device",
        "compile",
        "threads",
        "save",
        "json",
        "csv",
        "plot",
        "report",
        "tensorboard",
        "quiet",
        "data_dir",
    ),
)
"""Options that may be other ones when a run is resumed."""


def train(
    context: typer.Context,
    # ------------------------------------------------------------------------------------------------------ the data
    data: Annotated[
        str,
        typer.Option(
            help="cifar10, circles, digits, fashion-mnist, iris, mnist, moons, spirals or xor; or a file .csv, .tsv, "
            ".parquet, .npz or .npy; or a folder with a folder of images for each class.",
            rich_help_panel=_DATA,
        ),
    ] = "digits",
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the files of mnist, fashion-mnist or cifar10; they are downloaded once if there are none.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Column to predict, by name or number, and several times for several numbers (default: the last); "
            "array of an .npz file; .npy file.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="classification or regression. Default: what the targets are.", rich_help_panel=_DATA),
    ] = None,
    test_data: Annotated[
        Path | None, typer.Option(help="File or folder of samples for testing.", rich_help_panel=_DATA)
    ] = None,
    test_size: Annotated[
        float | None,
        typer.Option(
            help="Share, or number, of samples for testing; 0: none (0.2, where the data have no such part).",
            rich_help_panel=_DATA,
        ),
    ] = None,
    validation_size: Annotated[
        float | None,
        typer.Option(
            help="Share, or number, of samples for validation after every epoch; the weights of the best one are kept "
            "(none; with --patience 0.1).",
            rich_help_panel=_DATA,
        ),
    ] = None,
    stratify: Annotated[
        bool | None,
        typer.Option(
            "--stratify/--no-stratify",
            help="Give all parts the same shares of classes (files: yes, if each class has three samples).",
            rich_help_panel=_DATA,
        ),
    ] = None,
    standardize: Annotated[
        bool | None,
        typer.Option(
            "--standardize/--no-standardize",
            help="Give features, and numbers to predict, mean 0 and deviation 1, as the training part has them "
            "(tables and regression: yes).",
            rich_help_panel=_DATA,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="Pixels that images are resized to: 64, or height and width, 48x64.", rich_help_panel=_DATA),
    ] = None,
    # ----------------------------------------------------------------------------------------------------- the model
    model: Annotated[
        str,
        typer.Option(
            help="mlp, cnn (of images), lstm (of sequences), or module:factory, a function of yours of input_shape and "
            "n_outputs.",
            rich_help_panel=_MODEL,
        ),
    ] = "mlp",
    hidden: Annotated[
        str | None,
        typer.Option(
            help="Units of the hidden layers, or channels of a cnn (digits: 256,128, mnist: 100,50, cnn: 32,64, "
            "lstm: 128, files: 128,64).",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    activation: Annotated[
        str | None, typer.Option(help="relu, tanh, gelu, silu, sigmoid, ... (relu).", rich_help_panel=_MODEL)
    ] = None,
    dropout: Annotated[
        float, typer.Option(help="Share of hidden units left out at random.", rich_help_panel=_MODEL)
    ] = 0.0,
    # ------------------------------------------------------------------------------------------------------ training
    device: Annotated[
        str | None,
        typer.Option(
            help="cpu, cuda, torch:cpu, ...; see deepcore devices. Default: DEEPCORE_DEVICE, else cpu.",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, help="How often to go through the data (digits, files: 30, mnist: 10).", rich_help_panel=_TRAINING
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Samples of a step (digits, files: 32, mnist: 50).", rich_help_panel=_TRAINING),
    ] = None,
    optimizer: Annotated[str, typer.Option(help=f"{', '.join(optimizers.OPTIMIZERS)}.", rich_help_panel=_TRAINING)] = (
        "adam"
    ),
    lr: Annotated[
        float | None, typer.Option(help="Learning rate (adam: 0.001, sgd: 0.01, ...).", rich_help_panel=_TRAINING)
    ] = None,
    momentum: Annotated[
        float | None, typer.Option(help="Momentum of sgd (0.9), muon and rmsprop.", rich_help_panel=_TRAINING)
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="Weight decay, of the optimizers that have it.", rich_help_panel=_TRAINING)
    ] = None,
    schedule: Annotated[
        str,
        typer.Option(help=f"How the rate falls: {', '.join(optimizers.SCHEDULES)}.", rich_help_panel=_TRAINING),
    ] = "constant",
    warmup: Annotated[
        int, typer.Option(min=0, help="Epochs in which the rate rises from 0 first.", rich_help_panel=_TRAINING)
    ] = 0,
    clip_norm: Annotated[
        float | None, typer.Option(help="Largest norm of the gradient.", rich_help_panel=_TRAINING)
    ] = None,
    accumulate: Annotated[
        int, typer.Option(min=1, help="Batches whose gradients a step is taken with.", rich_help_panel=_TRAINING)
    ] = 1,
    ema: Annotated[
        float | None,
        typer.Option(
            help="Test and keep an exponential moving average of the weights, with this decay, such as 0.999.",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    precision: Annotated[
        str, typer.Option(help=f"{', '.join(work.PRECISIONS)}.", rich_help_panel=_TRAINING)
    ] = "float32",
    patience: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Stop when the loss on validation data has been no better for so many epochs.",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    compile: Annotated[
        bool | None,
        typer.Option(
            "--compile/--no-compile",
            help="Compile the step; one that is not tells the layer of a NaN (yes).",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="On how many threads to compute (one for each core).", rich_help_panel=_TRAINING),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides weights, order and split.", rich_help_panel=_TRAINING)] = 0,
    # ----------------------------------------------------------------------------------------------------- the files
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file of any of these options, by their names; what the command line says wins.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the run: config.toml, history.csv, and snapshots of everything after every epoch.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Folder of a run to go on with, to the same bits.", rich_help_panel=_FILES)
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="File for the weights, saved after every epoch.", rich_help_panel=_FILES)
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(help="File for the final metrics and the settings, as JSON.", rich_help_panel=_FILES),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="File for the metrics of every epoch, as CSV.", rich_help_panel=_FILES)
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="File for the curves: .png, .svg or .pdf.", rich_help_panel=_FILES)
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="File for a report, as a page of HTML: curves, what is taken for what, weights, layers, ...",
            rich_help_panel=_FILES,
        ),
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Folder for TensorBoard's event files.", rich_help_panel=_FILES)
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the result alone.", rich_help_panel=_FILES)
    ] = False,
) -> None:
    """Train a network, by default on the handwritten digits that come with deepcore.

    Examples
    --------
      deepcore train

      deepcore train --data mnist --model cnn --save mnist.safetensors

      deepcore train --data houses.csv --target price --checkpoint runs/houses --patience 10

      deepcore train --data pets/ --size 64 --model cnn --schedule cosine --plot curves.png

      deepcore train --model nets:resnet --data photos.npz --device cuda --precision bfloat16

      deepcore train --config runs/houses/config.toml --lr 0.01 --checkpoint runs/houses-2

      deepcore train --resume runs/houses
    """
    given = _given(context)
    settings = _settings(given, config, resume)
    run = None if settings.checkpoint is None else str(settings.checkpoint)
    settings = work.filled(settings)
    work.check_files(settings, resuming=resume is not None)
    with nullcontext() if settings.threads is None else use_threads(settings.threads):
        _run(settings, run, resuming=resume is not None)


def _run(settings: Settings, run: str | None, *, resuming: bool) -> None:
    console = None if settings.quiet else output
    training = work.prepared(settings, resuming=resuming, console=console)
    if console is not None:
        work.say_data(training)
        shape = None if settings.precision == "float64" else (1, *training.parts.facts.input_shape)
        output.print("\n" + nn.summary(training.model, shape) + "\n", markup=False)
    history, seconds = work.fit(training, resuming=resuming)
    if history.interrupted:
        _say_interrupted(training, history, run)
        raise typer.Exit(130)
    results = work.results(training, history, seconds)
    _show(results, training, history, run)
    if settings.json is not None:
        content = {
            **results,
            "device": settings.device,
            "deepcore": __version__,
            "settings": asdict(training.settings),
        }
        replace_file(settings.json, (serialization.dumps(content, indent=2) + "\n").encode())


def _given(context: typer.Context) -> dict[str, Any]:
    """Return the options that the command line has, in the types of the settings."""
    given: dict[str, Any] = {}
    for name, value in context.params.items():
        source = context.get_parameter_source(name)
        if name in options.TYPES and source is not None and source.name == "COMMANDLINE":
            given[name] = str(value) if isinstance(value, Path) else value
    if "target" in given:
        given["target"] = list(given["target"])
    if "hidden" in given:
        given["hidden"] = widths(given["hidden"])
    return given


def _settings(given: dict[str, Any], config: Path | None, resume: Path | None) -> Settings:
    if resume is None:
        return settled(config, given)
    if config is not None:
        msg = "--resume goes on with the configuration of the run; leave --config out"
        raise ConfigError(msg)
    other = [f"--{name.replace('_', '-')}" for name in given if name not in RESUMABLE]
    if other:
        allowed = ", ".join(f"--{name.replace('_', '-')}" for name in RESUMABLE)
        msg = f"a run is resumed with its own options, of which only {allowed} may change; leave {', '.join(other)} out"
        raise ConfigError(msg)
    return replace(runs.open_run(resume).config, **given, checkpoint=str(resume))


def _show(results: dict[str, Any], training: Training, history: History, run: str | None) -> None:
    settings, parts = training.settings, training.parts
    columns = [("train", "training", parts.training), ("validation", "validation", parts.validation)]
    columns = [column for column in [*columns, ("test", "test", parts.test)] if column[2] is not None]
    table = Table("", *(title for _, title, _ in columns), title="result")
    for name in [*(metric.name for metric in training.trainer.metrics), "loss"]:
        table.add_row(name, *(shown(name, results[f"{part}_{name}"]) for part, _, _ in columns))
    output.print(*([] if settings.quiet else [""]), table)
    if history.stopped:
        output.print(f"stopped early: {history.stopped}", markup=False, soft_wrap=True)
    elif parts.validation is not None:
        output.print(f"the weights are those of the best epoch, {results['best_epoch']}")
    if settings.quiet:
        return
    epochs = f"{results['epochs']} epoch{'s' if results['epochs'] > 1 else ''}"
    output.print(f"{epochs} in {results['seconds']:.1f} s, {results['samples_per_second']:,.0f} samples/s")
    files = [("weights", settings.save), ("metrics", settings.json), ("epochs", settings.csv), ("plot", settings.plot)]
    files.append(("report", settings.report))
    for what, path in [*files, ("tensorboard --logdir", settings.tensorboard), ("run", run)]:
        if path is not None:
            output.print(f"{what}: {path}" if " " not in what else f"{what} {path}", markup=False, soft_wrap=True)
    _say_how_to_go_on(run)


def _say_how_to_go_on(run: str | None) -> None:
    steps = [
        ("deepcore train --data mnist", "the classic 784-100-50-10 network on 70,000 digits"),
        ("deepcore train --device cuda", "the same on a GPU; `deepcore devices` lists what there is"),
        ("deepcore train --save weights.safetensors", "keep the weights"),
        ("deepcore train --help", "everything else"),
    ]
    if run is not None:
        steps = [
            (f"deepcore evaluate {run}", "measure it again, class by class"),
            (f"deepcore predict {run} FILE", "use it"),
            (f"{work.resume_command(run)} --epochs N", "go on training"),
        ]
    output.print("\nHow to go on:")
    for command, meaning in steps:
        output.print(f"  {command:<42} {meaning}", markup=False, soft_wrap=True)


def _say_interrupted(training: Training, history: History, run: str | None) -> None:
    epochs = f"{len(history)} complete epoch{'s' if len(history) > 1 else ''}"
    done = f"after {epochs}" if history.epochs else "in the first epoch"
    save = training.settings.save
    if run is not None and runs.Run(Path(run), training.settings, training.parts.facts).checkpoints.exists():
        kept = f"everything is saved in {run}; go on with:\n  {work.resume_command(run)}"
    elif save is not None and history.epochs:
        kept = f"the weights after epoch {len(history)} are in {save}"
    else:
        kept = (
            "nothing was saved (--checkpoint DIR keeps what it takes to resume, --save PATH the weights of every "
            "complete epoch)"
        )
    errors.print(f"interrupted {done}; {kept}", markup=False, soft_wrap=True)
