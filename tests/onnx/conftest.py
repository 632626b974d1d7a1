"""onnxruntime, which runs what is exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., list[Any]]
    Prepare = Callable[[Any], Run]


@pytest.fixture(scope="session")
def prepare() -> Prepare:
    """Return what makes a function of arrays of a model: their order is that of the model's inputs."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    runtime: Any = pytest.importorskip("onnxruntime", reason="onnxruntime is the oracle here")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1

    def prepared(proto: Any) -> Run:
        session = runtime.InferenceSession(
            proto.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
        )
        names = [given.name for given in session.get_inputs()]

        def run(*arrays: Any) -> list[Any]:
            return list(session.run(None, dict(zip(names, arrays, strict=True))))

        return run

    return prepared


@pytest.fixture(scope="session")
def run(prepare: Prepare) -> Run:
    """Return what runs a model once on arrays."""
    return lambda proto, *arrays: prepare(proto)(*arrays)
