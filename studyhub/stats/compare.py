"""Two arms compared over basins: who is better, by how much, and whether that could be chance.

Basins are the pairs. Folds and seeds are averaged within a basin first: more seeds give steadier scores, not more pairs. Where nearer to
zero is better, absolute values are taken before that: what is averaged is how far one training's score is from zero. The other way round,
biases of opposite sign would cancel, and an arm would gain by having more seeds than the other.

A basin is left out, and counted with the reason, where one arm has no score for it, or an infinite one, or the metric is not defined in one
of its trials.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from studyhub.catalog import IDEALS, Direction
from studyhub.stats import signed_rank
from studyhub.stats.families import benjamini_hochberg, holm
from studyhub.stats.signed_rank import Alternative
from studyhub.stats.summary import check_one_period

LARGEST = 1e100  # beyond this a score is as good as infinite
DIGITS = 12  # significant digits of a score that are more than rounding


@dataclass(frozen=True)
class Question:
    """Asks whether arm ``better`` has a better ``metric`` than arm ``than``.

    ``alternative`` is about better and worse, whatever the metric's direction: "greater" asks whether ``better`` is better, "less" whether
    it is worse, "two-sided" whether it is either.
    """

    better: str
    than: str
    metric: str
    direction: Direction
    alternative: Alternative = "greater"


@dataclass(frozen=True)
class Comparison:
    """A question and what the basins say; None where a number is not defined.

    Parameters
    ----------
    n : basins with a score of both arms
    n_dropped, dropped : basins left out, and how many for which reason
    median_better, median_than : medians over the n basins (with direction "zero" or "one", of distances from it)
    median_difference : median of the differences ``better - than``, in the metric's unit (with direction "zero" or "one", of distances)
    hodges_lehmann, ci_low, ci_high : shift of these differences, with its two-sided 95 % interval
    rank_biserial : matched-pairs rank-biserial correlation, 1 where ``better`` is better in every basin
    wins, ties, losses : basins in which ``better`` is better, equal, worse
    share_won : wins / n
    p_value : of the paired Wilcoxon signed-rank test; ``p_exact`` is False where it comes from the normal approximation
    p_holm : p adjusted by Holm, where the question is one of a declared family
    p_bh : p adjusted by Benjamini and Hochberg, where it is exploratory
    family : questions that were adjusted together
    """

    metric: str
    better: str
    than: str
    direction: Direction
    alternative: Alternative
    n: int
    n_dropped: int
    dropped: dict[str, int]
    median_better: float | None
    median_than: float | None
    median_difference: float | None
    hodges_lehmann: float | None
    ci_low: float | None
    ci_high: float | None
    rank_biserial: float | None
    wins: int
    ties: int
    losses: int
    share_won: float | None
    p_value: float | None
    p_exact: bool | None
    p_holm: float | None = None
    p_bh: float | None = None
    family: int = 0


class _Pairs(NamedTuple):
    """Scores of both arms, [basin] in one order, and how many basins were left out for which reason."""

    better: np.ndarray
    than: np.ndarray
    dropped: dict[str, int]


def compare(scores: pd.DataFrame, questions: Sequence[Question]) -> list[Comparison]:
    """Answer questions that were declared beforehand: p adjusted by Holm over all of them.

    Parameters
    ----------
    scores : long table with columns arm, basin and the metrics asked for, of a single period; a row for each fold and seed

    Raises
    ------
    ValueError
        The scores are of several periods.
    """
    found = [_answer(scores, question) for question in questions]
    adjusted = holm([one.p_value for one in found])
    return [replace(one, p_holm=p, family=len(found)) for one, p in zip(found, adjusted, strict=True)]


def explore(scores: pd.DataFrame, questions: Sequence[Question]) -> list[Comparison]:
    """Answer questions that nobody declared: p adjusted by Benjamini and Hochberg, and never to be read as a confirmed claim."""
    found = [_answer(scores, question) for question in questions]
    adjusted = benjamini_hochberg([one.p_value for one in found])
    return [replace(one, p_bh=p, family=_tested(found)) for one, p in zip(found, adjusted, strict=True)]


def _tested(found: Sequence[Comparison]) -> int:
    return sum(one.p_value is not None for one in found)


def _answer(scores: pd.DataFrame, question: Question) -> Comparison:
    pairs = _paired(scores, question)
    differences = _differences(pairs.better, pairs.than)
    gains = differences if question.direction == "larger" else -differences
    p = signed_rank.p_value(gains, question.alternative)
    shift = signed_rank.shift(differences)
    won = signed_rank.outcomes(gains)
    return Comparison(
        metric=question.metric,
        better=question.better,
        than=question.than,
        direction=question.direction,
        alternative=question.alternative,
        n=differences.size,
        n_dropped=sum(pairs.dropped.values()),
        dropped=pairs.dropped,
        median_better=_median(pairs.better),
        median_than=_median(pairs.than),
        median_difference=_median(differences),
        hodges_lehmann=shift and shift.estimate,
        ci_low=shift and shift.low,
        ci_high=shift and shift.high,
        rank_biserial=signed_rank.rank_biserial(gains),
        wins=won.wins,
        ties=won.ties,
        losses=won.losses,
        share_won=won.wins / differences.size if differences.size else None,
        p_value=p and p.p,
        p_exact=p and p.exact,
    )


def _paired(scores: pd.DataFrame, question: Question) -> _Pairs:
    check_one_period(scores)
    arms = (question.better, question.than)
    sides = [_side(scores, arm, question) for arm in arms]
    basins = sorted({*sides[0], *sides[1]})
    nothing = float("nan")
    values = [np.array([side.get(basin, nothing) for basin in basins]) for side in sides]
    flags = (
        ("no score of `{}`", [np.array([basin not in side for basin in basins], dtype=bool) for side in sides]),
        (f"{question.metric} of `{{}}` is infinite", [np.isinf(side) for side in values]),
        (f"{question.metric} of `{{}}` is not defined", [np.isnan(side) for side in values]),
    )
    keep, dropped = np.ones(len(basins), dtype=bool), {}
    for reason, found in flags:
        for arm, bad in zip(arms, found, strict=True):
            if count := int(np.sum(keep & bad)):  # a basin counts for the first reason that there is
                dropped[reason.format(arm)] = count
            keep &= ~bad
    return _Pairs(values[0][keep], values[1][keep], dropped)


def _side(scores: pd.DataFrame, arm: str, question: Question) -> dict[str, float]:
    """One arm's score per basin, as `summary.per_basin` has it; infinite where any trial's is."""
    own = (scores["arm"] == arm).to_numpy()
    values = scores[question.metric].to_numpy(dtype=np.float64)[own]
    values = np.abs(values - IDEALS[question.direction]) if question.direction in IDEALS else values
    basins, place = np.unique(scores["basin"].to_numpy(dtype=object)[own], return_inverse=True)
    infinite = np.bincount(place, weights=np.abs(values) > LARGEST) > 0
    sums = np.bincount(place, weights=np.where(np.abs(values) > LARGEST, 0.0, values))
    return dict(zip(basins, np.where(infinite, np.inf, sums / np.bincount(place)), strict=True))


def _differences(better: np.ndarray, than: np.ndarray) -> np.ndarray:
    """``better - than``, rounded to what the scores can tell: 0.3 - 0.2 and 0.2 - 0.1 are a tie, and would not be one in binary."""
    largest = np.maximum(np.abs(better), np.abs(than))
    decimals = DIGITS - np.ceil(np.log10(largest, where=largest > 0, out=np.zeros_like(largest)))
    steps = 10 ** np.clip(decimals, 0, 18).astype(np.int64)
    return np.rint((better - than) * steps) / steps + 0.0  # no negative zeros


def _median(values: np.ndarray) -> float | None:
    return float(np.median(values)) if values.size else None
