"""What the study claims, how large the effects are, and what else was looked at."""

from collections.abc import Sequence
from itertools import combinations

from studyhub.catalog import IDEALS, METRICS
from studyhub.report import claims, figures
from studyhub.report.collect import Results
from studyhub.report.contents import MAIN
from studyhub.report.figures import Effect, Figure
from studyhub.report.page import Section
from studyhub.stats.compare import Comparison, Question
from studyhub.stats.signed_rank import Alternative

ALL_PAIRS = 6  # arms up to which every pair is explored where no claim is declared


def declared(results: Results) -> list[Question]:
    return [question(c.better, c.than, c.metric, "greater") for c in results.spec.compare]


def question(better: str, than: str, metric: str, alternative: Alternative) -> Question:
    return Question(better, than, metric, METRICS[metric].direction, alternative)


def others(results: Results, *, across: bool = False) -> list[Question]:
    """What no claim has said: the claimed pairs in all other main metrics, or else pairs of arms; each pair once, whichever is named first.

    With ``across``, as of several studies, pairs of arms beside the claimed ones.

    The absolute FLV and FHV stand for the plain ones, which would ask nearly the same.
    """
    said = results.spec.compare
    found = [(claim.better, claim.than) for claim in said]
    if across or not found:
        found += _pairs(results.comparable())
    pairs = {frozenset(pair): pair for pair in reversed(found)}
    asked = {(frozenset((claim.better, claim.than)), claim.metric) for claim in said}
    metrics = [name for name in MAIN if METRICS[name].direction not in IDEALS]
    return [question(*pair, m, "two-sided") for key, pair in reversed(pairs.items()) for m in metrics if (key, m) not in asked]


def _pairs(groups: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """All pairs within a group of few arms, each arm against the first in a larger one."""
    every = [list(combinations(arms, 2)) if len(arms) <= ALL_PAIRS else [(arm, arms[0]) for arm in arms[1:]] for arms in groups]
    return [pair for pairs in every for pair in pairs]


def section(results: Results, comparisons: Sequence[Comparison], explored: Sequence[Comparison]) -> Section:
    """Claims and how large their effects are; empty where nothing was compared."""
    dropped = claims.dropped(comparisons)
    drawn = effects(comparisons, explored)
    return Section(
        "claims",
        "Claims" if comparisons else "Effects",
        (claims.claims(results, comparisons),) if comparisons else (),
        figures=(drawn,) if drawn else (),
        folded=(*((dropped,) if len(dropped.data) else ()), *((claims.exploratory(explored),) if explored else ())),
    )


def effects(comparisons: Sequence[Comparison], explored: Sequence[Comparison]) -> Figure | None:
    """Forest plot of the claims, then of what was only looked at."""
    found = [_effect(c, claimed) for cs, claimed in ((comparisons, True), (explored, False)) for c in cs if c.hodges_lehmann is not None]
    return figures.forest([effect for effect in found if effect is not None])


def _effect(c: Comparison, claimed: bool) -> Effect | None:
    if c.hodges_lehmann is None:
        return None
    return Effect(c.better, c.than, c.metric, c.hodges_lehmann, c.ci_low, c.ci_high, claimed=claimed)
