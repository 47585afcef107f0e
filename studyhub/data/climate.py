"""Climate of a basin from its own weather: the main Koeppen-Geiger group and the climate attributes of CAMELS."""

import numpy as np

from studyhub.data.record import day_of_year

YEAR = 365.25


def climate_group(prcp: np.ndarray, tmean: np.ndarray, dates: np.ndarray) -> str:
    """Return the main Koeppen-Geiger group, from mean monthly precipitation and temperature.

    Arid where annual precipitation [mm] is below 10 (2 T + r), with T the mean temperature and r = 0 if at least 70 % falls in winter, 28
    if in summer, else 14; otherwise tropical (coldest month >= 18 degC), polar (warmest <= 10), cold (coldest <= 0) or temperate. Summer
    is the warmer of April-September and October-March. "unknown" where a calendar month is not covered.

    Parameters
    ----------
    prcp, tmean : mm/d and degC [time], NaN where missing
    dates : datetime64[D] [time]

    References
    ----------
    Peel et al. (2007), doi:10.5194/hess-11-1633-2007; Beck et al. (2018), doi:10.1038/sdata.2018.214.
    """
    month = dates.astype("datetime64[M]").astype(np.int64) % 12
    if len(np.unique(month)) < 12:
        return "unknown"
    rain, warmth = (np.array([np.nanmean(values[month == m]) for m in range(12)]) for values in (prcp, tmean))
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
    mean = float(prcp.mean())
    high, low = prcp >= 5 * mean, prcp < 1
    return {
        "p_mean": mean,
        "pet_mean": float(pet.mean()),
        "p_seasonality": _seasonality(prcp, tmean, dates),
        "frac_snow": float(prcp[tmean < 0].sum() / max(prcp.sum(), 1e-9)),
        "aridity": float(pet.mean() / max(mean, 1e-9)),
        "high_prec_freq": float(high.mean() * YEAR),
        "high_prec_dur": _mean_run(high),
        "low_prec_freq": float(low.mean() * YEAR),
        "low_prec_dur": _mean_run(low),
    }


def _seasonality(prcp: np.ndarray, tmean: np.ndarray, dates: np.ndarray) -> float:
    """Woods' index: relative amplitude of the annual sine of precipitation times the cosine of its lag behind temperature's."""
    angle = 2 * np.pi * day_of_year(dates) / YEAR
    waves = np.column_stack([np.ones(len(dates)), np.sin(angle), np.cos(angle)])
    (mean, p_sin, p_cos), (_, t_sin, t_cos) = (np.linalg.lstsq(waves, values, rcond=None)[0] for values in (prcp, tmean))
    along = (p_sin * t_sin + p_cos * t_cos) / max(np.hypot(t_sin, t_cos), 1e-9)
    return float(np.clip(along / max(mean, 1e-9), -1.0, 1.0))


def _mean_run(days: np.ndarray) -> float:
    """Mean length of the runs of True, d; 0 where there is none."""
    runs = np.count_nonzero(np.diff(days.astype(np.int8), prepend=0) == 1)
    return float(days.sum() / runs) if runs else 0.0
