"""Files: names, metadata, any number of samples, and errors that say what and where."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, onnx
from deepcore.random import Generator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deepcore._device import Device

    Run = Callable[..., list[Any]]

library: Any = pytest.importorskip("onnx", reason="onnx is not installed")

g = Generator(3)
dense = partial(nn.Dense, generator=g)
X = np.random.default_rng(5).normal(size=(4, 6)).astype(np.float32)


def shapes(values: Any) -> dict[str, list[Any]]:
    return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}


# --------------------------------------------------------------------------------------------------------------- files


def test_a_file_is_a_checked_model(tmp_path: Path) -> None:
    model = nn.Sequential(dense(6, 4, activation="relu"), nn.BatchNorm1d(4), dense(4, 2))
    path = tmp_path / "model.onnx"
    onnx.export(model, path, X, metadata={"trained on": "digits"}, description="A model of a test.")
    library.checker.check_model(str(path), full_check=True)
    proto = library.load(str(path))
    assert proto.producer_name == "deepcore"
    assert proto.producer_version == dc.__version__
    assert proto.doc_string == "A model of a test."
    assert {p.key: p.value for p in proto.metadata_props} == {"trained on": "digits"}
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", 17)]
    assert proto.graph.name == "Sequential"
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert model.training


def test_weights_have_the_names_of_the_parameters_and_their_values() -> None:
    model = nn.Sequential(dense(6, 4), nn.Reshape(1, 4), nn.Sequential(nn.GRU(4, 3, generator=g, returns="last")))
    proto = onnx.model_proto(model, X)
    found = {i.name: library.numpy_helper.to_array(i) for i in proto.graph.initializer}
    for name, value in model.named_parameters():
        np.testing.assert_array_equal(found[name], value.numpy())
    assert all(
        node.name.startswith(("0/", "1/", "2.0")) for node in proto.graph.node if node.op_type in ("Gemm", "GRU")
    )


def test_a_file_that_cannot_be_written_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(dc.StorageError, match="cannot save"):
        onnx.export(dense(6, 2), tmp_path / "nowhere" / "model.onnx", X)
    (tmp_path / "model.onnx").write_text("before")
    with pytest.raises(dc.CompileError):
        onnx.export(nn.Lambda(dc.linalg.inv), tmp_path / "model.onnx", X[:, None, :1])
    assert (tmp_path / "model.onnx").read_text() == "before"


def test_inputs_and_outputs_have_names() -> None:
    def function(a: Any, b: Any) -> Any:
        return {"sum": a + b, "product": a * b}

    proto = onnx.model_proto(function, (X, X))
    assert shapes(proto.graph.input) == {"a": ["batch", 6], "b": ["batch", 6]}
    assert shapes(proto.graph.output) == {"sum": ["batch", 6], "product": ["batch", 6]}
    proto = onnx.model_proto(function, (X, X), input_names=["left", "right"], output_names=["s", "p"])
    assert [*shapes(proto.graph.input), *shapes(proto.graph.output)] == ["left", "right", "s", "p"]
    proto = onnx.model_proto(nn.Parallel(nn.Tanh(), nn.ReLU()), X)
    assert [*shapes(proto.graph.input), *shapes(proto.graph.output)] == ["x", "output_0", "output_1"]
    assert [*shapes(onnx.model_proto(nn.Tanh(), X).graph.output)] == ["output"]


def test_names_that_collide_are_told_apart(run: Run) -> None:
    model = dense(6, 4)
    proto = onnx.model_proto(model, X, input_names=["weight"], output_names=["bias"])
    expected = model(dc.asarray(X)).numpy()
    np.testing.assert_allclose(run(proto, X)[0], expected, atol=1e-6)
    with pytest.raises(dc.ConfigError, match="1 inputs have as many different names"):
        onnx.model_proto(model, X, input_names=["a", "b"])
    with pytest.raises(dc.ConfigError, match="different"):
        onnx.model_proto(model, X, input_names=["a"], output_names=["a"])


def test_an_output_may_be_an_input_a_constant_or_there_twice(run: Run) -> None:
    def function(x: Any) -> Any:
        y = x * 2.0
        return x, y, y, dc.ones(3)

    found = run(onnx.model_proto(function, X), X)
    for a, b in zip(found, function(dc.asarray(X)), strict=True):
        np.testing.assert_array_equal(a, b.numpy())


def test_what_is_not_needed_is_left_out() -> None:
    def function(x: Any) -> Any:
        _ = dc.exp(x)
        return x + 1.0

    proto = onnx.model_proto(function, X)
    assert [node.op_type for node in proto.graph.node] == ["Add"]
    assert len(proto.graph.initializer) == 1


def test_a_model_from_any_device(device: Device, run: Run) -> None:
    model = nn.Sequential(dense(6, 4, activation="gelu"), nn.LayerNorm(4)).to(device)
    x = dc.asarray(X, device=device)
    with dc.no_grad():
        expected = model.eval()(x).to_device("cpu").numpy()
    np.testing.assert_allclose(run(onnx.model_proto(model, x), X)[0], expected, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_data_types(dtype: str, run: Run) -> None:
    model = nn.Sequential(dense(6, 4, activation="relu"), dense(4, 2)).astype(getattr(dc, dtype))
    x = X.astype(dtype)
    (found,) = run(onnx.model_proto(model, x), x)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, model(dc.asarray(x)).numpy(), atol=1e-2 if dtype == "float16" else 1e-12)


# ---------------------------------------------------------------------------------------------------- number of samples


def expected_of(function: Any, *arrays: Any) -> Any:
    with dc.no_grad():
        return function(*map(dc.asarray, arrays)).numpy()


def with_zeros(x: Any) -> Any:
    y = +x
    y[:, 1:4:2] = 0.0
    return y


FUNCTIONS: dict[str, Any] = {
    "a shape in which the number is twice": lambda x: x[:, None, :] - dc.reshape(x, (1, x.shape[0], 6)),
    "a shape with the number and a multiple of it": lambda x: dc.reshape(
        x[:, None, :] * x, (x.shape[0], x.shape[0] * 6)
    ),
    "a multiple of the number": lambda x: dc.reshape(x, (x.shape[0] * 2, 3)),
    "one less than the number": lambda x: x[1:, :] - x[: x.shape[0] - 1, :],
    "the mean over the samples": lambda x: dc.mean(x, axis=0),
    "the variance over the samples": lambda x: dc.var(x, axis=0, correction=1.0),
    "constants for each sample": lambda x: x + dc.zeros((x.shape[0], 6)) + 2.0 * dc.ones((x.shape[0], 1)),
    "the position of each sample": lambda x: x * dc.astype(dc.arange(x.shape[0]), dc.float32)[:, None],
    "a broadcast": lambda x: dc.broadcast_to(x[:1, :], (x.shape[0], 6)),
    "the samples in reverse order": lambda x: dc.flip(x, axis=0),
    "sorted along the samples": lambda x: dc.sort(x, axis=0),
    "elements replaced in each sample": with_zeros,
    "sums over all": lambda x: dc.cumulative_sum(x, axis=0),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_any_number_of_samples(name: str, run: Run) -> None:
    function = FUNCTIONS[name]
    proto = onnx.model_proto(function, X)
    for n in (4, 7, 11):
        x = np.random.default_rng(n).normal(size=(n, 6)).astype(np.float32)
        np.testing.assert_allclose(run(proto, x)[0], expected_of(function, x), atol=1e-5)


def test_samples_may_be_another_axis(run: Run) -> None:
    model = nn.GRU(6, 5, batch_first=False, returns="sequence", generator=g)
    example = np.random.default_rng(0).normal(size=(3, 2, 6)).astype(np.float32)
    proto = onnx.model_proto(model, example, batch_axis=1)
    assert shapes(proto.graph.input) == {"x": [3, "batch", 6]}
    assert shapes(proto.graph.output) == {"output": [3, "batch", 5]}
    x = np.random.default_rng(1).normal(size=(3, 7, 6)).astype(np.float32)
    np.testing.assert_allclose(run(proto, x)[0], expected_of(model, x), atol=1e-5)


def test_sequences_of_different_lengths(run: Run) -> None:
    for layer in (nn.LSTM(6, 5, generator=g, bidirectional=True), nn.GRU(6, 5, generator=g), nn.RNN(6, 5, generator=g)):

        def function(x: Any, lengths: Any, layer: Any = layer) -> Any:
            return layer(x, lengths=lengths)[0]

        x = np.random.default_rng(0).normal(size=(3, 4, 6)).astype(np.float32)
        lengths = np.array([4, 1, 2])
        proto = onnx.model_proto(function, (x, lengths))
        more = np.random.default_rng(1).normal(size=(5, 4, 6)).astype(np.float32)
        ends = np.array([3, 4, 1, 2, 4])
        np.testing.assert_allclose(run(proto, more, ends)[0], expected_of(function, more, ends), atol=1e-5)


def test_all_memory_cells_of_an_lstm(run: Run) -> None:
    cell = nn.LSTMCell(6, 5, generator=g)

    def function(x: Any) -> Any:
        y = dc.matmul(x, cell.weight_input)
        zeros = dc.zeros((x.shape[1], 5))
        return dc.ops.recurrence.lstm_sequence(y, cell.weight_hidden, zeros, zeros)[1]

    x = np.random.default_rng(0).normal(size=(4, 3, 6)).astype(np.float32)
    proto = onnx.model_proto(function, x, batch_axis=1)
    assert "LSTM" not in {node.op_type for node in proto.graph.node}  # which gives the last one alone
    np.testing.assert_allclose(run(proto, x)[0], expected_of(function, x), atol=1e-5)


def test_attention_is_a_softmax_where_there_is_no_mask(run: Run) -> None:
    layer = nn.MultiHeadAttention(8, 2, generator=g)
    x = np.random.default_rng(0).normal(size=(3, 5, 8)).astype(np.float32)
    assert "Softmax" in {node.op_type for node in onnx.model_proto(layer, x).graph.node}
    padding = np.array([[True, True, False, True, True], [False] * 5, [True] * 5])

    def masked(x: Any, padding: Any) -> Any:
        return layer(x, key_padding_mask=padding, is_causal=True)

    proto = onnx.model_proto(masked, (x, padding))
    np.testing.assert_allclose(run(proto, x, padding)[0], expected_of(masked, x, padding), atol=1e-5)
    proto = onnx.model_proto(partial(layer, is_causal=True), x)
    np.testing.assert_allclose(run(proto, x)[0], expected_of(partial(layer, is_causal=True), x), atol=1e-5)


def test_normalisers_of_attention_are_no_weights(run: Run) -> None:
    def function(x: Any) -> Any:
        return tuple(dc.ops.attention_with_kept(x, x, x, keep="logsumexp"))

    x = np.random.default_rng(0).normal(size=(3, 5, 8)).astype(np.float32)
    for found, expected in zip(run(onnx.model_proto(function, x), x), function(dc.asarray(x)), strict=True):
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_statistics_of_another_axis_than_that_of_channels(run: Run) -> None:
    mean, variance = dc.asarray(X[0, :4]), dc.asarray(X[1, :4] ** 2 + 0.1)

    def function(x: Any) -> Any:
        return dc.ops.batch_norm_inference(x, mean, variance, axis=(0, 1))

    x = np.random.default_rng(0).normal(size=(3, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(run(onnx.model_proto(function, x), x)[0], expected_of(function, x), atol=1e-5)


def test_a_fixed_number_of_samples(run: Run) -> None:
    proto = onnx.model_proto(lambda x: x - x[0], X, dynamic_batch=False)
    assert shapes(proto.graph.input) == {"x": [4, 6]}
    np.testing.assert_array_equal(run(proto, X)[0], X - X[0])


# -------------------------------------------------------------------------------------------------------------- errors


def squares(x: Any) -> Any:
    return dc.reshape(x[:, None, :] * x, (x.shape[0] ** 2, 6))


def table(x: Any) -> Any:
    return x + dc.asarray(np.random.default_rng(0).normal(size=(x.shape[0], 6)).astype(np.float32))


def different(x: Any) -> Any:
    return dc.exp(x) if x.shape[0] > 2 else x + 1


def unrolled(x: Any) -> Any:
    for _ in range(x.shape[0]):
        x = x + 1
    return x


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (squares, "is 4, 9 and 25, which is no multiple"),
        (table, "follows it in no simple way"),
        (different, "it calls add or exp"),
        (unrolled, "it has 2 or 3 or 5 calls"),
        (lambda x: x * float(x.shape[0]), "is 2.0 or 3.0 or 5.0"),
    ],
)
def test_what_depends_on_the_number_of_samples_otherwise_is_refused(function: Any, why: str) -> None:
    with pytest.raises(dc.CompileError, match=why) as error:
        onnx.model_proto(function, X)
    assert "dynamic_batch=False" in str(error.value)
    onnx.model_proto(function, X, dynamic_batch=False)


def test_an_operation_that_onnx_lacks_is_named_with_layer_and_line() -> None:
    model = nn.Sequential(nn.Reshape(2, 3), nn.Lambda(lambda x: dc.linalg.svdvals(x)))
    with pytest.raises(dc.CompileError, match=r"linalg\.svdvals .* in 1 \(Lambda\) at .*test_export\.py:\d+ cannot"):
        onnx.model_proto(model, X)


def test_random_numbers_and_state_are_refused() -> None:
    noise = Generator(0)
    with pytest.raises(dc.CompileError, match="random numbers"):
        onnx.model_proto(lambda x: x + noise.normal((6,)), X)

    class Counting(nn.Module):
        def __init__(self) -> None:
            self.count = dc.zeros(())

        def forward(self, x: Any) -> Any:
            self.count += 1.0
            return x + self.count

    with pytest.raises(dc.CompileError, match="own state in evaluation mode, and a file cannot: count"):
        onnx.model_proto(Counting(), X)


def test_a_choice_by_value_is_refused() -> None:
    with pytest.raises(dc.CompileError, match=r"test_export\.py:\d+"):
        onnx.model_proto(lambda x: x if x.sum() > 0 else -x, X)


def test_weights_that_no_file_can_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepcore.onnx.model.LARGEST", 100)
    with pytest.raises(dc.CompileError, match=r"less than 2; convert them first .*float16"):
        onnx.model_proto(dense(6, 5), X)
    onnx.model_proto(dense(6, 3), X)


def test_options_are_checked() -> None:
    with pytest.raises(dc.ConfigError, match="opset is from 17 to 23, not 16"):
        onnx.model_proto(nn.Tanh(), X, opset=16)
    with pytest.raises(dc.ConfigError, match="no axis 2"):
        onnx.model_proto(nn.Tanh(), X, batch_axis=2)
    with pytest.raises(dc.ConfigError, match="has no samples"):
        onnx.model_proto(nn.Tanh(), X[:0])


def test_bits_of_integers_need_a_later_opset(run: Run) -> None:
    x = np.arange(6).reshape(2, 3)
    with pytest.raises(dc.CompileError, match="from opset 18 on"):
        onnx.model_proto(lambda x: x & 3, x)
    np.testing.assert_array_equal(run(onnx.model_proto(lambda x: ~(x & 3), x, opset=18), x)[0], ~(x & 3))


def test_without_the_library_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(dc.BackendError, match=r'pip install "deepcore-xp\[onnx\]"'):
        onnx.model_proto(nn.Tanh(), X)
