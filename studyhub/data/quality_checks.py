"""The quality checks: what each measures, in which unit, beyond which threshold a basin is flagged, and what may be behind it.

Most of 570 real basins (CAMELS-US, France, Switzerland, Luxembourg), screened by hand before they were published, pass each of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from studyhub.catalog import FORCINGS, TARGET
from studyhub.data import quality_measures as measures
from studyhub.data.quality_measures import Days, Measured

ALL = "all"  # stands for the days themselves, whatever the variable
YEARS = 5  # observed years that the global paper asks of a basin (Feng et al. 2024)


@dataclass(frozen=True)
class Check:
    """A question asked of each of the variables in ``applies`` that a basin has.

    Parameters
    ----------
    name : in tables, and in a study that leaves flagged basins out
    meaning : what is measured, and what may be behind it
    unit : of the value and its threshold
    threshold : beyond it a basin is flagged
    applies : the variables; "all" stands for the days themselves
    measure : from the days and a variable to the value, NaN where it has none, and to the days or years it is about
    needs : further variables without which it cannot be asked
    side : on which side of the threshold a basin is flagged
    """

    name: str
    meaning: str
    unit: str
    threshold: float
    applies: tuple[str, ...]
    measure: Callable[[Days, str], Measured]
    needs: tuple[str, ...] = ()
    side: Literal["above", "below"] = "above"


_Q = (TARGET,)
_WATER = ("prcp", "pet")
_WARMTH = ("tmin", "tmax", "tmean")
_NEVER_BELOW_ZERO = ("prcp", "pet", "srad", "vp", "dayl")
_EVER_CHANGING = (*_WARMTH, "prcp", "pet", "srad", "vp")

CHECKS = {
    check.name: check
    for check in (
        Check("doubled_days", "days that the source has twice", "d", 0, (ALL,), measures.counted("doubled_days")),
        Check("absent_days", "days between others that the source does not have", "d", 0, (ALL,), measures.counted("missing_days")),
        Check("unsorted_days", "days out of order in the source", "d", 0, (ALL,), measures.counted("unsorted_days")),
        Check("short_record", "observed days of discharge, in years", "yr", YEARS, _Q, measures.observed_years, side="below"),
        Check("missing_discharge", "share of days without discharge", "%", 10, _Q, measures.missing_share),
        Check("discharge_gap", "longest gap between the first and the last discharge", "d", 365, _Q, measures.longest_gap),
        Check(
            "negative_discharge",
            "days below 0, those that the reader took as missing too: tides, or a code for missing",
            "d",
            0,
            _Q,
            measures.negative_days,
        ),
        Check(
            "stuck_discharge",
            "longest run of equal discharge of at least 0.01 mm/d without frost: a stuck gauge, or weeks that were estimated",
            "d",
            30,
            _Q,
            measures.stuck_discharge,
        ),
        Check(
            "sudden_zeros",
            "longest run of zeros right after substantial flow in a river that is not intermittent: missing written as 0",
            "d",
            0,
            _Q,
            measures.sudden_zeros,
        ),
        Check(
            "spikes",
            "single days above 1 mm/d and 10 times both neighbours without rain: an error of typing, or a flash flood between rain gauges",
            "d",
            0,
            _Q,
            measures.spikes,
            ("prcp",),
        ),
        Check(
            "runoff_ratio",
            "Q/P over whole years: the area or a unit; also snow that rain gauges miss, glaciers that melt, springs, water from elsewhere",
            "-",
            1.1,
            _Q,
            measures.runoff_ratio,
            ("prcp",),
        ),
        Check(
            "loss_over_pet",
            "(P - Q)/PET over whole years, losses that evaporation cannot explain: the area or a unit; also leakage and abstraction",
            "-",
            1.5,
            _Q,
            measures.loss_over_pet,
            _WATER,
        ),
        Check(
            "budyko_factor",
            "factor between mean discharge and that of Budyko for the same P and PET: a slip of unit, the note says which",
            "-",
            6,
            _Q,
            measures.budyko_factor,
            _WATER,
        ),
        Check(
            "discharge_break",
            "factor between annual discharge at equal precipitation before and after a break (Pettitt): gauge, unit or a dam changed",
            "-",
            1.5,
            _Q,
            measures.discharge_break,
            ("prcp",),
        ),
        Check("missing_forcing", "days without forcing", "d", 0, tuple(FORCINGS), measures.missing_days),
        Check(
            "negative_forcing",
            "days below 0, for PET below -1 (dew): a code for missing",
            "d",
            0,
            _NEVER_BELOW_ZERO,
            measures.negative_days,
        ),
        Check(
            "stuck_forcing",
            "longest run of equal values, zeros of water and radiation apart: days copied, or a constant filled in",
            "d",
            30,
            _EVER_CHANGING,
            measures.stuck_forcing,
        ),
        Check("hot", "highest value: K, degF or tenths", "degC", 55, _WARMTH, measures.highest),
        Check("frigid", "lowest value: tenths, or 273.15 taken off twice", "degC", -70, _WARMTH, measures.lowest, side="below"),
        Check(
            "crossed_temperatures",
            "share of days with the minimum above the maximum",
            "%",
            1,
            ("tmin",),
            measures.crossed_share,
            ("tmax",),
        ),
        Check(
            "rain_high",
            "mean precipitation, wetter than any basin: tenths, or sums over longer than a day",
            "mm/d",
            25,
            ("prcp",),
            measures.mean,
        ),
        Check(
            "rain_low",
            "mean precipitation, drier than any basin with a gauge: m, or zeros for missing",
            "mm/d",
            0.03,
            ("prcp",),
            measures.mean,
            side="below",
        ),
        Check("pet_high", "mean potential evapotranspiration: tenths, or W/m2", "mm/d", 15, ("pet",), measures.mean),
        Check("pet_low", "mean potential evapotranspiration: m, or a sign", "mm/d", 0.05, ("pet",), measures.mean, side="below"),
    )
}
