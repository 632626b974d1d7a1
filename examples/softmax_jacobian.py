"""The Jacobian of the softmax is diag(y) - y yᵀ, a full matrix, and not only its diagonal.

    y = exp(x) / Σ exp(xⱼ)          ∂yᵢ/∂xⱼ = yᵢ (δᵢⱼ - yⱼ)

Every output depends on every input. Code that takes softmax' = y (1 - y), as for the sigmoid, keeps the diagonal of
this matrix and loses the rest. Its rows sum to 0, because a constant added to every input changes nothing; with the
log loss -Σ tᵢ ln yᵢ it gives ∂L/∂x = y - t.
"""

import deepcore as dc


def main() -> dict[str, float]:
    """Return the largest differences between the engine's matrices and those of the equations."""
    x = dc.asarray([1.0, -0.5, 2.0, 0.3], dtype=dc.float64)
    t = dc.asarray([0.0, 0.0, 1.0, 0.0], dtype=dc.float64)
    y = dc.softmax(x)
    jacobian = dc.jacobian(dc.softmax)(x)
    diagonal = dc.eye(4, dtype=dc.float64) * y
    gradient = dc.grad(lambda x: -dc.sum(t * dc.log(dc.softmax(x))))(x)
    figures = {
        "J - (diag(y) - y yᵀ)": float(dc.max(dc.abs(jacobian - (diagonal - y[:, None] * y)))),
        "row sums of J": float(dc.max(dc.abs(jacobian.sum(axis=1)))),
        "∂L/∂x - (y - t)": float(dc.max(dc.abs(gradient - (y - t)))),
        "off the diagonal of J": float(dc.max(dc.abs(jacobian * (1 - dc.eye(4, dtype=dc.float64))))),
    }
    for name, value in figures.items():
        print(f"{name}: at most {value:.2g}")
    return figures


if __name__ == "__main__":
    main()
