"""Every operation, on the samples of its declaration, as an ONNX file that onnxruntime runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import onnx
from deepcore._primitive import Primitive, Sample, registry
from deepcore.testing import sample_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., list[Any]]


OPSET = 18
"""The first with operators on bits."""

NOT_IN_ONNX = {
    **dict.fromkeys(("bitwise_left_shift", "bitwise_right_shift"), "ONNX shifts unsigned integers only"),
    **dict.fromkeys(("cumulative_prod", "isin", "nextafter"), "no operator"),
    **dict.fromkeys(("linalg.cholesky", "linalg.cross", "linalg.diagonal", "linalg.eig"), "no operator"),
    **dict.fromkeys(("linalg.eigh", "linalg.eigvals", "linalg.eigvalsh", "linalg.inv"), "no operator"),
    **dict.fromkeys(("linalg.matrix_rank", "linalg.pinv", "linalg.qr", "linalg.slogdet"), "no operator"),
    **dict.fromkeys(("linalg.solve", "linalg.svd", "linalg.svdvals"), "no operator"),
    "transfer": "leaves the program",
    **dict.fromkeys(("unique_all", "unique_counts", "unique_inverse", "unique_values"), "shapes depend on values"),
}
"""Operations that inference seldom needs, and why they cannot be exported."""

Case = tuple[Primitive[...], Sample]


def cases(*, exported: bool) -> Iterator[Any]:
    for name in sorted(registry):
        primitive = registry[name]
        if name.startswith("fft.") or (name in NOT_IN_ONNX) is exported:
            continue  # ONNX's data types that its operators compute with are real
        samples = primitive.samples[:1] if name.startswith("special.") else primitive.samples  # hundreds of nodes each
        for k, sample in enumerate(samples):
            if not sample.complex:
                yield pytest.param((primitive, sample), id=f"{name}-{k}")


def called(case: Case) -> tuple[Any, list[Any]]:
    """Return the operation as a function of its arrays, and the arrays."""
    operation: Any = case[0]
    operands, parameters = sample_arguments(*case, "cpu", dc.float32)
    arrays = [x for part in operands for x in (part if isinstance(part, list) else [part])]

    def function(*given: Any) -> Any:
        rest = iter(given)
        own = [[next(rest) for _ in part] if isinstance(part, list) else next(rest) for part in operands]
        result = operation(*own, **parameters)
        return tuple(result) if isinstance(result, tuple) else (result,)

    return function, arrays


@pytest.mark.parametrize("case", list(cases(exported=True)))
def test_an_operation_computes_the_same_in_onnxruntime(case: Case, run: Run) -> None:
    function, arrays = called(case)
    proto = onnx.model_proto(function, tuple(arrays), opset=OPSET, dynamic_batch=False)
    for found, expected in zip(run(proto, *(x.numpy() for x in arrays)), function(*arrays), strict=True):
        assert found.dtype == expected.numpy().dtype
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", list(cases(exported=False)))
def test_what_onnx_does_not_have_is_named_with_its_line(case: Case, run: Run) -> None:
    function, arrays = called(case)
    with pytest.raises(dc.CompileError, match=r"test_operations\.py:\d+"):
        onnx.model_proto(function, tuple(arrays), opset=OPSET, dynamic_batch=False)
