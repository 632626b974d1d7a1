"""What a run is trained with: every option of ``deepcore train`` under its name, on the command line and in TOML files.

The command line wins over the file, and the file over the defaults. What took effect is saved beside the run.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin, get_type_hints

from .._backend import Library
from .._errors import ConfigError, StorageError
from ..checkpoint import replace_file
from .named import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every option. None stands for what follows from the data, the model or the optimizer, or for nothing."""

    # the data
    data: str = "digits"
    data_dir: str | None = None
    target: list[str] | None = None
    task: str | None = None
    test_data: str | None = None
    test_size: float | None = None
    validation_size: float | None = None
    stratify: bool | None = None
    standardize: bool | None = None
    size: str | None = None
    # the model
    model: str = "mlp"
    hidden: list[int] | None = None
    activation: str | None = None
    dropout: float = 0.0
    # training
    device: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    optimizer: str = "adam"
    lr: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    schedule: str = "constant"
    warmup: int = 0
    clip_norm: float | None = None
    accumulate: int = 1
    ema: float | None = None
    precision: str = "float32"
    patience: int | None = None
    compile: bool | None = None
    threads: int | None = None
    seed: int = 0
    # what is written
    checkpoint: str | None = None
    save: str | None = None
    json: str | None = None
    csv: str | None = None
    plot: str | None = None
    report: str | None = None
    tensorboard: str | None = None
    quiet: bool = False


_toml: Any = Library("tomllib")  # which takes as long to import as all commands
TYPES: Final[dict[str, Any]] = get_type_hints(Settings)
_WORDS: Final = {str: "text", int: "a whole number", float: "a number", bool: "true or false", list: "a list"}
PATHS: Final = ("data_dir", "test_data", "checkpoint", "save", "json", "csv", "plot", "report", "tensorboard")


def settled(file: Path | None, given: Mapping[str, Any]) -> Settings:
    """Return the settings of a file, if there is one, and of the command line.

    Raises
    ------
    ConfigError
        For a name in the file that is none of an option, or a value of another type.
    StorageError
        If the file cannot be read.
    """
    settings = Settings() if file is None else read(file)
    return replace(settings, **given)


def read(path: Path) -> Settings:
    """Return the settings in a TOML file. Names may be written with hyphens, as on the command line."""
    try:
        content: dict[str, Any] = _toml.loads(path.read_bytes().decode())
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise StorageError(msg) from error
    except ValueError as error:  # also of text that is not UTF-8
        msg = f"{path} is not a TOML file: {error}"
        raise ConfigError(msg) from error
    return Settings(**{name: _checked(path, name, value) for name, value in _known(path, content)})


def _known(path: Path, content: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    names = [field.name for field in fields(Settings)]
    for written, value in content.items():
        name = written.replace("-", "_")
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"the known ones are {', '.join(names)}"
            msg = f"{path}: there is no option {written!r}; {meant}"
            raise ConfigError(msg)
        yield name, value


def _checked(path: Path, name: str, value: Any) -> Any:
    """Return a value of a file in the type of the option, if it is of it."""
    wanted = TYPES[name]
    kinds = [kind for kind in get_args(wanted) if kind is not type(None)] if isinstance(wanted, UnionType) else [wanted]
    (kind,) = kinds
    if get_origin(kind) is list:
        (element,) = get_args(kind)
        if isinstance(value, list) and all(_is_a(item, element) for item in value):
            return value
        expected = f"a list of {'texts' if element is str else 'whole numbers'}"
    elif _is_a(value, kind):
        return float(value) if kind is float else value
    else:
        expected = _WORDS[kind]
    msg = f"{path}: {name} is {expected}, not {value!r}"
    raise ConfigError(msg)


def _is_a(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def widths(text: str | None) -> list[int] | None:
    """Return the widths of layers that the command line has with commas between them, if it has any."""
    return None if text is None else whole_numbers("hidden", text, example="100,50")


def whole_numbers(option: str, text: str, *, example: str) -> list[int]:
    """Return the numbers that an option has with commas between them.

    Raises
    ------
    ConfigError
        If they are none, with what they could be.
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(part.isascii() and part.isdigit() and len(part) < 10 and int(part) > 0 for part in parts):
        msg = (
            f"--{option} is whole numbers from 1 to 999999999 with commas between them, such as {example}, not {text!r}"
        )
        raise ConfigError(msg)
    return [int(part) for part in parts]


def write(path: Path, settings: Settings, *, comment: str) -> None:
    """Save settings as a TOML file that :func:`read` reads. What is None is left out.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    replace_file(path, as_toml(settings, comment=comment).encode())


def as_toml(settings: Settings, *, comment: str) -> str:
    """Return what :func:`write` saves."""
    lines = [f"# {comment}", ""]
    for field in fields(settings):
        value = getattr(settings, field.name)
        if value is not None:
            lines.append(f"{field.name} = {_written(value)}")
    return "\n".join(lines) + "\n"


def _written(value: Any) -> str:
    """Return a value as TOML has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, str):
        return f'"{"".join(map(_escaped, value))}"'
    return repr(value)


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character < " " or character == "\x7f":
        return f"\\u{ord(character):04x}"
    if "\ud800" <= character <= "\udfff":
        msg = f"a name with {character!r}, which is not Unicode, cannot be saved with the run; rename the file"
        raise ConfigError(msg)
    return character


def absolute(settings: Settings) -> Settings:
    """Return settings whose paths are those from the root, so that they mean the same from every folder."""
    there: dict[str, Any] = {
        name: str(Path(value).absolute()) for name in PATHS if (value := getattr(settings, name)) is not None
    }
    if named(settings.data) is None:
        there["data"] = str(Path(settings.data).absolute())
    return replace(settings, **there)
