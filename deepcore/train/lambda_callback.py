"""Functions as callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import ConfigError
from .callback import Callback

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = ("on_fit_start", "on_epoch_start", "on_gradients", "on_batch_end", "on_epoch_end", "on_fit_end")


class LambdaCallback(Callback):
    """Call functions.

    Parameters
    ----------
    **functions
        The functions by the name of the method of :class:`Callback` that they are; they are called with its arguments,
        the trainer first.

    Raises
    ------
    ConfigError
        If there is no such method.

    Examples
    --------
    >>> from deepcore import data, nn, optim, train
    >>> model = nn.Sequential(nn.Flatten(), nn.Dense(64, 10))
    >>> sgd = optim.SGD(model.parameters(), lr=0.01)
    >>> say = train.LambdaCallback(on_epoch_end=lambda trainer, epoch, values: print("epoch", epoch))
    >>> trainer = train.Trainer(model, nn.CategoricalCrossEntropy(), sgd, callbacks=[say])
    >>> history = trainer.fit(data.digits(), epochs=2)
    epoch 1
    epoch 2
    """

    def __init__(self, **functions: Callable[..., Any]) -> None:
        for name, function in functions.items():
            if name not in EVENTS:
                msg = f"LambdaCallback: {name!r} is no method of callbacks; these are {', '.join(EVENTS)}"
                raise ConfigError(msg)
            setattr(self, name, function)
