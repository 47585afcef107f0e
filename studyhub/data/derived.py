"""What every data set has, whatever its reader found: mean temperature, PET, the climate and the place of a basin."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from studyhub.catalog import FORCINGS, OBSERVATIONS
from studyhub.data.climate import climate_group, derived_climate
from studyhub.data.continents import continent
from studyhub.data.pet import METHODS, hargreaves, oudin
from studyhub.data.record import Basin, day_of_year, days, period_of
from studyhub.errors import DataError
from studyhub.study.settings import Period

GIVEN = "given"  # PET as the data set has it, else by Hargreaves where there are tmin and tmax
MEAN = ("tmin", "tmax")  # what tmean is the mean of
CLIMATE_NEEDS = ("prcp", "tmean", "pet")


def all_units(units: Mapping[str, str], pet: str = GIVEN) -> dict[str, str]:
    """Units of a source's variables and of those that follow from them: forcing first, then its other variables, then what is observed.

    Raises
    ------
    DataError
        ``pet`` is a method of `pet.METHODS`, and the source lacks what that needs.
    """
    added = ["tmean"] if "tmean" not in units and set(MEAN) <= set(units) else []
    method, known = pet_method(units, pet), {*units, *added}
    lacking = [name for name in METHODS.get(method or "", ()) if name not in known]
    if lacking:
        needed = f"PET by {str(method).capitalize()} needs {' and '.join(lacking)}"
        raise DataError(f"{needed}, the data have {', '.join(units)}; choose another --pet")
    if method and "pet" not in units:
        added.append("pet")
    every = {**units, **{name: FORCINGS[name] for name in added}}
    first = [name for name in FORCINGS if name in every]
    last = [name for name in OBSERVATIONS if name in every]
    other = [name for name in every if name not in first and name not in last]
    return {name: every[name] for name in (*first, *other, *last)}


def pet_method(names: Collection[str], pet: str = GIVEN) -> str | None:
    """How PET comes about where a source has variables of these names: ``given``, or a method of `pet.METHODS`; None: there is none."""
    if pet != GIVEN:
        return pet
    return GIVEN if "pet" in names else "hargreaves" if set(MEAN) <= set(names) else None


def completed(basin: Basin, units: Mapping[str, str], climate: Period | None = None, pet: str = GIVEN) -> Basin:
    """Add what a source lacks.

    tmean is the mean of tmin and tmax; PET is computed at the basin's latitude (fact "forcing_lat", else "gauge_lat"). The attributes
    ``clim_*`` come from forcing alone. Facts that the source gives, such as a climate group or a continent, stay. The fact "pet_method"
    says how PET came about.

    Parameters
    ----------
    units : as `all_units` gives them; the order of the series
    climate : days that the ``clim_*`` attributes and the climate group are computed from; None means all
    pet : ``given``: the source's own, else Hargreaves; or a method of `pet.METHODS`, in place of the source's own
    """
    dates = days(period_of(basin))
    series, facts = dict(basin.series), dict(basin.facts)
    if "tmean" in units and "tmean" not in series:
        series["tmean"] = (series["tmin"] + series["tmax"]) / 2
    if method := pet_method(basin.series, pet):
        facts["pet_method"] = method
        if method != GIVEN:
            latitude, compute = _latitude(basin, method), {"hargreaves": hargreaves, "oudin": oudin}[method]
            series["pet"] = compute(*(series[name] for name in METHODS[method]), latitude, day_of_year(dates))
    within = np.ones(len(dates), dtype=bool) if climate is None else _within(dates, climate)
    weather = (np.asarray(series.get(name, np.full(len(dates), np.nan)), dtype=np.float64)[within] for name in CLIMATE_NEEDS)
    prcp, tmean, evaporation = weather
    attributes = {**basin.attributes, **derived_climate(prcp, tmean, evaporation, dates[within])}
    if not facts.get("climate_group"):
        facts["climate_group"] = climate_group(prcp, tmean, dates[within])
    if not facts.get("continent"):
        facts["continent"] = _continent(facts)
    return replace(basin, series={name: series[name] for name in units}, attributes=attributes, facts=facts)


def _latitude(basin: Basin, method: str) -> float:
    for name in ("forcing_lat", "gauge_lat"):
        latitude = basin.facts.get(name)
        if isinstance(latitude, int | float) and np.isfinite(latitude):
            return float(latitude)
    needed = f"PET by {method.capitalize()} needs the fact gauge_lat (degrees), there is none"
    raise DataError(f"basin {basin.name}: {needed}; give it, or a column of PET")


def _continent(facts: Mapping[str, Any]) -> str:
    place = [facts.get(name) for name in ("gauge_lat", "gauge_lon")]
    if not all(isinstance(x, int | float) and np.isfinite(x) for x in place):
        return ""
    return continent(*(float(x) for x in place if x is not None)) or ""


def _within(dates: np.ndarray, period: Period) -> np.ndarray:
    return (dates >= np.datetime64(period.start)) & (dates <= np.datetime64(period.end))
