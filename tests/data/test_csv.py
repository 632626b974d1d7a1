from __future__ import annotations

import contextlib
import csv
import gzip
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepcore import ConfigError, DataError, DeepcoreError, StorageError
from deepcore.data import iris, read_csv

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "a,b,kind\n1,2,x\n3.5,-4e1,y\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("csv")


def write(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_columns_and_classes(tmp_path: Path) -> None:
    data = read_csv(write(tmp_path, GOOD), target="kind")
    np.testing.assert_array_equal(data.inputs, np.array([[1, 2], [3.5, -40]], np.float32))
    assert data.inputs.dtype == np.float32
    assert data.targets.tolist() == [0, 1]
    assert (data.classes, data.name) == (("x", "y"), "t.csv")
    named = read_csv(tmp_path / "t.csv", classes=["z", "y", "x"], name="other", dtype=np.float64, inputs=["b"])
    assert (named.targets.tolist(), named.classes, named.name) == ([2, 1], ("z", "y", "x"), "other")
    assert named.inputs.dtype == np.float64
    np.testing.assert_array_equal(named.inputs, [[2], [-40]])
    several = read_csv(tmp_path / "t.csv", inputs=[0], target=["b", 0])
    np.testing.assert_array_equal(several.targets, np.array([[2, 1], [-40, 3.5]], np.float32))


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        ("1,0\n2,5\n", [0, 5], "int64"),
        ("1,0.5\n2,5\n", [0.5, 5], "float32"),
        ("1,99999999999999999999\n2,0\n", [1e20, 0], "float32"),
        ("1,no\n2,5\n", [1, 0], "int64"),
    ],
)
def test_what_targets_become(tmp_path: Path, text: str, expected: list[float], kind: str) -> None:
    data = read_csv(write(tmp_path, text))
    np.testing.assert_allclose(data.targets, expected)
    assert data.targets.dtype == kind


def test_is_the_first_line_a_header(tmp_path: Path) -> None:
    assert len(read_csv(write(tmp_path, "a,b\n1,2\n"))) == 1
    assert len(read_csv(write(tmp_path, "5.1,setosa\n1,other\n"))) == 2
    assert len(read_csv(write(tmp_path, "2020,2021\n1,2\n"), header=True)) == 1
    with pytest.raises(DataError, match="line 1, column 'column 0': 'a' is no number"):
        read_csv(write(tmp_path, "a,b\n1,2\n"), header=False)


def test_quotes_breaks_and_other_delimiters(tmp_path: Path) -> None:
    text = '"a;1";"b\nb"\r\n"1";"say ""x"""\r\n\r\n 2 ;y\r\n'
    data = read_csv(write(tmp_path, text), delimiter=";")
    assert data.inputs.tolist() == [[1], [2]]
    assert data.classes == ('say "x"', "y")
    with pytest.raises(DataError, match=r"line 5, column 'a;1': 'z' is no number"):
        read_csv(write(tmp_path, text.replace(" 2 ", "z")), delimiter=";")


def test_compression_and_encodings(tmp_path: Path) -> None:
    for content in (GOOD.encode(), b"\xef\xbb\xbf" + GOOD.encode(), gzip.compress(GOOD.encode())):
        assert len(read_csv(write(tmp_path, content), target="kind")) == 2
    latin = "größe,art\n1,größer\n".encode("latin-1")
    assert read_csv(write(tmp_path, latin), encoding="latin-1", target="art").classes == ("größer",)
    with pytest.raises(DataError, match=r"t\.csv is not text in utf-8"):
        read_csv(write(tmp_path, latin))
    with pytest.raises(ConfigError, match="no encoding 'klingon'"):
        read_csv(write(tmp_path, latin), encoding="klingon")


def test_what_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n,3\n?,4\n")
    with pytest.raises(DataError, match=r"t\.csv, line 3, column 'a': '' is no number; .* missing="):
        read_csv(path)
    data = read_csv(path, missing=("", "?"))
    np.testing.assert_array_equal(data.inputs, [[1], [np.nan], [np.nan]])
    with pytest.raises(DataError, match="2 values that are NaN"):
        data.check_finite()


def test_a_number_that_is_too_large_is_found_by_the_check(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="inf in sample 0"):
        read_csv(write(tmp_path, "1e300,0\n")).check_finite()


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "no lines but the names"),
        ("a,b\n1,2\n1\n", "line 3: 1 fields, and 2 are expected"),
        ("a,b\n1,2,3\n", "line 2: 3 fields, and 2 are expected"),
        ("a,b,c\n1,2,3\n1,two,3\n", "line 3, column 'b': 'two' is no number"),
        ('a,b\n1,"2\n', "line 2: unexpected end of data"),
        ('a,b\n1,"2"3\n', "line 2: ',' expected"),
        ("a,b\n" + "x" * 200_000 + ",1\n", "line 2: field larger than field limit"),
        ("a,b\n" + "x" * 2000 + ",1\n", r"'x{40}\.\.\.' is no number"),
        ("a,b\n\0,1\n", "line 2"),
    ],
)
def test_tables_that_are_wrong(tmp_path: Path, text: str, pattern: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=pattern) as caught:
        read_csv(path)
    assert str(path) in str(caught.value)


def test_the_line_is_right_in_a_long_table(tmp_path: Path) -> None:
    lines = ["a,b", *("1,2" for _ in range(9000)), "1x,2"]
    with pytest.raises(DataError, match="line 9002, column 'a': '1x'"):
        read_csv(write(tmp_path, "\n".join(lines)))
    data = read_csv(write(tmp_path, "\n".join(lines[:-1])))
    assert len(data) == 9000
    assert (data.inputs == 1).all()


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({"target": "c"}, "no column 'c', or several; its 3 columns are: 'a', 'b', 'kind'"),
        ({"target": 3}, "no column 3"),
        ({"inputs": []}, "0 are inputs"),
        ({"target": []}, "0 targets"),
        ({"delimiter": ""}, "delimiter"),
        ({"delimiter": "\n"}, "delimiter"),
        ({"dtype": int}, "floating-point"),
    ],
)
def test_options_that_are_wrong(tmp_path: Path, options: Any, pattern: str) -> None:
    with pytest.raises(ConfigError, match=pattern):
        read_csv(write(tmp_path, GOOD), **options)


def test_a_class_that_was_not_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a target 'y' in sample 1, which is none of \('x',\)"):
        read_csv(write(tmp_path, GOOD), classes=["x"])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read"):
        read_csv(tmp_path / "none")
    with pytest.raises(DataError, match="damaged gzip"):
        read_csv(write(tmp_path, gzip.compress(GOOD.encode())[:-9]))


@settings(max_examples=60)
@given(
    rows=st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=3, max_size=3), min_size=1
    ),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_round_trip(folder: Path, rows: list[list[float]], quoting: Any) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=quoting).writerows([["a", "b", "c"], *rows])
    data = read_csv(write(folder, text.getvalue()), target=["c"], inputs=["a", "b", "c"])
    np.testing.assert_array_equal(data.inputs, np.array(rows, np.float32))


@given(content=st.binary(max_size=60))
def test_any_bytes(folder: Path, content: bytes) -> None:
    with contextlib.suppress(DeepcoreError):
        assert len(read_csv(write(folder, content))) >= 1


@given(text=st.text(alphabet='19.,;"\n\r\t x-e_\0é', max_size=60))
def test_any_text(folder: Path, text: str) -> None:
    with contextlib.suppress(DeepcoreError):
        assert len(read_csv(write(folder, text))) >= 1


@given(flips=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 7)), min_size=1, max_size=3))
def test_flipped_bits(folder: Path, flips: list[tuple[int, int]]) -> None:
    content = bytearray(GOOD.encode())
    for place, bit in flips:
        content[place] ^= 1 << bit
    with contextlib.suppress(DeepcoreError):
        assert len(read_csv(write(folder, bytes(content)))) >= 1


def test_the_irises_that_come_with_it() -> None:
    data = iris()
    assert repr(data) == "Dataset('iris', 150 samples, inputs (4,) float32, targets () int64, 3 classes)"
    assert np.bincount(data.targets).tolist() == [50, 50, 50]
    np.testing.assert_allclose(data.inputs.mean(axis=0), [5.843333, 3.057333, 3.758, 1.199333], rtol=1e-6)
    data.inputs[...] = 0
    assert iris().inputs.min() > 0
