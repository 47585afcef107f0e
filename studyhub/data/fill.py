"""Missing days of forcing, filled by a named rule where a study asks for it. Discharge is never filled."""

from dataclasses import dataclass

import numpy as np

from studyhub.catalog import FILLS, TARGET
from studyhub.data.record import day_of_year
from studyhub.data.runs import runs
from studyhub.errors import DataError

HALF_WINDOW = 15  # days on both sides that the climatology of a day of the year is the mean of
YEAR = 366


@dataclass(frozen=True)
class Fill:
    """A rule of `studyhub.catalog.FILLS` and the longest gap, in days, that it may fill. A longer gap stays as it is.

    In text it is ``rule:days``, such as ``interpolate:5``.
    """

    rule: str
    most: int

    def __post_init__(self) -> None:
        if self.rule not in FILLS or self.most < 1:
            raise DataError(f"filling gaps needs a rule ({', '.join(FILLS)}) and at least 1 day, got {self.rule!r} and {self.most}")

    @classmethod
    def parse(cls, text: str) -> "Fill":
        rule, colon, most = (part.strip() for part in text.partition(":"))
        if not colon or not most.isdecimal():
            known = ", ".join(f"{rule}:5" for rule in FILLS)
            raise DataError(f"filling gaps needs a rule and the longest gap in days that it may fill, such as {known}; got {text!r}")
        return cls(rule, int(most))

    def __str__(self) -> str:
        return f"{self.rule}:{self.most}"

    def apply(self, variable: str, values: np.ndarray, dates: np.ndarray) -> np.ndarray:
        """Fill one variable of one basin by `fill`.

        ``zero`` holds for precipitation alone, of which none is the commonest day; no other forcing has a natural zero, so that it is
        interpolated. ``interpolate`` smears rain over a gap, and ``climatology`` makes it drizzle: both keep the water that ``zero`` loses.

        Raises
        ------
        DataError
            The variable is discharge.
        """
        if variable == TARGET:
            raise DataError(f"only forcing is filled, got {variable}: missing discharge is left out of training and scores as it is")
        rule = "interpolate" if self.rule == "zero" and variable != "prcp" else self.rule
        return fill(values, dates, rule, self.most)


def fill(values: np.ndarray, dates: np.ndarray, rule: str, most: int) -> np.ndarray:
    """Return the series with its gaps of at most ``most`` days filled; present values, and longer gaps, are as they were.

    A gap at the begin or end of the record has no line through it and cannot be interpolated. The climatology is the mean over the present
    days of all years that lie within 15 days of the day of the year; a gap that reaches a season which no year has stays missing.

    Parameters
    ----------
    values : one variable of one basin over its whole record [time], not finite where missing
    dates : contiguous days, datetime64[D] [time]
    rule : one of `studyhub.catalog.FILLS`
    most : longest gap that is filled, d
    """
    present = np.isfinite(values)
    due = _short(~present, most)
    if not due.any():
        return values.copy()
    filled = values.copy()
    filled[due] = _RULES[rule](values, present, due, dates)
    # All of a gap or nothing of it, so that filling again changes nothing.
    begins, lengths = runs(due)
    partly = np.logical_or.reduceat(due & ~np.isfinite(filled), begins)
    filled[due] = np.where(np.repeat(partly, lengths), np.nan, filled[due])
    return filled


def _short(missing: np.ndarray, most: int) -> np.ndarray:
    """Which days lie in a gap of at most ``most`` days, bool [time]."""
    begins, lengths = runs(missing)
    days = missing.copy()
    days[missing] = np.repeat(lengths <= most, lengths)
    return days


def _zero(values: np.ndarray, present: np.ndarray, due: np.ndarray, dates: np.ndarray) -> np.ndarray:
    return np.zeros(np.count_nonzero(due), dtype=values.dtype)


def _interpolate(values: np.ndarray, present: np.ndarray, due: np.ndarray, dates: np.ndarray) -> np.ndarray:
    known = np.flatnonzero(present)
    if not len(known):
        return values[due]
    return np.interp(np.flatnonzero(due), known, values[known], left=np.nan, right=np.nan)


def _climatology(values: np.ndarray, present: np.ndarray, due: np.ndarray, dates: np.ndarray) -> np.ndarray:
    day = day_of_year(dates) - 1
    count = _around(np.bincount(day[present], minlength=YEAR))
    total = _around(np.bincount(day[present], values[present].astype(np.float64), minlength=YEAR))
    normal = np.divide(total, count, out=np.full(YEAR, np.nan), where=count > 0)
    return normal[day[due]]


def _around(daily: np.ndarray) -> np.ndarray:
    """Sum over the days around each day of the year, which follow each other in a ring, [366]."""
    ring = np.concatenate([daily[-HALF_WINDOW:], daily, daily[:HALF_WINDOW]])
    return np.convolve(ring, np.ones(2 * HALF_WINDOW + 1), "valid")


_RULES = {"zero": _zero, "interpolate": _interpolate, "climatology": _climatology}
