"""Virtual basins whose true answer is known.

Weather comes from a generator (``weather``), attributes from hidden factors and that weather, HBV parameters from the attributes by a
smooth map (both ``landscape``), and discharge from the differential equations of HBV with capillary rise, solved by the Runge-Kutta method
in many steps a day in double precision, routed, with observation noise and gaps. The truth (discharge without noise, evapotranspiration,
baseflow before routing, parameters) is kept beside the shards.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from studyhub.data.climate import climate_attributes, climate_group
from studyhub.data.landscape import CODES, hidden_parameters, land
from studyhub.data.manifest import Manifest
from studyhub.data.record import Basin, days
from studyhub.data.shards import Shards, write
from studyhub.data.synthetic_settings import SOURCE, VERSION, SyntheticSettings
from studyhub.data.weather import Climate, place, weather
from studyhub.errors import DataError
from studyhub.physics.hbv import HBV
from studyhub.physics.routing import ROUTE_A, ROUTE_B, route
from studyhub.solvers.march import march

PHYSICS = HBV.variant(capillary_rise=True)
RANGES = {parameter.name: (parameter.low, parameter.high) for parameter in (*PHYSICS.parameters, ROUTE_A, ROUTE_B)}
SPIN_UP = 3 * 365  # days simulated and thrown away
STEPS_PER_DAY = 48  # measured: discharge within 2e-4 mm/d of that of 192 steps, evapotranspiration and baseflow within 3e-5
GAP_DAYS = 20  # mean length of a gap

Series = dict[str, np.ndarray]


def build(settings: SyntheticSettings, folder: str | Path) -> Shards:
    """Make the world of these settings in ``folder``, or open it where it is already there."""
    ready = _opened(settings, folder)
    if ready is not None:
        return ready
    described = asdict(settings) | {"version": VERSION}
    try:
        write(folder, generate(settings), source=SOURCE, settings=described, codes=CODES, identity=settings.identity)
    except DataError:
        ready = _opened(settings, folder)  # another process may have made the same world meanwhile
        if ready is None:
            raise
        return ready
    return Shards.open(folder)


def generate(settings: SyntheticSettings) -> Iterator[Basin]:
    """Generate the basins of a world.

    A basin depends on the seed, its number and the length of the record, not on how many others there are.
    """
    whole = days(settings.period.before(SPIN_UP))
    kept = days(settings.period)
    rngs = [np.random.default_rng([settings.seed, i]) for i in range(settings.basins)]
    climates = [place(i, rng) for i, rng in enumerate(rngs)]
    # The shards hold float32: the truth must follow from the numbers that a study will read.
    forcing = [{k: v.astype(np.float32) for k, v in weather(c, whole, rng).items()} for c, rng in zip(climates, rngs, strict=True)]
    seen = [{name: values[SPIN_UP:] for name, values in series.items()} for series in forcing]
    attributes = [_attributes(c, series, kept, rng) for c, series, rng in zip(climates, seen, rngs, strict=True)]
    parameters = [hidden_parameters(a, RANGES) for a in attributes]
    truths = _simulate(forcing, parameters)
    for i, name in enumerate(settings.names):
        qobs = _observe(truths[i]["q_true"], settings, rngs[i])
        facts = _facts(climates[i], attributes[i], seen[i], kept)
        yield Basin(name, settings.period.start, seen[i] | {"qobs": qobs}, attributes[i], facts, truths[i], parameters[i])


def _opened(settings: SyntheticSettings, folder: str | Path) -> Shards | None:
    try:
        manifest = Manifest.open(folder)
    except DataError:
        return None
    return Shards(manifest) if manifest.identity == settings.identity else None


def _attributes(climate: Climate, series: Series, dates: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    prcp, tmean, pet = (series[name].astype(np.float64) for name in ("prcp", "tmean", "pet"))
    known = climate_attributes(prcp, tmean, pet, dates)
    return known | land(climate, known, rng)


def _simulate(forcing: list[Series], parameters: list[dict[str, float]]) -> list[Series]:
    """Return the true series of each basin without the spin-up, mm/d [time]."""
    stacked = np.stack([np.column_stack([series[name] for name in PHYSICS.forcing]) for series in forcing], axis=1)
    values = {name: torch.tensor([p[name] for p in parameters], dtype=torch.float64) for name in RANGES}
    with torch.no_grad():
        marched = march(
            PHYSICS,
            "rk4",
            torch.as_tensor(stacked, dtype=torch.float64),
            {name: values[name][:, None] for name in PHYSICS.parameter_names},
            outputs=("qsim", "et", "baseflow"),
            steps_per_day=STEPS_PER_DAY,
        )
        unrouted, et, baseflow = (marched.outputs[name][:, :, 0] for name in ("qsim", "et", "baseflow"))
        q = route(unrouted, values[ROUTE_A.name], values[ROUTE_B.name])
    true = {"q_true": q, "et_true": et, "baseflow_true": baseflow}
    return [{name: series[SPIN_UP:, i].numpy().copy() for name, series in true.items()} for i in range(len(parameters))]


def _observe(q: np.ndarray, settings: SyntheticSettings, rng: np.random.Generator) -> np.ndarray:
    """Discharge as a gauge reports it: a lognormal error of mean 1 on every day, and in about half of the basins gaps."""
    observed = q * np.exp(settings.noise * rng.normal(size=len(q)) - settings.noise**2 / 2)
    due = round(max(0.0, rng.uniform(-settings.gaps, settings.gaps)) * len(q))
    while due > 0:
        length = min(due, int(rng.geometric(1 / GAP_DAYS)))
        begin = int(rng.integers(len(q) - length + 1))
        observed[begin : begin + length] = np.nan
        due -= length
    return observed


def _facts(climate: Climate, attributes: Mapping[str, float], series: Series, dates: np.ndarray) -> dict[str, str | float]:
    return {
        "name": f"virtual basin in {climate.continent}",
        "gauge_lat": climate.latitude,
        "gauge_lon": climate.longitude,
        "continent": climate.continent,
        "climate_group": climate_group(series["prcp"], series["tmean"], dates),
        "area_km2": attributes["area_gages2"],
    }
