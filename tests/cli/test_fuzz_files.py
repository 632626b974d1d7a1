"""Files of a run that are damaged at random: what reads them raises DeepcoreError, and takes little memory.

Readers of data sets have tests of this kind in tests/data, and weights and snapshots in tests/checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from deepcore import ConfigError, DeepcoreError, StorageError
from deepcore.checkpoint import CheckpointFolder, load_weights
from deepcore.cli import app as cli
from deepcore.cli import settings as options
from deepcore.cli.runs import open_run

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

MEMORY = 32 << 20
"""The most bytes that a small run takes, damaged or not."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fuzz") / "original"
    done = CliRunner().invoke(
        cli.app, ["train", "--data", "iris", "--epochs", "1", "--hidden", "3", "--quiet", "--checkpoint", str(path)]
    )
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture(scope="module")
def copy(original: Path) -> Path:
    return Path(shutil.copytree(original, original.with_name("copy")))


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Draw a damage: bits that flip, an end that is missing, bytes that are too many, or other bytes."""
    kind = draw(st.sampled_from(["flip", "flip", "cut", "insert", "replace"]))
    share, bit = draw(st.floats(0, 1, exclude_max=True)), draw(st.integers(0, 7))
    more = draw(st.binary(min_size=1, max_size=20))

    def damaged(content: bytes) -> bytes:
        at = int(share * len(content))
        if kind == "cut":
            return content[:at]
        if kind == "insert":
            return content[:at] + more + content[at:]
        if kind == "replace":
            return more
        changed = bytearray(content)
        changed[at] ^= 1 << bit
        return bytes(changed)

    return damaged


@contextlib.contextmanager
def small() -> Generator[None]:
    """Hold what is allocated within a ``with`` block to what a small run takes."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


FILES = ("config.toml", "data.json", "checkpoints/manifest.json", "checkpoints/*/state.json")
quickly = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def opened(original: Path, copy: Path, pattern: str, damage: Callable[[bytes], bytes]) -> None:
    (file,) = copy.glob(pattern)
    whole = (original / file.relative_to(copy)).read_bytes()
    file.write_bytes(damage(whole))
    try:
        with small(), contextlib.suppress(DeepcoreError):
            assert open_run(copy).model().n_parameters > 0
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize("pattern", [*FILES, "checkpoints/*/tensors.safetensors"])
def test_runs(pattern: str, original: Path, copy: Path) -> None:
    @settings(quickly, max_examples=25)
    @given(damage=damages())
    def one(damage: Callable[[bytes], bytes]) -> None:
        opened(original, copy, pattern, damage)

    one()


@pytest.mark.exhaustive
@pytest.mark.parametrize("pattern", [*FILES, "checkpoints/*/tensors.safetensors"])
def test_many_runs(pattern: str, original: Path, copy: Path) -> None:
    @settings(quickly, max_examples=1000)
    @given(damage=damages())
    def one(damage: Callable[[bytes], bytes]) -> None:
        opened(original, copy, pattern, damage)

    one()


@pytest.mark.parametrize("pattern", FILES)
@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 50_000, b"9" * 100_000, b"\xff\xfe" * 1000, b"null"])
def test_files_that_are_deep_or_long(pattern: str, content: bytes, original: Path, copy: Path) -> None:
    opened(original, copy, pattern, lambda whole: content)


@pytest.mark.parametrize("name", ["length of the header", "shape"])
def test_weights_that_say_they_are_large(name: str, original: Path, tmp_path: Path) -> None:
    (file,) = original.glob("checkpoints/*/tensors.safetensors")
    content = file.read_bytes()
    size = int.from_bytes(content[:8], "little")
    if name == "shape":
        header = content[8 : 8 + size].replace(b"[4,3]", b"[99999999,3]")
        assert header != content[8 : 8 + size]
        content = len(header).to_bytes(8, "little") + header + content[8 + size :]
    else:
        content = (1 << 40).to_bytes(8, "little") + content[8:]
    (tmp_path / "w").write_bytes(content)
    model = open_run(original).model()
    with small(), pytest.raises(DeepcoreError, match="w"):
        load_weights(tmp_path / "w", model)


@settings(quickly, max_examples=80)
@given(
    text=st.one_of(
        st.text(alphabet="adehlmoprstu_-=[]\"'\n#., 019tf{}\\é\0", max_size=60),
        st.builds(
            "{} = {}".format,
            st.sampled_from([*options.TYPES, "batch-size", "nothing"]),
            st.sampled_from(["1", "-1", "1.5", "true", '"x"', "[]", "[1, 'a']", "nan", "9" * 30, "1979-05-27", "{}"]),
        ),
    )
)
def test_configurations(text: str, original: Path) -> None:
    file = original.with_name("fuzzed.toml")
    file.write_text(text, "utf-8")
    with contextlib.suppress(ConfigError):
        assert isinstance(options.read(file), options.Settings)


@settings(quickly, max_examples=40)
@given(content=st.binary(max_size=60))
def test_configurations_of_any_bytes(content: bytes, original: Path) -> None:
    file = original.with_name("fuzzed.toml")
    file.write_bytes(content)
    with contextlib.suppress(ConfigError):
        options.read(file)


def test_places_that_hold_no_run(original: Path, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", original / "config.toml", original / "config.toml" / "x"):
        with pytest.raises(StorageError):
            open_run(path)
    os.mkfifo(tmp_path / "config.toml")  # reading it would wait for ever
    with pytest.raises(StorageError):
        open_run(tmp_path)
    with pytest.raises(StorageError):
        CheckpointFolder(tmp_path).load("last")
