"""How long does a transformer's training step take next to PyTorch's? `python -m benchmarks.transformer [--json FILE]`

Two encoder layers of 256 features, 8 heads and 1024 hidden units, on sequences of 256 positions: forward, backward and
Adam. The weights are the same on both sides, and so are, which is checked, the losses of the steps that warm up. The
rest is as in `benchmarks.attention`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
from pathlib import Path
from typing import Any, Final

import numpy as np

import deepcore as dc
from deepcore import nn, optim

from .attention import timed

SAMPLES, POSITIONS, FEATURES, HEADS, HIDDEN, LAYERS = 8, 256, 256, 8, 1024, 2
WARM_UP: Final = 3


def with_the_same_weights(torch: Any) -> tuple[nn.Module, Any]:
    """Return the model and PyTorch's."""
    layer = nn.TransformerEncoderLayer(FEATURES, HEADS, HIDDEN, dropout=0.0)
    of_torch = torch.nn.TransformerEncoderLayer(FEATURES, HEADS, HIDDEN, dropout=0.0, batch_first=True)
    own, theirs = nn.TransformerEncoder(layer, LAYERS), torch.nn.TransformerEncoder(of_torch, LAYERS)
    state: dict[str, Any] = {}
    for i, part in enumerate(own.layers):
        heads, prefix = part.self_attention, f"layers.{i}."
        three = [heads.query, heads.key, heads.value]
        values = {
            "self_attn.in_proj_weight": np.concatenate([p.weight.numpy().T for p in three]),
            "self_attn.in_proj_bias": np.concatenate([p.bias.numpy() for p in three if p.bias is not None]),
        }
        dense = {"self_attn.out_proj": heads.output, "linear1": part.linear1, "linear2": part.linear2}
        for name, module in dense.items():
            values |= {f"{name}.weight": module.weight.numpy().T, f"{name}.bias": module.bias.numpy()}
        for name in ("norm1", "norm2"):
            norm = getattr(part, name)
            values |= {f"{name}.weight": norm.weight.numpy(), f"{name}.bias": norm.bias.numpy()}
        state |= {prefix + name: torch.tensor(value.copy()) for name, value in values.items()}
    theirs.load_state_dict(state)
    return own, theirs


def main() -> None:
    """Print the times, and write them as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OPENBLAS_NUM_THREADS", "1")))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(arguments.threads)
    own, theirs = with_the_same_weights(torch)
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(2, SAMPLES, POSITIONS, FEATURES)).astype(np.float32)
    adam, adam_torch = optim.Adam(own.parameters(), lr=1e-4), torch.optim.Adam(theirs.parameters(), lr=1e-4)
    arrays, tensors = [dc.asarray(a) for a in (x, target)], [torch.tensor(a) for a in (x, target)]
    loss = nn.MSE()

    def step() -> float:
        adam.zero_grad()
        value = loss(own(arrays[0]), arrays[1])
        value.backward()
        adam.step()
        return value.item()

    def step_torch() -> float:
        adam_torch.zero_grad()
        value = torch.nn.functional.mse_loss(theirs(tensors[0]), tensors[1])
        value.backward()
        adam_torch.step()
        return float(value.item())

    for _ in range(WARM_UP):
        np.testing.assert_allclose(step(), step_torch(), rtol=1e-4)
    row = timed({"deepcore": step, "torch": step_torch})
    low, high = row["ratio_quartiles"]
    times = ", ".join(f"{name} {row[name]['median_ms']:.0f} ms" for name in ("deepcore", "torch"))
    print(f"{times}, ratio {row['ratio']:.2f} ({low:.2f} to {high:.2f})")
    if arguments.json is not None:
        machine = {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
            "threads": arguments.threads,
        }
        text = json.dumps({"machine": machine, "results": row}, indent=2)
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
