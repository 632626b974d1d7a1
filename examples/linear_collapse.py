"""Linear layers one after another are one linear layer, and learn no more than one.

    ((x W₁ + b₁) W₂ + b₂) W₃ + b₃ = x W + b      W = W₁ W₂ W₃      b = (b₁ W₂ + b₂) W₃ + b₃

So the least squared error of the stack is that of least squares, which has a closed form: (W, b) = (X̃ᵀ X̃)⁻¹ X̃ᵀ t, where
X̃ is X with a column of ones. Training cannot go below it, but with a ReLU between the layers it does.
"""

import deepcore as dc
from deepcore import nn, optim, random


def collapsed(model: nn.Sequential) -> tuple[dc.Tensor, dc.Tensor]:
    """Return the one W and b of dense layers without activations."""
    W, b = dc.eye(2), dc.zeros(2)
    for layer in model:
        assert isinstance(layer, nn.Dense)
        assert layer.bias is not None
        W, b = W @ layer.weight, b @ layer.weight + layer.bias
    return W, b


def trained(model: nn.Module, x: dc.Tensor, t: dc.Tensor, steps: int) -> float:
    """Return the mean squared error after full-batch training."""
    adam = optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        adam.zero_grad()
        nn.MSE()(model(x), t).backward()
        adam.step()
    return nn.MSE()(model(x), t).item()


def main(n: int = 200, steps: int = 600) -> dict[str, float]:
    """Return the largest difference between both forms, and the errors on t = x₁ x₂."""
    random.seed(0)
    x = random.uniform((n, 2), low=-1.0, high=1.0)
    t = x[:, :1] * x[:, 1:]
    stack = nn.Sequential(nn.Dense(2, 16), nn.Dense(16, 16), nn.Dense(16, 1))
    rectified = nn.Sequential(nn.Dense(2, 16), nn.ReLU(), nn.Dense(16, 16), nn.ReLU(), nn.Dense(16, 1))
    one = nn.Sequential(nn.Dense(2, 1))
    with_ones = dc.concat([x, dc.ones((n, 1))], axis=1)
    least = dc.linalg.solve(with_ones.T @ with_ones, with_ones.T @ t)
    figures = {
        "least squares": nn.MSE()(with_ones @ least, t).item(),
        "one linear layer": trained(one, x, t, steps),
        "three linear layers": trained(stack, x, t, steps),
        "three layers with ReLU between": trained(rectified, x, t, steps),
    }
    for name, error in figures.items():
        print(f"mean squared error of {name}: {error:.6f}")
    W, b = collapsed(stack)
    figures["difference"] = float(dc.max(dc.abs(stack(x) - (x @ W + b))))
    print(f"the three trained linear layers and the one matrix differ by at most {figures['difference']:.1e}")
    return figures


if __name__ == "__main__":
    main()
