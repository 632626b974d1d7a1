"""``deepcore export``."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer

from .. import asarray, nn, no_grad, onnx, softmax
from .._backend import Library
from .._device import use_device
from .._errors import ConfigError, NumericalError
from ..checkpoint import check_writable, replace_file, save_weights
from ..onnx.model import OPSETS
from .console import errors, output
from .runs import CLASSIFICATION, Run, open_run
from .using import SnapshotOption, check_snapshot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._tensor import Tensor
    from .preprocessing import Preprocessing

onnxruntime: Any = Library(
    "onnxruntime", needs='checking an ONNX file needs onnxruntime; install it with: pip install "deepcore-xp[onnx]"'
)

DEFAULT: Final = Path("model.onnx")
SAMPLES: Final = 7
"""The number of samples that a file is checked with: not one of those that it was recorded for."""

TOLERANCE: Final = 1e-4
"""How much an output may differ, as a share of the largest one."""


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run, of deepcore train --checkpoint.")],
    result: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=f"The ONNX file ({DEFAULT}, but for --weights alone)."),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="File for the weights alone, in the format safetensors.")] = None,
    opset: Annotated[
        int,
        typer.Option(min=OPSETS[0], max=OPSETS[-1], help="The version of ONNX's operators."),
    ] = OPSETS[0],
    probabilities: Annotated[
        bool, typer.Option("--probabilities", "-p", help="Give the probability of every class, and not its score.")
    ] = False,
    snapshot: SnapshotOption = None,
    check: Annotated[
        bool | None,
        typer.Option("--check/--no-check", help="Run the file by onnxruntime and compare (yes, if it is installed)."),
    ] = None,
) -> None:
    """Save a trained model as an ONNX file, which runs where there is no deepcore, for any number of samples.

    The file takes samples as the data have them, and gives numbers in their units: what is done to inputs and outputs
    is part of it. Scores of classes are in the order of the entry `classes` of its metadata.

    Examples
    --------
      deepcore export runs/digits

      deepcore export runs/houses --output houses.onnx --opset 21

      deepcore export runs/digits --weights digits.safetensors
    """
    check_snapshot(snapshot)
    target = DEFAULT if result is None and weights is None else result
    for path in (target, weights):
        if path is not None:
            check_writable(path)
    found = open_run(run)
    if probabilities and found.facts.task != CLASSIFICATION:
        msg = f"the run in {run} predicts numbers, which have no probabilities; leave --probabilities out"
        raise ConfigError(msg)
    with use_device("cpu"):
        model = found.model(snapshot)
        if weights is not None:
            save_weights(weights, model)
            output.print(f"weights: {weights}, {model.n_parameters:,} parameters", markup=False, soft_wrap=True)
        if target is not None:
            whole = Whole(model, found, probabilities=probabilities)
            _write(whole, found, target, opset=opset, check=check)


class Whole(nn.Module):
    """A model between what is done to its inputs and to its outputs.

    Parameters
    ----------
    model
        The model.
    run
        The run that it is of.
    probabilities
        Whether scores of classes become probabilities.
    """

    def __init__(self, model: nn.Module, run: Run, *, probabilities: bool) -> None:
        self.before = _Affine(run.facts.inputs)
        self.model = model
        self.after = _Affine(run.facts.outputs)
        self.classifies = run.facts.task == CLASSIFICATION
        self.probabilities = probabilities

    def forward(self, x: Any) -> Any:
        """Return classes' scores or probabilities, or numbers in the units of the data."""
        y = self.model(self.before(x))
        if not self.classifies:
            return self.after.inverse(y)
        return softmax(y, axis=-1) if self.probabilities else y


class _Affine:
    """Preprocessing, on tensors."""

    def __init__(self, how: Preprocessing) -> None:
        self.divisor = how.divisor
        self.mean: Tensor | None = None
        if how.mean is not None:
            self.mean = asarray(np.asarray(how.mean, how.dtype))
            self.std = asarray(np.asarray(how.std, how.dtype))

    def __call__(self, x: Any) -> Any:
        x = x if self.divisor == 1 else x / self.divisor
        return x if self.mean is None else (x - self.mean) / self.std

    def inverse(self, y: Any) -> Any:
        y = y if self.mean is None else y * self.std + self.mean
        return y if self.divisor == 1 else y * self.divisor


def samples_like(run: Run, n: int) -> NDArray[Any]:
    """Return samples such as the data might have: normal where it is known what is normal, or bytes."""
    how = run.facts.inputs
    x = np.random.Generator(np.random.Philox(0)).standard_normal((n, *run.input_shape))
    if how.mean is not None:
        x = x * np.asarray(how.std) + np.asarray(how.mean)
    elif how.divisor != 1:
        x = np.clip(0.5 + 0.25 * x, 0, 1)
    return np.asarray(x * how.divisor, how.dtype)


def _write(whole: Whole, run: Run, path: Path, *, opset: int, check: bool | None) -> None:
    x = samples_like(run, SAMPLES)
    metadata = {"deepcore.task": run.facts.task, "classes": json.dumps(list(run.classes), ensure_ascii=False)}
    names = ["probabilities" if whole.probabilities else "scores" if whole.classifies else "prediction"]
    proto = onnx.model_proto(
        whole, asarray(x[:1]), opset=opset, input_names=["x"], output_names=names, metadata=metadata
    )
    content: bytes = proto.SerializeToString()
    checked = ""
    if check or (check is None and importlib.util.find_spec("onnxruntime") is not None):
        checked = _checked(whole, content, x)
    replace_file(path, content)
    output.print(f"model: {path}, {len(content):,} bytes, ONNX operators {opset}", markup=False, soft_wrap=True)
    if checked:
        output.print(checked, soft_wrap=True)
    elif check is None:
        errors.print('not checked: onnxruntime is not installed; pip install "deepcore-xp[onnx]"', markup=False)


def _checked(whole: Whole, content: bytes, x: NDArray[Any]) -> str:
    """Run a file, and say by how much it differs. Raise a NumericalError if it does too much."""
    with no_grad():
        expected = whole.eval()(asarray(x)).numpy()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # what it warns of is how it optimises
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x})
    if found.shape != expected.shape:
        msg = f"onnxruntime gives outputs of shape {found.shape} for this file, and deepcore {expected.shape}"
        raise NumericalError(msg)
    difference, largest = float(np.abs(found - expected).max()), float(np.abs(expected).max())
    if not difference <= TOLERANCE * max(largest, 1.0):
        msg = (
            f"the outputs of this file differ from deepcore's by up to {difference:.2g}, where the largest is "
            f"{largest:.2g}, and it was not saved; --no-check saves it all the same"
        )
        raise NumericalError(msg)
    return f"checked by onnxruntime {onnxruntime.__version__}: largest difference {difference:.2g} of {largest:.3g}"
