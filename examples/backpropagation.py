"""Backpropagation derived by hand gives the gradients that the engine gives.

Two sigmoid layers, whose rows are samples, and the squared loss:

    Z₁ = X W₁ + b₁     A₁ = σ(Z₁)     Z₂ = A₁ W₂ + b₂     A₂ = σ(Z₂)     L = ½ Σ (A₂ - T)²

The chain rule gives the deltas Δ = ∂L/∂Z, the last one first, with σ' = σ (1 - σ) and the elementwise product ⊙:

    Δ₂ = (A₂ - T) ⊙ A₂ ⊙ (1 - A₂)          ∂L/∂W₂ = A₁ᵀ Δ₂      ∂L/∂b₂ = column sums of Δ₂
    Δ₁ = (Δ₂ W₂ᵀ) ⊙ A₁ ⊙ (1 - A₁)          ∂L/∂W₁ = Xᵀ Δ₁       ∂L/∂b₁ = column sums of Δ₁

The engine's Δ are derivatives with respect to shifts E of the Z, at E = 0: ∂L(Z + E)/∂E = ∂L/∂Z.

Source: D. E. Rumelhart, G. E. Hinton and R. J. Williams, Learning representations by back-propagating errors, 1986.
"""

import deepcore as dc
from deepcore.random import Generator

Gradients = dict[str, dc.Tensor]


def loss(parameters: Gradients, x: dc.Tensor, t: dc.Tensor) -> dc.Tensor:
    """Return L. The parameters include the shifts E₁ and E₂."""
    p = parameters
    a1 = dc.sigmoid(x @ p["W1"] + p["b1"] + p["E1"])
    a2 = dc.sigmoid(a1 @ p["W2"] + p["b2"] + p["E2"])
    return 0.5 * dc.sum((a2 - t) ** 2)


def by_hand(parameters: Gradients, x: dc.Tensor, t: dc.Tensor) -> Gradients:
    """Return every derivative by the equations above."""
    p = parameters
    a1 = dc.sigmoid(x @ p["W1"] + p["b1"])
    a2 = dc.sigmoid(a1 @ p["W2"] + p["b2"])
    delta2 = (a2 - t) * a2 * (1 - a2)
    delta1 = (delta2 @ p["W2"].T) * a1 * (1 - a1)
    return {
        "W1": x.T @ delta1,
        "b1": delta1.sum(axis=0),
        "E1": delta1,
        "W2": a1.T @ delta2,
        "b2": delta2.sum(axis=0),
        "E2": delta2,
    }


def largest_difference(dtype: dc.DType, n: int = 8, sizes: tuple[int, int, int] = (4, 5, 3)) -> float:
    """Return the largest difference between any two numbers, which are of the order of 1."""
    g = Generator(0)
    i, j, k = sizes
    shapes = {"W1": (i, j), "b1": (j,), "W2": (j, k), "b2": (k,)}
    parameters = {name: g.normal(shape, dtype=dtype) for name, shape in shapes.items()}
    parameters |= {"E1": dc.zeros((n, j), dtype=dtype), "E2": dc.zeros((n, k), dtype=dtype)}
    x, t = g.normal((n, i), dtype=dtype), g.uniform((n, k), dtype=dtype)
    hand, engine = by_hand(parameters, x, t), dc.grad(loss)(parameters, x, t)
    return max(float(dc.max(dc.abs(hand[name] - engine[name]))) for name in parameters)


def main() -> dict[str, float]:
    """Return the largest difference in single and in double precision."""
    figures = {str(dtype): largest_difference(dtype) for dtype in (dc.float32, dc.float64)}
    for name, difference in figures.items():
        print(f"{name}: by hand and by the engine, gradients differ by at most {difference:.1e}")
    return figures


if __name__ == "__main__":
    main()
