"""Build the distributions, and try the wheel where there is nothing else.

The wheel is built from the sdist, so both are complete when the wheel is: it must contain every file of the
source packages, import in a fresh virtual environment, find its adapters there, and have a working command.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PROBE = """
from importlib.metadata import entry_points, version
from importlib.resources import files
from importlib.util import find_spec
import deepcore

assert deepcore.__version__ == version("deepcore-xp"), "the versions differ"
assert files("deepcore").joinpath("py.typed").is_file(), "py.typed is missing"
modules = {entry.module for entry in entry_points(group="deepcore.backends")}
missing = [module for module in sorted(modules) if find_spec(module) is None]
assert not missing, f"adapters are missing: {missing}"
print("deepcore", deepcore.__version__, "with", ", ".join(sorted(modules)))
"""


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command, or end with its exit status."""
    print("$", *command, flush=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    status = subprocess.run(command, cwd=cwd, env=environment, check=False).returncode
    if status:
        sys.exit(status)


def source_files() -> set[str]:
    """Return every file of the source packages, by its name in the wheel."""
    found: set[str] = set()
    for top, base in ((ROOT / "deepcore", ROOT), (ROOT / "backends", ROOT / "backends")):
        for path in top.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                found.add(path.relative_to(base).as_posix())
    return found


def compare(wheel: Path) -> None:
    """End with a list of the files that are in the source or in the wheel, but not in both."""
    packaged = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    source = source_files()
    problems = [f"not in the wheel: {name}" for name in sorted(source - packaged)]
    problems += [f"not in the source: {name}" for name in sorted(packaged - source)]
    if problems:
        sys.exit("\n".join(problems))
    print(f"{wheel.name}: {len(packaged)} files, {wheel.stat().st_size / 1e6:.1f} MB", flush=True)


def main() -> None:
    """Build, compare, install, import."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        run(sys.executable, "-m", "build", "--outdir", work / "dist", ROOT)
        distributions = sorted((work / "dist").iterdir())
        run(sys.executable, "-m", "twine", "check", "--strict", *distributions)
        (wheel,) = (work / "dist").glob("*.whl")
        compare(wheel)

        home = work / "venv"
        venv.create(home, with_pip=True)
        scripts = Path(sysconfig.get_path("scripts", "venv", {"base": str(home)}))
        run(scripts / "python", "-m", "pip", "install", "--quiet", wheel, cwd=work)
        run(scripts / "python", "-m", "pip", "check", cwd=work)
        run(scripts / "python", "-c", PROBE, cwd=work)
        run(scripts / "deepcore", "--version", cwd=work)


if __name__ == "__main__":
    main()
