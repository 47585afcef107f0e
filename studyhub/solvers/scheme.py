"""What every scheme shares.

A scheme is a module of this room with ``MEANING`` (one line), ``IMPLICIT``, ``SUBSTEPS`` (may a day be cut into several steps?),
``FROM_ZERO`` (do runs begin with empty stores?) and one function for one step of ``dt`` [d]. An explicit scheme has

    step(physics, stores, forcing, parameters, dt) -> (stores, outputs)

from the stores [mm] at the begin of the step to those at its end; an implicit scheme has

    relation(physics, before, after, forcing, parameters, dt) -> (residual, outputs)

whose residual [mm] is zero where ``after`` are the stores at the end of the step. Finding that root (damped Newton) and differentiating at
it (the adjoint) follow from the relation. Outputs [mm/d] are the physics' outputs, then ``BALANCE``. Every argument is a tuple of tensors
of one shape. Schemes know nothing of days, gradients or kernels: ``march`` does.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

Fields = tuple[Tensor, ...]
Model = Any  # a physics.structure.Physics; schemes never import the physics room

# Outputs that every model has beside its own: what the stores gain from outside, and the water that floors make.
BALANCE = ("boundary", "floor")
LIMIT = 1e5  # mm; a store beyond it has diverged
# Residual [mm] below which a step has converged, to which comes what rounding leaves of the unit's stores, 8 eps max |S|: the rounding of
# one store reaches every other through the fluxes. In double precision mass is to close to 1e-9 mm a day.
TOLERANCE = {"float32": 1e-6, "float64": 1e-10}
NEWTON = 30  # corrections before a step counts as stalled
SMALLEST = 2.0**-6  # share of a correction that is taken whatever comes of it
CUTS = 64  # most steps that a stalled step is cut into
BELOW = -1e-3  # mm; a store is counted as below zero from here on, so that rounding is not

# What is recorded of every unit [unit = basin x component]: days that ended with a store below zero; Newton corrections; days with a step
# that did not converge; worst residual in units of the tolerance; days cut into shorter steps; number of the store that was lost, and its
# day (-1: none).
RECORD = ("below", "iterations", "unconverged", "residual", "cuts", "lost", "lost_on")
Record = Mapping[str, np.ndarray]  # field of RECORD -> [unit]


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
    return physics.tendencies(rates), (*physics.sums(rates), physics.boundary(rates), torch.zeros_like(stores[0]))
