"""Implicit (backward) Euler of all equations at once: S(t) = S(t-1) + dt * f(S(t)).

Order 1, stable at any step. Song et al. (2024), Eqs. 27-29. For a water balance whose outflows rise with their store there is exactly one
root, and at it no store is below zero.
"""

from studyhub.solvers.scheme import Fields, Model, equations

MEANING = "implicit Euler of all equations together, gradients by the adjoint"
IMPLICIT = True
SUBSTEPS = True
FROM_ZERO = True


def relation(physics: Model, before: Fields, after: Fields, forcing: Fields, parameters: Fields, dt: float) -> tuple[Fields, Fields]:
    """Residual [mm] of one step of ``dt`` [d], zero at its root, and the outputs [mm/d] there."""
    tendencies, outputs = equations(physics, after, forcing, parameters)
    return tuple(s - o - dt * f for s, o, f in zip(after, before, tendencies, strict=True)), outputs
