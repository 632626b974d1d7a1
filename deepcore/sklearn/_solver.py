"""Which optimizer a solver's name stands for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from .. import optim
from .._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._tensor import Tensor
    from ..nn import Module

    Groups = list[dict[str, Any]]

METHODS: Final[dict[str, Callable[..., optim.BaseOptimizer]]] = {
    "sgd": optim.SGD,
    "adam": optim.Adam,
    "adamw": partial(optim.AdamW, weight_decay=0.0),  # of the group without a penalty
    "nadam": optim.NAdam,
    "radam": optim.RAdam,
    "rmsprop": optim.RMSprop,
    "lion": optim.Lion,
}


def optimizer_of(estimator: Any, model: Module, decay: float) -> optim.BaseOptimizer:
    r"""Return the optimizer of a model.

    Parameters
    ----------
    estimator
        Whose hyperparameters are meant.
    model
        What is to be trained.
    decay
        $\lambda$ of the penalty on weights, which biases have no part in.

    Raises
    ------
    ConfigError
        If there is no solver of that name, or an option is outside of what is allowed.
    """
    solver: Any = estimator.solver
    if callable(solver):
        made: Any = solver(model.parameters())
        if not isinstance(made, optim.BaseOptimizer):
            msg = (
                f"solver(parameters) is to return an optimizer of deepcore.optim, and returned a {type(made).__name__}"
            )
            raise ConfigError(msg)
        return made
    if solver == "lbfgs":
        return optim.LBFGS(
            model.parameters(),
            max_iter=estimator.max_iter,
            max_eval=estimator.max_fun,
            tolerance_grad=estimator.tol,
            history_size=10,
            line_search_fn="strong_wolfe",
        )
    if solver not in METHODS:
        known = ", ".join(["lbfgs", *METHODS])
        msg = f"unknown solver {solver!r}; the known ones are {known}, and functions that make an optimizer"
        raise ConfigError(msg)
    groups: Groups = [{"params": penalised(model), "weight_decay": decay}, {"params": _others(model)}]
    groups = [group for group in groups if group["params"]]
    return METHODS[solver](groups, lr=estimator.learning_rate_init, **_options(estimator, solver))


def _options(estimator: Any, solver: str) -> dict[str, Any]:
    if solver == "sgd":
        nesterov = bool(estimator.nesterovs_momentum and estimator.momentum > 0.0)
        return {"momentum": estimator.momentum, "nesterov": nesterov}
    if solver == "rmsprop":
        return {"eps": estimator.epsilon}
    betas = {"betas": (estimator.beta_1, estimator.beta_2)}
    return betas if solver == "lion" else {**betas, "eps": estimator.epsilon}


def penalises(solver: object) -> bool:
    """Return whether the optimizer of a solver has the penalty in it; otherwise it is part of the loss."""
    return isinstance(solver, str) and solver != "lbfgs"


def penalised(model: Module) -> list[Tensor]:
    """Return the weights that the penalty is on: matrices and kernels, without biases and scales."""
    return [p for p in model.parameters() if p.ndim > 1]


def _others(model: Module) -> list[Tensor]:
    return [p for p in model.parameters() if p.ndim <= 1]
