"""The example of micrograd, a scalar engine to learn from: one expression of two numbers, and its derivatives.

    g = 24.7041        ∂g/∂a = 138.8338        ∂g/∂b = 645.5773

There, numbers are ``Value(-4.0)``; here, they are tensors of no axes, and the code is the same.

Source: A. Karpathy, https://github.com/karpathy/micrograd, README.
"""

import deepcore as dc


def main() -> dict[str, float]:
    """Return g and its derivatives."""
    a = dc.asarray(-4.0, dtype=dc.float64, requires_grad=True)
    b = dc.asarray(2.0, dtype=dc.float64, requires_grad=True)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + dc.relu(b + a)
    d += 3 * d + dc.relu(b - a)
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    assert a.grad is not None
    assert b.grad is not None
    figures = {"g": g.item(), "∂g/∂a": a.grad.item(), "∂g/∂b": b.grad.item()}
    for name, value in figures.items():
        print(f"{name} = {value:.4f}")
    return figures


if __name__ == "__main__":
    main()
