"""The claims of the examples, each of which is what its docstring says."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import data, nn
from deepcore.optim.schedules import InverseTimeDecay
from deepcore.random import Generator

if TYPE_CHECKING:
    from collections.abc import Callable

    Load = Callable[[str], Any]

ROOT = Path(__file__).parents[2]


# ------------------------------------------------------------------------------------------------------ single neurons


def test_a_logistic_neuron_stalls_by_squared_loss(example: Load) -> None:
    figures = example("logistic_neuron").main(limit=100)
    assert figures["squared gradient"] == pytest.approx(-3.3513e-4, rel=1e-4)  # (σ(-8) - 1) σ'(-8)
    assert figures["log gradient"] == pytest.approx(-0.99966465, rel=1e-6)
    assert figures["log epochs"] < 10
    assert figures["squared epochs"] == 100  # not yet


def test_a_perceptron_learns_and_then_circles_over_xor(example: Load) -> None:
    outcomes = example("perceptron").main()
    assert outcomes["AND"].cycle == 0
    assert outcomes["AND"].epochs <= 10
    assert outcomes["AND"].correct == 4
    (w1, w2), b = outcomes["AND"].w, outcomes["AND"].b
    assert [w1 * x1 + w2 * x2 + b > 0 for x1 in (0, 1) for x2 in (0, 1)] == [False, False, False, True]
    assert outcomes["XOR"].cycle >= 1
    assert outcomes["XOR"].correct < 4


# ----------------------------------------------------------------------------------------------------------- gradients


def test_backpropagation_by_hand_is_the_engines(example: Load) -> None:
    module = example("backpropagation")
    figures = module.main()
    assert figures["float32"] < 1e-6
    assert figures["float64"] < 1e-12
    right = module.by_hand
    module.by_hand = lambda *args: {name: 1.001 * value for name, value in right(*args).items()}
    assert module.main()["float64"] > 1e-6


def test_the_example_of_micrograd(example: Load) -> None:
    figures = example("micrograd").main()
    assert {name: round(value, 4) for name, value in figures.items()} == {
        "g": 24.7041,
        "∂g/∂a": 138.8338,
        "∂g/∂b": 645.5773,
    }


def test_the_jacobian_of_the_softmax_is_a_full_matrix(example: Load) -> None:
    figures = example("softmax_jacobian").main()
    assert figures.pop("off the diagonal of J") > 0.1
    assert max(figures.values()) < 1e-15
    y = np.exp([1.0, -0.5, 2.0, 0.3]) / np.exp([1.0, -0.5, 2.0, 0.3]).sum()
    J = dc.jacobian(dc.softmax)(dc.asarray([1.0, -0.5, 2.0, 0.3], dtype=dc.float64))
    assert J.numpy() == pytest.approx(np.diag(y) - np.outer(y, y), rel=1e-12)


def test_gradients_vanish_and_units_die(example: Load) -> None:
    reports = example("vanishing_gradients").main(n=200)
    ratios = {name: report["0"].gradient / report["7"].gradient for name, report in reports.items()}
    sigmoid = [reports["sigmoid"][str(i)].gradient for i in range(8)]
    assert all(first < 0.4 * second for first, second in pairwise(sigmoid))
    assert ratios["sigmoid"] < 4.0**-7 * 4  # a quarter a layer, and no help from the weights
    assert reports["sigmoid"]["4"].saturated == 0.0
    assert reports["sigmoid, large weights"]["4"].saturated > 0.3
    assert 0.2 < ratios["ReLU"] < 5.0
    assert max(reports["ReLU"][str(i)].dead for i in range(8)) < 0.5
    assert 0.3 < reports["ReLU, biases of -1"]["0"].dead < 1.0
    assert reports["ReLU, biases of -1"]["7"].dead == 1.0
    assert reports["ReLU, biases of -1"]["0"].parameter_gradient == 0.0


# ------------------------------------------------------------------------------------------------------ small networks


def test_a_hidden_layer_parts_the_moons(example: Load) -> None:
    line, bent = example("moons").main(n=200, steps=600).values()
    assert 0.8 < line < 0.93
    assert bent > 0.95


def test_a_hidden_layer_computes_xor(example: Load) -> None:
    outputs = example("xor").main()
    assert [y > 0.5 for y in outputs] == [False, True, True, False]
    assert max(outputs[0], outputs[3]) < 0.1
    assert min(outputs[1], outputs[2]) > 0.9


def test_linear_layers_collapse(example: Load) -> None:
    figures = example("linear_collapse").main(steps=400)
    assert figures["difference"] < 1e-6
    least = figures["least squares"]
    assert figures["one linear layer"] == pytest.approx(least, rel=1e-3)
    assert figures["three linear layers"] == pytest.approx(least, rel=1e-3)
    assert min(figures["one linear layer"], figures["three linear layers"]) > least * (1 - 1e-5)
    assert figures["three layers with ReLU between"] < 0.02 * least


def test_errors_fall_with_the_width(example: Load) -> None:
    widths = (2, 4, 8, 16, 32, 64)
    figures = example("universal_approximation").main(widths, steps=30)
    for name in ("sine", "step"):
        assert all(narrow > wide for narrow, wide in pairwise(figures[name]))
    assert math.log2(figures["sine"][2] / figures["sine"][5]) / 3 == pytest.approx(2.0, abs=0.15)
    assert math.log2(figures["step"][0] / figures["step"][5]) / 5 == pytest.approx(0.5, abs=0.15)


@pytest.mark.exhaustive
def test_training_moves_the_bends_to_where_they_are_needed(example: Load) -> None:
    figures = example("universal_approximation").main((2, 4, 8, 16))
    for name in ("sine", "step"):
        assert all(after < before for before, after in zip(figures[name], figures[f"{name}, trained"], strict=True))
    assert figures["sine, trained"][1] < 0.5 * figures["sine"][1]


# -------------------------------------------------------------------------------------------------------- optimization


def test_what_a_falling_learning_rate_buys(example: Load) -> None:
    figures = example("learning_rate_decay").main(copies=1000)
    for lr in (0.5, 0.1):
        assert figures[f"constant {lr}"] == pytest.approx(lr / (2 - lr), rel=0.15)
    best_constant = min(value for name, value in figures.items() if name.startswith("constant"))
    falling = {name: value for name, value in figures.items() if not name.startswith("constant")}
    assert len(falling) == 4
    assert max(falling.values()) < 0.4 * best_constant
    assert falling["1 / (1 + t)"] == min(falling.values()) == pytest.approx(1 / 400, rel=0.15)


def test_a_learning_rate_of_one_over_time_takes_the_mean(example: Load) -> None:
    g = Generator(0)
    mean = sum((g.normal((50,)) for _ in range(100)), start=dc.zeros(50)) / 100
    schedule = InverseTimeDecay(1.0, rate=1.0)
    square = example("learning_rate_decay").mean_square(schedule, steps=100, copies=50)
    assert square == pytest.approx(dc.mean(mean**2).item(), rel=1e-4)


def test_what_the_optimizers_of_textbooks_are(example: Load) -> None:
    figures = example("textbook_optimizers").main().values()
    momentum, dampened, adam, first = figures
    assert momentum < 1e-13
    assert adam < 1e-13
    assert dampened == pytest.approx(1 / (1 - 0.9), rel=1e-9)
    assert first == pytest.approx((1 - 0.9) / math.sqrt(1 - 0.999), rel=1e-6)


# ---------------------------------------------------------------------------------------------------- generative models


def test_a_denoising_autoencoder_is_better_than_any_linear_map(example: Load) -> None:
    noise, projected, linear, network = example("denoising_autoencoder").main(epochs=25).values()
    assert noise == pytest.approx(0.25, rel=0.02)
    assert network < 0.95 * linear
    assert linear < 0.6 * projected < 0.2 * noise


def test_the_linear_maps_that_denoise_are_the_projection_and_the_best_one(example: Load) -> None:
    rng = np.random.default_rng(0)
    training = rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6)) + 1.0
    mean, noisy = training.mean(axis=0), rng.normal(size=(20, 6))
    C = np.cov(training, rowvar=False, bias=True)
    P = np.linalg.eigh(C)[1][:, -3:]  # in ascending order of the variances
    best = C @ np.linalg.inv(C + 0.5**2 * np.eye(6)) @ P @ P.T  # argmin of E|x̃ A - x|² of rank 3, for centred x
    projected, shrunk = example("denoising_autoencoder").projections(dc.asarray(training), dc.asarray(noisy), 3)
    assert projected.numpy() == pytest.approx(mean + (noisy - mean) @ P @ P.T, rel=1e-9, abs=1e-9)
    assert shrunk.numpy() == pytest.approx(mean + (noisy - mean) @ best, rel=1e-9, abs=1e-9)


def test_a_variational_autoencoder_raises_its_bound(example: Load) -> None:
    figures = example("vae").main(epochs=15)
    assert figures["-ELBO after"] < 0.65 * figures["-ELBO before"]
    assert figures["KL"] > 1.0  # the code is used
    assert figures["distance of samples"] < 0.7 * figures["distance of independent pixels"]


@pytest.mark.exhaustive
def test_a_variational_autoencoder_draws_digits(example: Load) -> None:
    figures = example("vae").main()
    assert figures["-ELBO after"] < 25.5
    assert figures["distance of samples"] < figures["distance of the mean image"]
    assert figures["distance of samples"] < 1.1 * figures["distance of real images"]


def test_the_divergence_of_the_variational_autoencoder(example: Load) -> None:
    module = example("vae")
    model = module.VAE(pixels=4, hidden=3, code=2)
    x = dc.asarray([[0.0, 1.0, 0.5, 0.2], [1.0, 0.0, 0.1, 0.9]])
    mean, log_variance = (value.detach().numpy() for value in model(x)[1:])
    draws = np.random.default_rng(0).normal(size=(200_000, 2, 2))
    z = mean + np.exp(0.5 * log_variance) * draws
    expected = (0.5 * z**2 - 0.5 * draws**2 - 0.5 * log_variance).sum(axis=2).mean()  # E_q[ln q - ln p]
    assert module.losses(model, x)[1].item() == pytest.approx(expected, rel=0.02)


def test_draws_of_the_variational_autoencoder_have_its_mean_and_variance(example: Load) -> None:
    model = example("vae").VAE(pixels=4, hidden=3, code=2)
    model.decoder = nn.Identity()
    with dc.no_grad():
        model.encoder[1].bias[:] = dc.asarray([1.0, -2.0, 2.0, -1.0])
        z, mean, log_variance = model(dc.tile(dc.asarray([[0.0, 1.0, 0.5, 0.2]]), (20_000, 1)))
    assert dc.mean(z, axis=0).numpy() == pytest.approx(mean[0, :].numpy(), abs=0.1)
    assert dc.var(z, axis=0).numpy() == pytest.approx(np.exp(log_variance[0, :].numpy()), rel=0.1)


def test_a_generator_spreads_over_the_ring(example: Load) -> None:
    figures = example("gan").main(steps=500)
    assert figures["covered before"] <= 2
    assert figures["covered after"] >= 6
    assert figures["near after"] > 0.4


@pytest.mark.exhaustive
def test_a_generator_covers_the_ring(example: Load) -> None:
    figures = example("gan").main()
    assert figures["covered after"] >= 7
    assert figures["near after"] > 0.7


# -------------------------------------------------------------------------------------------------------------- digits


def mnist_folder() -> Path:
    folder = Path(os.environ.get("DEEPCORE_MNIST") or ROOT.parent / "shared" / "data" / "mnist")
    if not folder.is_dir():
        pytest.skip(f"MNIST is not in {folder}; set DEEPCORE_MNIST to its directory")
    return folder


def test_mnist_on_a_part_of_the_images(example: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    training, test = data.mnist(mnist_folder(), download=False)
    module = example("mnist")
    monkeypatch.setattr(module.data, "mnist", lambda _: (training.subset(slice(5000)), test.subset(slice(2000))))
    assert module.main(epochs=3) > 0.87


@pytest.mark.exhaustive
def test_mnist_reaches_97_percent(example: Load) -> None:
    assert example("mnist").main(str(mnist_folder())) > 0.97


@pytest.mark.exhaustive
def test_a_network_is_an_estimator(example: Load) -> None:
    pytest.importorskip("sklearn")
    figures = example("scikit_learn").main()
    assert figures["units"] == 64
    assert figures["network"] > figures["logistic regression"] > 0.96


# ------------------------------------------------------------------------------------------------------- all of them


PAGE = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"^\| `(\w+)\.py`", PAGE, flags=re.MULTILINE)))


def test_the_documentation_names_examples_that_are_there() -> None:
    assert len(NAMES) >= 16
    assert set(NAMES) <= {path.stem for path in (ROOT / "examples").glob("*.py")}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "xor" else [pytest.mark.exhaustive]) for name in NAMES]
)
def test_examples_run_as_scripts(name: str) -> None:
    if name in {"consumers", "scikit_learn"}:
        pytest.importorskip("scipy" if name == "consumers" else "sklearn")
    arguments = [mnist_folder()] if name == "mnist" else []
    command: list[str | Path] = [sys.executable, "-W", "error", ROOT / "examples" / f"{name}.py", *arguments]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout
    assert not result.stderr
    if name == "xor":
        assert result.stdout in PAGE
