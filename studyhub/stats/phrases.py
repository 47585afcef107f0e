"""Numbers of a comparison as they are read, and the few words around them."""

import math

from studyhub.catalog import IDEALS
from studyhub.stats.comparison import Comparison

SMALLEST = 1e-300  # p values below are not told apart
BETTER = {"larger": "higher", "smaller": "lower", "zero": "nearer to zero", "one": "nearer to one"}
WORSE = {"larger": "lower", "smaller": "higher", "zero": "farther from zero", "one": "farther from one"}


def numbers(*values: float | None, digits: int = 2) -> list[str]:
    """Values with as many decimals as tell them apart: two digits of the largest, one or two more where another would show as zero.

    >>> numbers(0.0084, 0.0041, 0.012), numbers(-12.34, None), numbers(0.5, 0.004)
    (['0.008', '0.004', '0.012'], ['-12.3', '-'], ['0.500', '0.004'])
    """
    there = [abs(value) for value in values if value]
    largest = max(there, default=1.0)
    decimals = min(max(1, digits - 1 - math.floor(math.log10(largest))), 9)
    decimals += next((more for more in (0, 1) if all(round(value, decimals + more) for value in there)), 2)
    return ["-" if value is None else f"{value + 0.0:.{decimals}f}" for value in values]


def probability(p: float | None) -> str:
    """Return p as it is read: four decimals below 0.1, two above, and its power of ten below 0.0001.

    >>> probability(0.00042), probability(0.5), probability(0.0000000031), probability(None)
    ('0.0004', '0.50', '3e-9', 'not defined')
    """
    if p is None:
        return "not defined"
    if p < SMALLEST:
        return f"< {SMALLEST:.0e}"
    if p < 0.0001:
        digit, _, power = f"{p:.0e}".partition("e")
        return f"{digit}e{int(power)}"
    return f"{p:.4f}" if p < 0.1 else f"{p:.2f}"


def equals(p: float | None) -> str:
    """Return "p = 0.03", or "p < 1e-300"."""
    shown = probability(p)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def adjusted(c: Comparison) -> float | None:
    """Return the p to judge by."""
    return next((p for p in (c.p_holm, c.p_bh) if p is not None), c.p_value)


def blocked_p(c: Comparison) -> float | None:
    """Return the blocked test's p to judge by, adjusted as the plain one is."""
    return c.blocked and (c.blocked.p_value if c.blocked.p_adjusted is None else c.blocked.p_adjusted)


def distance(name: str, c: Comparison) -> str:
    """What arms are compared by: how far from the ideal, where the nearest is best."""
    if c.direction not in IDEALS:
        return name
    return f"|{name}|" if c.direction == "zero" else f"|{name} - {IDEALS[c.direction]:g}|"


def basins(n: int) -> str:
    return f"{n} basin" + ("" if n == 1 else "s")


def sides(c: Comparison) -> str:
    return "two-sided" if c.alternative == "two-sided" else "one-sided"


def with_unit(number: str, unit: str) -> str:
    return number if unit in ("", "-") else f"{number} {unit}"


def of_difference(unit: str) -> str:
    """Return the unit of a difference: that of percentages is percentage points."""
    return "percentage points" if unit == "%" else unit


def interval(low: str, high: str) -> str:
    return "too few basins for a 95 % interval" if low == "-" else f"two-sided 95 % interval {low} to {high}"
