"""A comparison in words, the same on the command line and in a report."""

import math
from typing import Literal

from studyhub.catalog import IDEALS
from studyhub.stats.compare import Comparison

ALPHA = 0.05

Verdict = Literal["shown", "not shown", "the other way", "no basins"]

_BETTER = {"larger": "higher", "smaller": "lower", "zero": "nearer to zero", "one": "nearer to one"}
_WORSE = {"larger": "lower", "smaller": "higher", "zero": "farther from zero", "one": "farther from one"}


def verdict(comparison: Comparison) -> Verdict:
    """What a comparison has come to.

    ``shown`` where the adjusted p is below ALPHA; ``the other way`` where it is not, and the whole interval lies on the side that a
    one-sided question did not ask for.
    """
    c = comparison
    p = _adjusted(c)
    if p is None:
        return "no basins"
    if p < ALPHA:
        return "shown"
    low, high = _gains(c)
    against = {"greater": high is not None and high < 0, "less": low is not None and low > 0, "two-sided": False}
    return "the other way" if against[c.alternative] else "not shown"


def sentence(comparison: Comparison, label: str, unit: str) -> str:
    """Say what a comparison has come to, with its numbers.

    Parameters
    ----------
    label : the metric's name in text, such as KGE
    unit : its unit; "-" where it has none
    """
    c = comparison
    kind = verdict(c)
    if kind == "no basins":
        return f"not shown: no basin has a defined {label} of both {c.better} and {c.than}."
    if c.wins == c.losses == 0:
        return f"not shown: {c.better} and {c.than} have the same {label} in all {_basins(c.n)}."
    if kind == "shown":
        better = _tells_better(c)
        return f"{_claim(c, label, better)}: by {_size(c, unit, better)}, {_share(c)}, {_test(c)}."
    if kind == "the other way":
        better = c.alternative == "less"
        other = f"it is {_way(c, better)} by {_size(c, unit, better)}"
        return f"not shown: that {asked(c, label)}. The data point the other way: {other}, {_share(c)}, {_test(c)}."
    few = f" {_basins(c.n)} {'is' if c.n == 1 else 'are'} too few for any result to show it." if _hopeless(c) else ""
    return f"not shown: that {asked(c, label)}.{few} {_difference(c, unit)}, {_share(c)}, {_test(c)}."


def details(comparison: Comparison, label: str, unit: str) -> list[tuple[str, str]]:
    """All numbers of a comparison, as (name, value) lines."""
    c = comparison
    lines = [("basins", str(c.n)), *((f"left out: {reason}", str(count)) for reason, count in c.dropped.items())]
    if c.n:
        of = _distance(label, c)
        better, than, median = numbers(c.median_better, c.median_than, c.median_difference, digits=3)
        estimate, low, high = numbers(c.hodges_lehmann, c.ci_low, c.ci_high)
        scale = f"1: {c.better} better everywhere, -1: nowhere"
        lines += [
            (f"median {of}", f"{_with_unit(better, unit)} ({c.better}), {_with_unit(than, unit)} ({c.than})"),
            ("median difference", f"{_with_unit(median, _of_difference(unit))} ({_minus(c)}, basin by basin)"),
            ("Hodges-Lehmann shift", f"{_with_unit(estimate, _of_difference(unit))}, {_interval(low, high)}"),
            ("won, tied, lost", f"{c.wins}, {c.ties}, {c.losses} basins ({c.better} {_BETTER[c.direction]} in {_percent(c)})"),
            ("rank-biserial", "not defined" if c.rank_biserial is None else f"{c.rank_biserial:.2f} ({scale})"),
            ("p", probability(c.p_value)),
        ]
    method = "" if c.p_exact is None else ", exact" if c.p_exact else ", by the normal approximation"
    asked = {"greater": f"that {c.better} is better", "less": f"that {c.better} is worse", "two-sided": "that they differ"}[c.alternative]
    test = f"paired Wilcoxon signed-rank test over basins, {_sides(c)} ({asked}){method}; zeros by Pratt's method"
    return [*lines, ("test", test), ("", "folds and seeds averaged within a basin first")]


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
    """Return p as it is read: four decimals below 0.1, two above.

    >>> probability(0.00042), probability(0.5), probability(0.00001), probability(None)
    ('0.0004', '0.50', '< 0.0001', 'not defined')
    """
    if p is None:
        return "not defined"
    if p < 0.0001:
        return "< 0.0001"
    return f"{p:.4f}" if p < 0.1 else f"{p:.2f}"


def _adjusted(c: Comparison) -> float | None:
    """Return the p to judge by."""
    return next((p for p in (c.p_holm, c.p_bh) if p is not None), c.p_value)


def _gains(c: Comparison) -> tuple[float | None, float | None]:
    """Limits of the interval, in favour of ``better``."""
    if c.ci_low is None or c.ci_high is None:
        return None, None
    return (c.ci_low, c.ci_high) if c.direction == "larger" else (-c.ci_high, -c.ci_low)


def _tells_better(c: Comparison) -> bool:
    """Whether what is shown is that ``better`` is better, not worse."""
    return c.alternative == "greater" or (c.alternative == "two-sided" and (c.rank_biserial or 0) > 0)


def _way(c: Comparison, better: bool) -> str:
    return (_BETTER if better else _WORSE)[c.direction]


def _claim(c: Comparison, label: str, better: bool) -> str:
    if c.direction in IDEALS:
        return f"the {label} of {c.better} is {_way(c, better)} than that of {c.than}"
    return f"{c.better} has a {_way(c, better)} {label} than {c.than}"


def asked(c: Comparison, label: str) -> str:
    """What a comparison asks, as a statement without numbers."""
    return f"{c.better} and {c.than} differ in {label}" if c.alternative == "two-sided" else _claim(c, label, c.alternative == "greater")


def _size(c: Comparison, unit: str, better: bool) -> str:
    """How far the arms are apart, counted in the sense of the words that stand before it, so that it is positive."""
    sign = 1 if (c.direction == "larger") == better else -1
    limits = (c.ci_low, c.ci_high)[::sign]
    size, low, high = numbers(*(None if value is None else sign * value for value in (c.hodges_lehmann, *limits)))
    return f"{_with_unit(size, _of_difference(unit))} ({_interval(low, high)}; Hodges-Lehmann)"


def _difference(c: Comparison, unit: str) -> str:
    estimate, low, high = numbers(c.hodges_lehmann, c.ci_low, c.ci_high)
    return f"Difference ({_minus(c)}) {_with_unit(estimate, _of_difference(unit))} ({_interval(low, high)}; Hodges-Lehmann)"


def _interval(low: str, high: str) -> str:
    return "too few basins for a 95 % interval" if low == "-" else f"two-sided 95 % interval {low} to {high}"


def _minus(c: Comparison) -> str:
    return f"{_distance(c.better, c)} - {_distance(c.than, c)}"


def _distance(name: str, c: Comparison) -> str:
    """What arms are compared by: how far from the ideal, where the nearest is best."""
    if c.direction not in IDEALS:
        return name
    return f"|{name}|" if c.direction == "zero" else f"|{name} - {IDEALS[c.direction]:g}|"


def _share(c: Comparison) -> str:
    equal = f" and equal in {100 * c.ties / c.n:.0f} %" if c.ties else ""
    return f"better in {_percent(c)}{equal} of {_basins(c.n)}"


def _percent(c: Comparison) -> str:
    return f"{100 * (c.share_won or 0):.0f} %"


def _basins(n: int) -> str:
    return f"{n} basin" + ("" if n == 1 else "s")


def _test(c: Comparison) -> str:
    """Return p, and where it comes from."""
    by = ""
    if c.p_holm is not None and c.family > 1:
        by = f", Holm-adjusted over {c.family} claims"
    if c.p_bh is not None:
        by = f", exploratory, Benjamini-Hochberg-adjusted over {c.family} comparisons"
    p = probability(_adjusted(c))
    return f"p {p if p.startswith('<') else f'= {p}'} ({_sides(c)} Wilcoxon signed-rank test{by})"


def _sides(c: Comparison) -> str:
    return "two-sided" if c.alternative == "two-sided" else "one-sided"


def _hopeless(c: Comparison) -> bool:
    """Whether no result of so few basins could come below ALPHA."""
    return 0.5**c.n * (2 if c.alternative == "two-sided" else 1) * max(c.family, 1) >= ALPHA


def _with_unit(number: str, unit: str) -> str:
    return number if unit in ("", "-") else f"{number} {unit}"


def _of_difference(unit: str) -> str:
    """Return the unit of a difference: that of percentages is percentage points."""
    return "percentage points" if unit == "%" else unit
