"""Weights in files: whole or not at all, and never trusted."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.checkpoint import check_writable, load_weights, replace_file, save_weights
from deepcore.random import Generator

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._device import Device


class Mixed(nn.Module):
    def __init__(self, seed: int) -> None:
        g = Generator(seed)
        self.layers = nn.Sequential(nn.Dense(3, 2, generator=g), nn.Dense(2, 1, generator=g))
        self.wide = nn.Parameter(g.normal((2, 2), dtype=dc.float64))
        self.half = nn.Parameter(g.normal((3,), dtype=dc.bfloat16))
        self.count = dc.asarray(seed)
        self.nothing = dc.zeros((0, 3))


def model(seed: int = 0) -> nn.Module:
    return nn.Dense(3, 2, generator=Generator(seed))


def values(module: nn.Module) -> dict[str, tuple[Any, ...]]:
    return {name: (value.shape, str(value.dtype), value.numpy().tobytes()) for name, value in module.named_tensors()}


def test_round_trip(tmp_path: Path) -> None:
    one, two = Mixed(1), Mixed(2)
    save_weights(tmp_path / "w", one)
    load_weights(tmp_path / "w", two)
    assert values(two) == values(one)
    assert [p.requires_grad for p in two.parameters()] == [True] * 6
    save_weights(str(tmp_path / "w"), two)  # a path may be a string, and replaces what was there
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


def test_round_trip_on_every_device(tmp_path: Path, device: Device) -> None:
    save_weights(tmp_path / "w", model(1).to(device))
    there = model(2).to(device)
    load_weights(tmp_path / "w", there)
    assert [value[2] for value in values(there).values()] == [value[2] for value in values(model(1)).values()]
    assert {p.device for p in there.parameters()} == {device}


def test_the_file_is_what_others_read(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    save_weights(tmp_path / "w", model(1))
    arrays = load_file(tmp_path / "w")
    assert {name: a.shape for name, a in arrays.items()} == {"weight": (3, 2), "bias": (2,)}
    save_file({name: np.ones_like(a) for name, a in arrays.items()}, tmp_path / "foreign")
    m = model(2)
    load_weights(tmp_path / "foreign", m)
    assert m.weight.tolist() == [[1.0, 1.0]] * 3  # type: ignore[attr-defined]


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    contents: set[bytes] = set()
    for i in range(20):
        save_weights(tmp_path / str(i), model(1))
        contents.add((tmp_path / str(i)).read_bytes())
    assert len(contents) == 1


def test_weights_of_a_transposed_view_are_saved_in_order(tmp_path: Path) -> None:
    one, two = nn.Dense(2, 3), nn.Dense(2, 3)
    with dc.no_grad():
        one.weight._rebind(dc.asarray(np.arange(6, dtype=np.float32).reshape(3, 2).T))
    save_weights(tmp_path / "w", one)
    load_weights(tmp_path / "w", two)
    assert two.weight.tolist() == one.weight.tolist()


# -------------------------------------------------------------------------------------------------- writing at all cost


@pytest.mark.parametrize("place", ["os.fsync", "pathlib.Path.replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w"
    save_weights(path, model(1))
    before = path.read_bytes()

    def fails(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(place, fails)
    with pytest.raises(dc.StorageError, match=f"cannot save to {path}: No space left on device"):
        save_weights(path, model(2))
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"old")

    def interrupted(fd: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_file(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [check_writable, lambda path: replace_file(path, b"new")])
def test_an_interruption_as_a_file_is_made_leaves_none(
    write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    opened = Path.open

    def interrupted(path: Path, mode: str) -> Any:
        made.append(opened(path, mode))
        made[-1].close()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "w")
    assert len(made) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_umask_is_respected(mask: int, tmp_path: Path) -> None:
    old = os.umask(mask)
    try:
        replace_file(tmp_path / "w", b"x")
        assert os.umask(mask) == mask
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "w").stat().st_mode) == 0o666 & ~mask


def test_places_that_no_file_can_be_in(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path, reason in (
        (tmp_path, "it is a folder"),
        (tmp_path / "no" / "w", "No such file or directory"),
        (tmp_path / "file" / "w", "Not a directory"),
        (Path("/proc/w"), ""),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        message = f"cannot save to {path}: .*{reason}"
        with pytest.raises(dc.StorageError, match=message):
            check_writable(path)
        with pytest.raises(dc.StorageError, match=message):
            save_weights(path, model())
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_pipes_and_devices_are_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/null")):
        with pytest.raises(dc.StorageError, match="it is a device or a pipe"):
            check_writable(path)
        with pytest.raises(dc.StorageError, match="it is a device or a pipe"):
            save_weights(path, model())
    assert pipe.is_fifo()
    assert Path("/dev/null").is_char_device()


def test_asking_whether_a_file_can_be_written_writes_none(tmp_path: Path) -> None:
    check_writable(tmp_path / "w")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "w").write_bytes(b"old")
    check_writable(tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == b"old"


# ----------------------------------------------------------------------------------------------------- reading anything


def refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    m = model(3)
    before = values(m)
    with pytest.raises((dc.DataError, dc.StateError)):
        load_weights(path, m)
    assert values(m) == before


def test_truncated_files(tmp_path: Path) -> None:
    save_weights(tmp_path / "w", model(1))
    content = (tmp_path / "w").read_bytes()
    for length in (*range(0, len(content), 7), len(content) - 1):
        (tmp_path / "w").write_bytes(content[:length])
        with pytest.raises(dc.DataError, match="is not a safetensors file, or is damaged"):
            load_weights(tmp_path / "w", model())
    refused(tmp_path / "w", content + b"\0")


def test_flipped_bits_in_the_header(tmp_path: Path) -> None:
    save_weights(tmp_path / "w", model(1))
    content = (tmp_path / "w").read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    for place in range(end):
        for bit in (0, 3, 6):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            (tmp_path / "w").write_bytes(damaged)
            m = model(3)
            try:
                load_weights(tmp_path / "w", m)
            except (dc.DataError, dc.StateError):
                assert values(m) == values(model(3))


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04" + b"x" * 100, b"\xff" * 64, b"{}", b"\x02" + b"\0" * 7 + b"[]"]
)
def test_files_of_other_formats(content: bytes, tmp_path: Path) -> None:
    refused(tmp_path / "w", content)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    import pickle

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "boom"),)

    refused(tmp_path / "w", pickle.dumps(Bomb()))
    assert not (tmp_path / "boom").exists()


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(dc.StorageError, match=r"cannot read .*w: No such file or directory"):
        load_weights(tmp_path / "w", model())
    with pytest.raises(dc.StorageError, match=r"cannot read .*: Is a directory"):
        load_weights(tmp_path, model())


def test_weights_of_another_model(tmp_path: Path) -> None:
    save_weights(tmp_path / "w", nn.Dense(4, 2))
    with pytest.raises(dc.StateError, match=r"weight: shape \(4, 2\) in the state, \(3, 2\) in the model"):
        load_weights(tmp_path / "w", model())
