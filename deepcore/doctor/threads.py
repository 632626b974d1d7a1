"""Checks of what computes on the CPU: NumPy's BLAS, its threads, and other libraries that have threads too."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from .finding import Finding, setting, unsetting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .machine import Pool

VARIABLES: Final = {
    "openblas": ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"),
    "mkl": ("MKL_NUM_THREADS", "OMP_NUM_THREADS"),
    "blis": ("BLIS_NUM_THREADS", "OMP_NUM_THREADS"),
    "accelerate": ("VECLIB_MAXIMUM_THREADS",),
}
"""The variables that say how many threads a BLAS has, the one that counts first."""

SLOW: Final = ("", "none", "blas", "cblas", "refblas", "netlib", "lapack")
"""What NumPy calls a BLAS that was not written to be fast, or none."""


def family(name: str) -> str:
    """Return which BLAS it is by what NumPy calls it: ``"openblas"``, ``"mkl"``, ... or the name itself.

    Examples
    --------
    >>> family("scipy-openblas"), family("mkl-sdl"), family("FlexiBLAS")
    ('openblas', 'mkl', 'flexiblas')
    """
    return next((known for known in VARIABLES if known in name.lower()), name.lower())


def check_blas(name: str, version: str) -> Iterator[Finding]:
    """Say which BLAS NumPy multiplies matrices with."""
    if family(name) in SLOW:
        means = "matrix products, and with them training, take ten to a hundred times as long as they need"
        mend = "pip install --force-reinstall --only-binary numpy numpy"
        yield Finding("BLAS", "problem", f"{name or 'none'}: not one that was written to be fast", means, mend)
    else:
        yield Finding("BLAS", "ok", f"{name} {version}".strip())


def available(usable: int, quota: float | None) -> int:
    """Return on how many cores it is worth to compute: those that may be used, within what the container may use.

    Examples
    --------
    >>> available(8, 2.5), available(4, None)
    (2, 4)
    """
    return usable if quota is None else max(1, min(usable, math.floor(quota)))


def check_threads(
    name: str, pools: Sequence[Pool], environment: Mapping[str, str], usable: int, quota: float | None
) -> Iterator[Finding]:
    """Hold the threads of BLAS against the cores there are for them."""
    variables = VARIABLES.get(family(name), ("OMP_NUM_THREADS",))
    named = next((v for v in variables if environment.get(v, "").strip().isdecimal()), None)
    known = [pool.threads for pool in pools if pool.kind == "blas" and pool.threads]
    threads = known[0] if known else int(environment[named]) if named else usable
    cores = available(usable, quota)
    by = f", by {named}" if named else ""
    limit = "" if quota is None or quota >= usable else f", and time for {quota:g} of them"
    found = f"{threads} of BLAS{by}; {usable} cores{limit}"
    if threads > cores:
        means = "more threads than cores wait for each other, which may cost more than they compute"
        yield Finding("threads", "advice", found, means, setting(variables[0], cores))
    elif threads < cores:
        means = "matrix products leave the other cores idle, unless something else computes on them"
        mend = setting(variables[0], cores) if named is None else unsetting(named)
        yield Finding("threads", "advice", found, means, mend)
    else:
        yield Finding("threads", "ok", found)


def check_variables(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Find variables about threads with values that say nothing, and a policy that makes threads spin."""
    names = dict.fromkeys(v for variables in VARIABLES.values() for v in variables)
    for name in names:
        value = environment.get(name)
        counts = (value or "").split(",")  # OpenMP takes a number for every level of nesting
        if value is not None and not all(x.strip().isdecimal() and int(x) > 0 for x in counts):
            means = "the number of threads is a whole number from 1; this is passed over, without a word"
            yield Finding(name, "advice", repr(value), means, unsetting(name))
    if environment.get("OMP_WAIT_POLICY", "").upper() == "ACTIVE":
        means = "threads of OpenMP that wait keep their cores busy, in which the threads of BLAS have to wait in turn"
        yield Finding("OMP_WAIT_POLICY", "advice", "ACTIVE", means, setting("OMP_WAIT_POLICY", "PASSIVE"))
    if environment.get("KMP_DUPLICATE_LIB_OK", "").upper() in ("TRUE", "1"):
        means = "it hides that two OpenMP runtimes are loaded, which may crash or give wrong numbers"
        yield Finding("KMP_DUPLICATE_LIB_OK", "advice", "set", means, unsetting("KMP_DUPLICATE_LIB_OK"))


def check_pools(pools: Sequence[Pool], environment: Mapping[str, str]) -> Iterator[Finding]:
    """Find several OpenMP runtimes, or several BLAS, that are loaded once all array libraries are."""
    runtimes = sorted({pool.name for pool in pools if pool.kind == "openmp"})
    copies = [pool for pool in pools if pool.kind == "openmp"]
    if {"libomp", "libiomp"} <= {*runtimes} or ("libgomp" in runtimes and len(runtimes) > 1):
        means = "different runtimes in one process may hang or crash it, and each has threads of its own"
        mend = "python -m threadpoolctl -i numpy torch jax  # says which file is whose"
        yield Finding("OpenMP", "advice", f"{', '.join(runtimes)} in one process", means, mend)
    elif len(copies) > 1 and environment.get("OMP_WAIT_POLICY", "").upper() != "PASSIVE":
        means = "each has threads of its own, which for a while keep cores busy with waiting after they are done"
        mend = setting("OMP_WAIT_POLICY", "PASSIVE")
        yield Finding("OpenMP", "note", f"{len(copies)} copies of {runtimes[0]} in one process", means, mend)
    elif copies:
        yield Finding("OpenMP", "ok", ", ".join(pool.name for pool in copies))
    blas = [pool for pool in pools if pool.kind == "blas"]
    if len({pool.path for pool in blas}) > 1:
        names = ", ".join(sorted({pool.name for pool in blas}))
        found = f"{len(blas)} copies ({names}) in one process; wheels bring their own, each with threads of its own"
        yield Finding("BLAS copies", "ok", found)
