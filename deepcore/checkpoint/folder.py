"""Snapshots in a folder: one small file says which are complete, and is replaced when a new one is."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from safetensors import SafetensorError
from safetensors.numpy import save as serialized

from .._errors import DataError, StorageError
from .._files import replacing, synchronize, synchronize_folder
from .._version import __version__
from ._lock import Lock
from ._tree import put_together, taken_apart
from .weights import FORMAT as TENSORS_FORMAT
from .weights import arrays_in

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterable, Mapping
    from types import TracebackType

FORMAT: Final = "deepcore checkpoint"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
LOCK: Final = "lock"
TENSORS: Final = "tensors.safetensors"
REST: Final = "state.json"
FILES: Final = (TENSORS, REST)
_FOLDER: Final = re.compile(r"snapshot-[0-9a-f]{16}")


@dataclass(frozen=True)
class _File:
    bytes: int
    sha256: str


@dataclass(frozen=True)
class _Snapshot:
    folder: str
    files: dict[str, _File]


class CheckpointFolder:
    """States by name in a folder, each with all that it needs or not there at all.

    A state is a tree of dictionaries and lists of tensors, arrays, numbers and strings. It is written to files of its
    own, which are forced to the disk; then the file ``manifest.json``, which says which files belong to which name, how
    long they are and what their SHA-256 is, is replaced by a new one, and what has become superfluous is removed. So
    whenever the program is killed, the machine loses power or the disk is full, the folder holds what was saved last.

    Parameters
    ----------
    path
        The folder. Saving makes it, if there is none.

    Examples
    --------
    >>> import tempfile
    >>> import deepcore as dc
    >>> from deepcore.checkpoint import CheckpointFolder
    >>> folder = CheckpointFolder(tempfile.mkdtemp())
    >>> folder.save({"weights": [dc.ones(2)], "epoch": 3}, names=["last"])
    >>> folder.names()
    ['last']
    >>> state = folder.load("last")
    >>> state["epoch"], state["weights"]
    (3, [array([1., 1.], dtype=float32)])
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = Lock(self.path / LOCK)

    def __repr__(self) -> str:
        return f"CheckpointFolder({str(self.path)!r})"

    # --------------------------------------------------------------------------------------------------- one writer

    def open(self) -> Self:
        """Make the folder, if there is none, and be the only one to save there until :meth:`close`.

        Raises
        ------
        StorageError
            If another run is saving there, or nothing can be written.
        """
        if not self._lock.is_held:
            with self._storing():
                self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        return self

    def close(self) -> None:
        """Let others save."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------------ writing

    def save(self, state: Mapping[str, Any], *, names: Iterable[str] = ("last",)) -> None:
        """Save a state under one or more names. What these names meant before is removed afterwards.

        Raises
        ------
        StorageError
            If it cannot be written, the disk being full for example. What was saved before is still there.
        StateError
            If something in the state cannot be saved.
        """
        arrays, rest = taken_apart(dict(state))
        contents = {TENSORS: serialized(arrays, metadata=TENSORS_FORMAT), REST: rest}
        with self._writing():
            snapshots = self._snapshots() if self.exists() else {}
            self._clean(snapshots)
            snapshot = _Snapshot(
                f"snapshot-{secrets.token_hex(8)}",
                {name: _File(len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()},
            )
            try:
                self._write(snapshot, contents)
                kept = snapshots | dict.fromkeys(names, snapshot)
                self._publish(kept)
            except BaseException:
                # Where the manifest was replaced, and only this is not known to be on the disk, the files are needed.
                with suppress(OSError, DataError, StorageError):
                    self._clean(self._snapshots() if self.exists() else {})
                raise
            self._clean(kept)

    def remove(self, *names: str) -> None:
        """Remove states by name, if they are there."""
        with self._writing():
            if self.exists():
                kept = {name: found for name, found in self._snapshots().items() if name not in names}
                self._publish(kept)
                self._clean(kept)

    @contextmanager
    def _writing(self) -> Generator[None]:
        """Be the only writer here, and turn the system's errors into our own."""
        held = self._lock.is_held
        self.open()
        try:
            with self._storing():
                yield
        finally:
            if not held:
                self.close()

    @contextmanager
    def _storing(self) -> Generator[None]:
        try:
            yield
        except StorageError:
            raise
        except OSError as error:
            msg = f"cannot save to {self.path}: {error.strerror or error}"
            raise StorageError(msg) from error

    def _write(self, snapshot: _Snapshot, contents: Mapping[str, bytes]) -> None:
        folder = self.path / snapshot.folder
        folder.mkdir()
        for name, content in contents.items():
            with (folder / name).open("xb") as file:
                file.write(content)
                synchronize(file)
        synchronize_folder(folder)
        synchronize_folder(self.path)

    def _publish(self, snapshots: Mapping[str, _Snapshot]) -> None:
        body = {name: asdict(snapshot) for name, snapshot in snapshots.items()}
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "deepcore": __version__,
            "snapshots": body,
            "sha256": _digest(body),
        }
        with replacing(self.path / MANIFEST) as file:
            file.write((json.dumps(manifest, indent=2) + "\n").encode())

    def _clean(self, snapshots: Mapping[str, _Snapshot]) -> None:
        """Remove what no name stands for: superfluous snapshots, and what a run that was killed has left."""
        needed = {snapshot.folder for snapshot in snapshots.values()}
        for path in self.path.iterdir():
            if _FOLDER.fullmatch(path.name) and path.name not in needed:
                shutil.rmtree(path, ignore_errors=True)
            elif path.name.startswith(f".{MANIFEST}.") and path.suffix == ".part":
                path.unlink(missing_ok=True)

    # ------------------------------------------------------------------------------------------------------ reading

    def exists(self) -> bool:
        """Whether anything has been saved here."""
        return (self.path / MANIFEST).exists()

    def names(self) -> list[str]:
        """Return the names of the states.

        Raises
        ------
        StorageError
            If the folder cannot be read.
        DataError
            If it is not one of deepcore's, or is damaged.
        """
        return list(self._snapshots()) if self.exists() else []

    def load(self, name: str = "last") -> dict[str, Any]:
        """Return a state. Its tensors have become NumPy arrays.

        Raises
        ------
        StorageError
            If there is none of that name, or it cannot be read.
        DataError
            If it is damaged, or not of deepcore. The message says what is wrong with which file.
        """
        while True:
            snapshot = self._found(name)
            try:
                return self._loaded(snapshot)
            except (StorageError, DataError):
                # A run that saves here at this moment may have removed what we have just been told of.
                if self._found(name) == snapshot:
                    raise

    def _found(self, name: str) -> _Snapshot:
        snapshots = self._snapshots()
        if name not in snapshots:
            msg = f"there is no {name!r} in {self.path}; there are {', '.join(map(repr, snapshots)) or 'none'}"
            raise StorageError(msg)
        return snapshots[name]

    def _loaded(self, snapshot: _Snapshot) -> dict[str, Any]:
        contents = {name: self._checked(snapshot, name) for name in FILES}
        try:
            state: dict[str, Any] = put_together(arrays_in(contents[TENSORS]), contents[REST])
        except (SafetensorError, ValueError, KeyError) as error:
            msg = f"{self.path / snapshot.folder}: {error}"
            raise DataError(msg) from error
        return state

    def _checked(self, snapshot: _Snapshot, name: str) -> bytes:
        path, expected = self.path / snapshot.folder / name, snapshot.files[name]
        content = _read(path)
        if len(content) != expected.bytes:
            msg = f"{path} is damaged: it has {len(content)} bytes, not {expected.bytes}"
            raise DataError(msg)
        if hashlib.sha256(content).hexdigest() != expected.sha256:
            msg = f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}"
            raise DataError(msg)
        return content

    def _snapshots(self) -> dict[str, _Snapshot]:
        path = self.path / MANIFEST
        if not path.exists():
            msg = f"there is no checkpoint in {self.path}: it has no {MANIFEST}"
            raise StorageError(msg)
        try:
            manifest = json.loads(_read(path))
        except (ValueError, RecursionError) as error:
            msg = f"{path} is damaged, or not of deepcore: {error}"
            raise DataError(msg) from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            msg = f"{path} is not of deepcore: its format is not {FORMAT!r}"
            raise DataError(msg)
        if manifest.get("version") != VERSION:
            msg = (
                f"{path} has version {manifest.get('version')} of the format, and deepcore {__version__} reads version "
                f"{VERSION}; it was written by deepcore {manifest.get('deepcore')}"
            )
            raise DataError(msg)
        try:
            body = manifest["snapshots"]
            if _digest(body) != manifest["sha256"]:
                msg = f"{path} is damaged: its SHA-256 is not that of its content"
                raise DataError(msg)
            return {name: _snapshot(entry) for name, entry in body.items()}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            msg = str(error) if isinstance(error, DataError) else f"{path} is damaged: {error!r}"
            raise DataError(msg) from error


def _snapshot(entry: Any) -> _Snapshot:
    """Return a snapshot of a manifest, which may be anybody's: no path in it leads out of the folder."""
    folder = entry["folder"]
    if not _FOLDER.fullmatch(folder):
        msg = f"{folder!r} is not the name of a snapshot's folder"
        raise ValueError(msg)
    return _Snapshot(folder, {name: _File(**entry["files"][name]) for name in FILES})


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise StorageError(msg) from error
