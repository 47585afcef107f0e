"""Climate of a basin from its own weather: the main Koeppen-Geiger group, the climate attributes of CAMELS and the set ``climate``."""

import numpy as np

from studyhub.catalog import CLIMATE_ATTRIBUTES
from studyhub.data.record import day_of_year
from studyhub.data.runs import runs

CLIMATE = tuple(CLIMATE_ATTRIBUTES)
YEAR = 365.25
FEWEST_DAYS = 365  # with all forcing, for a climate to be told


def climate_group(prcp: np.ndarray, tmean: np.ndarray, dates: np.ndarray) -> str:
    """Return the main Koeppen-Geiger group, from mean monthly precipitation and temperature.

    Arid where annual precipitation [mm] is below 10 (2 T + r), with T the mean temperature and r = 0 if at least 70 % falls in winter, 28
    if in summer, else 14; otherwise tropical (coldest month >= 18 degC), polar (warmest <= 10), cold (coldest <= 0) or temperate. Summer
    is the warmer of April-September and October-March. Arid comes before all others, polar included, as in both references. "unknown"
    where a calendar month has no day with precipitation or none with temperature.

    Parameters
    ----------
    prcp, tmean : mm/d and degC [time], NaN where missing
    dates : datetime64[D] [time]

    References
    ----------
    Peel et al. (2007), doi:10.5194/hess-11-1633-2007; Beck et al. (2018), doi:10.1038/sdata.2018.214.
    """
    rain, warmth = (_monthly(values, dates) for values in (prcp, tmean))
    if not (np.isfinite(rain) & np.isfinite(warmth)).all():
        return "unknown"
    rain = rain * YEAR / 12
    half = np.zeros(12, dtype=bool)
    half[3:9] = True
    summer = half if warmth[half].mean() >= warmth[~half].mean() else ~half
    share = rain[summer].sum() / max(rain.sum(), 1e-9)
    offset = 28.0 if share >= 0.7 else 0.0 if share <= 0.3 else 14.0
    if rain.sum() < 10 * (2 * warmth.mean() + offset):
        return "arid"
    if warmth.min() >= 18:
        return "tropical"
    if warmth.max() <= 10:
        return "polar"
    return "cold" if warmth.min() <= 0 else "temperate"


def climate_attributes(prcp: np.ndarray, tmean: np.ndarray, pet: np.ndarray, dates: np.ndarray) -> dict[str, float]:
    """Return nine climate attributes as CAMELS defines them.

    p_mean, pet_mean (mm/d); p_seasonality (-1 winter, +1 summer rain); frac_snow (share of precipitation on days below 0 degC); aridity
    (pet_mean / p_mean); high_prec_freq (d/yr with at least 5 times the mean) and high_prec_dur (d, mean length of such spells);
    low_prec_freq and low_prec_dur (the same below 1 mm/d).

    Parameters
    ----------
    prcp, tmean, pet : mm/d, degC, mm/d [time], without missing days
    dates : datetime64[D] [time]

    References
    ----------
    Addor et al. (2017), doi:10.5194/hess-21-5293-2017; Woods (2009), doi:10.1016/j.advwatres.2009.06.011.
    """
    everywhere = np.ones(len(prcp), dtype=bool)
    return _nine(prcp, tmean, pet, dates, everywhere)


def derived_climate(prcp: np.ndarray, tmean: np.ndarray, pet: np.ndarray, dates: np.ndarray) -> dict[str, float]:
    """Return the attribute set ``climate``, which every data set has: `studyhub.catalog.CLIMATE_ATTRIBUTES` says what each is.

    Days count where all three are present; a spell ends where a day is missing. All are NaN where fewer than 365 days count or a calendar
    month has none, and those relative to precipitation where there is none at all. For complete series the nine attributes shared with
    CAMELS are those of `climate_attributes`.

    Parameters
    ----------
    prcp, tmean, pet : mm/d, degC, mm/d [time], NaN where missing
    dates : contiguous days, datetime64[D] [time]

    References
    ----------
    As `climate_attributes`; the moisture index and its seasonality: Knoben et al. (2018), doi:10.1029/2018WR022913.
    """
    present = np.isfinite(prcp) & np.isfinite(tmean) & np.isfinite(pet)
    p, t, e, days = (values[present] for values in (prcp, tmean, pet, dates))
    if len(days) < FEWEST_DAYS or len(np.unique(_month(days))) < 12:
        return dict.fromkeys(CLIMATE, float("nan"))
    known = _nine(p, t, e, days, present)
    if not p.any():
        known |= dict.fromkeys(("p_seasonality", "frac_snow", "aridity"), float("nan"))
    _, t_sin, t_cos = _wave(t, days)
    moisture = _moisture(_monthly(p, days), _monthly(e, days))
    known |= {
        "t_mean": float(t.mean()),
        "t_amplitude": float(np.hypot(t_sin, t_cos)),
        "p_cv": float(p.std() / p.mean()) if p.any() else float("nan"),
        "moisture": float(moisture.mean()),
        "moisture_range": float(moisture.max() - moisture.min()),
    }
    return {name: known[name.removeprefix("clim_")] for name in CLIMATE}


def _nine(prcp: np.ndarray, tmean: np.ndarray, pet: np.ndarray, dates: np.ndarray, present: np.ndarray) -> dict[str, float]:
    """Return the nine attributes of CAMELS from present days alone; ``present`` says which days of the record they are, bool [time]."""
    mean = float(prcp.mean())
    high, low = (prcp >= 5 * mean) & (prcp > 0), prcp < 1
    return {
        "p_mean": mean,
        "pet_mean": float(pet.mean()),
        "p_seasonality": _seasonality(prcp, tmean, dates),
        "frac_snow": float(prcp[tmean < 0].sum() / max(prcp.sum(), 1e-9)),
        "aridity": float(pet.mean() / max(mean, 1e-9)),
        "high_prec_freq": float(high.mean() * YEAR),
        "high_prec_dur": _mean_run(high, present),
        "low_prec_freq": float(low.mean() * YEAR),
        "low_prec_dur": _mean_run(low, present),
    }


def _seasonality(prcp: np.ndarray, tmean: np.ndarray, dates: np.ndarray) -> float:
    """Woods' index: relative amplitude of the annual sine of precipitation times the cosine of its lag behind temperature's."""
    (mean, p_sin, p_cos), (_, t_sin, t_cos) = (_wave(values, dates) for values in (prcp, tmean))
    along = (p_sin * t_sin + p_cos * t_cos) / max(np.hypot(t_sin, t_cos), 1e-9)
    return float(np.clip(along / max(mean, 1e-9), -1.0, 1.0))


def _wave(values: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """Mean and amplitudes of sine and cosine of the year, by least squares, [3]."""
    angle = 2 * np.pi * day_of_year(dates) / YEAR
    waves = np.column_stack([np.ones(len(dates)), np.sin(angle), np.cos(angle)])
    return np.linalg.lstsq(waves, values, rcond=None)[0]


def _moisture(rain: np.ndarray, pet: np.ndarray) -> np.ndarray:
    """1 - PET/P where P is larger, P/PET - 1 where PET is, 0 where both are equal; [month]."""
    larger = np.maximum(rain, pet)
    return np.divide(rain - pet, larger, out=np.zeros(len(larger)), where=larger > 0)


def _month(dates: np.ndarray) -> np.ndarray:
    """Calendar month from 0, int64 [time]."""
    return dates.astype("datetime64[M]").astype(np.int64) % 12


def _monthly(values: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """Mean of each calendar month over its present days, NaN where it has none; [12]."""
    month, present = _month(dates), np.isfinite(values)
    days = np.bincount(month, present, minlength=12)
    total = np.bincount(month, np.where(present, values, 0.0), minlength=12)
    return np.divide(total, days, out=np.full(12, np.nan), where=days > 0)


def _mean_run(days: np.ndarray, present: np.ndarray) -> float:
    """Mean length of the runs of True, d; 0 where there is none. A missing day ends a run."""
    placed = np.zeros(len(present), dtype=bool)
    placed[present] = days
    _, lengths = runs(placed)
    return float(lengths.mean()) if len(lengths) else 0.0
