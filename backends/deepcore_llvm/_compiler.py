"""Machine code for this processor, kept on disk from one process to the next."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache
from importlib import resources
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import llvmlite
import llvmlite.binding as llvm

from deepcore import __version__
from deepcore._errors import StorageError
from deepcore._files import cache_folder, replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_DIGEST: Final = 32
_KEPT: Final = 500
"""How many files of code are kept."""
_OPTIONS: Final = {
    "speed_level": 3,
    "loop_vectorization": False,  # the lanes are there already
    "slp_vectorization": False,
    "loop_unrolling": False,  # but where a loop asks for it: four times as much code takes as long to compute
}
"""How LLVM makes a module fast."""
_serial = count()


@cache
def machine() -> Any:
    """Return what compiles for this processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="jitdefault",
    )


@cache
def _session() -> Any:
    return llvm.create_lljit_compiler(machine())


class Library:
    """The compiled functions of a module.

    Parameters
    ----------
    source
        The module, in LLVM's language; or, where it is written later, all that it is written from.
    names
        The functions that are called from Python.
    symbols
        Where functions are that the module calls, besides those of the C library.
    write
        What writes the module, if there is no code for it on disk.

    Attributes
    ----------
    addresses
        Where they are.
    """

    def __init__(
        self,
        source: str,
        names: Sequence[str],
        symbols: Mapping[str, int] | None = None,
        write: Callable[[], str] | None = None,
    ) -> None:
        builder = llvm.JITLibraryBuilder().add_object_img(_object(source, write)).add_current_process()
        for name, address in (symbols or {}).items():
            builder.import_symbol(name, address)
        for name in names:
            builder.export_symbol(name)
        self._tracker = builder.link(_session(), f"deepcore-{next(_serial)}")  # the code goes when this goes
        self.addresses: dict[str, int] = {name: self._tracker[name] for name in names}


def _object(source: str, write: Callable[[], str] | None) -> bytes:
    """Return the object file of a module: the one on disk, or a new one, which is kept there if it can be."""
    processor = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    writer = "" if write is None else _writer()
    key = "\n".join([llvmlite.__version__, repr(_OPTIONS), *processor, writer, source])
    path = cache_folder() / "code" / f"{hashlib.sha256(key.encode()).hexdigest()}.o"
    content = _read(path)
    if content is None:
        content = _compiled(source if write is None else write())
        with suppress(OSError, StorageError):  # a machine without a disk to write to computes all the same
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as file:
                file.write(hashlib.sha256(content).digest() + content)
            _clean(path.parent)
    return content


@cache
def _writer() -> str:
    """Return what tells the code that writes modules from that of other versions."""
    digest = hashlib.sha256()
    for package in ("deepcore_llvm", "deepcore.graph", "deepcore"):
        for file in sorted(resources.files(package).iterdir(), key=attrgetter("name")):
            if file.is_file():
                digest.update(file.read_bytes())
    return f"{__version__} {digest.hexdigest()}"


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:_DIGEST], content[_DIGEST:]
    return code if digest == hashlib.sha256(code).digest() else None


def _clean(folder: Path) -> None:
    """Remove the oldest files."""
    files = sorted(folder.glob("*.o"), key=lambda path: path.stat().st_mtime)
    for path in files[:-_KEPT]:
        path.unlink(missing_ok=True)


def _compiled(text: str) -> bytes:
    code: bytes = machine().emit_object(optimized(text, machine()))
    return code


def optimized(text: str, target: Any) -> Any:
    """Return a module as LLVM makes it fast for a machine."""
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options()
    for name, value in _OPTIONS.items():
        setattr(options, name, value)
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    return module
