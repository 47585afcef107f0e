"""Explicit Euler: S(t + dt) = S(t) + dt * f(S(t)). Order 1; HBV's stores stay above zero for dt up to 0.41 d only."""

from studyhub.solvers.scheme import Fields, Model, equations

MEANING = "explicit Euler of all equations together"
IMPLICIT = False
SUBSTEPS = True
FROM_ZERO = True


def step(physics: Model, stores: Fields, forcing: Fields, parameters: Fields, dt: float, *, raw: bool = False) -> tuple[Fields, Fields]:
    """One step of ``dt`` [d]; ``raw`` evaluates the fluxes at the stores as they are, below zero too."""
    tendencies, outputs = equations(physics, stores, forcing, parameters, raw=raw)
    return tuple(store + dt * change for store, change in zip(stores, tendencies, strict=True)), outputs
