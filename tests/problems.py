"""Small problems that several tests solve."""

import hashlib
import importlib.util
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from studyhub.kernels import build
from studyhub.kernels.source import kernel_source
from studyhub.physics.hbv import HBV
from studyhub.physics.ops import exp, log, sqrt, tanh
from studyhub.physics.structure import Flux, Parameter, Physics, Stage, Store

IMPROVED = HBV.variant(capillary_rise=True)
SCHEMES = [("sequential", 1), ("implicit", 1), ("implicit", 3), ("crank_nicolson", 1), ("explicit", 4), ("rk4", 1)]


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


def extremes(physics: Physics, days: int, units: int, seed: int = 0) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Forcing, parameters and stores of units with one component each, half of all values at a corner of their range."""
    rng = np.random.default_rng(seed)

    def mixed(corners: list[float], low: float, high: float, *shape: int, skew: int = 1) -> np.ndarray:
        inside = low + rng.random(shape) ** skew * (high - low)
        return np.where(rng.random(shape) < 0.5, rng.choice(corners, shape), inside)

    prcp = mixed([0, 0, 1e-3, 1, 30, 500], 0, 500, days, units, skew=4)
    prcp *= rng.random(units) < 0.95  # some never see rain
    temperature = mixed([-40, -2.5, -1, 0, 1, 2.5, 40], -40, 40, days, units)
    forcing = np.stack([prcp, temperature, mixed([0, 0.01, 3, 15], 0, 15, days, units)], axis=-1)
    values = {p.name: torch.tensor(mixed([p.low, p.high], p.low, p.high, units, 1)) for p in physics.parameters}
    stores = mixed([0, 1e-8, 1e-6, 1e-3, 1, 50, 1000, 5000], 0, 2000, units, 1, len(physics.stores), skew=4)
    return torch.tensor(forcing), values, torch.tensor(stores)


def functional(marched, outputs: tuple[str, ...]) -> Tensor:
    """A number that depends on every output, day and store, unequally."""
    fluxes = torch.stack([marched.outputs[name] for name in outputs])
    weights = torch.linspace(0.3, 1.7, fluxes.numel(), dtype=fluxes.dtype).view_as(fluxes)
    return (fluxes * weights).sum() + (marched.stores * torch.arange(1, marched.stores.shape[-1] + 1)).sum()


@cache
def impatient(physics: Physics, scheme, real: str, target: str = "cpu", raw: bool = False):
    """A kernel that takes three of Newton's corrections for a stall, so that many days are cut into shorter steps."""
    source = kernel_source(physics, scheme, real, target, raw=raw).replace("if k == 30 or", "if k == 3 or")
    assert "if k == 3 or" in source
    name = f"impatient_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    folder = build.cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / f"{name}.py").exists():  # numba compiles again where the file is newer
        (folder / f"{name}.py").write_text(source)
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def _rain(P):
    return P


def _evaporation(U, EP):
    return EP * tanh(U / 20.0)


def _leakage(U, A, B):
    return A * (U / 10.0) ** B


def _exchange(U, L, X):
    return X * (U - L)


def _outflow_below(L, R):
    return R * (exp(L / 50.0) - 1.0 + log(1.0 + L) / sqrt(1.0 + L))


# Two stores that feed each other, without a kink while water is in them.
SMOOTH = Physics(
    name="smooth_pair",
    parameters=(
        Parameter("A", "rate of leakage at 10 mm", "mm/d", 0.5, 2.0),
        Parameter("B", "shape of leakage", "-", 1.2, 2.5),
        Parameter("X", "rate of exchange", "1/d", 0.05, 0.3),
        Parameter("R", "rate of outflow", "mm/d", 0.5, 3.0),
    ),
    stores=(Store("U", "upper water"), Store("L", "lower water")),
    symbols=(("P", "prcp"), ("EP", "pet")),
    fluxes=(
        Flux(_rain, None, "U"),
        Flux(_evaporation, "U", None),
        Flux(_leakage, "U", "L"),
        Flux(_exchange, "U", "L"),
        Flux(_outflow_below, "L", None),
    ),
    stages=(Stage(("_rain",)), Stage(("_evaporation",)), Stage(("_leakage", "_exchange")), Stage(("_outflow_below",))),
    outputs=(("qsim", ("_outflow_below",)), ("et", ("_evaporation",))),
)


def _quadratic_outflow(S, K):
    return K * S * S


# dS/dt = -K S^2 from S(0) is S(0) / (1 + K S(0) t).
RECESSION = replace(
    LINEAR_RESERVOIR,
    name="recession",
    fluxes=(LINEAR_RESERVOIR.fluxes[0], Flux(_quadratic_outflow, "S", None)),
    stages=(Stage(("_inflow",)), Stage(("_quadratic_outflow",))),
    outputs=(("qsim", ("_quadratic_outflow",)),),
)


def smooth_problem(days: int, basins: int, components: int, seed: int = 5) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Forcing, parameters and stores for ``SMOOTH``."""
    rng = np.random.default_rng(seed)
    forcing = torch.tensor(np.stack([rng.gamma(2.0, 2.0, (days, basins)), rng.uniform(0.5, 4.0, (days, basins))], axis=-1))
    start = torch.tensor(rng.uniform(10.0, 40.0, (basins, components, 2)), requires_grad=True)
    return forcing, parameters(SMOOTH, days, basins, components, seed=seed), start
