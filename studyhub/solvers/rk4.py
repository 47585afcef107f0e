"""The classical Runge-Kutta method.

      0 |
    1/2 | 1/2
    1/2 |  0  1/2
      1 |  0   0   1
    ----+-----------------
        | 1/6 1/3 1/3 1/6

Order 4 where the equations are smooth. Hairer, Norsett & Wanner (1993), Solving Ordinary Differential Equations I, II.1.
"""

from studyhub.solvers.scheme import Fields, Model, equations, total

MEANING = "classical Runge-Kutta method of all equations together"
IMPLICIT = False
SUBSTEPS = True
FROM_ZERO = True

NODES = (0.5, 0.5, 1.0)
WEIGHTS = (1 / 6, 1 / 3, 1 / 3, 1 / 6)


def step(physics: Model, stores: Fields, forcing: Fields, parameters: Fields, dt: float, *, raw: bool = False) -> tuple[Fields, Fields]:
    """One step of ``dt`` [d]; outputs are weighted as the tendencies are, so that mass closes."""
    slopes, outputs = zip(equations(physics, stores, forcing, parameters, raw=raw), strict=True)
    for node in NODES:
        inner = tuple(store + node * dt * slope for store, slope in zip(stores, slopes[-1], strict=True))
        slope, output = equations(physics, inner, forcing, parameters, raw=raw)
        slopes, outputs = (*slopes, slope), (*outputs, output)
    return tuple(store + dt * change for store, change in zip(stores, _weighted(slopes), strict=True)), _weighted(outputs)


def _weighted(stages: tuple[Fields, ...]) -> Fields:
    return tuple(total([weight * value for weight, value in zip(WEIGHTS, values, strict=True)]) for values in zip(*stages, strict=True))
