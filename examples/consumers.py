"""Fit a curve with SciPy's optimizers and deepcore's derivatives, through a function of SciPy that knows neither.

The decay rate and the width of a blurred exponential are found from noisy data. The blur is
``scipy.signal.fftconvolve``, which is differentiated as it is.
"""

import os

import numpy as np

os.environ["SCIPY_ARRAY_API"] = "1"  # before SciPy is imported

from scipy import optimize, signal

import deepcore as dc

dc.set_default_dtype(dc.float64)
TIMES = np.linspace(0.0, 4.0, 81)
TRUTH = np.asarray([1.7, 0.3])


def model(parameters: dc.Tensor) -> dc.Tensor:
    """Return an exponential decay, blurred by a Gaussian of unit area."""
    rate, width = parameters[0], parameters[1]
    times = dc.asarray(TIMES)
    kernel = dc.exp(-0.5 * ((times - 2.0) / width) ** 2)
    return signal.fftconvolve(dc.exp(-rate * times), kernel / dc.sum(kernel), mode="same")


DATA = dc.asarray(model(dc.asarray(TRUTH)).numpy() + 0.002 * np.random.default_rng(0).normal(size=TIMES.shape))


def loss(parameters: dc.Tensor) -> dc.Tensor:
    """Return the sum of squared residuals."""
    return dc.sum((model(parameters) - DATA) ** 2)


def value_and_gradient(parameters: np.ndarray) -> tuple[float, np.ndarray]:
    """Return what SciPy wants from ``jac=True``."""
    value, gradient = dc.value_and_grad(loss)(dc.asarray(parameters))
    return float(value), gradient.numpy()


def product(parameters: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Return the product of the Hessian with a direction, which SciPy wants as ``hessp``."""
    return dc.hvp(loss, dc.asarray(parameters), dc.asarray(direction)).numpy()


start = np.asarray([0.8, 0.6])
for method, options in {"BFGS": {}, "L-BFGS-B": {}, "trust-ncg": {"hessp": product}}.items():
    result = optimize.minimize(value_and_gradient, start, jac=True, method=method, **options)
    print(f"{method:10} {result.nfev:3} values: rate {result.x[0]:.3f}, width {abs(result.x[1]):.3f}")
    assert np.allclose(np.abs(result.x), TRUTH, atol=0.02), result
