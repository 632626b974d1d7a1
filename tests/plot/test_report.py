"""The report of a run: what it says, and that it is one file that loads nothing."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import data, metrics, nn, optim, plot
from deepcore.data import Dataset
from deepcore.optim import ExponentialMovingAverage
from deepcore.random import Generator
from deepcore.train import History, Trainer

if TYPE_CHECKING:
    from pathlib import Path

    from deepcore._device import Device

pytest.importorskip("matplotlib")

VOID = {"meta", "img", "br"}
LOADING = {"script", "link", "iframe", "object", "embed", "a", "base", "audio", "video", "source", "form"}


class Page(HTMLParser):
    """A page whose elements are closed in the order in which they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.said = ""
        self.cells: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data
        if {"td", "th"} & {*self.open[-1:]}:
            self.cells[-1][-1] += data

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def read(path: Path) -> tuple[str, Page]:
    """Return a report that is whole, loads nothing, and says in words what it shows."""
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert not LOADING & {tag for tag, _ in page.found}
    names = [x["id"] for _, x in page.found if "id" in x]
    assert len(names) == len(set(names))
    for _, attributes in page.found:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href", "srcset", "poster", "data", "action"):
            value = attributes.get(name, "#")
            assert value.startswith("data:image/png;base64,") or value.removeprefix("#") in ["", *names]
    for used in re.findall(r"url\(([^)]*)\)", text):
        assert used[:1] == "#"
        assert used[1:] in names
    assert not re.search(r"https?:|@import|javascript:", re.sub(r"base64,[^\"]*", "", text))
    assert "prefers-color-scheme: dark" in text
    assert all(image["alt"] for image in page.named("img"))
    assert all(x["role"] == "img" and x["aria-label"] for x in page.named("svg"))
    assert [p.name for p in path.parent.iterdir() if p.name.endswith(".part")] == []
    return text, page


def classifier(*layers: nn.Module, device: Any = None, **options: Any) -> Trainer:
    model = nn.Sequential(*layers)
    adam = optim.Adam(model.parameters(), lr=0.02)
    accuracy = [metrics.Accuracy()]
    return Trainer(model, nn.CategoricalCrossEntropy(), adam, metrics=accuracy, device=device, **options)


def dense(*args: Any, **options: Any) -> nn.Dense:
    return nn.Dense(*args, generator=Generator(2), **options)


def test_a_classification_of_images(device: Device, tmp_path: Path) -> None:
    training, test = data.train_test_split(data.digits(), seed=0)
    run = classifier(nn.Flatten(), dense(64, 16, activation="relu"), nn.Dropout(0.1), dense(16, 10), device=device)
    history = run.fit(training, epochs=2, validation=test)
    path = tmp_path / "report.html"
    plot.report(path, run, test, settings={"seed": 7, "schedule": None}, title="Digits <again>")
    text, page = read(path)
    assert len(text) < 500_000
    for said in ("Digits <again>", "What was run", str(run.device), "learning rate 0.02", dc.__version__, "deepcore"):
        assert said in page.said
    assert "seed7schedule" in page.said
    measured = run.evaluate(test)
    for name in ("loss", "accuracy"):
        numbers = [history.last[name], history.last[f"val_{name}"], measured[name]]
        assert [name, *(f"{x:.4g}" for x in numbers)] in page.cells
    # Precision and recall of a class, and the most confused classes, against what the metrics say.
    matrix, precision, recall = metrics.ConfusionMatrix(10), metrics.Precision(None), metrics.Recall(None)
    scores = run.predict(test.inputs)
    for metric in (matrix, precision, recall):
        metric.update(dc.asarray(scores), test.targets)
    for k in (0, 9):
        row = next(row for row in page.cells if row[:1] == [str(k)] and len(row) == 5 and "." in row[1])
        assert row[1:3] == [f"{precision.compute()[k]:.3f}", f"{recall.compute()[k]:.3f}"]
        assert row[4] == str(matrix.compute()[k].sum())
    wrong = matrix.compute() - np.diag(matrix.compute().diagonal())
    first = page.cells[page.cells.index(["class", "taken for", "samples", "share of the class"]) + 1]
    assert wrong[int(first[0]), int(first[1])] == wrong.max() == int(first[2])
    # The samples that it got most wrong are shown, the worst first, and are the images of the data.
    p = np.exp(scores.astype(float) - scores.max(axis=1, keepdims=True))
    p_right = (p / p.sum(axis=1, keepdims=True))[np.arange(len(p)), test.targets]
    missed = np.flatnonzero(scores.argmax(axis=1) != test.targets)
    order = missed[np.argsort(p_right[missed])][:24]
    images = page.named("img")
    assert [int(x["alt"].split()[1].rstrip(":")) for x in images] == order.tolist()
    pixels = pytest.importorskip("PIL.Image").open(decoded(images[0]["src"])).convert("L")
    shown, wanted = np.asarray(pixels, float), test.inputs[order[0]]
    assert np.corrcoef(shown.ravel(), wanted.ravel())[0, 1] > 0.999


def decoded(address: str) -> Any:
    return io.BytesIO(base64.b64decode(address.partition("base64,")[2]))


def test_two_features_have_a_plane_and_nothing_is_changed(tmp_path: Path) -> None:
    moons = data.moons(120, seed=0)
    model = nn.Sequential(dense(2, 8, activation="tanh"), nn.BatchNorm1d(8), dense(8, 2))
    average = ExponentialMovingAverage(model, decay=0.9)
    run = Trainer(model, nn.CategoricalCrossEntropy(), optim.Adam(model.parameters()), average=average)
    run.fit(moons, epochs=2)
    model.train()
    before = {name: x.numpy().copy() for name, x in model.named_tensors()}
    plot.report(tmp_path / "r.html", run, moons)
    for name, x in model.named_tensors():
        np.testing.assert_array_equal(x.numpy(), before[name])
    assert model.training
    _, page = read(tmp_path / "r.html")
    assert any("every point of the plane" in x["aria-label"] for x in page.named("svg"))
    assert "Sequential on moons" in page.said
    assert "graph of the model" in [x["aria-label"] for x in page.named("svg")]
    assert page.said.count("upper") > 3  # classes have their names
    assert f"{run.evaluate(moons)['loss']:.4g}" in page.said  # that of the averaged weights
    said = " ".join(x["aria-label"] for x in page.named("svg"))
    now = model.parameters()[0].numpy()
    with run.averaged():
        averaged = model.parameters()[0].numpy()
    assert f"0.weight: from {averaged.min():.2g} to {averaged.max():.2g}" in said
    assert averaged.max() != now.max()


def test_a_regression(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(60, 3)).astype("f")
    y = (X @ np.array([[1.0], [2.0], [-1.0]])).astype("f")
    model = nn.Sequential(dense(3, 1))
    plot.report(tmp_path / "r.html", model, (X, y), loss=nn.MSE())
    _, page = read(tmp_path / "r.html")
    with dc.no_grad():
        error = np.abs(model(dc.asarray(X)).numpy() - y)[:, 0]
    worst = page.cells[page.cells.index(["sample", "target", "prediction", "error"]) + 1]
    assert int(worst[0]) == error.argmax()
    assert ["mae", f"{error.mean():.4g}"] in page.cells
    assert ["loss", f"{(error**2).mean():.4g}"] in page.cells
    assert any(x["aria-label"].startswith("Predictions against targets of 60") for x in page.named("svg"))
    assert "taken for" not in page.said


def test_a_single_score(tmp_path: Path) -> None:
    X = np.array([[0.1], [0.2], [0.4], [0.9]], np.float32)
    model = nn.Sequential(nn.Identity())
    for from_logits, right in ((True, 2), (False, 3)):
        loss = nn.BinaryCrossEntropy(from_logits=from_logits)
        targets = np.array([[0], [0], [1], [1]])
        plot.report(tmp_path / "r.html", model, (X, targets), loss=loss)
        assert [x for x in read(tmp_path / "r.html")[1].named("svg") if f"{right} of 4 samples" in x["aria-label"]]


def test_everything_is_escaped(tmp_path: Path) -> None:
    bad = "<script>alert('&\"')</script>$x$"
    samples = Dataset(
        np.random.default_rng(0).normal(size=(30, 4)).astype("f"), np.arange(30) % 3, bad, (bad, "b", "_c")
    )

    class Named(nn.Module):
        def __init__(self) -> None:
            self.parts = {bad: dense(4, 3)}

        def forward(self, x: dc.Tensor) -> dc.Tensor:
            y: dc.Tensor = self.parts[bad](x)
            return y

    run = Trainer(model := Named(), nn.CategoricalCrossEntropy(), optim.SGD(model.parameters(), lr=0.1))
    run.fit(samples, epochs=1)
    run.history.stopped = bad
    plot.report(tmp_path / "r.html", run, samples, settings={bad: bad}, title=bad)
    text, page = read(tmp_path / "r.html")
    assert "<script" not in text
    assert page.said.count(bad) >= 6


@pytest.mark.parametrize(("depth", "many"), [(4, 500), pytest.param(57, 5000, marks=pytest.mark.exhaustive)])
def test_its_length_is_bounded(depth: int, many: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = Dataset(
        rng.random((260, 3, 128, 128), dtype=np.float32),
        np.arange(260) % 250,
        classes=tuple(f"{i}" * 3000 for i in range(250)),
    )

    class Deep(nn.Module):
        def __init__(self) -> None:
            self.layers = [nn.AvgPool2d(32), nn.Flatten(), *(dense(48, 48) for _ in range(depth)), dense(48, 250)]

        def forward(self, x: dc.Tensor) -> dc.Tensor:
            for layer in self.layers:
                x = layer(x)
            return x

    epochs = [{"epoch": i, "loss": rng.random(), "val_loss": rng.random()} for i in range(many)]
    plot.report(tmp_path / "r.html", Deep(), samples, history=History(epochs), settings={"x": "y" * 10**6})
    text, page = read(tmp_path / "r.html")
    assert len(text.encode()) < 2_000_000
    assert len(page.named("img")) == 24
    image = pytest.importorskip("PIL.Image").open(decoded(page.named("img")[0]["src"]))
    assert image.size == (64, 64)


def test_a_history_alone(tmp_path: Path) -> None:
    plot.report(tmp_path / "r.html", dense(2, 2), history=History([{"epoch": 1, "loss": 0.25}]))
    _, page = read(tmp_path / "r.html")
    assert "0.25" in page.said
    assert "Most wrong" not in page.said
    with pytest.raises(dc.ConfigError, match="neither data to try the model on nor a history; give one of them"):
        plot.report(tmp_path / "none.html", dense(2, 2))
    with pytest.raises(dc.StorageError, match="cannot save"):
        plot.report(tmp_path / "none" / "r.html", dense(2, 2), history=History([{"epoch": 1, "loss": 0.25}]))
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def sequences(x: dc.Tensor) -> dc.Tensor:
    return x.reshape((-1, 5, 1)) * 2.0


def looks(x: dc.Tensor) -> dc.Tensor:
    return x if x.sum().item() > 0 else x * 2.0


def words(x: dc.Tensor) -> dc.Tensor:
    return x.sum(axis=1)


@pytest.mark.parametrize(
    ("model", "inputs", "targets", "said"),
    [
        (nn.Sequential(nn.Lambda(sequences)), np.ones((3, 5), "f"), np.ones((3, 5, 1), "f"), "Layers on 3 samples"),
        (nn.Sequential(nn.Lambda(looks)), np.ones((3, 2), "f"), np.array([0, 1, 1]), "There is no drawing"),
        (
            nn.Sequential(nn.Embedding(7, 3), nn.Lambda(lambda x: x.sum(axis=1))),
            np.ones((4, 5), int),
            np.arange(4) % 3,
            "7",
        ),
        (nn.Sequential(nn.Dense(2, 2)), np.ones((3, 2), "f"), np.array([0, 1, 1]), "every point"),
    ],
    ids=["sequences", "no graph", "words", "all the same"],
)
def test_models_of_which_there_is_less_to_say(
    model: nn.Module, inputs: Any, targets: Any, said: str, tmp_path: Path
) -> None:
    plot.report(tmp_path / "r.html", model, (inputs, targets), loss=nn.MSE() if targets.ndim > 1 else None)
    text, _ = read(tmp_path / "r.html")
    assert said in text


def test_perfect_predictions(tmp_path: Path) -> None:
    X = np.eye(3, dtype="f")
    model = nn.Sequential(nn.Lambda(lambda x: x * 9.0))
    plot.report(tmp_path / "r.html", model, (X, np.arange(3)))
    _, page = read(tmp_path / "r.html")
    assert "No sample was taken for another class." in page.said
    assert "Most wrong" not in page.said


@pytest.mark.parametrize("shape", [(1, 8, 8), (8, 9, 3)])
def test_layouts_of_images(shape: tuple[int, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, *shape)).astype("f")
    model = nn.Sequential(nn.Flatten(), dense(int(np.prod(shape)), 2))
    wrong = 1 - model(dc.asarray(X)).numpy().argmax(axis=1)
    plot.report(tmp_path / "r.html", model, (X, wrong))
    _, page = read(tmp_path / "r.html")
    images = page.named("img")
    assert len(images) == 6
    picture = pytest.importorskip("PIL.Image").open(decoded(images[0]["src"])).convert("RGB")
    chosen = X[int(images[0]["alt"].split()[1].rstrip(":"))]
    channels = np.moveaxis(chosen, 0, -1) if shape[0] in (1, 3) else chosen.reshape(*shape[:2], -1)
    wanted = np.broadcast_to(channels, (*channels.shape[:2], 3))
    assert np.corrcoef(np.asarray(picture, float).ravel(), wanted.ravel())[0, 1] > 0.999
