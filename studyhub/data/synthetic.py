"""Virtual basins whose true answer is known.

Weather comes from a generator (``weather``), attributes from hidden factors and that weather, HBV parameters from the attributes by a
smooth map (both ``landscape``), and discharge from the differential equations of HBV with capillary rise, solved by the Runge-Kutta method
in many steps a day in double precision, routed, with observation noise and gaps. The truth (discharge without noise, evapotranspiration,
baseflow before routing, parameters) is kept beside the shards.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from studyhub.data.climate import climate_attributes, climate_group
from studyhub.data.composites import sums
from studyhub.data.derived import completed
from studyhub.data.entries import NAME as MANIFEST
from studyhub.data.ingest import checked
from studyhub.data.landscape import CODES, hidden_parameters, land
from studyhub.data.manifest import shorten
from studyhub.data.record import TRUTH_UNITS, Basin, days
from studyhub.data.shards import Shards, write
from studyhub.data.synthetic_settings import SOURCE, VERSION, SyntheticSettings
from studyhub.data.weather import Climate, place, weather
from studyhub.data.writer import Row
from studyhub.errors import DataError
from studyhub.object_store import cause
from studyhub.physics.hbv import HBV
from studyhub.physics.routing import ROUTE_A, ROUTE_B, route
from studyhub.solvers.march import march
from studyhub.storage import Folder, LocalFolder, is_remote
from studyhub.storage import folder as place_at

PHYSICS = HBV.variant(capillary_rise=True)
RANGES = {parameter.name: (parameter.low, parameter.high) for parameter in (*PHYSICS.parameters, ROUTE_A, ROUTE_B)}
SPIN_UP = 3 * 365  # days simulated and thrown away
STEPS_PER_DAY = 48  # measured: discharge within 2e-4 mm/d of that of 192 steps, evapotranspiration and baseflow within 3e-5
GAP_DAYS = 20  # mean length of a gap
BASINS_AT_ONCE = 64  # bounds memory
SNOW = ("SP", "LQ")
SKY = 1  # a generator of its own: discharge stays what it is, whatever else is observed
SKY_NOISE, CLOUDS = 0.1, 0.15

Series = dict[str, np.ndarray]


def build(settings: SyntheticSettings, folder: str | Path, progress: Callable[[int, int], None] | None = None) -> Shards:
    """Make the world of these settings in ``folder``, a path or URI, or open it where it is already there.

    Parameters
    ----------
    progress : called with basins done and basins in all
    """
    ready = Shards.known(folder, settings.identity)
    if ready is not None:
        return ready
    try:
        if is_remote(folder):
            with tempfile.TemporaryDirectory(prefix="studyhub-basins-") as there:
                _make(settings, Path(there) / "basins", progress)
                _copy(LocalFolder(Path(there) / "basins"), place_at(folder))
        else:
            _make(settings, folder, progress)
    except DataError:
        ready = Shards.known(folder, settings.identity)  # another process may have made the same world meanwhile
        if ready is None:
            raise
        return ready
    return Shards.open(folder)


def _make(settings: SyntheticSettings, folder: str | Path, progress: Callable[[int, int], None] | None) -> None:
    source, findings = VirtualBasins(settings), {}
    write(
        folder,
        _told(source, findings, progress),
        source=SOURCE,
        settings=source.settings,
        units=source.units,
        codes=CODES,
        findings=findings,
        identity=settings.identity,
    )


def _copy(source: Folder, target: Folder) -> None:
    """Copy a shards folder; it is one once its manifest is there."""
    try:
        for name in sorted(source.names(), key=lambda name: name == MANIFEST):
            target.write(name, source.read(name))
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({cause(error)})") from None


def _told(source: "VirtualBasins", findings: dict[str, list[Row]], progress: Callable[[int, int], None] | None) -> Iterator[Basin]:
    for done, basin in enumerate(source.read(source.basins), start=1):
        yield checked(completed(basin, source.units), source.units, findings)
        if progress is not None:
            progress(done, len(source.basins))


@dataclass(frozen=True)
class VirtualBasins:
    """The world of some settings as a `studyhub.data.source.Source`.

    A basin depends on the seed, its number and the length of the record, not on how many others there are.
    """

    world: SyntheticSettings

    @property
    def reader(self) -> str:
        return SOURCE

    @property
    def codes(self) -> Mapping[str, Sequence[str]]:
        return CODES

    @property
    def settings(self) -> dict[str, Any]:
        return asdict(self.world) | {"version": VERSION}

    @property
    def basins(self) -> tuple[str, ...]:
        return self.world.names

    @property
    def units(self) -> Mapping[str, str]:
        return self.world.units

    def read(self, basins: Sequence[str]) -> Iterator[Basin]:
        """Generate basins, `BASINS_AT_ONCE` at a time."""
        numbers = {name: number for number, name in enumerate(self.basins)}
        unknown = [name for name in basins if name not in numbers]
        if unknown:
            raise DataError(f"this world has no basin {shorten(unknown)}; it has {self.basins[0]} to {self.basins[-1]}")
        for first in range(0, len(basins), BASINS_AT_ONCE):
            yield from _generate(self.world, {name: numbers[name] for name in basins[first : first + BASINS_AT_ONCE]})


def _generate(settings: SyntheticSettings, numbers: Mapping[str, int]) -> Iterator[Basin]:
    whole = days(settings.period.before(SPIN_UP))
    kept = days(settings.period)
    rngs = [np.random.default_rng([settings.seed, i]) for i in numbers.values()]
    climates = [place(i, rng) for i, rng in zip(numbers.values(), rngs, strict=True)]
    # The shards hold float32: the truth must follow from the numbers that a study will read.
    forcing = [{k: v.astype(np.float32) for k, v in weather(c, whole, rng).items()} for c, rng in zip(climates, rngs, strict=True)]
    seen = [{name: values[SPIN_UP:] for name, values in series.items()} for series in forcing]
    attributes = [_attributes(c, series, kept, rng) for c, series, rng in zip(climates, seen, rngs, strict=True)]
    parameters = [hidden_parameters(a, RANGES) for a in attributes]
    simulated = _simulate(forcing, parameters)
    for i, (name, number) in enumerate(numbers.items()):
        truth = {key: simulated[i][key] for key in TRUTH_UNITS}
        sky = np.random.default_rng([settings.seed, number, SKY])
        observed = {
            "et_obs": _composites(truth["et_true"], kept, sky),
            "swe_obs": _snow(simulated[i]["swe"], sky),
            "qobs": _observe(truth["q_true"], settings, rngs[i]),
        }
        facts = _facts(climates[i], attributes[i], seen[i], kept)
        series = seen[i] | observed
        yield Basin(name, settings.period.start, {v: series[v] for v in settings.units}, attributes[i], facts, truth, parameters[i])


def _attributes(climate: Climate, series: Series, dates: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    prcp, tmean, pet = (series[name].astype(np.float64) for name in ("prcp", "tmean", "pet"))
    known = climate_attributes(prcp, tmean, pet, dates)
    return {name: float(value) for name, value in (known | land(climate, known, rng)).items()}


def _simulate(forcing: list[Series], parameters: list[dict[str, float]]) -> list[Series]:
    """Return the true series of each basin without the spin-up, mm/d (snow water equivalent in mm) [time]."""
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
            trajectory=True,
        )
        unrouted, et, baseflow = (marched.outputs[name][:, :, 0] for name in ("qsim", "et", "baseflow"))
        q = route(unrouted, values[ROUTE_A.name], values[ROUTE_B.name])
        assert marched.trajectory is not None
        snow = sum(marched.trajectory[:, :, 0, PHYSICS.store_names.index(name)] for name in SNOW)
    true = {"q_true": q, "et_true": et, "baseflow_true": baseflow, "swe": snow}
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


def _composites(et: np.ndarray, dates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Evapotranspiration as a satellite reports it: sums of 8 days with a lognormal error, and clouds over some. MOD16A2's unit: 0.1 mm."""
    seen = sums(et, dates) * np.exp(SKY_NOISE * rng.normal(size=len(et)) - SKY_NOISE**2 / 2)
    return np.where(rng.random(len(et)) < CLOUDS, np.nan, np.round(seen, 1))


def _snow(swe: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Snow water equivalent as a snow pillow reports it, in mm."""
    return np.round(swe * np.exp(SKY_NOISE * rng.normal(size=len(swe)) - SKY_NOISE**2 / 2), 0)


def _facts(climate: Climate, attributes: Mapping[str, float], series: Series, dates: np.ndarray) -> dict[str, str | float]:
    return {
        "name": f"virtual basin in {climate.continent}",
        "gauge_lat": float(climate.latitude),
        "gauge_lon": float(climate.longitude),
        "continent": climate.continent,
        "climate_group": climate_group(series["prcp"], series["tmean"], dates),
        "area_km2": float(attributes["area_gages2"]),
    }
