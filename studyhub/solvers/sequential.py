"""Operator splitting as in the published HBV programs.

One flux after the other, each from stores that the fluxes before it have changed.
"""

import torch

from studyhub.solvers.scheme import Fields, Model, total

MEANING = "one flux after the other within the day, stores updated at once"
IMPLICIT = False
SUBSTEPS = False
FROM_ZERO = False


def step(physics: Model, stores: Fields, forcing: Fields, parameters: Fields, dt: float) -> tuple[Fields, Fields]:
    """Sweep the stages of one day. ``dt`` is 1 d: the stages are rates per day.

    The floors that hold stores up make water: it is the last output, so that mass closes.
    """
    values = physics.values(stores, forcing, parameters)
    rates, made = {}, []
    for stage in physics.stages:
        for name in stage.fluxes:
            rates[name] = values[name] = physics.rate(name, values)
        for flux in (physics.flux(name) for name in stage.fluxes):
            if flux.source:
                values[flux.source] = values[flux.source] - rates[flux.name]
            if flux.sink:
                values[flux.sink] = values[flux.sink] + rates[flux.name]
        for store, floor in stage.floors:
            held = values[store].clamp(min=floor)
            made.append(held - values[store])
            values[store] = held
    water = total(made) if made else torch.zeros_like(stores[0])
    return tuple(values[store] for store in physics.store_names), (*physics.sums(rates), physics.boundary(rates), water)
