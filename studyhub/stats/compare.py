"""Two arms compared over basins: who is better, by how much, and whether that could be chance.

Basins are the pairs. Folds and seeds are averaged within a basin first: more seeds give steadier scores, not more pairs. Where nearer to
zero is better, absolute values are taken before that: what is averaged is how far one training's score is from zero. The other way round,
biases of opposite sign would cancel, and an arm would gain by having more seeds than the other.

A basin is left out, and counted with the reason, where one arm has no score for it, or an infinite one, or the metric is not defined in one
of its trials (`paired`).

Basins are neighbours, so that the signed-rank test over basins has its blocked twin (`sign_flips`, `bootstrap`) where their places are
known. What each test is worth was measured on simulated studies: see this room's README.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from studyhub.catalog import METRICS
from studyhub.stats import bootstrap, power, sign_flips, signed_rank
from studyhub.stats.blocks import Values, sums
from studyhub.stats.comparison import Blocked, Comparison, Question, SeedSpread
from studyhub.stats.correlation import shared
from studyhub.stats.families import benjamini_hochberg, holm
from studyhub.stats.paired import Pairs, Table, differences
from studyhub.stats.places import AUTO, Blocks, Places

__all__ = ["Blocked", "Comparison", "Question", "SeedSpread", "compare", "explore", "explore_among"]

ALPHA = 0.05

Margins = Mapping[str, float] | float | None


@dataclass(frozen=True)
class _Given:
    """What all questions of a family are answered with."""

    table: Table
    places: Places | None
    margin: Margins
    seed: int
    seeds: bool  # whether what seeds do to the shift is asked for


def compare(
    scores: pd.DataFrame,
    questions: Sequence[Question],
    *,
    places: pd.DataFrame | Places | None = None,
    margin: Margins = None,
    seed: int = 0,
    blocks: str = AUTO,
) -> list[Comparison]:
    """Answer questions that were declared beforehand: p adjusted by Holm over all of them.

    Parameters
    ----------
    scores : long table with columns arm, basin and the metrics asked for, of a single period; a row for each fold and seed
    places : columns basin, and lat and lon or regions, or these made ready; None: no blocked tests
    margin : of practical equivalence, in place of the catalog's: for each metric, or one for all
    seed : of resampling and permuting; the same gives the same numbers
    blocks : what makes blocks, as `places.Places` takes it

    Raises
    ------
    ValueError
        The scores are of several periods.
    DataError
        ``blocks`` names no column of ``places``.
    """
    found = _answers(questions, _Given(Table(scores), _places(places, blocks), margin, seed, seeds=True))
    adjusted, blocked = holm([one.p_value for one in found]), holm([_blocked_p(one) for one in found])
    return [_adjusted(replace(one, p_holm=p, family=len(found)), q) for one, p, q in zip(found, adjusted, blocked, strict=True)]


def explore(
    scores: pd.DataFrame,
    questions: Sequence[Question],
    *,
    places: pd.DataFrame | Places | None = None,
    margin: Margins = None,
    seed: int = 0,
    blocks: str = AUTO,
) -> list[Comparison]:
    """As `compare`, for questions that nobody declared: p adjusted by Benjamini and Hochberg, and never to be read as a confirmed claim.

    The spread between seeds is left out.
    """
    found = _answers(questions, _Given(Table(scores), _places(places, blocks), margin, seed, seeds=False))
    adjusted, blocked = (benjamini_hochberg(p) for p in ([one.p_value for one in found], [_blocked_p(one) for one in found]))
    family = sum(one.p_value is not None for one in found)
    return [_adjusted(replace(one, p_bh=p, family=family), q) for one, p, q in zip(found, adjusted, blocked, strict=True)]


def explore_among(table: Table, question: Question, among: np.ndarray, margin: Margins = None) -> Comparison:
    """As `explore`, for one question, of those basins of the table that ``among`` flags; p is not adjusted."""
    return _answer(_Given(table, None, margin, 0, seeds=False), question, among)


def _places(places: pd.DataFrame | Places | None, blocks: str) -> Places | None:
    return Places(places, blocks) if isinstance(places, pd.DataFrame) else places


def _blocked_p(one: Comparison) -> float | None:
    return one.blocked and one.blocked.p_value


def _adjusted(one: Comparison, blocked_p: float | None) -> Comparison:
    """Tell what blocks say beside the plain test, both adjusted."""
    plain = one.p_holm if one.p_holm is not None else one.p_bh
    if one.blocked is None or blocked_p is None or plain is None:
        return one
    return replace(one, blocked=replace(one.blocked, p_adjusted=blocked_p), disagrees=(plain < ALPHA) != (blocked_p < ALPHA))


def _answers(questions: Sequence[Question], given: _Given) -> list[Comparison]:
    return [_answer(given, question) for question in questions]


def _answer(given: _Given, question: Question, among: np.ndarray | None = None) -> Comparison:
    pairs = given.table.pairs(question.better, question.than, question.metric, question.direction, among)
    d = differences(pairs.better, pairs.than)
    sign = 1 if question.direction == "larger" else -1
    gains = sign * d
    p = {side: signed_rank.p_value(gains, side) for side in ("greater", "less", "two-sided")}
    own = p[question.alternative]
    shift, won = signed_rank.shift(d), signed_rank.outcomes(gains)
    plain = Comparison(
        metric=question.metric,
        better=question.better,
        than=question.than,
        direction=question.direction,
        alternative=question.alternative,
        n=d.size,
        n_dropped=sum(pairs.dropped.values()),
        dropped=pairs.dropped,
        median_better=_median(pairs.better),
        median_than=_median(pairs.than),
        median_difference=_median(d),
        hodges_lehmann=shift and shift.estimate,
        ci_low=shift and shift.low,
        ci_high=shift and shift.high,
        rank_biserial=signed_rank.rank_biserial(gains),
        wins=won.wins,
        ties=won.ties,
        losses=won.losses,
        share_won=won.wins / d.size if d.size else None,
        p_value=own and own.p,
        p_exact=own and own.exact,
        p_one_sided=p["greater"] and p["greater"].p,
        p_two_sided=p["two-sided"] and p["two-sided"].p,
        needed_basins=power.needed(gains, question.alternative),
    )
    if not d.size:
        return plain
    plain = _with_margin(plain, gains, _margin(given.margin, question.metric))
    plain = _with_worst(plain, gains, sign)
    if given.seeds:
        plain = replace(plain, seeds=_seeds(plain, pairs, _rng(given.seed, question, 1)))
    return _with_blocks(plain, given, pairs, d, gains)


def _margin(margin: Margins, metric: str) -> float | None:
    if isinstance(margin, int | float):
        return float(margin)
    known = METRICS.get(metric.lower())
    return (margin or {}).get(metric, known and known.margin)


def _with_margin(c: Comparison, gains: Values, margin: float | None) -> Comparison:
    if margin is None:
        return c
    better, worse = int(np.sum(gains > margin)), int(np.sum(gains < -margin))
    return replace(c, margin=margin, wins_by_margin=better, losses_by_margin=worse, equivalent=c.n - better - worse)


def _with_worst(c: Comparison, gains: Values, sign: int) -> Comparison:
    """Bound by what was left out: each such basin lost, by more than any other is won or lost."""
    if not c.n_dropped:
        return c
    largest = float(np.abs(gains).max())
    lost = np.concatenate([gains, np.full(c.n_dropped, -(2 * largest + 1))])
    p, shift = signed_rank.p_value(lost, c.alternative), signed_rank.shift(lost)
    bounded = shift is not None and abs(shift.estimate) <= largest
    return replace(c, worst_p=p and p.p, worst_shift=sign * shift.estimate if shift and bounded else None)


def _seeds(c: Comparison, pairs: Pairs, rng: np.random.Generator) -> SeedSpread | None:
    better, than = pairs.seeds_better, pairs.seeds_than
    if c.hodges_lehmann is None or c.n < 2 or min(len(better), len(than)) < 1 or max(len(better), len(than)) < 2:
        return None
    spread = bootstrap.of_seeds(better, than, c.hodges_lehmann, rng)
    return SeedSpread(len(better), len(than), spread.better, spread.than, spread.interval.low, spread.interval.high)


def _with_blocks(c: Comparison, given: _Given, pairs: Pairs, d: Values, gains: Values) -> Comparison:
    if given.places is None:
        return c
    blocks = given.places.of(pairs.basins)
    if isinstance(blocks, str):
        return replace(c, not_blocked=blocks)
    return replace(c, blocked=_blocked(blocks, c, d[blocks.placed], gains[blocks.placed], given.seed))


def _blocked(blocks: Blocks, c: Comparison, d: Values, gains: Values, seed: int) -> Blocked:
    ranks = sign_flips.signed_ranks(gains)
    fit = blocks.field and blocks.field.fit(ranks)
    common = careful = shared(np.diag(np.bincount(blocks.labels).astype(np.float64)))
    if blocks.field and fit:
        common, careful = blocks.field.shared(fit), blocks.field.cautious(ranks)
    (p,) = sign_flips.p_of_sums(sums(ranks, blocks.labels)[None], c.alternative, np.array([common.leakage]), seed)
    shift = signed_rank.shift(d) if d.size < c.n else signed_rank.Shift(c.hodges_lehmann or 0.0, c.ci_low, c.ci_high)
    assert shift is not None  # there are several blocks
    rng = _rng(seed, Question(c.better, c.than, c.metric, c.direction, c.alternative), 2)
    interval = bootstrap.of_blocks(d, blocks.labels, shift.estimate, careful, rng)
    return Blocked(
        kind=blocks.kind,
        count=int(blocks.labels.max()) + 1,
        n=d.size,
        p_value=p,
        ci_low=interval.low,
        ci_high=interval.high,
        range_km=fit and fit.range_km,
        share=fit and fit.share,
        leakage=common.leakage,
        effective=_effective(shift, interval.error, d.size),
    )


def _effective(shift: signed_rank.Shift, error: float, n: int) -> float:
    """Independent basins whose interval would be as wide: widths go with 1 / sqrt(n)."""
    if shift.low is None or shift.high is None or error == 0:
        return float(n)
    plain = (shift.high - shift.low) / 2 / signed_rank.Z
    return float(n * min(1.0, (plain / error) ** 2))


def _rng(seed: int, question: Question, part: int) -> np.random.Generator:
    """A generator of this question alone: its numbers do not depend on what else is asked, nor on which arm is named first."""
    names = ":".join([question.metric, *sorted((question.better, question.than))])
    return np.random.default_rng([seed, part, zlib.crc32(names.encode())])


def _median(values: Values) -> float | None:
    return float(np.median(values)) if values.size else None
