"""Snapshots in a folder: complete or not there, and never trusted."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

import deepcore as dc
from deepcore.checkpoint import CheckpointFolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._device import Device


def state(i: int) -> dict[str, Any]:
    return {"number": i, "tensors": {"a": np.full(1000, i, np.float32), "b": dc.asarray([i, 2 * i])}, "text": "é" * i}


def number_in(folder: Path, name: str = "last") -> int:
    found = CheckpointFolder(folder).load(name)
    assert (found["tensors"]["a"] == found["number"]).all()
    number: int = found["number"]
    return number


def saved(folder: Path) -> CheckpointFolder:
    """Return a folder with a state under two names."""
    store = CheckpointFolder(folder)
    store.save(state(1), names=["last", "best"])
    return store


def snapshot_in(folder: Path) -> Path:
    (found,) = (path for path in folder.iterdir() if path.name.startswith("snapshot-"))
    return found


# ---------------------------------------------------------------------------------------------------------- round trip


def test_everything_a_state_is_made_of_comes_back(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "none": None,
        "flags": [True, False],
        "integers": [0, -1, 2**64 - 1, 10**30],
        "floats": [0.1, -0.0, 1e-310, math.inf, -math.inf, math.pi],
        "text": "é\n\"'\\ $x",
        "nested": {"a/b": {"c": [1, [2, {}], {"d": []}]}, "a": {"b": {}}},
    }
    CheckpointFolder(tmp_path).save(values)
    found = CheckpointFolder(tmp_path).load()
    assert repr(found) == repr(values)
    CheckpointFolder(tmp_path).save({"x": math.nan, "t": (1, 2), "n": np.float64(0.1)})
    found = CheckpointFolder(tmp_path).load()
    assert math.isnan(found["x"])
    assert (found["t"], found["n"]) == ([1, 2], 0.1)


DTYPES = ["bool", *(f"{k}{n}" for k in ("int", "uint") for n in (8, 16, 32, 64)), "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", [*DTYPES, "complex64", "complex128", ml_dtypes.bfloat16])
@pytest.mark.parametrize("shape", [(), (0, 3), (3, 1, 4)])
def test_arrays_come_back_bit_for_bit(dtype: Any, shape: tuple[int, ...], tmp_path: Path) -> None:
    x = np.asarray(np.random.default_rng(0).integers(0, 2, shape) + 0.0).astype(dtype)
    if x.dtype.kind in "fc" and x.size > 2:
        x[0, 0, :3] = [np.nan, -np.inf, -0.0]
    for array in (x, np.asfortranarray(x), x[::-1] if shape else x):
        CheckpointFolder(tmp_path).save({"x": array})
        found = CheckpointFolder(tmp_path).load()["x"]
        assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes())
        found[...] = 1  # it can be written to


def test_tensors_of_every_library(device: Device, tmp_path: Path) -> None:
    x = dc.asarray([[1.5, -2.0]], device=device)
    CheckpointFolder(tmp_path).save({"x": [x], "x/0": dc.asarray(3, device=device)})
    found = CheckpointFolder(tmp_path).load()
    assert found["x"][0].tolist() == [[1.5, -2.0]]
    assert found["x/0"] == 3  # which has the name that the other has in the file


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "x/0 is a object, which cannot be saved"),
        ({1: 2}, "names that do not begin with"),
        ({"$array": "y"}, r"'\$array' in /x/0 is none"),
        (b"bytes", "x/0 is a bytes"),
        (1j, "x/0 is a complex"),
    ],
)
def test_what_cannot_be_saved(value: object, message: str, tmp_path: Path) -> None:
    store = saved(tmp_path)
    with pytest.raises(dc.StateError, match=message):
        store.save({"x": [value]})
    assert number_in(tmp_path) == 1


def test_names(tmp_path: Path) -> None:
    store = CheckpointFolder(tmp_path / "new" / "folder")
    assert not store.exists()
    assert store.names() == []
    store.save(state(1), names=["last", "best"])
    store.save(state(2))
    store.save(state(3), names=["last", "epoch 3"])
    assert {name: number_in(store.path, name) for name in store.names()} == {"last": 3, "best": 1, "epoch 3": 3}
    assert len([path for path in store.path.iterdir() if path.is_dir()]) == 2  # what no name stands for is removed
    store.remove("best", "never")
    assert store.names() == ["last", "epoch 3"]
    assert sorted(path.name for path in store.path.iterdir()) == ["lock", "manifest.json", snapshot_in(store.path).name]


def test_files_are_replaced_and_not_written_over(tmp_path: Path) -> None:
    store = saved(tmp_path)
    paths = [tmp_path / "manifest.json", *snapshot_in(tmp_path).iterdir()]
    contents = [path.read_bytes() for path in paths]
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(path.open("rb")) for path in paths]
        store.save(state(2), names=["last", "best"])
        assert [file.read() for file in files] == contents  # a reader that came before goes on reading what it opened
    assert not any(path.exists() for path in paths[1:])


def test_other_files_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "snapshot-mine").mkdir()
    saved(tmp_path).save(state(2))
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "snapshot-mine").is_dir()


# ------------------------------------------------------------------------------------------ crashes, and full disks

# What the process is about to do to the disk is heard by audit hooks, which cannot be taken away again: so every moment
# is a process of its own, a fork of one that has imported everything. At its moment it dies, or is told of a full disk.
MOMENTS = """
import errno, os, sys
from pathlib import Path
import numpy as np
from deepcore.checkpoint import CheckpointFolder
from deepcore import StorageError

folder, how = Path(sys.argv[1]), sys.argv[2]
EVENTS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "os.truncate", "fsync")
countdown, happened = -1, []

def hook(event, args):
    global countdown
    if countdown >= 0 and event in EVENTS:
        countdown -= 1
        if countdown < 0:
            if how == "die":
                os._exit(9)
            raise OSError(28, "No space left on device")

def state(i):
    return {"number": i, "tensors": {"a": np.full(1000, i, np.float32)}}

def load():
    found = CheckpointFolder(folder).load()
    assert (found["tensors"]["a"] == found["number"]).all()
    return found["number"]

sync = os.fsync
def fsync(handle):
    sys.audit("fsync")
    sync(handle)
os.fsync = fsync

sys.addaudithook(hook)
CheckpointFolder(folder).save(state(1))
moment, last, seen = 0, 1, set()
while True:
    child = os.fork()
    if child == 0:
        countdown = moment
        try:
            CheckpointFolder(folder).save(state(last + 1))
        except StorageError as error:
            assert "No space left on device" in str(error), error
            os._exit(28)
        os._exit(0 if countdown >= 0 else 1)  # 1: it was told in vain, for what could have been done without
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    now = load()
    assert now in (last, last + 1), (moment, now, last)
    assert code != 0 or now == last + 1
    assert code in (0, 1, 9, 28), code
    assert code != 1 or now == last + 1
    seen.add((code, now - last))
    CheckpointFolder(folder).save(state(now + 1))  # as if nothing had happened
    last = load()
    assert last == now + 1
    assert len(list(folder.iterdir())) == 3, list(folder.iterdir())  # nothing is left behind
    if code == 0:
        break
    moment += 1
print(moment, sorted(seen))
"""


@pytest.mark.parametrize("how", ["die", "full"])
def test_whatever_happens_at_whatever_moment_a_complete_snapshot_is_there(how: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", MOMENTS, str(tmp_path / "run"), how]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    moments, _, outcomes = result.stdout.strip().partition(" ")
    assert int(moments) > 15
    code = 9 if how == "die" else 28
    assert f"({code}, 0)" in outcomes  # before the manifest was replaced
    if how == "die":
        assert f"({code}, 1)" in outcomes  # ... and after it


def test_a_file_that_cannot_grow(tmp_path: Path) -> None:
    saved(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
        with pytest.raises(dc.StorageError, match=f"cannot save to {tmp_path}.*: File too large"):
            CheckpointFolder(tmp_path).save(state(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert number_in(tmp_path) == number_in(tmp_path, "best") == 1
    assert len(list(tmp_path.iterdir())) == 3


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = saved(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(dc.StorageError, match=r"cannot save to .*file: (File exists|Not a directory)"):
        CheckpointFolder(tmp_path / "file").save(state(2))

    def denied(*arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", denied)  # root may write anywhere, so that modes are no test
    with pytest.raises(dc.StorageError, match=f"cannot save to {tmp_path}: Read-only file system"):
        store.save(state(2))
    monkeypatch.undo()
    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(dc.StorageError, match=f"cannot save to {tmp_path}: Read-only file system"):
        store.save(state(2))
    monkeypatch.undo()
    assert number_in(tmp_path) == 1


# ---------------------------------------------------------------------------------------------------------- two writers


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with saved(tmp_path) as store:
        with pytest.raises(dc.StorageError, match=rf"another run is saving to .*: process {os.getpid()} on .*; two"):
            CheckpointFolder(tmp_path).save(state(2))
        assert number_in(tmp_path) == 1  # anybody may read
        store.save(state(3))
    CheckpointFolder(tmp_path).save(state(4))
    assert number_in(tmp_path) == 4


def test_a_child_does_not_hold_what_its_parent_held(tmp_path: Path) -> None:
    script = """
import os, sys
from deepcore.checkpoint import CheckpointFolder
store = CheckpointFolder(sys.argv[1]).open()
if os.fork() == 0:
    print("ready", flush=True)
sys.stdin.read()  # the child outlives its parent
"""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(dc.StorageError, match=f"another run is saving to .*: process {process.pid} on"):
            saved(tmp_path)
        process.kill()
        process.wait()
        saved(tmp_path)


def test_reading_while_another_run_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = saved(tmp_path), CheckpointFolder(tmp_path)
    loaded = reader._loaded
    numbers = iter([2, 3])

    def overtaken(snapshot: Any) -> Any:
        i = next(numbers, None)
        if i is not None:
            writer.save(state(i), names=["last", "best"])
        return loaded(snapshot)

    monkeypatch.setattr(reader, "_loaded", overtaken)
    assert reader.load()["number"] == 3


# ----------------------------------------------------------------------------------------------------- reading anything


def test_damaged_files_are_named(tmp_path: Path) -> None:
    store = saved(tmp_path)
    for name in ("tensors.safetensors", "state.json"):
        path = snapshot_in(tmp_path) / name
        content = path.read_bytes()
        for damaged, what in (
            (content[:-1], f"has {len(content) - 1} bytes, not {len(content)}"),
            (content[:10] + bytes([content[10] ^ 1]) + content[11:], "its SHA-256 is not the one in manifest.json"),
        ):
            path.write_bytes(damaged)
            with pytest.raises(dc.DataError, match=f"{path} is damaged: .*{what}"):
                store.load()
        path.unlink()
        with pytest.raises(dc.StorageError, match=f"cannot read {path}: No such file"):
            store.load()
        path.write_bytes(content)
    assert number_in(tmp_path) == 1


def test_every_flipped_bit_of_the_manifest_is_seen(tmp_path: Path) -> None:
    store = saved(tmp_path)
    path = tmp_path / "manifest.json"
    content = path.read_bytes()
    accepted: set[int] = set()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 7]) + content[place + 1 :])
        try:
            assert store.names() == ["last", "best"]
            accepted.add(place)
        except dc.DataError:
            pass
    # What may be different is white space, and the version of deepcore that wrote it.
    text = content.decode()
    version = text.index('"deepcore": "')
    assert all(text[i].isspace() or version <= i < version + 40 for i in accepted)


def rewritten(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a manifest as somebody would who knows the format."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    body = manifest.get("snapshots")
    manifest["sha256"] = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(manifest))


def set_file(name: str, entry: dict[str, Any], manifest: dict[str, Any]) -> None:
    manifest["snapshots"]["last"]["files"][name] = entry


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format="other"), "is not of deepcore: its format is not 'deepcore checkpoint'"),
        (lambda m: m.update(version=2, deepcore="9.9"), "has version 2 .* reads version 1; it was written by .* 9.9"),
        (lambda m: m.pop("version"), "has version None"),
        (lambda m: m.pop("snapshots"), "damaged"),
        (lambda m: m.update(snapshots=[1]), "damaged"),
        (lambda m: m["snapshots"]["last"].update(folder="../elsewhere"), "'../elsewhere' is not the name of a"),
        (lambda m: m["snapshots"]["last"].update(folder="/etc"), "'/etc' is not the name of a"),
        (lambda m: m["snapshots"]["last"].update(folder=3), "damaged"),
        (lambda m: m["snapshots"]["last"].update(files={}), "damaged"),
        (lambda m: m["snapshots"]["last"]["files"]["state.json"].update(mode=7), "damaged"),
    ],
)
def test_foreign_manifests(change: Callable[[dict[str, Any]], None], message: str, tmp_path: Path) -> None:
    store = saved(tmp_path)
    rewritten(tmp_path, change)
    with pytest.raises(dc.DataError, match=f"manifest.json.*{message}"):
        store.load()
    with pytest.raises(dc.DataError, match=message):
        store.save(state(2))  # nor is it replaced
    assert snapshot_in(tmp_path).is_dir()


@pytest.mark.parametrize("content", [b"", b"[]", b"\x80\x04N.", b"null", b'{"a"', b"[" * 100_000, b"\xff\xfe"])
def test_manifests_that_are_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(dc.DataError, match=r"manifest\.json is (damaged, or )?not of deepcore"):
        CheckpointFolder(tmp_path).load()


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04N.", b'{"x":{"$array":"none"}}', b'{"x":{"$array":[]}}', b'{"x":{"$number":"y"}}']
)
def test_states_that_are_none(content: bytes, tmp_path: Path) -> None:
    store = saved(tmp_path)
    (snapshot_in(tmp_path) / "state.json").write_bytes(content)
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    rewritten(tmp_path, partial(set_file, "state.json", entry))
    with pytest.raises(dc.DataError, match="not a state of deepcore"):
        store.load()


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    import pickle

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "boom"),)

    store = saved(tmp_path)
    content = pickle.dumps(Bomb())
    for name in ("state.json", "tensors.safetensors"):
        (snapshot_in(tmp_path) / name).write_bytes(content)
        entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        rewritten(tmp_path, partial(set_file, name, entry))
    with pytest.raises(dc.DataError):
        store.load()
    assert not (tmp_path / "boom").exists()


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(dc.StorageError, match=r"there is no checkpoint in .*: it has no manifest\.json"):
        CheckpointFolder(tmp_path).load()
    with pytest.raises(dc.StorageError, match=r"there is no 'first' in .*; there are 'last', 'best'"):
        saved(tmp_path).load("first")
