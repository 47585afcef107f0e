"""What every scheme shares.

A scheme is a module of this room with ``MEANING`` (one line), ``IMPLICIT``, ``SUBSTEPS`` (may a day be cut into several steps?),
``FROM_ZERO`` (do runs begin with empty stores?) and one function. An explicit scheme has

    step(physics, stores, forcing, parameters, dt) -> (stores, outputs)

from the stores [mm] at the begin of a step to those at its end; an implicit scheme has

    equations(physics, stores, forcing, parameters) -> (tendencies, outputs)

whose tendencies [mm/d] hold at the end of the step. Outputs [mm/d] are the physics' outputs, then the water that floors have made. Every
argument is a tuple of tensors of one shape. Schemes know nothing of days, gradients or kernels: ``march`` does.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

Fields = tuple[Tensor, ...]
Model = Any  # a physics.structure.Physics; schemes never import the physics room

LIMIT = 1e5  # mm; a store beyond it has diverged
BELOW = -1e-3  # mm; a store is counted as below zero from here on, so that rounding is not


@dataclass
class Solved:
    """How the units [unit = basin x component] went; day and store are -1 where nothing diverged.

    ``residual`` is the worst residual in units of the tolerance; iterations, unconverged and cut days are 0 for explicit schemes.
    """

    below: np.ndarray
    diverged: np.ndarray
    iterations: np.ndarray
    unconverged: np.ndarray
    residual: np.ndarray
    cut: int = 0

    @classmethod
    def of(cls, units: int, dtype: Any) -> "Solved":
        """Nothing has happened yet."""
        below, iterations, unconverged = np.zeros((3, units), np.int32)
        return cls(below, np.full((units, 2), -1, np.int32), iterations, unconverged, np.zeros(units, dtype))


def total(terms: list[Tensor]) -> Tensor:
    """Sum of tensors, of which there is at least one."""
    first, *rest = terms
    for term in rest:
        first = first + term
    return first


def equations(physics: Model, stores: Fields, forcing: Fields, parameters: Fields, *, raw: bool = False) -> tuple[Fields, Fields]:
    """Tendencies and outputs [mm/d] of the differential equations at one state.

    Fluxes see stores at or above each store's least value, unless ``raw``: then they see the stores as they are, as a plain explicit scheme
    would.
    """
    seen = stores if raw else tuple(store.clamp(min=table.least) for store, table in zip(stores, physics.stores, strict=True))
    rates = physics.rates(physics.values(seen, forcing, parameters))
    return physics.tendencies(rates), (*physics.sums(rates), torch.zeros_like(stores[0]))
