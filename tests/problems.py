"""Small problems that several tests solve."""

import numpy as np
import torch
from torch import Tensor

from studyhub.physics.hbv import HBV
from studyhub.physics.structure import Flux, Parameter, Physics, Stage, Store

IMPROVED = HBV.variant(capillary_rise=True)


def weather(days: int, basins: int, seed: int = 0) -> Tensor:
    """Precipitation [mm/d], temperature [degC], potential evapotranspiration [mm/d]: wet, dry, warm and frozen days; [time, basin, 3]."""
    rng = np.random.default_rng(seed)
    temperature = 6 - 12 * np.cos(np.arange(days)[:, None] * 2 * np.pi / 60) + rng.normal(0, 3, (days, basins))
    return torch.tensor(np.stack([rng.gamma(0.3, 15, (days, basins)), temperature, np.clip(0.2 * temperature, 0.01, None)], axis=-1))


def parameters(physics: Physics, days: int, basins: int, components: int, daily: tuple[str, ...] = (), seed: int = 1) -> dict[str, Tensor]:
    """Values spread over the middle 90 % of each range; [basin, component], or [time, basin, component] for the ``daily`` ones."""
    rng = np.random.default_rng(seed)
    values = {}
    for p in physics.parameters:
        shape = (days, basins, components) if p.name in daily else (basins, components)
        values[p.name] = torch.tensor(p.low + (0.05 + 0.9 * rng.random(shape)) * (p.high - p.low), requires_grad=True)
    return values


def _inflow(P):
    return P


def _outflow(S, K):
    return K * S


LINEAR_RESERVOIR = Physics(
    name="linear_reservoir",
    parameters=(Parameter("K", "recession coefficient", "1/d", 0.01, 1.0),),
    stores=(Store("S", "water"),),
    symbols=(("P", "prcp"),),
    fluxes=(Flux(_inflow, None, "S"), Flux(_outflow, "S", None)),
    stages=(Stage(("_inflow",)), Stage(("_outflow",))),
    outputs=(("qsim", ("_outflow",)),),
)
