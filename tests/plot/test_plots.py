"""Pictures: what their artists hold, in whose axes, and errors that say what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import data, metrics, nn, plot
from deepcore._backend import Library
from deepcore.plot import _figure
from deepcore.random import Generator
from deepcore.train import History

if TYPE_CHECKING:
    from pathlib import Path

    from deepcore._device import Device

figures: Any = pytest.importorskip("matplotlib.figure")

EPOCHS = [
    {"epoch": 1, "loss": 2.0, "val_loss": 2.5, "accuracy": 0.5, "val_accuracy": 0.4, "seconds": 1.0},
    {"epoch": 2, "loss": 1.0, "val_loss": 1.5, "accuracy": 0.8, "val_accuracy": 0.7, "seconds": 1.5},
    {"epoch": 3, "loss": 0.5, "val_loss": 1.7, "accuracy": 0.9, "val_accuracy": 0.6, "seconds": 1.2},
]


def new_axes() -> Any:
    return figures.Figure().add_subplot()


def dense(*args: Any, **options: Any) -> nn.Dense:
    return nn.Dense(*args, generator=Generator(1), **options)


# -------------------------------------------------------------------------------------------------------------- curves


def test_curves() -> None:
    ax = new_axes()
    assert plot.curves(History(list(EPOCHS)), ax=ax) is ax
    training, validation, smallest = ax.lines
    assert [line.get_label() for line in ax.lines] == ["training", "validation", "smallest, epoch 2"]
    for shown in (ax, plot.curves(EPOCHS[:1])):
        assert all(x == round(x) for x in shown.get_xticks())
    np.testing.assert_array_equal(training.get_xydata(), [(1, 2.0), (2, 1.0), (3, 0.5)])
    np.testing.assert_array_equal(validation.get_xydata(), [(1, 2.5), (2, 1.5), (3, 1.7)])
    np.testing.assert_array_equal(smallest.get_xydata(), [(2, 1.5)])
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("epoch", "loss", "linear")
    assert training.get_linestyle() != validation.get_linestyle()  # not by colour alone
    assert training.get_color() != validation.get_color()


def test_a_curve_of_another_quantity_on_a_logarithmic_scale() -> None:
    ax = plot.curves(EPOCHS, "val_accuracy", log=True)
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.5, 0.8, 0.9], [0.4, 0.7, 0.6]]
    assert ax.get_yscale() == "log"
    assert plot.curves(EPOCHS, "seconds").lines[0].get_ydata().tolist() == [1.0, 1.5, 1.2]


def test_the_history_draws_and_saves_itself(tmp_path: Path) -> None:
    history = History([*EPOCHS, {"epoch": 4, "loss": float("nan"), "val_loss": float("nan"), "accuracy": 0.9}])
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        path = tmp_path / f"curves{suffix}"
        history.plot(path=path)
        assert path.read_bytes().startswith(start)
    figure = history.plot()
    assert [ax.get_ylabel() for ax in figure.axes] == ["loss", "accuracy"]
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".png", ".svg"]  # and no temporary file
    with pytest.raises(dc.ConfigError, match=r"'curves.jpog' names no format of pictures; give one of .*png.*svg"):
        history.plot(path=tmp_path / "curves.jpog")
    with pytest.raises(dc.StorageError, match="cannot save"):
        history.plot(path=tmp_path / "none" / "curves.png")


def test_what_has_no_curve() -> None:
    with pytest.raises(dc.ConfigError, match="no epoch is complete"):
        plot.curves([])
    with pytest.raises(dc.ConfigError, match=r"f1 was not measured; there are loss, accuracy$"):
        plot.curves(EPOCHS, "f1")


def test_new_axes_are_those_of_pyplot_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot: Any = pytest.importorskip("matplotlib.pyplot")
    before = pyplot.get_fignums()
    shown = plot.curves(EPOCHS).figure
    assert pyplot.gcf() is shown
    assert plot.curves(EPOCHS, ax=new_axes()).figure is not shown
    assert len(pyplot.get_fignums()) == len(before) + 1
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot")
    plot.curves(EPOCHS)
    assert "matplotlib.pyplot" not in sys.modules
    monkeypatch.undo()
    assert len(pyplot.get_fignums()) == len(before) + 1


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(_figure, "figures", Library("matplotlib.figure", needs=_figure._NEEDS))
    with pytest.raises(dc.BackendError, match="plots need Matplotlib; install it with: pip install 'deepcore-xp"):
        History(list(EPOCHS)).plot()


# ----------------------------------------------------------------------------------------------------- confusion matrix


def test_a_confusion_matrix_has_its_numbers() -> None:
    counts = np.array([[8, 2, 0], [0, 5, 5], [0, 0, 0]])
    ax = plot.confusion_matrix(counts, ["cat", "$dog$", "_c"])
    np.testing.assert_array_equal(ax.images[0].get_array(), counts)
    assert [text.get_text() for text in ax.texts] == ["8", "2", "0", "0", "5", "5", "0", "0", "0"]
    positions = [text.get_position() for text in ax.texts]
    assert positions[1] == (1, 0)  # of class 0, in the first row, taken for class 1, in the second column
    assert [text.get_text() for text in ax.get_yticklabels()] == ["cat", r"\$dog\$", "_c"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("taken for", "class")
    ax.figure.canvas.draw()


@pytest.mark.parametrize("normalise", ["true", "pred", "all"])
def test_shares_are_those_of_the_metric(normalise: str) -> None:
    metric = metrics.ConfusionMatrix(3, normalise=normalise)
    metric.update(dc.asarray([0, 1, 1, 2, 2, 2]), dc.asarray([0, 1, 2, 2, 2, 1]))
    ax = plot.confusion_matrix(metric, normalise=normalise)
    np.testing.assert_allclose(ax.images[0].get_array(), metric.compute())
    assert [text.get_text() for text in ax.texts] == [f"{100 * x:.0f}" for x in metric.compute().ravel()]


def test_many_classes_are_readable() -> None:
    ax = plot.confusion_matrix(np.eye(100, dtype=int), [f"class {i}" for i in range(100)])
    assert not ax.texts
    labels = [text.get_text() for text in ax.get_xticklabels()]
    assert labels == [f"class {i}" for i in range(0, 100, 3)]


def test_text_stands_out_from_its_cell() -> None:
    def light(color: Any) -> float:
        rgb = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in _figure.colors.to_rgb(color)]
        return float(np.dot(rgb, (0.2126, 0.7152, 0.0722)))

    for ground, ink in (("white", "black"), ("black", "white")):
        with _figure.matplotlib.rc_context({"text.color": ink}):
            ax = plot.confusion_matrix(np.arange(1, 17).reshape(4, 4))
        image = ax.images[0]
        for text, rgba in zip(ax.texts, image.to_rgba(image.get_array()).reshape(-1, 4), strict=True):
            mixed = rgba[3] * rgba[:3] + (1 - rgba[3]) * np.array(_figure.colors.to_rgb(ground))
            low, high = sorted((light(mixed), light(text.get_color())))
            assert (high + 0.05) / (low + 0.05) > 3.5, (ground, text.get_text())


def test_what_is_no_confusion_matrix() -> None:
    for wrong in (np.zeros((2, 3)), np.zeros((2, 2)), np.array([[1, -1], [0, 1]]), metrics.ConfusionMatrix(2)):
        with pytest.raises(dc.DataError, match="update the metric with predictions first"):
            plot.confusion_matrix(wrong)
    with pytest.raises(dc.ConfigError, match="2 classes, but 3 names of classes; give a name for each, or none"):
        plot.confusion_matrix(np.eye(2), "abc")
    with pytest.raises(dc.ConfigError, match="unknown normalisation 'rows'; the known ones are true"):
        plot.confusion_matrix(np.eye(2), normalise="rows")


# ---------------------------------------------------------------------------------------------------- decision boundary


def line_of(weights: list[list[float]], bias: list[float]) -> nn.Dense:
    layer = nn.Dense(2, len(bias))
    layer.load_state_dict({"weight": np.array(weights), "bias": np.array(bias)})
    return layer


def grid_of(ax: Any) -> tuple[Any, Any]:
    """Return the coordinates of the middles of an image's pixels."""
    left, right, low, high = ax.images[0].get_extent()
    n, m = ax.images[0].get_array().shape
    x, y = (np.linspace(a, b, k + 1) for a, b, k in ((left, right, m), (low, high, n)))
    return np.meshgrid((x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2)


def test_the_plane_has_the_classes_of_the_model(device: Device) -> None:
    # Class 1 where x1 > x2, by two scores; class 1 where x1 > 0.25, by one.
    X = np.array([(0, 0), (1, 0), (0, 1), (1, 1.5)], np.float32)
    y = np.array([0, 1, 0, 1])
    ax = plot.decision_boundary(line_of([[0, 1], [0, -1]], [0, 0]).to(device), X, y, resolution=30, batch_size=7)
    across, up = grid_of(ax)
    np.testing.assert_array_equal(ax.images[0].get_array(), across > up)
    ax = plot.decision_boundary(line_of([[1], [0]], [-0.25]).to(device), X, y, resolution=11)
    np.testing.assert_array_equal(ax.images[0].get_array(), grid_of(ax)[0] > 0.25)
    assert ax.images[0].origin == "lower"


def test_samples_have_their_class_and_the_wrong_ones_an_edge() -> None:
    X = np.array([(0, 0), (1, 0), (0, 1), (1, 1.5)], np.float32)
    ax = plot.decision_boundary(line_of([[0, 1], [0, -1]], [0.1, 0]), X, np.eye(2)[[0, 1, 0, 1]], classes=["_no", "$"])
    own = [c.get_offsets().tolist() for c in ax.collections if len(c.get_offsets())]
    assert own == [[[0, 0], [0, 1]], [[1, 0], [1, 1.5]], [[1, 1.5]]]
    said = [text.get_text() for text in ax.get_legend().get_texts()]
    assert said == ["_no", r"\$", "taken for another"]
    ax.figure.canvas.draw()


def test_a_regression_is_a_surface() -> None:
    X = np.random.default_rng(0).uniform(-1, 1, (50, 2)).astype("f")
    y = X[:, :1] * 2 + 1
    ax = plot.decision_boundary(line_of([[2], [0]], [1]), X, y, resolution=13, features=("$a", "b"))
    np.testing.assert_allclose(ax.images[0].get_array(), 2 * grid_of(ax)[0] + 1, rtol=1e-5)
    np.testing.assert_allclose(ax.collections[0].get_array(), y[:, 0])
    assert ax.collections[0].get_clim() == ax.images[0].get_clim()
    assert (ax.get_xlabel(), ax.get_ylabel()) == (r"\$a", "b")
    whole = plot.decision_boundary(line_of([[2], [0]], [1]), X, (y[:, 0] > 0).astype(int), task="regression")
    assert np.unique(whole.images[0].get_array()).size > 2


def test_the_model_is_in_evaluation_mode_and_as_it_was() -> None:
    model = nn.Sequential(nn.Dropout(0.9), line_of([[0, 1], [0, -1]], [0, 0])).train()
    moons = data.moons(20_000, seed=0)
    ax = plot.decision_boundary(model, moons.inputs, moons.targets, resolution=20)
    across, up = grid_of(ax)
    np.testing.assert_array_equal(ax.images[0].get_array(), across > up)
    assert all(module.training for _, module in model.named_modules())
    assert sum(len(c.get_offsets()) for c in ax.collections[:1]) < 2000
    assert all(p.grad is None for p in model.parameters())


def test_functions_of_arrays_are_drawn_too() -> None:
    X, y = np.random.default_rng(0).normal(size=(9, 2)), np.arange(9) % 3
    ax = plot.decision_boundary(lambda x: np.stack([x[:, 0], x[:, 1], 0 * x[:, 0]], axis=1), X, y, resolution=5)
    across, up = grid_of(ax)
    np.testing.assert_array_equal(ax.images[0].get_array(), np.stack([across, up, 0 * up]).argmax(axis=0))


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        (
            {"X": np.zeros((3, 4))},
            dc.DataError,
            r"two features with a name each, of shape \(n, 2\), not",
        ),
        ({"X": np.full((3, 2), np.nan)}, dc.DataError, "NaNs or infinities"),
        ({"X": np.zeros((4, 2))}, dc.ShapeError, "4 samples do not go with 3 targets"),
        ({"y": np.array([0, 1, 2])}, dc.DataError, "predictions and targets of shape"),
        ({"task": "clustering"}, dc.ConfigError, "unknown task 'clustering'"),
        ({"resolution": 1}, dc.ConfigError, "at least 2, not 1"),
        ({"classes": ["a"]}, dc.ConfigError, "2 classes, but 1 names"),
    ],
)
def test_what_has_no_boundary(options: dict[str, Any], error: type[Exception], said: str) -> None:
    given: dict[str, Any] = {"X": np.zeros((3, 2), "f"), "y": np.array([0, 1, 1]), **options}
    with pytest.raises(error, match=said):
        plot.decision_boundary(line_of([[0, 1], [0, -1]], [0, 0]), given.pop("X"), given.pop("y"), **given)


# ------------------------------------------------------------------------------------------------- weights and units


def test_kernels_are_side_by_side() -> None:
    layer = nn.Conv2d(1, 5, 3)
    ax = plot.filters(nn.Sequential(nn.ReLU(), layer))
    pixels, w = ax.images[0].get_array(), layer.weight.numpy()
    assert pixels.shape == (7, 11)  # two rows of three, one pixel apart
    np.testing.assert_array_equal(pixels[:3, 4:7], w[1, 0])
    np.testing.assert_array_equal(pixels[4:, :3], w[3, 0])
    assert pixels.mask[3].all()
    assert pixels.mask[:, 3].all()
    assert pixels.mask[4:, 8:].all()  # there is no sixth kernel
    low, high = ax.images[0].get_clim()
    assert -low == high == np.abs(w).max()
    assert ax.get_title() == f"1 {layer!r}, weights"


def test_kernels_of_several_channels_are_a_table() -> None:
    layer = nn.Conv2d(3, 4, 2)
    ax = plot.filters(layer, most=6)
    pixels, w = ax.images[0].get_array(), layer.weight.numpy()
    assert pixels.shape == (5, 8)  # two outputs, three channels
    np.testing.assert_array_equal(pixels[3:, 6:], w[1, 2])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("channel of the input", "output")


def test_weights_of_dense_layers_are_images_of_their_inputs() -> None:
    layer = dense(36, 4)
    w = layer.weight.numpy()
    np.testing.assert_array_equal(plot.filters(layer).images[0].get_array()[7:, :6], w[:, 2].reshape(6, 6))
    wide = plot.filters(layer, shape=(4, 9)).images[0].get_array()
    np.testing.assert_array_equal(wide[:4, 10:], w[:, 1].reshape(4, 9))
    np.testing.assert_array_equal(plot.filters(dense(5, 3)).images[0].get_array(), dense(5, 3).weight.numpy())
    np.testing.assert_array_equal(
        plot.filters(nn.Conv1d(2, 3, 5, generator=Generator(0))).images[0].get_array(),
        nn.Conv1d(2, 3, 5, generator=Generator(0)).weight.numpy().reshape(3, 10),
    )
    with pytest.raises(dc.ConfigError, match=r"36 inputs, which are no image of the shape \(5, 5\)"):
        plot.filters(layer, shape=(5, 5))
    with pytest.raises(dc.ConfigError, match="ReLU has no layer whose weights are images; those of Conv1d"):
        plot.filters(nn.ReLU())
    with pytest.raises(dc.ConfigError, match="at least 1 image is drawn, not 0"):
        plot.filters(layer, most=0)


def test_activations_count_zeros_and_dead_units(device: Device) -> None:
    model = nn.Sequential(nn.Flatten(), dense(4, 8, activation="relu"), nn.Dropout(0.5), dense(8, 2)).to(device)
    model.load_state_dict({"1.bias": np.array([-100.0] * 6 + [0.0, 0.0])}, strict=False)
    x = np.random.default_rng(0).normal(size=(50, 2, 2)).astype("f")
    ax = plot.activations(model, x)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["1 Dense", "3 Dense"]
    with dc.no_grad():
        y = model[1](dc.asarray(x.reshape(50, 4), device=device)).numpy()
    assert ax.texts[0].get_text() == f"{100 * (y == 0).mean():.0f} % zero\n75 % dead"
    assert ax.texts[1].get_text().endswith("\n0 % dead")
    values, edges, base = ax.patches[0].get_data()
    counts = np.histogram(y[y != 0], edges)[0]  # zeros are not drawn
    np.testing.assert_allclose((values - base) / 0.85, counts / counts.max())
    assert all(not module._hooks or not module._hooks.after for _, module in model.named_modules())
    dead = plot.activations(dense(2, 3), np.zeros((4, 2), "f"))
    assert [text.get_text() for text in dead.texts] == ["100 % zero\n100 % dead"]


def test_histograms_are_those_of_numpy() -> None:
    model = nn.Sequential(dense(30, 40), dense(40, 1))
    ax = plot.weights(model)
    names = [name for name, _ in model.named_parameters()]
    assert [text.get_text() for text in ax.get_yticklabels()] == names
    for k, p in enumerate(model.parameters()):
        values, edges, base = ax.patches[k].get_data()
        counts = np.histogram(p.numpy(), edges)[0]
        np.testing.assert_allclose((values - base) / 0.85, counts / counts.max())
        assert counts.sum() >= 0.99 * p.size
    assert [text.get_text() for text in ax.texts] == [f"{p.size:,}" for p in model.parameters()]
    with pytest.raises(dc.DataError, match="weights: there are no finite numbers to draw"):
        plot.weights(nn.ReLU())


def test_numbers_that_are_not_finite_are_left_out() -> None:
    layer = dense(2, 3)
    layer.load_state_dict({"bias": np.array([np.nan, np.inf, 1.0])}, strict=False)
    values, _, base = plot.weights(layer).patches[1].get_data()
    assert (values > base).sum() == 1


def test_predictions_against_targets() -> None:
    ax = plot.prediction_error(dc.asarray([[1.0], [2.0]]), np.array([1.5, 0.0]))
    assert ax.collections[0].get_offsets().tolist() == [[1.5, 1.0], [0.0, 2.0]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("target", "prediction")
    assert ax.lines[0].get_xydata().tolist() == [[0, 0], [2, 2]]
    with pytest.raises(dc.DataError, match="2 predictions do not go with 3 targets"):
        plot.prediction_error(np.zeros(2), np.zeros(3))
