"""Sums over the 8 days of a satellite's composite.

MOD16A2's composites begin on day 1, 9, 17, ..., 361 of every year; the year's last one has 5 or 6 days. A composite is kept as one value on
its first day. Running et al. (2021), doi:10.5067/MODIS/MOD16A2.061.
"""

import numpy as np

from studyhub.data.record import day_of_year

DAYS = 8


def begins(dates: np.ndarray) -> np.ndarray:
    """Whether a composite begins on each day, bool [time]."""
    return (day_of_year(dates) - 1) % DAYS == 0


def sums(values: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """Sum over each composite, on its first day; NaN on other days, and where a composite is not in ``dates`` to its end.

    Parameters
    ----------
    values : [..., time], a rate per day
    dates : contiguous days, datetime64[D] [time]
    """
    first = np.flatnonzero(begins(dates))
    totals = np.full(values.shape, np.nan)
    if not len(first):
        return totals
    # The composite that the record ends in is complete only if the next one would begin the day after.
    complete = len(first) if begins(dates[-1:] + 1)[0] else len(first) - 1
    added = np.add.reduceat(values, first, axis=-1)
    totals[..., first[:complete]] = added[..., :complete]
    return totals
