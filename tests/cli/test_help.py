"""What the commands say of themselves: examples that are true, exit codes, suggestions, and what shells complete."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import deepcore as dc
from deepcore.cli import app as cli
from deepcore.cli import completion
from deepcore.cli.group import COMMANDS as LINES

GROUP: Any = typer.main.get_command(cli.app)
COMMANDS: dict[str, Any] = GROUP.commands


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli.app, [str(a) for a in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})


def examples(name: str) -> list[list[str]]:
    """Return the calls of deepcore in the examples of a command: lines may be pipelines, and redirect."""
    _, _, text = COMMANDS[name].help.partition("Examples\n--------\n")
    found: list[list[str]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>")
        lexer.whitespace_split = True
        words = list(lexer)
        for part in re.split("\0[|]\0", "\0".join(words)):
            call = part.split("\0")
            redirection = next((i for i, word in enumerate(call) if word in ("<", ">")), len(call))
            if call[0] == "deepcore":
                found.append(call[1:redirection])
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_true(name: str) -> None:
    """Options exist, and values are of their types; what files have in them is not looked at."""
    calls = examples(name)
    assert calls
    for command, *arguments in calls:
        assert command == name
        COMMANDS[command].make_context(command, arguments).close()


def test_an_example_that_is_false_is_noticed() -> None:
    for wrong in (["--eopchs", "3"], ["--epochs", "x"], ["a", "b"]):
        with pytest.raises(Exception, match=r"No such option|valid integer|unexpected extra"):
            COMMANDS["train"].make_context("train", wrong)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_explained(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Exit codes: 0 done, 1 could not be done, 2 wrong command line, 130 interrupted." in result.output
    for parameter in COMMANDS[name].params:
        assert parameter.help
        assert (parameter.metavar or parameter.opts[-1].lstrip("-")) in result.output


@pytest.mark.parametrize("width", [40, 80, 120])
def test_help_fits_the_terminal(width: int) -> None:
    for name in COMMANDS:
        result = CliRunner().invoke(cli.app, [name, "--help"], env={"COLUMNS": str(width), "NO_COLOR": "1"})
        assert max(map(len, result.output.splitlines())) <= width


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["trian"], "train"),
        (["exprot"], "export"),
        (["train", "--eopchs", "3"], "--epochs"),
        (["show", "mlp", "--input_shape", "3"], "--input-shape"),
        (["doctor", "--jason"], "--json"),
    ],
)
def test_the_nearest_is_suggested(arguments: list[str], near: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert re.search(rf"(Did you mean|Possible options).*{near}", result.output)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_has_the_first_line_of_every_command(name: str) -> None:
    assert COMMANDS[name].help.partition("\n")[0] == LINES[name]
    assert " ".join(LINES[name].split()[:6]) in run("--help").output


def test_a_command_is_imported_when_it_is_called() -> None:
    code = "import sys; from deepcore.cli import main; sys.argv = ['deepcore', *{}]\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "print(*sorted(name for name in sys.modules if name.startswith('deepcore.')), file=sys.stderr)"
    for arguments, wanted, others in (
        (["--help"], set[str](), {"bench", "cli.train", "data", "doctor", "nn", "onnx", "optim", "train"}),
        (["train", "--help"], {"cli.train", "nn"}, {"bench", "cli.bench", "doctor", "onnx", "plot", "sklearn"}),
        (["doctor", "--help"], {"doctor"}, {"bench", "cli.train", "nn", "onnx", "optim", "train"}),
    ):
        command = [sys.executable, "-c", code.format(arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
        found = {name.removeprefix("deepcore.") for name in done.stderr.split()}
        assert wanted <= found
        assert not others & found


# ---------------------------------------------------------------------------------------------------------- completion


def completed(words: str, shell: str = "bash") -> list[str]:
    """Return what a shell is told after words were typed, the last of which may be empty."""
    environment = {"_DEEPCORE_COMPLETE": f"complete_{shell}", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    return CliRunner().invoke(cli.app, [], env=environment, prog_name="deepcore").stdout.split()


@pytest.mark.parametrize(
    ("words", "some"),
    [
        ("deepcore ", {"train", "doctor", "export"}),
        ("deepcore tr", {"train"}),
        ("deepcore train --opt", {"--optimizer"}),
        ("deepcore train --optimizer ", {"adam", "sgd", "lion"}),
        ("deepcore train --optimizer=ada", {"adam", "adamw", "adagrad"}),
        ("deepcore train --data ", set(dc.data.named.NAMES)),
        ("deepcore train --activation g", {"gelu", "glu"}),
        ("deepcore train --schedule co", {"constant", "cosine"}),
        ("deepcore train --precision bf", {"bfloat16"}),
        ("deepcore train --device c", {"cpu"}),
        ("deepcore predict runs/x --device c", {"cpu"}),
        ("deepcore evaluate x --part te", {"test"}),
        ("deepcore evaluate x --snapshot b", {"best"}),
        ("deepcore show ml", {"mlp"}),
        ("deepcore show mlp --program b", {"backward"}),
        ("deepcore bench --peers torch,ja", {"torch,jax"}),
    ],
)
def test_values_are_completed(words: str, some: set[str]) -> None:
    found = {*completed(words)}
    assert some <= found
    typed = words.rpartition(" ")[2].rpartition("=")[2]
    assert all(value.startswith(typed) for value in found)


def test_every_list_is_used() -> None:
    """A parameter that is renamed would lose its completion."""
    names = {parameter.name for command in COMMANDS.values() for parameter in command.params}
    assert completion.VALUES.keys() <= names
    assert all(list(values()) for values in completion.VALUES.values())


def test_completion_imports_no_array_library() -> None:
    code = "import sys, deepcore.cli.completion as c; c.devices(); print({'torch', 'jax', 'cupy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout == "set()\n"


def test_completion_is_installed_where_the_shell_looks() -> None:
    result = CliRunner().invoke(cli.app, ["--show-completion", "bash"], prog_name="deepcore")
    if result.exit_code == 0:  # without a shell that is known, there is only --install-completion bash
        assert "_DEEPCORE_COMPLETE" in result.output
