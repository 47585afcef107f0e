"""What the study claims, how large the effects are, and what else was looked at."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from studyhub.catalog import IDEALS, METRICS
from studyhub.report import claims, figures
from studyhub.report.beside import Later
from studyhub.report.collect import Results
from studyhub.report.contents import MAIN
from studyhub.report.figures import Effect
from studyhub.report.page import Section
from studyhub.stats.compare import Comparison, Question
from studyhub.stats.phrases import equals
from studyhub.stats.signed_rank import Alternative
from studyhub.stats.strata import Friedman, overview

LEADING = "kge"
FEW, MANY, EFFORT = 40, 1000, 1e9  # questions that are explored at least and at most; questions times basins squared
LEAST = 3  # arms that are ranked
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


def affordable(asked: Sequence[Question], basins: int) -> list[Question]:
    """As many questions as can be answered in a while, KGE and NSE first: the shift over 5,000 basins is a median of 12 million numbers."""
    most = int(np.clip(EFFORT / max(basins, 1) ** 2, FEW, MANY))
    if len(asked) <= most:
        return list(asked)
    first = {LEADING: 0, "nse": 1}
    return sorted(asked, key=lambda question: first.get(question.metric, 2))[:most]


def _pairs(groups: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """All pairs within a group of few arms, each arm against the first in a larger one."""
    every = [list(combinations(arms, 2)) if len(arms) <= ALL_PAIRS else [(arm, arms[0]) for arm in arms[1:]] for arms in groups]
    return [pair for pairs in every for pair in pairs]


def section(results: Results, comparisons: Sequence[Comparison], explored: Sequence[Comparison], left: int = 0) -> Section:
    """Claims and how large their effects are; empty where nothing was compared.

    Parameters
    ----------
    left : exploratory comparisons that were not made, for they would take too long
    """
    dropped = claims.dropped(comparisons)
    drawn = (effects(comparisons, explored), *ranking(results, comparisons))
    declared = (claims.claims(results, comparisons), claims.robustness(results, comparisons)) if comparisons else ()
    unblocked = dict.fromkeys(c.not_blocked for c in (*comparisons, *explored) if c.not_blocked)
    notes = [f"No test over blocks of neighbouring basins: {why}." for why in unblocked]
    if left:
        notes.append(f"{left} more exploratory comparisons would take long and were not made; `studyhub compare` answers any of them.")
    return Section(
        "claims",
        "Claims" if comparisons else "Effects",
        declared,
        drawings=drawn,
        folded=(*((dropped,) if len(dropped.data) else ()), *((claims.exploratory(explored),) if explored else ())),
        notes=tuple(notes),
    )


def ranking(results: Results, comparisons: Sequence[Comparison]) -> list[Later]:
    """All arms ranked by the metric of the first claim, and by KGE; nothing for two arms, of which ranks tell no more than who won."""
    arms = results.comparable()[0]
    if len(arms) < LEAST:
        return []
    found = [overview(results.scores, metric, arms) for metric in dict.fromkeys((*(c.metric for c in comparisons[:1]), LEADING))]
    return [_ranking(results, friedman) for friedman in found if friedman is not None]


def _ranking(results: Results, found: Friedman) -> Later:
    told = (
        f"{len(found.mean_ranks)} arms in the {found.n} basins that all of them have; Friedman's test that they differ at all: "
        f"{equals(found.p_value)}; critical difference by Nemenyi's test at 5 % (Demšar 2006). Basins count as independent "
        "here: an overview, to which the claims are the answer."
    )
    ranks = (found.mean_ranks, found.critical_difference, found.cliques)
    return Later(figures.critical_difference, *ranks, results.arms, found.metric, told)


def effects(comparisons: Sequence[Comparison], explored: Sequence[Comparison]) -> Later:
    """Forest plot of the claims, then of what was only looked at."""
    found = [_effect(c, claimed) for cs, claimed in ((comparisons, True), (explored, False)) for c in cs if c.hodges_lehmann is not None]
    return Later(figures.forest, [effect for effect in found if effect is not None])


def _effect(c: Comparison, claimed: bool) -> Effect | None:
    if c.hodges_lehmann is None:
        return None
    low, high = (None, None) if c.blocked is None else (c.blocked.ci_low, c.blocked.ci_high)
    return Effect(c.better, c.than, c.metric, c.hodges_lehmann, c.ci_low, c.ci_high, low, high, claimed)
