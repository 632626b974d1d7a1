"""Functions of other libraries, as they are, and the arguments on which their gradients are checked.

A function takes a namespace of the standard and one array, and gives one array. It is called with arrays of NumPy,
which says what is right, with tensors of deepcore on every backend, and with the arrays of PyTorch and JAX themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import array_api_extra as xpx
import einops
import einops.array_api
import numpy as np
import xarray as xr
from scipy import (
    constants,
    differentiate,
    fft,
    integrate,
    interpolate,
    linalg,
    ndimage,
    optimize,
    signal,
    special,
    stats,
)
from scipy.cluster import vq
from scipy.optimize import elementwise
from scipy.spatial.transform import RigidTransform, Rotation, Slerp
from sklearn import config_context, covariance, decomposition, linear_model, metrics, mixture, preprocessing
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics import pairwise
from sklearn.naive_bayes import GaussianNB

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Entry:
    """One row of the table.

    Parameters
    ----------
    name
        What is called, with the parameters that matter.
    function
        Takes (xp, x) and gives an array.
    shape, low, high
        The argument: uniform in an interval inside of the function's domain.
    obstacle
        Why no gradient gets through on deepcore; empty where it does.
    """

    name: str
    function: Function
    shape: tuple[int, ...] = (6,)
    low: float = 0.5
    high: float = 2.0
    obstacle: str = ""

    @property
    def library(self) -> str:
        """The library that the function belongs to."""
        return self.name.partition(".")[0]


COMPILED = "compiled code, called on `np.asarray(x)`"
FLOAT = "the result is a Python float"

RNG = np.random.default_rng(7)
SIX, EIGHT = (RNG.uniform(0.5, 2.0, n).tolist() for n in (6, 8))
KERNEL = [0.5, 1.0, -0.25]
TIMES = np.arange(6.0).tolist()
POINTS = RNG.normal(size=(6, 3)).tolist()
POSITIVE = RNG.uniform(0.5, 2.0, (4, 3)).tolist()
CLASSES = [0, 1, 1, 0, 1, 0]


def like(values: Any, x: Any, xp: Any) -> Any:
    """Return constants of the argument's library and data type."""
    return xp.asarray(values, dtype=x.dtype)


def plainly(f: Any, xp: Any, x: Any) -> Any:
    """Call a function with the argument alone."""
    return f(x)


def magnitude(f: Any, xp: Any, x: Any) -> Any:
    """Call a function whose result is complex."""
    return xp.abs(f(x))


def of_complex(f: Any, xp: Any, x: Any) -> Any:
    """Call a function whose argument is complex."""
    return f(x * (1 + 0.5j))


def each(
    module: Any,
    names: str,
    how: Callable[[Any, Any, Any], Any] = plainly,
    *,
    prefix: str = "",
    suffix: str = "",
    **options: Any,
) -> list[Entry]:
    """Return an entry for each of the named functions, called as ``how`` says."""

    def entry(name: str) -> Entry:
        f = getattr(module, name)
        return Entry(f"{prefix or module.__name__}.{name}{suffix}", lambda xp, x: how(f, xp, x), **options)

    return [entry(name) for name in names.split()]


def both(module: Any, names: str, other: list[Any], *, result: str = "", **options: Any) -> list[Entry]:
    """Return entries for functions that take two arrays, of which the second is constant."""

    def how(f: Any, xp: Any, x: Any) -> Any:
        y = f(x, like(other, x, xp))
        return getattr(y, result) if result else y

    return each(module, names, how, suffix=f"(…).{result}" if result else "", **options)


STATS = [
    *each(stats, "gmean hmean tmean tvar tstd tsem tmin tmax sem skew kurtosis variation gstd zscore gzscore"),
    *each(stats, "entropy differential_entropy circmean circvar circstd iqr median_abs_deviation lmoment"),
    *each(stats, "false_discovery_control", low=0.1, high=0.9),
    Entry("scipy.stats.pmean", lambda xp, x: stats.pmean(x, 3)),
    Entry("scipy.stats.moment", lambda xp, x: stats.moment(x, order=3)),
    Entry("scipy.stats.kstat", lambda xp, x: stats.kstat(x, 3)),
    Entry("scipy.stats.kstatvar", lambda xp, x: stats.kstatvar(x, 2)),
    Entry("scipy.stats.zmap", lambda xp, x: stats.zmap(x, like(SIX, x, xp))),
    Entry("scipy.stats.trim_mean", lambda xp, x: stats.trim_mean(x, 0.2), (10,)),
    Entry("scipy.stats.sigmaclip(…).clipped", lambda xp, x: stats.sigmaclip(x, 1.3, 1.3).clipped, (10,)),
    Entry("scipy.stats.boxcox_llf", lambda xp, x: stats.boxcox_llf(0.5, x)),
    Entry("scipy.stats.yeojohnson_llf", lambda xp, x: stats.yeojohnson_llf(0.5, x)),
    Entry("scipy.stats.describe(…).variance", lambda xp, x: stats.describe(x).variance),
    Entry("scipy.stats.quantile", lambda xp, x: stats.quantile(x, like([0.25, 0.6], x, xp))),
    Entry(
        "scipy.stats.directional_stats(…).mean_direction",
        lambda xp, x: stats.directional_stats(x).mean_direction,
        (5, 3),
    ),
    *both(stats, "pearsonr ttest_ind ttest_rel bartlett alexandergovern", SIX, result="statistic"),
    *both(stats, "ttest_ind ttest_rel bartlett alexandergovern", SIX, result="pvalue"),
    *each(stats, "ttest_1samp", lambda f, xp, x: f(x, 0.3).statistic, suffix="(…).statistic"),
    *each(stats, "ttest_1samp", lambda f, xp, x: f(x, 0.3).pvalue, suffix="(…).pvalue"),
    Entry(
        "scipy.stats.ttest_ind_from_stats(…).statistic",
        lambda xp, x: stats.ttest_ind_from_stats(x[0], x[1], 10, x[2], x[3], 10).statistic,
    ),
    *each(
        stats,
        "skewtest kurtosistest normaltest jarque_bera",
        lambda f, xp, x: f(x).pvalue,
        suffix="(…).pvalue",
        shape=(24,),
    ),
    Entry("scipy.stats.chisquare(…).pvalue", lambda xp, x: stats.chisquare(x).pvalue),
    Entry("scipy.stats.power_divergence(…).statistic", lambda xp, x: stats.power_divergence(x, lambda_=0.5).statistic),
    Entry("scipy.stats.combine_pvalues(…).statistic", lambda xp, x: stats.combine_pvalues(x)[0], low=0.1, high=0.9),
    *each(
        stats,
        "combine_pvalues",
        lambda f, xp, x: f(x, method="stouffer").statistic,
        suffix='(…, method="stouffer").statistic',
        low=0.1,
        high=0.9,
    ),
    *both(stats, "epps_singleton_2samp", EIGHT, result="statistic", shape=(8,)),
    *both(stats, "f_oneway levene", SIX, result="statistic", obstacle=COMPILED),
    Entry(
        "scipy.stats.cramervonmises(…).statistic",
        lambda xp, x: stats.cramervonmises(x, lambda v: v / 3).statistic,
        obstacle=COMPILED,
    ),
]

SIGNAL = [
    *both(signal, "fftconvolve oaconvolve", KERNEL),
    Entry(
        'scipy.signal.convolve(…, method="fft")', lambda xp, x: signal.convolve(x, like(KERNEL, x, xp), method="fft")
    ),
    Entry(
        'scipy.signal.correlate(…, method="fft")', lambda xp, x: signal.correlate(x, like(KERNEL, x, xp), method="fft")
    ),
    Entry("scipy.signal.hilbert", lambda xp, x: xp.imag(signal.hilbert(x))),
    Entry("scipy.signal.hilbert2", lambda xp, x: xp.real(signal.hilbert2(x)), (3, 4)),
    Entry("scipy.signal.envelope", lambda xp, x: signal.envelope(x, (1, 4)), (16,)),
    Entry("scipy.signal.resample", lambda xp, x: signal.resample(x, 9)),
    Entry("scipy.signal.vectorstrength", lambda xp, x: signal.vectorstrength(x, 3.0)[0]),
    Entry("scipy.signal.freqz", lambda xp, x: xp.abs(signal.freqz(x, worN=8)[1])),
    Entry(
        "scipy.signal.freqs",
        lambda xp, x: xp.abs(signal.freqs(x, like([1.0, 0.5], x, xp), worN=like(SIX, x, xp))[1]),
        (3,),
    ),
    Entry("scipy.signal.gauss_spline", lambda xp, x: signal.gauss_spline(x, 3)),
    Entry("scipy.signal.normalize", lambda xp, x: signal.normalize(x, like([2.0, 0.5], x, xp))[0], (2,)),
    Entry("scipy.signal.lp2lp", lambda xp, x: signal.lp2lp(x, like([2.0, 0.5], x, xp), 2.0)[0], (2,)),
    Entry("scipy.signal.minimum_phase", lambda xp, x: signal.minimum_phase(x, n_fft=64), (7,)),
    *both(signal, "convolve correlate", KERNEL, obstacle=COMPILED),
    Entry(
        "scipy.signal.convolve2d",
        lambda xp, x: signal.convolve2d(x, like([KERNEL, KERNEL], x, xp)),
        (3, 4),
        obstacle=COMPILED,
    ),
    *each(signal, "detrend cspline1d", obstacle=COMPILED),
    Entry(
        "scipy.signal.lfilter",
        lambda xp, x: signal.lfilter(like(KERNEL, x, xp), like([1.0, 0.5], x, xp), x),
        obstacle=COMPILED,
    ),
    Entry(
        "scipy.signal.sosfilt",
        lambda xp, x: signal.sosfilt(like([[1.0, 0.5, 0.2, 1.0, 0.1, 0.1]], x, xp), x),
        obstacle=COMPILED,
    ),
    Entry("scipy.signal.deconvolve", lambda xp, x: signal.deconvolve(x, like(KERNEL, x, xp))[0], obstacle=COMPILED),
    Entry("scipy.signal.resample_poly", lambda xp, x: signal.resample_poly(x, 2, 1), obstacle=COMPILED),
    Entry("scipy.signal.savgol_filter", lambda xp, x: signal.savgol_filter(x, 3, 1), obstacle=COMPILED),
    Entry("scipy.signal.medfilt", lambda xp, x: signal.medfilt(x, 3), obstacle=COMPILED),
    Entry("scipy.signal.upfirdn", lambda xp, x: signal.upfirdn(like(KERNEL, x, xp), x, 2, 1), obstacle=COMPILED),
    Entry("scipy.signal.zpk2tf", lambda xp, x: signal.zpk2tf(x, like(KERNEL, x, xp), 2.0)[0], (3,), obstacle=COMPILED),
]

FOURIER = [
    *each(fft, "fft ifft rfft ihfft", magnitude),
    *each(fft, "irfft hfft", of_complex),
    *each(fft, "fft2 ifft2 rfft2 ihfft2 fftn ifftn rfftn ihfftn", magnitude, shape=(3, 4)),
    *each(fft, "irfft2 hfft2 irfftn hfftn", of_complex, shape=(3, 4)),
    *each(fft, "fftshift ifftshift"),
    Entry("scipy.fft.fht", lambda xp, x: fft.fht(x, 0.1, 0.5)),
    Entry("scipy.fft.ifht", lambda xp, x: fft.ifht(x, 0.1, 0.5)),
    *each(fft, "dct idct dst idst dctn dstn", obstacle=COMPILED),
]


def _running(x: Any, xp: Any) -> Any:
    """Return rising abscissae: PyTorch and JAX call the function by other names of the standard's."""
    return xp.cumulative_sum(x) if hasattr(xp, "cumulative_sum") else xp.cumsum(x, 0)


CALCULUS = [
    *each(integrate, "trapezoid romb cumulative_trapezoid cumulative_simpson", shape=(9,)),
    Entry("scipy.integrate.trapezoid(…, x=…)", lambda xp, x: integrate.trapezoid(xp.exp(x), x=_running(x, xp))),
    Entry(
        "scipy.integrate.cumulative_simpson(…, x=…)",
        lambda xp, x: integrate.cumulative_simpson(xp.exp(x), x=_running(x, xp)),
    ),
    Entry(
        "scipy.integrate.tanhsinh of a parameter",
        lambda xp, x: (
            integrate.tanhsinh(lambda t, a: xp.exp(-a * t), like(0.0, x, xp), like(1.0, x, xp), args=(x,)).integral
        ),
        (3,),
    ),
    Entry(
        "scipy.integrate.tanhsinh of a limit",
        lambda xp, x: integrate.tanhsinh(lambda t: xp.exp(-t), like(0.0, x, xp), x).integral,
        (3,),
    ),
    Entry(
        "scipy.integrate.nsum",
        lambda xp, x: integrate.nsum(lambda k, a: 1 / (k * k + a), like(1.0, x, xp), like(20.0, x, xp), args=(x,)).sum,
        (3,),
    ),
    Entry(
        "scipy.integrate.cubature",
        lambda xp, x: (
            integrate.cubature(lambda t, a: xp.exp(-a * t), like([0.0], x, xp), like([1.0], x, xp), args=(x,)).estimate
        ),
        (3,),
    ),
    Entry(
        "scipy.integrate.quad_vec",
        lambda xp, x: integrate.quad_vec(lambda t: xp.exp(-x * t), 0.0, 1.0)[0],
        (3,),
        obstacle=COMPILED,
    ),
    *each(integrate, "simpson", shape=(9,), obstacle=COMPILED),
    Entry("scipy.differentiate.derivative", lambda xp, x: differentiate.derivative(xp.sin, x).df, (3,)),
    Entry(
        "scipy.differentiate.jacobian",
        lambda xp, x: differentiate.jacobian(lambda t: xp.stack([t[0] * t[1], xp.sin(t[1])]), x).df,
        (2,),
    ),
    Entry(
        "scipy.differentiate.hessian",
        lambda xp, x: differentiate.hessian(lambda t: t[0] ** 2 * t[1] ** 3, x).ddf,
        (2,),
    ),
    *each(optimize, "rosen rosen_der rosen_hess"),
    *both(optimize, "rosen_hess_prod", SIX),
    Entry(
        "scipy.optimize.elementwise.find_root",
        lambda xp, x: elementwise.find_root(lambda t, a: t**3 - a, (like(0.0, x, xp), like(3.0, x, xp)), args=(x,)).x,
        (3,),
    ),
    Entry(
        "scipy.optimize.elementwise.find_minimum(…).f_x",
        lambda xp, x: (
            elementwise.find_minimum(
                lambda t, a: (t - 0.5) ** 2 + a, tuple(like(t, x, xp) for t in (-3.0, 0.1, 3.0)), args=(x,)
            ).f_x
        ),
        (3,),
    ),
    Entry(
        "scipy.optimize.elementwise.bracket_root(…).f_bracket",
        lambda xp, x: elementwise.bracket_root(
            lambda t, a: t**3 - a, like(0.0, x, xp), like(3.0, x, xp), args=(x,)
        ).f_bracket[0],
        (3,),
    ),
]

ALGEBRA = [
    Entry("scipy.linalg.block_diag", lambda xp, x: linalg.block_diag(x, x * x), (2, 3)),
    *each(linalg, "fiedler", shape=(4,)),
    Entry(
        "scipy.linalg.orthogonal_procrustes",
        lambda xp, x: linalg.orthogonal_procrustes(x, like(POINTS, x, xp))[0],
        (6, 3),
    ),
    *each(linalg, "det svdvals expm", shape=(3, 3), obstacle=COMPILED),
    Entry("scipy.linalg.solve", lambda xp, x: linalg.solve(x, like(KERNEL, x, xp)), (3, 3), obstacle=COMPILED),
    *each(vq, "whiten", shape=(5, 3)),
    Entry(
        "scipy.cluster.vq.vq(…)[1]",
        lambda xp, x: vq.vq(x, like([[1.0, 1.0], [0.0, 0.0]], x, xp))[1],
        (5, 2),
        obstacle=COMPILED,
    ),
    Entry("scipy.constants.convert_temperature", lambda xp, x: constants.convert_temperature(x, "C", "F")),
    *each(constants, "lambda2nu nu2lambda"),
]

INTERPOLATION = [
    *each(
        interpolate,
        "CubicSpline PchipInterpolator Akima1DInterpolator make_interp_spline",
        lambda f, xp, x: f(like(TIMES, x, xp), x)(like([0.5, 2.2], x, xp)),
        obstacle=COMPILED,
    ),
    Entry(
        "scipy.interpolate.RBFInterpolator",
        lambda xp, x: interpolate.RBFInterpolator(like(TIMES, x, xp)[:, None], x)(like([[0.5], [2.2]], x, xp)),
        obstacle="SciPy asks for NumPy's `x.view`",
    ),
    *each(ndimage, "laplace sobel mean standard_deviation", shape=(4, 4), obstacle=COMPILED),
    Entry("scipy.ndimage.gaussian_filter", lambda xp, x: ndimage.gaussian_filter(x, 2), (4, 4), obstacle=COMPILED),
]

SPATIAL = [
    Entry("scipy.spatial.transform.Rotation.from_rotvec", lambda xp, x: Rotation.from_rotvec(x).as_matrix(), (3,)),
    Entry(
        "scipy.spatial.transform.Rotation.from_euler",
        lambda xp, x: Rotation.from_euler("xyz", x).as_quat(),
        (3,),
        0.2,
        0.9,
    ),
    Entry("scipy.spatial.transform.Rotation.from_quat", lambda xp, x: Rotation.from_quat(x).as_matrix(), (4,)),
    Entry("scipy.spatial.transform.Rotation.from_mrp", lambda xp, x: Rotation.from_mrp(x).as_matrix(), (3,), 0.1, 0.4),
    Entry("scipy.spatial.transform.Rotation.as_euler", lambda xp, x: Rotation.from_quat(x).as_euler("xyz"), (4,)),
    Entry("scipy.spatial.transform.Rotation.as_rotvec", lambda xp, x: Rotation.from_quat(x).as_rotvec(), (4,)),
    Entry("scipy.spatial.transform.Rotation.as_mrp", lambda xp, x: Rotation.from_quat(x).inv().as_mrp(), (4,)),
    Entry("scipy.spatial.transform.Rotation.magnitude", lambda xp, x: Rotation.from_quat(x).magnitude(), (4,)),
    Entry(
        "scipy.spatial.transform.Rotation.apply",
        lambda xp, x: Rotation.from_rotvec(x).apply(like(KERNEL, x, xp)),
        (3,),
    ),
    Entry(
        "scipy.spatial.transform.Rotation.__mul__",
        lambda xp, x: (Rotation.from_rotvec(x) * Rotation.from_rotvec(like(KERNEL, x, xp))).as_quat(),
        (3,),
    ),
    Entry("scipy.spatial.transform.Rotation.__pow__", lambda xp, x: (Rotation.from_rotvec(x) ** 0.5).as_matrix(), (3,)),
    Entry("scipy.spatial.transform.Rotation.mean", lambda xp, x: Rotation.from_rotvec(x).mean().as_matrix(), (4, 3)),
    Entry(
        "scipy.spatial.transform.Rotation.align_vectors",
        lambda xp, x: Rotation.align_vectors(x, like(POINTS, x, xp))[0].as_matrix(),
        (6, 3),
    ),
    Entry(
        "scipy.spatial.transform.Slerp",
        lambda xp, x: Slerp(like([0.0, 1.0], x, xp), Rotation.from_rotvec(x))(like([0.3], x, xp)).as_matrix(),
        (2, 3),
    ),
    Entry(
        "scipy.spatial.transform.RigidTransform.from_exp_coords",
        lambda xp, x: RigidTransform.from_exp_coords(x).as_matrix(),
    ),
    Entry(
        "scipy.spatial.transform.RigidTransform.from_dual_quat",
        lambda xp, x: RigidTransform.from_dual_quat(x).as_matrix(),
        (8,),
    ),
    Entry(
        "scipy.spatial.transform.RigidTransform.inv",
        lambda xp, x: RigidTransform.from_exp_coords(x).inv().as_exp_coords(),
    ),
    Entry(
        "scipy.spatial.transform.RigidTransform.apply",
        lambda xp, x: RigidTransform.from_translation(x).apply(like(KERNEL, x, xp)),
        (3,),
    ),
]

SPECIAL = [
    *each(
        special,
        "erf erfc erfinv expit logit gammaln ndtr ndtri log_ndtr entr i0 i0e i1 i1e psi",
        prefix="scipy.special",
        low=0.1,
        high=0.9,
    ),
    *both(special, "rel_entr xlogy xlog1py betaln", SIX, prefix="scipy.special"),
    Entry("scipy.special.gammainc", lambda xp, x: special.gammainc(like(SIX, x, xp), x)),
    Entry("scipy.special.gammaincc", lambda xp, x: special.gammaincc(like(SIX, x, xp), x)),
    Entry("scipy.special.chdtr", lambda xp, x: special.chdtr(like(SIX, x, xp), x)),
    *each(special, "multigammaln", lambda f, xp, x: f(x + 2, 2), prefix="scipy.special"),
    *each(special, "logsumexp softmax log_softmax", prefix="scipy.special"),
]


def dispatched(entry: Entry) -> Entry:
    """Run scikit-learn with array API dispatch."""

    def function(xp: Any, x: Any) -> Any:
        with config_context(array_api_dispatch=True):
            return entry.function(xp, x)

    return Entry(entry.name, function, entry.shape, entry.low, entry.high, entry.obstacle)


_SKLEARN = [
    *both(
        pairwise,
        "additive_chi2_kernel chi2_kernel cosine_similarity cosine_distances euclidean_distances laplacian_kernel "
        "linear_kernel manhattan_distances polynomial_kernel rbf_kernel sigmoid_kernel paired_euclidean_distances "
        "paired_cosine_distances paired_manhattan_distances",
        POSITIVE,
        shape=(4, 3),
    ),
    Entry(
        "sklearn.metrics.pairwise.haversine_distances",
        lambda xp, x: pairwise.haversine_distances(x, x * x),
        (4, 2),
        obstacle=COMPILED,
    ),
    *each(
        metrics,
        "mean_squared_error root_mean_squared_error mean_absolute_error mean_absolute_percentage_error r2_score "
        "explained_variance_score",
        lambda f, xp, x: f(like(POSITIVE, x, xp), x, multioutput="raw_values"),
        suffix='(…, multioutput="raw_values")',
        shape=(4, 3),
    ),
    Entry(
        "sklearn.metrics.mean_squared_error",
        lambda xp, x: metrics.mean_squared_error(like(SIX, x, xp), x),
        obstacle=FLOAT,
    ),
    Entry("sklearn.metrics.r2_score", lambda xp, x: metrics.r2_score(like(SIX, x, xp), x), obstacle=FLOAT),
    Entry(
        "sklearn.metrics.log_loss",
        lambda xp, x: metrics.log_loss(xp.asarray(CLASSES), x),
        low=0.1,
        high=0.9,
        obstacle=FLOAT,
    ),
    *each(
        preprocessing,
        "MinMaxScaler MaxAbsScaler Normalizer KernelCenterer PolynomialFeatures",
        lambda f, xp, x: f().fit_transform(x),
        suffix=".fit_transform",
        shape=(4, 4),
    ),
    Entry(
        "sklearn.preprocessing.StandardScaler.transform",
        lambda xp, x: preprocessing.StandardScaler().fit(like(POINTS, x, xp)).transform(x),
        (4, 3),
    ),
    Entry(
        "sklearn.preprocessing.StandardScaler.fit_transform",
        lambda xp, x: preprocessing.StandardScaler().fit_transform(x),
        (4, 3),
        obstacle="the gradient is nan: scikit-learn computes 0 / 0 and replaces it",
    ),
    *each(preprocessing, "normalize maxabs_scale minmax_scale", shape=(4, 3)),
    *each(preprocessing, "scale robust_scale", shape=(4, 3), obstacle=COMPILED),
    Entry(
        'sklearn.linear_model.Ridge(solver="svd").fit(X, …)',
        lambda xp, x: linear_model.Ridge(solver="svd").fit(x, like(SIX, x, xp)).coef_,
        (6, 3),
    ),
    Entry(
        'sklearn.linear_model.Ridge(solver="svd").fit(…, y)',
        lambda xp, x: linear_model.Ridge(solver="svd").fit(like(POINTS, x, xp), x).predict(like(POSITIVE, x, xp)),
    ),
    Entry(
        "sklearn.linear_model.RidgeCV.fit(…, y)",
        lambda xp, x: linear_model.RidgeCV(alphas=(0.1, 1.0)).fit(like(POINTS, x, xp), x).coef_,
    ),
    Entry(
        "sklearn.linear_model.LinearRegression.fit(X, …)",
        lambda xp, x: linear_model.LinearRegression().fit(x, like(SIX, x, xp)).coef_,
        (6, 3),
        obstacle=COMPILED,
    ),
    Entry(
        "sklearn.linear_model.LogisticRegression.fit(X, …)",
        lambda xp, x: linear_model.LogisticRegression().fit(x, xp.asarray(CLASSES)).coef_,
        (6, 3),
        obstacle=COMPILED,
    ),
    Entry(
        "sklearn.decomposition.PCA.fit",
        lambda xp, x: decomposition.PCA(2, svd_solver="full").fit(x).components_,
        (6, 3),
    ),
    Entry(
        'sklearn.decomposition.PCA(svd_solver="covariance_eigh").fit_transform',
        lambda xp, x: decomposition.PCA(2, svd_solver="covariance_eigh").fit_transform(x),
        (6, 3),
    ),
    Entry(
        "sklearn.decomposition.PCA.transform",
        lambda xp, x: decomposition.PCA(2, svd_solver="full").fit(like(POINTS, x, xp)).transform(x),
        (6, 3),
    ),
    Entry(
        "sklearn.decomposition.PCA.score_samples",
        lambda xp, x: decomposition.PCA(2, svd_solver="full").fit(like(POINTS, x, xp)).score_samples(x),
        (6, 3),
    ),
    Entry(
        "sklearn.discriminant_analysis.LinearDiscriminantAnalysis.fit(X, …)",
        lambda xp, x: LinearDiscriminantAnalysis().fit(x, xp.asarray(CLASSES)).coef_,
        (6, 3),
    ),
    Entry(
        "sklearn.discriminant_analysis.LinearDiscriminantAnalysis.decision_function",
        lambda xp, x: LinearDiscriminantAnalysis().fit(like(POINTS, x, xp), xp.asarray(CLASSES)).decision_function(x),
        (4, 3),
    ),
    Entry(
        "sklearn.naive_bayes.GaussianNB.predict_log_proba",
        lambda xp, x: GaussianNB().fit(like(POINTS, x, xp), xp.asarray(CLASSES)).predict_log_proba(x),
        (4, 3),
    ),
    Entry(
        "sklearn.kernel_approximation.Nystroem.transform",
        lambda xp, x: Nystroem(n_components=3, random_state=0).fit(like(POINTS, x, xp)).transform(x),
        (4, 3),
    ),
    Entry(
        "sklearn.mixture.GaussianMixture.score_samples",
        lambda xp, x: (
            mixture.GaussianMixture(2, init_params="random_from_data", random_state=0)
            .fit(like(POINTS, x, xp))
            .score_samples(x)
        ),
        (4, 3),
        obstacle="scikit-learn writes into a slice and reads the whole",
    ),
    Entry(
        "sklearn.covariance.EmpiricalCovariance.fit",
        lambda xp, x: covariance.EmpiricalCovariance().fit(x).covariance_,
        (4, 3),
        obstacle=COMPILED,
    ),
]
SKLEARN = [dispatched(entry) for entry in _SKLEARN]

EXTRA = [
    Entry("array_api_extra.apply_where", lambda xp, x: xpx.apply_where(x > 1, x, xp.log, fill_value=0.5)),
    Entry("array_api_extra.angle", lambda xp, x: xpx.angle(xp.exp(1j * x))),
    Entry("array_api_extra.at(x)[k].set", lambda xp, x: xpx.at(x)[1].set(x[0] * 2, copy=True)),
    Entry("array_api_extra.at(x)[k].add", lambda xp, x: xpx.at(x)[1:3].add(x[0], copy=True)),
    Entry("array_api_extra.at(x)[k].multiply", lambda xp, x: xpx.at(x)[1:3].multiply(x[0], copy=True)),
    Entry("array_api_extra.at(x)[k].max", lambda xp, x: xpx.at(x)[1:3].max(x[0], copy=True)),
    Entry("array_api_extra.atleast_nd", lambda xp, x: xpx.atleast_nd(x, ndim=2)),
    Entry("array_api_extra.cov", lambda xp, x: xpx.cov(x), (3, 4)),
    Entry("array_api_extra.create_diagonal", lambda xp, x: xpx.create_diagonal(x, offset=1)),
    Entry("array_api_extra.expand_dims", lambda xp, x: xpx.expand_dims(x, axis=(0, 2))),
    Entry("array_api_extra.kron", lambda xp, x: xpx.kron(x, x), (2, 3)),
    Entry("array_api_extra.nan_to_num", lambda xp, x: xpx.nan_to_num(x)),
    Entry("array_api_extra.pad", lambda xp, x: xpx.pad(x, 2)),
    Entry("array_api_extra.partition", lambda xp, x: xp.max(xpx.partition(x, 2)[:3])),
    Entry("array_api_extra.setdiff1d", lambda xp, x: xpx.setdiff1d(x, like([9.0], x, xp))),
    Entry("array_api_extra.sinc", lambda xp, x: xpx.sinc(x)),
    Entry("array_api_extra.union1d", lambda xp, x: xpx.union1d(x, x + 3)),
]


def _einops(x: Any) -> Any:
    """Return the functions for arrays of the standard, or those for the arrays that einops knows itself."""
    return einops.array_api if hasattr(x, "__array_namespace__") else einops


def reduction(name: str) -> Entry:
    """Return an entry for one of the reductions."""
    return Entry(f'einops.reduce(…, "{name}")', lambda xp, x: _einops(x).reduce(x, "a (b c) -> a b", name, c=2), (3, 4))


EINOPS = [
    Entry("einops.rearrange", lambda xp, x: _einops(x).rearrange(x, "a b -> (b a)"), (3, 4)),
    Entry("einops.repeat", lambda xp, x: _einops(x).repeat(x, "a b -> a (b r)", r=2), (3, 4)),
    *[reduction(name) for name in ("sum", "mean", "max", "min", "prod")],
    Entry("einops.pack", lambda xp, x: _einops(x).pack([x, x * x], "a *")[0], (3, 4)),
    Entry("einops.unpack", lambda xp, x: _einops(x).unpack(x, [(1,), (3,)], "a *")[1], (3, 4)),
    Entry(
        "einops.einsum",
        lambda xp, x: einops.einsum(x, x, "a b, a c -> b c"),
        (3, 4),
        obstacle="einops has it for the libraries that it names, not for the standard",
    ),
]


def data_array(name: str, function: Callable[[Any], Any], obstacle: str = "") -> Entry:
    """Return an entry for a method of a DataArray with the axes a and b, and coordinates of b."""

    def apply(xp: Any, x: Any) -> Any:
        labelled = xr.DataArray(x, dims=("a", "b"), coords={"b": [0.0, 2.0, 1.0, 4.0]})
        return function(labelled).data

    return Entry(f"xarray.{name}", apply, (3, 4), obstacle=obstacle)


NOT_STANDARD = "xarray asks for a function that is not in the standard: "
NUMPY_DTYPE = "xarray wants NumPy's data types"


def without_nan(name: str) -> Entry:
    """Return an entry for a reduction that does not look for nan."""
    return data_array(f"DataArray.{name}(…, skipna=False)", lambda d: getattr(d, name)("b", skipna=False))


XARRAY = [
    *[without_nan(name) for name in ("sum", "mean", "prod", "min", "max")],
    data_array("DataArray.where", lambda d: d.where(d > 1, 0.0)),
    data_array("DataArray.clip", lambda d: d.clip(0.8, 1.5)),
    data_array("DataArray.fillna", lambda d: d.fillna(0.0)),
    data_array("DataArray.roll", lambda d: d.roll(b=1)),
    data_array("DataArray.diff", lambda d: d.diff("b")),
    data_array("DataArray.isel", lambda d: d.isel(b=[0, 2])),
    data_array("DataArray.sel", lambda d: d.sel(b=[2.0, 4.0])),
    data_array("DataArray.transpose", lambda d: d.transpose("b", "a")),
    data_array("DataArray.stack", lambda d: d.stack(c=("a", "b"))),
    data_array("DataArray.expand_dims", lambda d: d.expand_dims("c")),
    data_array("DataArray.squeeze", lambda d: d.expand_dims("c").squeeze("c")),
    data_array("DataArray.sortby", lambda d: (2 * d).sortby("b")),
    data_array("DataArray.coarsen(…).construct", lambda d: d.coarsen(b=2).construct(b=("c", "e"))),
    data_array("DataArray.copy", lambda d: (d * d).copy(deep=True)),
    data_array("broadcasting by names", lambda d: d * d.isel(b=0)),
    data_array("concat", lambda d: xr.concat([d, d * 2], "a")),
    data_array("apply_ufunc", lambda d: xr.apply_ufunc(lambda v: v * v, d)),
    data_array("ufuncs.exp", xr.ufuncs.exp),
    data_array("DataArray.mean", lambda d: d.mean("b"), COMPILED),
    data_array("DataArray.std", lambda d: d.std("b", skipna=False), "xarray passes NumPy's `ddof`"),
    data_array("DataArray.cumsum", lambda d: d.cumsum("b", skipna=False), NOT_STANDARD + "`cumsum`"),
    data_array("DataArray.shift", lambda d: d.shift(b=1, fill_value=0.0), NOT_STANDARD + "`pad`"),
    data_array("DataArray.pad", lambda d: d.pad(b=1, constant_values=0.0), NOT_STANDARD + "`pad`"),
    data_array("DataArray.quantile", lambda d: d.quantile(0.3, "b"), NOT_STANDARD + "`quantile`"),
    data_array("DataArray.dot", lambda d: d.dot(d, "b"), NOT_STANDARD + "`einsum`"),
    data_array("DataArray.interp", lambda d: d.sortby("b").interp(b=[0.5, 1.5]), NUMPY_DTYPE),
    data_array("DataArray.integrate", lambda d: d.integrate("b"), NUMPY_DTYPE),
    data_array("DataArray.differentiate", lambda d: d.differentiate("b"), NUMPY_DTYPE),
    data_array("cov", lambda d: xr.cov(d, d * d, "b"), NUMPY_DTYPE),
]

ENTRIES = [
    *(*STATS, *SIGNAL, *FOURIER, *CALCULUS, *ALGEBRA, *INTERPOLATION, *SPATIAL, *SPECIAL),
    *(*SKLEARN, *EXTRA, *EINOPS, *XARRAY),
]
