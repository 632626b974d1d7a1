"""Command lines drawn at random over every option of every command: a message and an exit code, and never a traceback.

They are derived from the commands themselves. Training is of one epoch on few samples, nothing is fetched, and the
memory of the process is limited.
"""

from __future__ import annotations

import io
import shutil
import sys
import time
import traceback
import urllib.error
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np
import pytest
import typer
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

import deepcore as dc
from deepcore import bench, data
from deepcore import doctor as clinic
from deepcore.cli import app as cli
from deepcore.cli import completion
from deepcore.data import named
from deepcore.train import Trainer

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

resource = pytest.importorskip("resource", reason="there are no limits of memory on this system")

GROUP: Any = typer.main.get_command(cli.app)
COMMANDS: dict[str, Any] = GROUP.commands
SECONDS = 20.0
MEMORY = 4 << 30
"""How much more memory a command may ask for than the tests have, in bytes."""

# Nothing here leads out of the folder that the tests are in: there is no slash, and the folder is three folders deep.
JUNK = st.one_of(
    st.text(alphabet=" -=,.:;[]{}()\\'\"%$é𝔘→\udcff\n\tabc019", max_size=12),
    st.sampled_from(["", "-", "--", ".", "..", "~", "null", "[bold]", "%s", "{}", "x" * 300, "é" * 200, "\ufeff1"]),
)
WHOLE = st.sampled_from(["0", "1", "2", "7", "64", "-1", "1.5", "1e3", " 3", "1_0", "²", "", "9" * 25, "4294967296"])
REAL = st.sampled_from(["0", "1", "0.5", "0.9", "-1", "nan", "inf", "-inf", "1e308", "1e-320", "0x1", "x", "", "1,5"])
OF_NAME: dict[str, Any] = {
    "device": st.sampled_from(["cpu", "gpu", "cuda", "cpu:7", "torch:cuda:99", "nowhere:cpu", ""]),
    "hidden": st.sampled_from(["", "1", "8", "4,4", "0", "-1", "a", "4,,4", "1" * 30, "999999999"]),
    "input_shape": st.sampled_from(["8,8", "1,8,8", "4", "", "0", "a", "9" * 9, "3,3,3,3,3", "99999,99999"]),
    "size": st.sampled_from(["8", "8x8", "8x", "x", "0", "99999x99999", ""]),
    "peers": st.sampled_from(["sklearn", "nothing", ",", "sklearn,"]),
    "net": st.sampled_from(["4-3-2@5", "4-3@0", "4", "@", "999999999-999999999@2", ""]),
    "activation": st.sampled_from(["relu", "tanh", "glu", "softmax", "rellu", ""]),
    "data": st.sampled_from(["digits", "xor", "iris", "MOONS", "mnist", "cifar10", "cifar"]),
}
"""What options of these names are besides the text that any option may be."""


def values(parameter: Any, hint: Any, paths: list[str]) -> st.SearchStrategy[str]:
    """Return what an option may be given, right and wrong."""
    kind = str(hint).lower()
    drawn: list[Any] = [JUNK]
    if "int" in kind:
        drawn += [WHOLE] * 3
    elif "float" in kind:
        drawn += [REAL] * 3
    elif parameter.name in OF_NAME:
        drawn += [OF_NAME[parameter.name]] * 4
    elif parameter.name in completion.VALUES:
        drawn += [st.sampled_from([*completion.VALUES[parameter.name]()])] * 4
    if "path" in kind or parameter.name in ("data", "run", "source", "result", "model", "test_data"):
        drawn += [st.sampled_from(paths)] * 4
    return st.one_of(drawn)


@st.composite
def command_lines(draw: st.DrawFn, name: str, paths: list[str]) -> list[str]:
    """Draw a command line of a command."""
    arguments: list[str] = []
    hints = get_type_hints(COMMANDS[name].callback)
    for parameter in COMMANDS[name].params:
        hint = hints.get(parameter.name)
        if parameter.param_type_name == "argument":
            if draw(st.integers(0, 9)) or not parameter.required:
                arguments.append(draw(values(parameter, hint, paths)))
            continue
        if parameter.name == "help" or draw(st.integers(0, 4)):
            continue
        option = draw(st.sampled_from([*parameter.opts, *parameter.secondary_opts]))
        if parameter.is_flag:
            arguments.append(option)
        elif option.startswith("--") and draw(st.booleans()):
            arguments.append(f"{option}={draw(values(parameter, hint, paths))}")
        else:
            arguments += [option, draw(values(parameter, hint, paths))]
    if not draw(st.integers(0, 9)):
        arguments.insert(draw(st.integers(0, len(arguments))), draw(JUNK))
    return [name, *arguments]


# --------------------------------------------------------------------------------------------------------- surroundings


@contextmanager
def limited(more: int) -> Generator[None]:
    """Limit the memory that this process may have to so much more than it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:  # noqa: PTH123
        pages = int(file.read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def few_digits() -> data.Dataset:
    whole = data.digits()
    return replace(whole, inputs=whole.inputs[:40], targets=whole.targets[:40])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A folder of runs and files, of which some are damaged; it is the current one."""
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("fuzz") / "a" / "b" / "c"
        place.mkdir(parents=True)
        patch.chdir(place)
        patch.setenv("DEEPCORE_DATA", str(place.parent / "cache"))
        patch.setenv("HOME", str(place.parent))
        patch.delenv("DEEPCORE_DEVICE", raising=False)
        patch.setitem(named.NAMES, "digits", few_digits)
        whole = Trainer.fit

        def fit(self: Trainer, *arguments: Any, epochs: int = 1, **options: Any) -> Any:
            return whole(self, *arguments, epochs=min(epochs, 2), **options)

        def offline(*arguments: Any, **options: Any) -> Any:
            msg = "offline"
            raise urllib.error.URLError(msg)

        patch.setattr(Trainer, "fit", fit)
        patch.setattr("urllib.request.urlopen", offline)
        patch.setattr(bench, "run", lambda *arguments, **options: None)
        patch.setattr(clinic, "look", clinic.Machine)
        for module in ("deepcore.cli.devices", "deepcore._device"):  # others take seconds to be asked what they have
            patch.setattr(f"{module}.known_backends", lambda: [dc.device("cpu").backend])
        digits = ("--epochs", "1", "--hidden", "4", "--quiet")
        table = np.column_stack([np.arange(24) % 5, np.arange(24) % 3, np.arange(24) * 0.5])
        np.savetxt("table.csv", table, delimiter=",", header="a,b,y", comments="")
        np.savez("samples.npz", X=table[:, :2], y=table[:, 1].astype(int))
        (place / "broken.toml").write_text("epochs = [")
        (place / "wrong.toml").write_text('epochs = "many"\n')
        (place / "good.toml").write_text('data = "xor"\nepochs = 1\n')
        (place / "empty").write_bytes(b"")
        (place / "nets.py").write_text("def broken(input_shape, n_outputs):\n    return input_shape[99]\n")
        assert ran("train", *digits, "--checkpoint", "run")[0] == 0
        regression = ("--data", "table.csv", "--task", "regression", "--save", "w.safetensors")
        assert ran("train", *digits, *regression, "--checkpoint", "regression")[0] == 0
        for damage, file in (("a", "config.toml"), ("b", "data.json"), ("c", "checkpoints")):
            assert ran("train", *digits, "--checkpoint", f"damaged-{damage}")[0] == 0
            target = place / f"damaged-{damage}" / file
            victims = [path for path in target.rglob("*") if path.is_file()] if target.is_dir() else [target]
            for victim in victims:
                victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
        yield place


def ran(*arguments: str, encoding: str = "utf-8", given: bytes = b"") -> tuple[int, str]:
    """Run the command line as the console script does, and return its exit code and what it says to stderr."""
    out, err = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["deepcore", *arguments])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), "utf-8"))
        patch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding))
        patch.setattr(sys, "stderr", io.TextIOWrapper(err, encoding, errors="backslashreplace"))
        patch.setenv("COLUMNS", "80")
        try:
            cli.main()
            code: Any = 0
        except SystemExit as end:
            code = end.code
        except BaseException:  # noqa: BLE001  # what is not expected is what is looked for
            code = traceback.format_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        said = err.getvalue().decode(encoding)
    return code if code is not None else 0, said


def check(arguments: list[str], encoding: str = "utf-8", given: bytes = b"") -> None:
    note(f"deepcore {arguments}")
    start = time.perf_counter()
    with limited(MEMORY), np.errstate(all="ignore"):
        code, said = ran(*arguments, encoding=encoding, given=given)
    assert code in (0, 1, 2), code
    assert "Traceback" not in said
    assert time.perf_counter() - start < SECONDS
    if code == 1 and arguments[0] != "doctor":
        assert "error: " in said
        assert "out of memory" not in said or "999999999" in " ".join(arguments)


ENCODINGS = st.sampled_from(["utf-8", "utf-8", "ascii", "cp1252"])
IMPOSSIBLE = ["none", "none/none", "table.csv/none", "/dev/null", "/proc/none/x", "new.json", "new.svg"]
STDIN = st.sampled_from([b"", b"a,b\n1,2\n", b"\xff\xfe\0", b"PK\x03\x04", b"1,2\n3,x\n"])
EXHAUSTIVE = 20
EXAMPLES = {"train": 40, "bench": 10, "devices": 3, "doctor": 5}


def fuzzed(name: str, folder: Path, examples: int) -> None:
    there = {path.name for path in folder.iterdir()}

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
    )
    @given(arguments=command_lines(name, [*sorted(there), *IMPOSSIBLE]), encoding=ENCODINGS, content=STDIN)
    def one(arguments: list[str], encoding: str, content: bytes) -> None:
        try:
            check(arguments, encoding, content)
        finally:
            for path in folder.iterdir():
                if path.name not in there:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    one()


@pytest.mark.parametrize("name", COMMANDS)
def test_any_command_line(name: str, folder: Path) -> None:
    fuzzed(name, folder, EXAMPLES.get(name, 25))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", COMMANDS)
def test_many_command_lines(name: str, folder: Path) -> None:
    fuzzed(name, folder, EXHAUSTIVE * EXAMPLES.get(name, 25))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(words=st.lists(JUNK, min_size=1, max_size=4))
def test_any_words(words: list[str]) -> None:
    check(words)
