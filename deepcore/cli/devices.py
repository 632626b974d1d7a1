"""``deepcore devices``."""

from __future__ import annotations

from rich.table import Table

from .._backend import Backend, known_backends
from .._device import device
from .console import output


def devices() -> None:
    """List the array libraries: installed or not, their devices, and the command that installs each.

    Examples
    --------
      deepcore devices
    """
    table = Table("library", "version", "devices", title="array libraries")
    for backend in known_backends():
        table.add_row(backend.name, *_row(backend))
    output.print(table)
    missing = [backend for backend in known_backends() if not backend.is_installed]
    if missing:
        output.print("To install what is missing:")
    for backend in missing:
        output.print(f"  {backend.install_command:<42} {backend.name}", markup=False, soft_wrap=True)
    output.print("Choose a device with --device, for example: deepcore train --device cpu")


def _row(backend: Backend) -> tuple[str, str]:
    if not backend.is_installed:
        return "not installed", ""
    try:
        names = [str(device(f"{backend.name}:{name}")) for name in backend.devices]
        return backend.version, "\n".join(names) or "none usable (no driver, or no GPU)"
    except (ImportError, OSError, RuntimeError) as error:  # installed, but broken: say so and go on with the others
        return "?", f"cannot be used: {error}"
