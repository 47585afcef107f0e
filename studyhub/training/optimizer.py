"""Torch's optimisers without its compiler.

Nothing is compiled here, but to keep themselves from being compiled they load the compiler: 2 s and 70 MB for each process.
"""

import inspect
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim import Adadelta, Adam, Optimizer


def optimizer(kind: str, weights: Sequence[Tensor], rate: float) -> Optimizer:
    """An optimiser of a ``kind`` in `KINDS` that is to change weights at a learning rate."""
    return KINDS[kind](weights, lr=rate)


def _spared(kind: type[Optimizer]) -> type[Optimizer]:
    """The same optimiser, whose step is what stands in torch below all that has been wrapped around it."""
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {"step": step})


# What torch calls in place of these methods it finds in an attribute; there are the methods themselves.
for _method in vars(Optimizer).values():
    if _own := getattr(_method, "__wrapped__", None):
        vars(_own).setdefault("__dynamo_disable", _own)

KINDS: dict[str, Callable[..., Optimizer]] = {"adadelta": _spared(Adadelta), "adam": _spared(Adam)}
