"""A comparison in words, the same on the command line and in a report."""

from typing import Literal

from studyhub.catalog import IDEALS
from studyhub.stats.compare import ALPHA, Comparison
from studyhub.stats.comparison import Blocked
from studyhub.stats.details import details as details
from studyhub.stats.phrases import BETTER, WORSE, adjusted, basins, blocked_p, distance, equals, of_difference, with_unit
from studyhub.stats.phrases import numbers as numbers
from studyhub.stats.phrases import probability as probability

Verdict = Literal["shown", "not shown", "the other way", "no basins"]


def verdict(comparison: Comparison) -> Verdict:
    """What a comparison has come to.

    ``shown`` where the adjusted p is below ALPHA; ``the other way`` where it is not, and the whole interval lies on the side that a
    one-sided question did not ask for.
    """
    c = comparison
    p = adjusted(c)
    if p is None:
        return "no basins"
    if p < ALPHA:
        return "shown"
    low, high = _gains(c)
    against = {"greater": high is not None and high < 0, "less": low is not None and low > 0, "two-sided": False}
    return "the other way" if against[c.alternative] else "not shown"


def sentence(comparison: Comparison, label: str, unit: str) -> str:
    """Say what a comparison has come to, with its numbers; then, in sentences of their own, what speaks against reading more into it.

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
        return f"not shown: {c.better} and {c.than} have the same {label} in all {basins(c.n)}."
    said = [f"{_found(c, kind)}, {_delta(c, label, unit)}, {_test(c)}."]
    if kind == "the other way":
        said.append("The data point the other way.")
    return " ".join([*said, *remarks(c, label, unit)])


def remarks(comparison: Comparison, label: str, unit: str) -> list[str]:
    """What a reader must know beside the test: one plain sentence each."""
    c = comparison
    if not c.n or c.wins == c.losses == 0:
        return []
    said = []
    if c.disagrees and c.blocked is not None:
        said.append(_disagreement(c, c.blocked))
    if _hopeless(c):
        said.append(f"{basins(c.n)} {'is' if c.n == 1 else 'are'} too few for any result to show it.")
    elif verdict(c) == "not shown" and c.needed_basins is not None and c.needed_basins > c.n:
        said.append(f"A difference as large as the one seen would take about {c.needed_basins} independent basins to show.")
    if c.margin is not None and (within := _within_margin(c)) is not None:
        margin = with_unit(f"{c.margin:g}", of_difference(unit))
        said.append(f"The difference is {within} the margin of {margin} that matters in practice.")
    if c.n_dropped:
        said.append(f"{basins(c.n_dropped)} {'was' if c.n_dropped == 1 else 'were'} left out{_worst(c, label, unit)}.")
    return said


def _found(c: Comparison, kind: Verdict) -> str:
    """Who beats whom, on how many basins, with what was not shown named so."""
    if kind == "shown":
        return f"{_beats(c, _tells_better(c))} on {_of_basins(c, _tells_better(c))}"
    if c.alternative == "two-sided":
        return f"not shown: that {c.better} and {c.than} differ: {c.better} is better on {_of_basins(c, True)}"
    return f"not shown: that {_beats(c, c.alternative == 'greater')}: better on {_of_basins(c, True)}"


def _beats(c: Comparison, better: bool) -> str:
    return f"{c.better} beats {c.than}" if better else f"{c.than} beats {c.better}"


def _of_basins(c: Comparison, better: bool) -> str:
    """On how many basins the one that is said to be better is."""
    share = (c.wins if better else c.losses) / c.n
    equal = f" (equal on {100 * c.ties / c.n:.0f} %)" if c.ties else ""
    return f"{100 * share:.0f} % of {basins(c.n)}{equal}"


def _delta(c: Comparison, label: str, unit: str) -> str:
    """The shift with its interval, as better minus than."""
    estimate, low, high = numbers(c.hodges_lehmann, c.ci_low, c.ci_high)
    interval = "(no 95 % interval of so few basins)" if c.ci_low is None else f"[{_signed(low)}, {_signed(high)}]"
    plus = "+" if not estimate.startswith("-") and float(estimate) else ""
    number = with_unit(f"{plus}{_signed(estimate)}", of_difference(unit))
    return f"Δ{distance(label, c)} {number} {interval}"


def _signed(number: str) -> str:
    """A number with a true minus."""
    return number.replace("-", "−")


def _disagreement(c: Comparison, blocked: Blocked) -> str:
    what = f"{blocked.count} blocks of neighbouring basins"
    if verdict(c) == "shown":
        worth = (
            f"these {blocked.n} count as about {max(1, round(blocked.effective))} independent ones" if blocked.effective < blocked.n else ""
        )
        return f"The tests disagree: over {what} it is not shown{', ' + worth if worth else ''}. Trust the blocked test."
    return f"The tests disagree: over {what} it is shown, basin by basin it is not; blocks weigh where the basins lie together."


def _within_margin(c: Comparison) -> str | None:
    """Where the interval lies, if the margin has anything to say."""
    if c.margin is None or c.ci_low is None or c.ci_high is None or c.hodges_lehmann is None:
        return None
    if max(abs(c.ci_low), abs(c.ci_high)) < c.margin:
        return "within"
    return "by its estimate within" if verdict(c) == "shown" and abs(c.hodges_lehmann) < c.margin else None


def _worst(c: Comparison, label: str, unit: str) -> str:
    if c.worst_p is None:
        return ""
    (number,) = numbers(c.worst_shift)
    shift = "" if c.worst_shift is None else f" and Δ{distance(label, c)} {with_unit(_signed(number), of_difference(unit))}"
    return f"; had all of them gone against {c.better}, {equals(c.worst_p)}{shift}"


def _gains(c: Comparison) -> tuple[float | None, float | None]:
    """Limits of the interval, in favour of ``better``."""
    if c.ci_low is None or c.ci_high is None:
        return None, None
    return (c.ci_low, c.ci_high) if c.direction == "larger" else (-c.ci_high, -c.ci_low)


def _tells_better(c: Comparison) -> bool:
    """Whether what is shown is that ``better`` is better, not worse."""
    return c.alternative == "greater" or (c.alternative == "two-sided" and (c.rank_biserial or 0) > 0)


def _way(c: Comparison, better: bool) -> str:
    return (BETTER if better else WORSE)[c.direction]


def _claim(c: Comparison, label: str, better: bool) -> str:
    if c.direction in IDEALS:
        return f"the {label} of {c.better} is {_way(c, better)} than that of {c.than}"
    return f"{c.better} has a {_way(c, better)} {label} than {c.than}"


def asked(c: Comparison, label: str) -> str:
    """What a comparison asks, as a statement without numbers."""
    return f"{c.better} and {c.than} differ in {label}" if c.alternative == "two-sided" else _claim(c, label, c.alternative == "greater")


def _test(c: Comparison) -> str:
    """Return p, with what it was adjusted by, and that of the blocked test."""
    by = "Holm " if c.p_holm is not None and c.family > 1 else "exploratory, Benjamini-Hochberg " if c.p_bh is not None else ""
    plain = f"{by}{equals(adjusted(c))}"
    return plain if c.blocked is None else f"{plain}; spatially blocked {equals(blocked_p(c))}"


def _hopeless(c: Comparison) -> bool:
    """Whether no result of so few basins could come below ALPHA."""
    return 0.5**c.n * (2 if c.alternative == "two-sided" else 1) * max(c.family, 1) >= ALPHA
