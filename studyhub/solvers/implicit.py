"""Implicit (backward) Euler of all equations at once: S(t) = S(t-1) + dt * f(S(t)).

Order 1, stable at any step. Song et al. (2024), Eqs. 27-29.

Only the relation stands here. Finding its root (Newton) and differentiating at the root (the adjoint, Eqs. 30-34) belong to ``march`` and
the kernels.
"""

import torch
from torch import Tensor

from studyhub.solvers.scheme import Fields, Model
from studyhub.solvers.scheme import equations as equations

MEANING = "implicit Euler of all equations together, gradients by the adjoint"
IMPLICIT = True
SUBSTEPS = True
FROM_ZERO = True


def linearised(physics: Model, stores: Fields, forcing: Fields, parameters: Fields) -> tuple[Fields, list[Fields]]:
    """Tendencies f [mm/d] and the rows of df/dS [1/d] at one state."""
    tendencies, pull_back = torch.func.vjp(lambda *s: equations(physics, s, forcing, parameters)[0], *stores)[:2]
    one, zero = torch.ones_like(stores[0]), torch.zeros_like(stores[0])
    return tendencies, [pull_back(tuple(one if i == j else zero for j in range(len(stores)))) for i in range(len(stores))]


def tolerance(store: Tensor) -> Tensor:
    """Residual [mm] below which a store counts as converged: 1e-6 mm and what rounding leaves of it."""
    return 1e-6 + 8 * torch.finfo(store.dtype).eps * store.abs()
