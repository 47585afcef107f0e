"""All numbers of a comparison, line by line."""

from studyhub.stats.comparison import Blocked, Comparison
from studyhub.stats.phrases import BETTER, adjusted, blocked_p, distance, interval, numbers, of_difference, probability, sides, with_unit


def details(comparison: Comparison, label: str, unit: str) -> list[tuple[str, str]]:
    """All numbers of a comparison, as (name, value) lines."""
    c = comparison
    lines = [("basins", str(c.n)), *((f"left out: {reason}", str(count)) for reason, count in c.dropped.items())]
    if c.n:
        of = distance(label, c)
        better, than, median = numbers(c.median_better, c.median_than, c.median_difference, digits=3)
        estimate, low, high = numbers(c.hodges_lehmann, c.ci_low, c.ci_high)
        scale = f"1: {c.better} better everywhere, -1: nowhere"
        lines += [
            (f"median {of}", f"{with_unit(better, unit)} ({c.better}), {with_unit(than, unit)} ({c.than})"),
            ("median difference", f"{with_unit(median, of_difference(unit))} ({_minus(c)}, basin by basin)"),
            ("Hodges-Lehmann shift", f"{with_unit(estimate, of_difference(unit))}, {interval(low, high)}"),
            ("won, tied, lost", f"{c.wins}, {c.ties}, {c.losses} basins ({c.better} {BETTER[c.direction]} in {_percent(c)})"),
            ("rank-biserial", "not defined" if c.rank_biserial is None else f"{c.rank_biserial:.2f} ({scale})"),
            ("p", probability(c.p_value)),
        ]
    method = "" if c.p_exact is None else ", exact" if c.p_exact else ", by the normal approximation"
    asked = {"greater": f"that {c.better} is better", "less": f"that {c.better} is worse", "two-sided": "that they differ"}[c.alternative]
    test = f"paired Wilcoxon signed-rank test over basins, {sides(c)} ({asked}){method}; zeros by Pratt's method"
    return [*lines, *_beyond(c, unit), ("test", test), ("", "folds and seeds averaged within a basin first")]


def _beyond(c: Comparison, unit: str) -> list[tuple[str, str]]:
    """Lines on margin, blocks, seeds, power and what was left out."""
    of = of_difference(unit)
    lines = []
    if c.n:
        lines.append(("p one-sided, two-sided", f"{probability(c.p_one_sided)}, {probability(c.p_two_sided)}"))
    if c.family > 1:
        by = "Holm" if c.p_holm is not None else "Benjamini-Hochberg"
        lines.append(
            ("p adjusted", f"{probability(adjusted(c))} ({by}, over {c.family} {'claims' if c.p_holm is not None else 'comparisons'})")
        )
    if c.margin is not None:
        counts = f"{c.wins_by_margin}, {c.equivalent}, {c.losses_by_margin} basins"
        lines.append(("better, equivalent, worse", f"{counts} (by more than {with_unit(f'{c.margin:g}', of)}, or not)"))
    if c.blocked is not None:
        lines += _of_blocks(c, c.blocked, of)
    if c.not_blocked is not None:
        lines.append(("spatially blocked", f"not tested: {c.not_blocked}"))
    if c.seeds is not None:
        low, high, better, than = numbers(c.seeds.ci_low, c.seeds.ci_high, c.seeds.spread_better, c.seeds.spread_than)
        lines.append(("seeds, then basins", f"{interval(low, high)} ({c.seeds.seeds_better} and {c.seeds.seeds_than} seeds)"))
        lines.append(
            ("shift from seed to seed", f"standard deviation {with_unit(better, of)} ({c.better}), {with_unit(than, of)} ({c.than})")
        )
    if c.needed_basins is not None:
        lines.append(("basins for 80 % power", f"{c.needed_basins} (independent ones, for the difference seen)"))
    if c.worst_p is not None:
        (shift,) = numbers(c.worst_shift)
        bound = f"shift {with_unit(shift, of)}" if c.worst_shift is not None else "shift without bound"
        lines.append(("worst case of those left out", f"p {probability(c.worst_p)}, {bound}"))
    return lines


def _of_blocks(c: Comparison, blocked: Blocked, of: str) -> list[tuple[str, str]]:
    low, high = numbers(blocked.ci_low, blocked.ci_high)
    reach = ""
    if blocked.range_km is not None:
        reach = f"differences go together over {blocked.range_km:.0f} km" if blocked.share else "differences do not go together in space"
        reach += f"; leakage {blocked.leakage:.2f}"
    worth = f"as much as {round(blocked.effective)} independent basins"
    return [
        ("spatially blocked p", f"{probability(blocked_p(c))} ({blocked.count} blocks of {blocked.n} basins by {blocked.kind})"),
        ("spatially blocked shift", f"{interval(low, high)}"),
        ("neighbours", f"{reach}; {worth}" if reach else worth),
    ]


def _minus(c: Comparison) -> str:
    return f"{distance(c.better, c)} - {distance(c.than, c)}"


def _percent(c: Comparison) -> str:
    return f"{100 * (c.share_won or 0):.0f} %"
