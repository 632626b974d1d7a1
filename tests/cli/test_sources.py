"""Where data come from: every kind of file, what is made of their targets, how they are split, and what is refused."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore.cli.parts import MOST_CLASSES, again, prepare, preprocessed
from deepcore.cli.settings import Settings
from deepcore.cli.sources import load

if TYPE_CHECKING:
    from pathlib import Path

FRUIT = "weight,size,kind,price\n" + "".join(
    f"{100 + i},{5 + i % 4},{('apple', 'pear', 'fig')[i % 3]},{i * 1.5}\n" for i in range(30)
)


def prepared(**options: Any) -> Any:
    return prepare(Settings(**options))[1]


@pytest.fixture
def fruit(tmp_path: Path) -> Path:
    path = tmp_path / "fruit.csv"
    path.write_text(FRUIT)
    return path


def without(text: str, column: int) -> str:
    rows = [line.split(",") for line in text.splitlines()]
    return "".join(",".join(field for i, field in enumerate(row) if i != column) + "\n" for row in rows)


# --------------------------------------------------------------------------------------------------------------- files


def test_a_table_of_words(tmp_path: Path) -> None:
    path = tmp_path / "fruit.csv"
    path.write_text(without(FRUIT, 3))
    parts = prepared(data=str(path))
    assert (len(parts.training), len(parts.test)) == (24, 6)
    facts = parts.facts
    assert (facts.task, facts.classes, facts.n_outputs) == ("classification", ("apple", "fig", "pear"), 3)
    assert (facts.columns, facts.targets, facts.n_columns) == (("weight", "size"), ("kind",), 3)
    assert parts.training.inputs.mean(axis=0) == pytest.approx([0, 0], abs=1e-5)
    assert parts.training.inputs.std(axis=0) == pytest.approx([1, 1], abs=1e-5)
    assert np.bincount(parts.test.targets).tolist() == [2, 2, 2]


def test_the_statistics_are_those_of_the_training_part_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("".join(f"{i**2},{i % 2}\n" for i in range(40)))
    parts = prepared(data=str(path), validation_size=0.25)
    raw = prepared(data=str(path), validation_size=0.25, standardize=False)
    assert parts.facts.inputs.mean == pytest.approx([float(raw.training.inputs.mean())])
    for name in ("validation", "test"):
        expected = (getattr(raw, name).inputs - parts.facts.inputs.mean) / parts.facts.inputs.std
        assert getattr(parts, name).inputs == pytest.approx(expected, rel=1e-5)
    together = np.concatenate([raw.training.inputs, raw.validation.inputs, raw.test.inputs])[:, 0]
    assert sorted(together.tolist()) == [i**2 for i in range(40)]


@pytest.mark.parametrize("target", ["2", "kind", "-2"])
def test_a_target_by_name_or_number(target: str, fruit: Path) -> None:
    # All columns but the target are inputs, and have to be numbers.
    parts = prepared(data=str(fruit), target=[target])
    assert parts.facts.classes == ("apple", "fig", "pear")
    assert parts.facts.columns == ("weight", "size", "price")


def test_several_targets_are_a_regression(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b,c\n" + "".join(f"{i},{i * 2},{i * 3}\n" for i in range(20)))
    parts = prepared(data=str(path), target=["a", "c"])
    assert parts.facts.task == "regression"
    assert parts.training.targets.shape == (16, 2)
    back = parts.facts.outputs.inverse(parts.training.targets)
    assert back[:, 1] == pytest.approx(back[:, 0] * 3, rel=1e-5)


@pytest.mark.parametrize("name", ["fruit.csv.gz", "fruit.tsv", "fruit.parquet", "nameless.csv"])
def test_other_tables(name: str, tmp_path: Path) -> None:
    path, text = tmp_path / name, without(FRUIT, 3)
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif name.endswith(".tsv"):
        path.write_text(text.replace(",", "\t"))
    elif name.endswith(".parquet"):
        csv, parquet = pytest.importorskip("pyarrow.csv"), pytest.importorskip("pyarrow.parquet")
        (tmp_path / "fruit.csv").write_text(text)
        parquet.write_table(csv.read_csv(tmp_path / "fruit.csv"), path)
    else:
        path.write_text(text.partition("\n")[2])
    parts = prepared(data=str(path))
    assert parts.facts.classes == ("apple", "fig", "pear")
    assert parts.training.inputs.shape == (24, 2)
    assert parts.facts.columns == ((0, 1) if name == "nameless.csv" else ("weight", "size"))
    once_more = preprocessed(again(Settings(data=str(path)), parts.facts), parts.facts)
    assert len(once_more) == 30


X, Y = np.arange(40, dtype=np.float64).reshape(20, 2), np.arange(20) % 3


@pytest.mark.parametrize("names", [("inputs", "targets"), ("X", "y"), ("x", "y")])
def test_an_archive(names: tuple[str, str], tmp_path: Path) -> None:
    arrays: dict[str, Any] = dict(zip(names, (X, Y), strict=True))
    np.savez(tmp_path / "a.npz", **arrays)
    parts = prepared(data=str(tmp_path / "a.npz"))
    assert (parts.facts.classes, parts.training.inputs.shape) == (("0", "1", "2"), (16, 2))


def test_an_archive_with_a_part_for_testing(tmp_path: Path) -> None:
    pixels = np.arange(20 * 9, dtype=np.uint8).reshape(20, 3, 3)
    np.savez(tmp_path / "a.npz", x_train=pixels, y_train=Y, x_test=pixels[:5], y_test=Y[:5])
    parts = prepared(data=str(tmp_path / "a.npz"))
    assert (len(parts.training), len(parts.test)) == (20, 5)
    assert parts.training.inputs == pytest.approx(pixels / 255)  # bytes of images
    assert parts.training.inputs.dtype == np.float32


def test_arrays_in_files_of_their_own(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "t.npy", X[:, :1])
    parts = prepared(data=str(tmp_path / "x.npy"), target=[str(tmp_path / "t.npy")])
    assert (parts.facts.task, parts.training.targets.shape) == ("regression", (16, 1))


def test_a_folder_of_images(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for i in range(12):
        folder = tmp_path / ("cat", "dog")[i % 2]
        folder.mkdir(exist_ok=True)
        image.new("RGB", (8, 6), (i * 20, 0, 0)).save(folder / f"{i}.png")
    parts = prepared(data=str(tmp_path), size="4x5", test_size=4)
    assert parts.facts.input_shape == (3, 4, 5)
    assert parts.facts.classes == ("cat", "dog")
    assert len(parts.test) == 4
    standard = prepared(data=str(tmp_path), standardize=True)
    assert np.asarray(standard.training.inputs).mean(axis=(0, 2, 3)) == pytest.approx([0, 0, 0], abs=1e-5)


# -------------------------------------------------------------------------------------------------------------- labels


def test_labels_need_not_begin_with_0(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, y=Y * 10 - 5)
    parts = prepared(data=str(tmp_path / "a.npz"))
    assert parts.facts.classes == ("-5", "5", "15")
    assert sorted(set(parts.training.targets.tolist())) == [0, 1, 2]


def test_the_task_is_chosen_from_the_targets(tmp_path: Path) -> None:
    def task(y: Any, **options: Any) -> str:
        np.savez(tmp_path / "a.npz", x=np.zeros((len(y), 1)), y=y)
        found: str = prepared(data=str(tmp_path / "a.npz"), **options).facts.task
        return found

    assert task(np.arange(100) % MOST_CLASSES) == "classification"
    assert task(np.arange(200) % (MOST_CLASSES + 1)) == "regression"
    assert task(np.arange(10) / 4) == "regression"
    assert task(np.arange(10) % 2, task="regression") == "regression"
    assert task(np.arange(100) % 2 * 1.0, task="classification") == "classification"
    assert task((np.arange(100) % 2).reshape(100, 1)) == "classification"
    with pytest.raises(dc.DataError, match="for a regression, give --task regression"):
        task(np.arange(10) / 4, task="classification")


def test_a_part_for_testing_may_lack_classes_and_not_have_others(fruit: Path, tmp_path: Path) -> None:
    test = tmp_path / "test.csv"
    test.write_text("kind,size,price,weight\npear,5,1.5,100\n")  # in another order
    parts = prepared(data=str(fruit), target=["kind"], test_data=str(test))
    assert (len(parts.training), parts.test.targets.tolist()) == (30, [2])
    back = parts.test.inputs * parts.facts.inputs.std + parts.facts.inputs.mean
    assert back[0] == pytest.approx([100, 5, 1.5], rel=1e-5)
    test.write_text("kind,size,price,weight\nplum,5,1.5,100\n")
    with pytest.raises(dc.DataError, match="has samples of 'plum', and the classes that were trained are apple"):
        prepared(data=str(fruit), target=["kind"], test_data=str(test))


# --------------------------------------------------------------------------------------------------------------- parts


def test_digits_are_split_as_they_always_were() -> None:
    parts = prepared(seed=3)
    training, test = dc.data.train_test_split(dc.data.digits(), test_size=0.2, seed=3)
    assert (parts.training.inputs == training.inputs).all()
    assert (parts.test.targets == test.targets).all()


def test_no_part_for_testing() -> None:
    parts = prepared(data="iris", test_size=0)
    assert (len(parts.training), parts.test, parts.validation) == (150, None, None)


def test_patience_sets_samples_aside() -> None:
    parts = prepared(data="iris", patience=3)
    assert [len(part) for part in (parts.training, parts.validation, parts.test)] == [108, 12, 30]


# ------------------------------------------------------------------------------------------------------------ mistakes


def test_data_that_are_not_there() -> None:
    with pytest.raises(
        dc.ConfigError, match=r"unknown data 'no\.csv'; the known ones are cifar10, .* no file or folder"
    ):
        load("no.csv")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"data": "iris", "target": ["x"]}, "the targets of iris are known"),
        ({"data": "iris", "size": "3"}, "--size is for folders of images"),
        ({"data": "iris", "data_dir": "x"}, "--data-dir is for the data sets that are downloaded"),
        ({"data": "iris", "task": "guess"}, "unknown task 'guess'; the known ones are classification, regression"),
        ({"data": "iris", "test_size": 500}, "--test-size is a fraction"),
        ({"data": "iris", "validation_size": 119, "stratify": True}, "give --no-stratify"),
        ({"data": "iris", "patience": 2, "validation_size": 0}, "give --validation-size a number above 0"),
        ({"data": "fruit.csv", "target": ["colour"]}, "no column 'colour', or several; its columns are weight, size"),
        ({"data": "fruit.csv", "target": ["9"]}, "no column '9'"),
        ({"data": "fruit.csv", "target": ["kind", "2"]}, "is named twice or all are"),
        ({"data": "fruit.csv"}, "column 'kind': 'apple' is no number"),
        ({"data": "x.txt"}, "is a file of no known kind; the known ones are .csv, .tsv"),
        ({"data": "x.npy"}, "give the file of the targets: --target targets.npy"),
        ({"data": "x.npy", "target": ["a", "b"]}, "is given once, not 2 times"),
        ({"data": "z.npz"}, "its arrays are a, b; --target NAME names the targets"),
        ({"data": "z.npz", "target": ["c"]}, "has no array named inputs, X or x"),
        ({"data": "bad.npz"}, "is not an NPZ archive, or is damaged"),
        ({"data": "empty.csv"}, "is empty"),
        ({"data": "latin.csv"}, "is not a table of text in UTF-8"),
        ({"data": "one.csv"}, "has samples of one class only, 1"),
        ({"data": "nan.csv"}, "hold 1 values that are NaN or infinite"),
        (
            {"data": "fruit.csv", "target": ["kind"], "test_data": "broken.csv"},
            "hold 1 values that are NaN or infinite",
        ),
        ({"data": "complex.npz"}, "are complex128, and not real numbers"),
        ({"data": "folder"}, "has no folders; put the images of each class into a folder"),
        ({"data": "folder", "size": "big"}, "--size is a whole number of pixels, or height and width"),
    ],
    ids=str,
)
def test_mistakes(
    options: dict[str, Any], said: str, fruit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "x.txt").touch()
    (tmp_path / "empty.csv").touch()
    (tmp_path / "latin.csv").write_bytes(b"caf\xe9,b\n1,2\n")
    (tmp_path / "one.csv").write_text("1,1\n2,1\n")
    (tmp_path / "nan.csv").write_text("nan,1\n" + "2,0\n3,1\n" * 5)
    (tmp_path / "broken.csv").write_text("weight,size,kind,price\n1,2,fig,inf\n")
    np.savez(tmp_path / "complex.npz", x=X * 1j, y=Y)
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04")
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "z.npz", a=X, b=Y)
    if options["data"] == "z.npz" and "target" in options:
        np.savez(tmp_path / "z.npz", a=X, b=Y, c=Y)
    with pytest.raises((dc.ConfigError, dc.DataError)) as caught:
        prepared(**options)
    assert said in str(caught.value)


def test_a_damaged_parquet_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(dc.DataError, match="is not in Parquet format, or is damaged"):
        load(str(tmp_path / "x.parquet"))
