"""Every check, in the order in which they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cuda import check_cupy, check_driver, check_jax, check_library_path, check_parts, check_torch
from .packages import (
    check_extras,
    check_installation,
    check_libraries,
    check_python,
    check_twice,
    check_versions,
)
from .surroundings import check_environment, check_storage
from .threads import check_blas, check_pools, check_threads, check_variables

if TYPE_CHECKING:
    from .finding import Finding
    from .machine import Machine


def examine(machine: Machine) -> list[Finding]:
    """Return what all checks find.

    Parameters
    ----------
    machine
        What is known of a machine: that of :func:`look`, or one that is made up.

    Examples
    --------
    >>> from deepcore.doctor import Machine, examine
    >>> machine = Machine(installed={"cupy-cuda12x": "14.2.0", "cupy-cuda13x": "14.2.0"}, blas=("openblas", "0.3.29"))
    >>> [finding.found for finding in examine(machine) if finding.verdict == "problem"]
    ['cupy-cuda12x, cupy-cuda13x are installed at once']
    """
    m, probe = machine, machine.probe
    requires = m.requires or ()
    has_gpu = bool(probe.driver.devices)
    checks = [
        check_python(m.python, m.installed),
        check_installation(m.requires, m.installed),
        check_twice(m.twice),
        check_versions(requires, m.installed),
        check_libraries(probe.libraries),
        check_driver(probe.driver, m.gpus, m.installed, m.environment, is_container=m.is_container),
        check_cupy(m.installed, probe.driver),
        check_parts(m.installed, m.cuda_parts),
        check_library_path(m.library_path, m.environment),
        check_torch(m.installed, m.torch_cuda, probe.driver),
        check_jax(m.installed, m.environment, probe.driver),
        check_blas(*m.blas),
        check_threads(m.blas[0], probe.pools, m.environment, m.usable_cores, m.quota),
        check_variables(m.environment),
        check_pools(probe.pools, m.environment),
        check_environment(m.environment, probe.device_error),
        check_storage(m.cache),
        check_extras(requires, m.installed, has_gpu=has_gpu),
    ]
    return [finding for check in checks for finding in check]
