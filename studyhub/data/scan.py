"""Loops over the characters and rows of a table in plain text, compiled: several times as fast as a reader of any CSV file.

numba is loaded at the first call: what only looks for files does without.
"""

from functools import cache, wraps
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

BLANK, NEWLINE, MINUS, POINT = (ord(character) for character in " \n-.")
ZERO = np.uint8(ord("0"))
NONE, STEP = np.uintp(0), np.uintp(1)  # an index that may be negative would be looked at twice
MOST_DIGITS = 15  # so that the digits are an exact float64, and one division by a power of ten rounds as it should
POWERS = 10.0 ** np.arange(MOST_DIGITS + 1)
LENGTHS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
BEFORE_MONTH = np.cumsum(LENGTHS) - LENGTHS
TO_1970 = 719_162  # days from 0001-01-01


def compiled(function: "Callable[..., Any]") -> "Callable[..., Any]":
    @cache
    def machine_code() -> "Callable[..., Any]":
        from numba import njit

        try:
            return njit(nogil=True, cache=True)(function)
        except RuntimeError:  # no folder to keep it in
            return njit(nogil=True)(function)

    @wraps(function)
    def call(*arguments: Any) -> "Any":
        return machine_code()(*arguments)

    return call


@compiled
def count_lines(text: np.ndarray, first: int) -> int:
    """Return how many newlines stand at ``first`` or after it."""
    lines = 0
    for character in text[first:]:
        lines += character == NEWLINE
    return lines


@compiled
def scan(text: np.ndarray, first: int, begins: np.ndarray, values: np.ndarray) -> int:
    """Find the fields of all rows, and their values where they are plain decimals such as 98, -6.56 or 0.0372.

    Parameters
    ----------
    text : characters uint8, of which the last is a newline
    first : where the rows begin
    begins : int32 [row, field], filled: where each field begins
    values : float64 [field, row], filled: the number nearest to what is written, NaN where that takes a more patient reader

    Returns
    -------
    The first row that has more or fewer fields, or -1.
    """
    rows, fields = begins.shape
    at = np.uintp(first)
    for row in range(rows):
        for field in range(fields):
            while text[at] <= BLANK:
                if text[at] == NEWLINE:
                    return row
                at += STEP
            begins[row, field] = at
            negative = text[at] == MINUS
            if negative:
                at += STEP
            whole, places, start = 0, NONE, at
            digit = np.uint8(text[at] - ZERO)
            while digit <= 9:
                whole = whole * 10 + digit
                at += STEP
                digit = np.uint8(text[at] - ZERO)
            digits = at - start
            if text[at] == POINT:
                at += STEP
                start = at
                digit = np.uint8(text[at] - ZERO)
                while digit <= 9:
                    whole = whole * 10 + digit
                    at += STEP
                    digit = np.uint8(text[at] - ZERO)
                places = at - start
                digits += places
            value = np.nan
            if text[at] <= BLANK and 1 <= digits <= MOST_DIGITS:
                value = whole / POWERS[places]
                value = -value if negative else value
            values[field, row] = value
            while text[at] > BLANK:
                at += STEP
        while text[at] != NEWLINE:
            if text[at] > BLANK:
                return row
            at += STEP
        at += STEP
    return -1


@compiled
def count_days(year: np.ndarray, month: np.ndarray, day: np.ndarray, days: np.ndarray) -> int:
    """Fill ``days``, int64 [row], with days since 1970-01-01; return the first row that is no date of the years 1 to 9999, or -1."""
    for row in range(len(days)):
        if not (1 <= year[row] <= 9999 and 1 <= month[row] <= 12 and 1 <= day[row] <= 31):
            return row
        y, m, d = int(year[row]), int(month[row]), int(day[row])
        leap = y % 4 == 0 and (y % 100 != 0 or y % 400 == 0)
        if y != year[row] or m != month[row] or d != day[row] or d > LENGTHS[m - 1] + (leap and m == 2):
            return row
        past = y - 1
        days[row] = 365 * past + past // 4 - past // 100 + past // 400 + BEFORE_MONTH[m - 1] + (leap and m > 2) + d - 1 - TO_1970
    return -1


@compiled
def compare(text: np.ndarray, begins: np.ndarray, wanted: np.ndarray, same: np.ndarray) -> None:
    """Tell in ``same``, bool [row], where the field that begins at ``begins`` is ``wanted``, characters uint8."""
    for row in range(len(same)):
        at, place = begins[row], 0
        while place < len(wanted) and text[at + place] == wanted[place]:
            place += 1
        same[row] = place == len(wanted) and text[at + place] <= BLANK
