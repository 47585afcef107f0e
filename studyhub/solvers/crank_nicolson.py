"""Crank-Nicolson: S(t) = S(t-1) + dt / 2 * (f(S(t-1)) + f(S(t))).

Order 2 where the equations are smooth. Stable at any step, but unlike implicit Euler it may overshoot: a store may end a step below zero.
Crank, J. and Nicolson, P. (1947). A practical method for numerical evaluation of solutions of partial differential equations of the
heat-conduction type. doi:10.1017/S0305004100023197
"""

from studyhub.solvers.scheme import Fields, Model, equations

MEANING = "Crank-Nicolson, the mean of both ends of a step, gradients by the adjoint"
IMPLICIT = True
SUBSTEPS = True
FROM_ZERO = True


def relation(physics: Model, before: Fields, after: Fields, forcing: Fields, parameters: Fields, dt: float) -> tuple[Fields, Fields]:
    """Residual [mm] of one step of ``dt`` [d], zero at its root, and the outputs [mm/d], weighted as the tendencies are."""
    first, leaving = equations(physics, before, forcing, parameters)
    second, arriving = equations(physics, after, forcing, parameters)
    residual = tuple(s - o - dt * (0.5 * (f + g)) for s, o, f, g in zip(after, before, first, second, strict=True))
    return residual, tuple(0.5 * (a + b) for a, b in zip(leaving, arriving, strict=True))
