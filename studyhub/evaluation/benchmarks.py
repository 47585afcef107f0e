"""Simulations that need no model, for scores to be seen beside: what a basin's own earlier discharge says of the days to be judged.

References
----------
Knoben, W. J. M., Freer, J. E. and Woods, R. A. (2019). Inherent benchmark or not? doi:10.5194/hess-23-4323-2019
Schaefli, B. and Gupta, H. V. (2007). Do Nash values have value? doi:10.1002/hyp.6825
"""

import numpy as np

from studyhub.evaluation.pairs import Values, nonzero

LEAP = np.datetime64("2000-01-01")  # a year that has all 366 days of the calendar
YEAR = 366


def mean(q: Values, days: int) -> Values:
    """The same discharge on each of ``days``: the mean of all observed ones, [basin, day].

    Parameters
    ----------
    q : [basin, day], observed earlier, NaN where missing
    """
    values = np.asarray(q, dtype=np.float64)
    there = ~np.isnan(values)
    means = np.where(there, values, 0.0).sum(axis=1) / nonzero(there.sum(axis=1))
    return np.repeat(means[:, None], days, axis=1)


def kge_of_mean(beta: Values) -> Values:
    """KGE of a constant simulation, whose correlation and variability are taken as 0: 1 - sqrt(2 + (beta - 1)^2). Knoben et al. (2019).

    Parameters
    ----------
    beta : ratio of the means, simulated over observed
    """
    return 1 - np.sqrt(2 + (beta - 1) ** 2)


def climatology(q: Values, dates: np.ndarray, wanted: np.ndarray) -> Values:
    """Mean observed discharge of the day of the year, [basin, wanted day]. Schaefli and Gupta (2007).

    Days are those of the calendar, so that 1 March is one day in all years. A day that no year has lies on a line between its neighbours.

    Parameters
    ----------
    q : [basin, day], observed earlier, NaN where missing
    dates : of ``q``, datetime64[D]
    wanted : days to be simulated, datetime64[D]
    """
    values, day = np.asarray(q, dtype=np.float64), _calendar(dates)
    order = np.argsort(day, kind="stable")
    there, begins = ~np.isnan(values[:, order]), np.flatnonzero(np.diff(day[order], prepend=-1))
    totals = np.add.reduceat(np.where(there, values[:, order], 0.0), begins, axis=1)
    normal = np.full((len(values), YEAR), np.nan)
    normal[:, day[order][begins]] = totals / nonzero(np.add.reduceat(there, begins, axis=1, dtype=np.int64))
    for row in normal:
        known = np.flatnonzero(~np.isnan(row))
        if 0 < len(known) < YEAR:
            row[:] = np.interp(np.arange(YEAR), known, row[known], period=YEAR)
    return normal[:, _calendar(wanted)]


def _calendar(dates: np.ndarray) -> np.ndarray:
    """Place of each date among the 366 days of the calendar, from 0."""
    months = dates.astype("datetime64[M]")
    begins = np.arange("2000-01", "2001-01", dtype="datetime64[M]").astype("datetime64[D]")
    month = months.astype(np.int64) % 12
    return (begins[month] - LEAP).astype(np.int64) + (dates - months.astype("datetime64[D]")).astype(np.int64)
