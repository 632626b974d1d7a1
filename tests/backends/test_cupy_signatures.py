"""Whether CuPy takes the calls that deepcore makes, as far as its signatures tell: no GPU is needed to read them."""

from __future__ import annotations

import inspect
import json
from operator import attrgetter
from typing import Any

import numpy as np
import pytest

import deepcore as dc
from deepcore._backend import backend_for_module
from deepcore._primitive import Primitive, registry
from deepcore.testing import sample_arguments

PLAIN: list[Any] = [registry[name] for name in sorted(registry) if not registry[name].composite]


@pytest.fixture(scope="module")
def cupy() -> Any:
    module = pytest.importorskip("cupy", reason="CuPy is not installed")
    if module.__version__.endswith("stand.in"):
        pytest.skip("CuPy is not installed; a stand-in is")
    return module


def test_the_stand_in_has_the_signatures_of_cupy(cupy: Any, signatures: Any) -> None:
    recorded, found = json.loads(signatures.FILE.read_text("utf-8")), signatures.signatures()
    for kind in ("functions", "ufuncs", "shared"):
        # NumPy's newer versions have more functions in common with CuPy than its older ones.
        common = set(recorded[kind]) & set(found[kind])
        assert len(common) > 0.95 * len(recorded[kind])
        differing = {name: found[kind][name] for name in common if found[kind][name] != recorded[kind][name]}
        assert not differing, "python tests/backends/signatures.py"


@pytest.mark.parametrize("declared", PLAIN, ids=lambda p: p.name)
def test_cupy_takes_the_arguments_of_every_primitive(cupy: Any, declared: Primitive[...]) -> None:
    backend = backend_for_module("cupy")
    assert backend is not None
    function = attrgetter(declared.name)(backend.namespace)
    for sample in declared.samples:
        operands, parameters = sample_arguments(declared, sample, "cpu")
        named = dict(parameters)
        positional = [named.pop(name) for name in declared.positional if name in named]
        if type(function).__name__ == "ufunc":  # it has no signature, but says what it computes
            assert (function.nin, positional, named) == (len(operands), [], {})
            kinds = [x.numpy().dtype for x in operands]
            loops = [loop.partition("->")[0] for loop in function.types if "E" not in loop]
            for changed in (np.float32, np.float64):
                given = [np.dtype(changed) if kind == np.float64 else kind for kind in kinds]
                assert any(all(map(np.can_cast, given, loop)) for loop in loops), f"{given} by {loops}"
        else:
            inspect.signature(function).bind(*operands, *positional, **named)


def test_without_a_driver_there_is_no_device(cupy: Any) -> None:
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError:
        count = 0
    assert len([device for device in dc.devices() if device.backend.name == "cupy"]) == count
    if not count:
        with pytest.raises(dc.DeviceError, match="cupy is installed, but has no usable device for 'cuda'"):
            dc.zeros(2, device="cuda")
