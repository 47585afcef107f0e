"""What every data set has, whatever its reader found: mean temperature, PET, the climate and the place of a basin."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from studyhub.catalog import FORCINGS, OBSERVATIONS
from studyhub.data.climate import climate_group, derived_climate
from studyhub.data.continents import continent
from studyhub.data.pet import hargreaves
from studyhub.data.record import Basin, day_of_year, days, period_of
from studyhub.errors import DataError
from studyhub.study.settings import Period

NEEDS = {"tmean": ("tmin", "tmax"), "pet": ("tmin", "tmax")}  # what each is computed from where a source lacks it
CLIMATE_NEEDS = ("prcp", "tmean", "pet")


def all_units(units: Mapping[str, str]) -> dict[str, str]:
    """Units of a source's variables and of those that follow from them: forcing first, then its other variables, then what is observed."""
    added = {name: FORCINGS[name] for name, needs in NEEDS.items() if name not in units and set(needs) <= set(units)}
    every = {**units, **added}
    first = [name for name in FORCINGS if name in every]
    last = [name for name in OBSERVATIONS if name in every]
    other = [name for name in every if name not in first and name not in last]
    return {name: every[name] for name in (*first, *other, *last)}


def completed(basin: Basin, units: Mapping[str, str], climate: Period | None = None) -> Basin:
    """Add what a source lacks.

    tmean is the mean of tmin and tmax; PET is Hargreaves at the basin's latitude (fact "forcing_lat", else "gauge_lat"). The attributes
    ``clim_*`` come from forcing alone. Facts that the source gives, such as a climate group or a continent, stay.

    Parameters
    ----------
    units : as `all_units` gives them; the order of the series
    climate : days that the ``clim_*`` attributes and the climate group are computed from; None means all
    """
    dates = days(period_of(basin))
    series = dict(basin.series)
    if "tmean" in units and "tmean" not in series:
        series["tmean"] = (series["tmin"] + series["tmax"]) / 2
    if "pet" in units and "pet" not in series:
        series["pet"] = hargreaves(series["tmin"], series["tmax"], _latitude(basin), day_of_year(dates))
    within = np.ones(len(dates), dtype=bool) if climate is None else _within(dates, climate)
    weather = [np.asarray(series.get(name, np.full(len(dates), np.nan)), dtype=np.float64)[within] for name in CLIMATE_NEEDS]
    prcp, tmean, pet = weather
    attributes = {**basin.attributes, **derived_climate(prcp, tmean, pet, dates[within])}
    facts = dict(basin.facts)
    if not facts.get("climate_group"):
        facts["climate_group"] = climate_group(prcp, tmean, dates[within])
    if not facts.get("continent"):
        facts["continent"] = _continent(facts)
    return replace(basin, series={name: series[name] for name in units}, attributes=attributes, facts=facts)


def _latitude(basin: Basin) -> float:
    for name in ("forcing_lat", "gauge_lat"):
        latitude = basin.facts.get(name)
        if isinstance(latitude, int | float) and np.isfinite(latitude):
            return float(latitude)
    raise DataError(f"basin {basin.name}: PET by Hargreaves needs the fact gauge_lat (degrees), there is none; give it, or a column of PET")


def _continent(facts: Mapping[str, Any]) -> str:
    place = [facts.get(name) for name in ("gauge_lat", "gauge_lon")]
    if not all(isinstance(x, int | float) and np.isfinite(x) for x in place):
        return ""
    return continent(*(float(x) for x in place if x is not None)) or ""


def _within(dates: np.ndarray, period: Period) -> np.ndarray:
    return (dates >= np.datetime64(period.start)) & (dates <= np.datetime64(period.end))
