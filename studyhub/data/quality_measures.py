"""What the quality checks measure: one function per check, from the days of one basin to a number and the days or years it is about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from studyhub.catalog import TARGET
from studyhub.data.record import Basin
from studyhub.data.runs import runs

NONE = float("nan")
YEAR = 365.25
WHOLE_YEAR = 350  # days with precipitation and discharge that make a year whole
BALANCE_YEARS = 3  # below, a change of snow, soil and groundwater still shows in a water balance
BREAK_YEARS = 18  # below, Pettitt's approximate p cannot reach BREAK_P
# Pettitt's approximation is conservative: with 20 to 40 independent years, 0.03 to 0.2 % of series without a break fall below this
# (simulated, 10,000 and more series of each length).
BREAK_P = 0.005
STUCK = 0.01  # mm/d; lower flows are equal for weeks because gauges report few digits
ARID_RATIO = 0.1  # of discharge to precipitation, that no climate is too dry for
SPIKE, SPIKE_LEAST, SPIKE_RAIN = 10, 1.0, 1.0  # times both neighbours; mm/d; mm in the four days around
SUDDEN, DRY_MEDIAN = 0.2, 0.01  # of mean discharge, that a river does not lose overnight; mm/d, below which rivers are intermittent
DEW = 1.0  # mm/d of condensation, that the PET of reanalyses shows in winter
MAY_BE_ZERO = ("prcp", "pet", "srad", "vp")
SLIPS = {
    86.4: "m3/s per km2 and mm/d",
    35.31: "ft3/s and m3/s",
    25.4: "inch and mm",
    11.57: "l/s per km2 and mm/d",
    10.0: "tenths",
    30.4: "per month and per day",
    100.0: "hundredths",
    365.25: "per year and per day",
    1000.0: "l and m3, or m and mm",
}

Measured = tuple[float, str]


@dataclass(frozen=True)
class Days:
    """A basin with its days counted once for all checks."""

    basin: Basin
    units: Mapping[str, str]

    @cached_property
    def series(self) -> dict[str, np.ndarray]:
        """Variable -> float64 [time], NaN where not finite."""
        given = {name: np.asarray(values, dtype=np.float64) for name, values in self.basin.series.items()}
        return {name: np.where(np.isfinite(values), values, np.nan) for name, values in given.items()}

    @cached_property
    def dates(self) -> np.ndarray:
        return np.datetime64(self.basin.start) + np.arange(max((len(values) for values in self.basin.series.values()), default=0))

    @cached_property
    def years(self) -> "Years":
        """Whole water years, named by the year that they end in: from 1 October, from 1 April where the latitude is south."""
        latitude = self.basin.facts.get("gauge_lat")
        south = isinstance(latitude, int | float) and latitude < 0
        year = (self.dates.astype("datetime64[M]").astype(np.int64) + (9 if south else 3)) // 12 + 1970
        prcp, qobs = self.series["prcp"], self.series["qobs"]
        pet = self.series.get("pet", np.full(len(prcp), np.nan))
        both = np.isfinite(prcp) & np.isfinite(qobs) & (np.isfinite(pet) | np.isnan(pet).all())
        counted = np.bincount(year - year[0], both)
        whole = counted >= WHOLE_YEAR
        sums = [np.bincount(year - year[0], np.where(both, values, 0.0))[whole] for values in (prcp, qobs, pet)]
        return Years(np.flatnonzero(whole) + year[0], *(YEAR * total / counted[whole] for total in sums))

    def span(self, begin: int, length: int) -> str:
        """The days of a run, in words."""
        first, last = self.dates[begin], self.dates[begin + length - 1]
        return str(first) if length == 1 else f"{first}..{last}"

    def list(self, days: np.ndarray, most: int = 3) -> str:
        """The first runs of the days that are True."""
        begins, lengths = runs(days)
        shown = [self.span(begin, length) for begin, length in zip(begins[:most], lengths[:most], strict=True)]
        return ", ".join(shown) + (f" and {len(begins) - most} more" if len(begins) > most else "")


@dataclass(frozen=True)
class Years:
    """Whole years and what fell, flowed and could have evaporated in them, mm/yr [year]."""

    year: np.ndarray
    prcp: np.ndarray
    qobs: np.ndarray
    pet: np.ndarray

    def means(self) -> tuple[float, float, float] | None:
        """Mean P, Q and PET, mm/yr; None where the years are too few or dry throughout."""
        if len(self.year) < BALANCE_YEARS or not self.prcp.mean() > 0:
            return None
        return float(self.prcp.mean()), float(self.qobs.mean()), float(self.pet.mean())

    def __str__(self) -> str:
        return f"{len(self.year)} whole years {self.year[0]}..{self.year[-1]}" if len(self.year) else "no whole year"


def counted(name: str) -> Callable[[Days, str], Measured]:
    """Days that the reader met."""
    return lambda days, variable: (float(days.basin.met.get(name, 0)), "")


def missing_days(days: Days, variable: str) -> Measured:
    missing = np.isnan(days.series[variable])
    return float(np.count_nonzero(missing)), days.list(missing)


def missing_share(days: Days, variable: str) -> Measured:
    missing = np.isnan(days.series[variable])
    return 100 * float(missing.mean()), days.list(missing)


def longest_gap(days: Days, variable: str) -> Measured:
    """Between the first and the last day that are there."""
    present = np.flatnonzero(np.isfinite(days.series[variable]))
    if not len(present):
        return NONE, f"no day with {variable}"
    steps = np.diff(present) - 1
    if not len(steps) or not steps.max():
        return 0.0, ""
    at = int(steps.argmax())
    return float(steps[at]), days.span(int(present[at]) + 1, int(steps[at]))


def observed_years(days: Days, variable: str) -> Measured:
    present = np.isfinite(days.series[variable])
    return float(np.count_nonzero(present) / YEAR), days.list(present)


def negative_days(days: Days, variable: str) -> Measured:
    """Those that are there, and of discharge those that the reader took as missing: slight negative sums of forcing are its rounding."""
    below = days.series[variable] < (-DEW if variable == "pet" else 0)
    met = days.basin.met.get(f"negative_{variable}", 0) if variable == TARGET else 0
    return float(np.count_nonzero(below) + met), days.list(below)


def stuck_discharge(days: Days, variable: str) -> Measured:
    """Longest run of equal discharge, but for low flows, and runs that freeze: under ice, gauges' winters are estimated by a constant."""
    values, tmean = days.series[variable], days.series.get("tmean")
    begins, lengths = runs((values[1:] == values[:-1]) & (values[1:] >= STUCK))
    if tmean is not None and len(begins):
        warmth = np.concatenate([[0.0], np.cumsum(np.nan_to_num(tmean))])
        warm = warmth[begins + lengths + 1] - warmth[begins] >= 0
        begins, lengths = begins[warm], lengths[warm]
    return _longest(days, values, begins, lengths)


def stuck_forcing(days: Days, variable: str) -> Measured:
    values = days.series[variable]
    same = values[1:] == values[:-1]
    if variable in MAY_BE_ZERO:
        same &= values[1:] != 0
    return _longest(days, values, *runs(same))


def _longest(days: Days, values: np.ndarray, begins: np.ndarray, lengths: np.ndarray) -> Measured:
    """Longest of the runs of days equal to the day before."""
    if not len(begins):
        return float(bool(np.isfinite(values).any())), ""
    at = int(lengths.argmax())
    length = int(lengths[at]) + 1
    return float(length), f"{values[begins[at]]:.4g} on {days.span(int(begins[at]), length)}"


def sudden_zeros(days: Days, variable: str) -> Measured:
    """Longest run of zeros right after a day of substantial flow, in rivers that are not intermittent."""
    values = days.series[variable]
    present = values[np.isfinite(values)]
    if not len(present) or np.median(present) <= DRY_MEDIAN:
        return NONE, "dry or nearly so on half of its days"
    begins, lengths = runs(values == 0)
    sudden = values[np.maximum(begins - 1, 0)] > SUDDEN * present.mean()
    begins, lengths = begins[sudden], lengths[sudden]
    if not len(begins):
        return 0.0, ""
    at = int(lengths.argmax())
    return float(lengths[at]), f"{days.span(int(begins[at]), int(lengths[at]))}, after {values[begins[at] - 1]:.3g} mm/d"


def spikes(days: Days, variable: str) -> Measured:
    """Single days far above both neighbours, without rain on the two days before, the day and the day after."""
    q, prcp = days.series[variable], days.series["prcp"]
    if len(q) < 4:
        return NONE, "fewer than 4 days"
    rain = prcp[:-3] + prcp[1:-2] + prcp[2:-1] + prcp[3:]
    neighbours = np.maximum(q[1:-2], q[3:])
    spike = np.zeros(len(q), dtype=bool)
    spike[2:-1] = (q[2:-1] > SPIKE * neighbours) & (q[2:-1] >= SPIKE_LEAST) & (rain < SPIKE_RAIN)
    return float(np.count_nonzero(spike)), days.list(spike)


def runoff_ratio(days: Days, variable: str) -> Measured:
    means = days.years.means()
    return (NONE, str(days.years)) if means is None else (means[1] / means[0], str(days.years))


def loss_over_pet(days: Days, variable: str) -> Measured:
    means = days.years.means()
    if means is None or not means[2] > 0:
        return NONE, str(days.years)
    prcp, qobs, pet = means
    return (prcp - qobs) / pet, f"P {prcp:.0f}, Q {qobs:.0f}, PET {pet:.0f} mm/yr; {days.years}"


def budyko_factor(days: Days, variable: str) -> Measured:
    """By which factor mean discharge is above or below that of Budyko (1974) for the basin's aridity, at least 1.

    It is above where it exceeds a tenth of precipitation too: in deserts the curve leaves next to nothing, floods and springs do not.
    """
    means = days.years.means()
    if means is None or not means[2] > 0:
        return NONE, str(days.years)
    prcp, qobs, pet = means
    aridity = pet / prcp
    due = prcp * (1 - float(np.sqrt(aridity * np.tanh(1 / aridity) * (1 - np.exp(-aridity)))))
    # Beyond any aridity on Earth (a slip in P or PET) the curve's own digits run out.
    above, below = qobs / max(due, ARID_RATIO * prcp), max(due, 1e-6) / max(qobs, 1e-6)
    value = max(above, below, 1.0)
    near = sorted((abs(np.log(value / slip)), f"{slip:g} ({what})") for slip, what in SLIPS.items() if 0.5 <= value / slip <= 2)
    suspects = f"; near {' or '.join(text for _, text in near[:3])}" if near else ""
    side = "above" if above > below else "below"
    return value, f"Q {qobs:.4g} mm/yr is {side} {due:.4g}, P {prcp:.0f}, PET {pet:.0f} mm/yr{suspects}"


def discharge_break(days: Days, variable: str) -> Measured:
    """Factor between annual discharge at the same precipitation before and after a break (Pettitt's test), 1 where there is none."""
    years = days.years
    if len(years.year) < BREAK_YEARS:
        return NONE, str(years)
    # A straight line in precipitation is enough to take most of the weather out.
    line = np.column_stack([np.ones(len(years.year)), years.prcp])
    rest = years.qobs - line @ np.linalg.lstsq(line, years.qobs, rcond=None)[0]
    n = len(rest)
    steps = np.abs(np.cumsum(np.sign(rest[:, None] - rest[None, :]).sum(axis=1))[:-1])
    at = int(steps.argmax())
    p = min(1.0, 2 * float(np.exp(-6 * steps[at] ** 2 / (n**3 + n**2))))
    if p >= BREAK_P:
        return 1.0, f"{years}, p {p:.2g}"
    mean = years.qobs.mean()
    low, high = sorted(float(max(mean + part.mean(), 1e-3)) for part in (rest[: at + 1], rest[at + 1 :]))
    return high / low, f"after {years.year[at]}, {'more' if rest[at + 1 :].mean() > 0 else 'less'} discharge; p {p:.2g}"


def mean(days: Days, variable: str) -> Measured:
    values = days.series[variable]
    present = values[np.isfinite(values)]
    return (float(present.mean()), "") if len(present) else (NONE, f"no day with {variable}")


def highest(days: Days, variable: str) -> Measured:
    return _extreme(days, variable, 1)


def lowest(days: Days, variable: str) -> Measured:
    return _extreme(days, variable, -1)


def _extreme(days: Days, variable: str, sign: int) -> Measured:
    values = days.series[variable]
    if np.isnan(values).all():
        return NONE, f"no day with {variable}"
    at = int(np.nanargmax(sign * values))
    return float(values[at]), str(days.dates[at])


def crossed_share(days: Days, variable: str) -> Measured:
    crossed = days.series[variable] > days.series["tmax"]
    return 100 * float(crossed.mean()), days.list(crossed)
