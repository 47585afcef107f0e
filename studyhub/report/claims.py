"""Tables of comparisons: the study's claims, what else was looked at, and the basins that were left out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from studyhub.catalog import METRICS
from studyhub.report.collect import Results
from studyhub.report.tables import NOTHING, Column, Table, decimals, frame, probability, text, whole
from studyhub.stats.compare import Comparison
from studyhub.stats.phrases import equals, numbers
from studyhub.study.describe import differences

MOST = 60  # exploratory comparisons of a page; the CSV has all
DECLARED = {None: NOTHING, True: "after results", False: "before results"}


def claims(results: Results, comparisons: Sequence[Comparison]) -> Table:
    """The claims of the study file: confirmatory tests."""
    caption = (
        "One-sided paired Wilcoxon signed-rank test over basins (zeros by Pratt's method), folds and seeds averaged within a basin "
        "first, p adjusted by Holm over all claims. Shift: Hodges-Lehmann estimate of first arm minus second, in the metric's unit (of "
        "distances from the ideal where the nearest to it is best); its interval is two-sided and not adjusted, so that it may hold "
        "zero where the one-sided test is significant. Effect: matched-pairs rank-biserial correlation, +1 where the first arm is "
        "better in every basin."
    )
    if any(c.blocked for c in comparisons):
        caption += " Blocked: the same question asked to whole blocks of neighbouring basins, for neighbours err alike."
    rows = [_comparison(c) | {"declared": DECLARED[results.late(c.better, c.than, c.metric)]} for c in comparisons]
    extra = (Column("declared", "declared"),)
    return _comparisons("claims", "Claims", f"{caption} {_declared()}", rows, Column("p_holm", "p (Holm)", "", probability), extra)


def _declared() -> str:
    return "Declared: whether both arms had results when the claim was first launched."


def robustness(results: Results, comparisons: Sequence[Comparison]) -> Table:
    """What a claim rests on: practical margin, seeds, number of basins, and those that were left out."""
    columns = (
        Column("better", "arm"),
        Column("than", "against"),
        Column("label", "metric", place="page"),
        Column("metric", "metric", place="data"),
        Column("differ", "arms differ in"),
        Column("margin_told", "practical margin", "", _as_it_is, place="page"),
        Column("won_by_margin", "better by more", "%", decimals(0)),
        Column("within_margin", "within it", "%", decimals(0)),
        Column("lost_by_margin", "worse by more", "%", decimals(0)),
        Column("spread_told", "spread between seeds", "", _as_it_is, place="page"),
        Column("needed_basins", "basins needed", "", whole),
        Column("effective", "independent basins", "", whole),
        Column("n_dropped", "left out", "", whole),
        Column("worst_told", "worst case", "", _as_it_is, place="page"),
        *(Column(key, key, place="data") for key in ("margin", "spread_better", "spread_than", "seeds_low", "seeds_high")),
        *(Column(key, key, place="data") for key in ("worst_p", "worst_shift", "p_one_sided", "p_two_sided")),
    )
    settings = {arm.name: arm for arm in results.spec.arms}
    rows = [_robustness(c) | {"differ": ", ".join(differences([settings[c.better], settings[c.than]])[0])} for c in comparisons]
    caption = (
        "Arms that differ in several settings say nothing about one of them alone. Margin: a difference of no practical consequence, in "
        "the metric's unit. Spread between seeds: by how much the shift changes (standard deviation) when one seed takes another's "
        "place; the larger of the two arms. Basins needed: independent ones that would show the seen effect in 80 % of studies. "
        "Independent basins: as many would tell as much as these, which are neighbours. Worst case: p, not adjusted, if every basin "
        "left out had gone against the claim."
    )
    return Table("robustness", "What the claims rest on", caption, columns, frame(rows, columns))


def _robustness(c: Comparison) -> dict[str, Any]:
    metric = METRICS[c.metric]
    unit = metric.unit.strip("-")
    counts = {"won_by_margin": c.wins_by_margin, "within_margin": c.equivalent, "lost_by_margin": c.losses_by_margin}
    spread = None if c.seeds is None else max(c.seeds.spread_better, c.seeds.spread_than)
    told = _signed(*numbers(c.hodges_lehmann, spread))[1]
    return vars(c) | {
        "label": f"{metric.label}, {unit}" if unit else metric.label,
        "margin_told": None if c.margin is None else f"{c.margin:g}",
        **{key: None if count is None or not c.n else 100 * count / c.n for key, count in counts.items()},
        "spread_told": None if spread is None else told,
        "spread_better": c.seeds and c.seeds.spread_better,
        "spread_than": c.seeds and c.seeds.spread_than,
        "seeds_low": c.seeds and c.seeds.ci_low,
        "seeds_high": c.seeds and c.seeds.ci_high,
        "effective": None if c.blocked is None else round(c.blocked.effective),
        "worst_told": None if c.worst_p is None else equals(c.worst_p),
    }


def exploratory(comparisons: Sequence[Comparison]) -> Table:
    """Everything else that was looked at."""
    caption = (
        "No claims of the study file: a place to find questions, not answers. Two-sided tests over the same basins, p adjusted by "
        "Benjamini and Hochberg over this table."
    )
    rows = [_comparison(c) for c in comparisons]
    table = _comparisons("exploratory", "Exploratory comparisons", caption, rows, Column("p_bh", "p (BH)", "", probability))
    return replace(table, most=MOST)


def _comparisons(
    name: str, title: str, caption: str, rows: Sequence[Mapping[str, Any]], adjusted: Column, extra: Sequence[Column] = ()
) -> Table:
    blocked = any(row["blocked_n"] is not None for row in rows)
    beside = (
        Column("blocked_p", "p (blocked)", "", probability),
        Column("blocked_interval", "blocked interval", "", _as_it_is, place="page"),
        Column("blocks", "blocks", "", whole),
    )
    columns = (
        Column("better", "arm"),
        Column("than", "against"),
        Column("label", "metric", place="page"),
        Column("metric", "metric", place="data"),
        Column("unit", "unit", place="data"),
        adjusted,
        *(beside[:1] if blocked else ()),
        Column("n", "basins", "", whole),
        Column("share_won", "won", "%", decimals(0)),
        Column("shift", "shift", "", _as_it_is, place="page"),
        Column("interval", "95 % interval", "", _as_it_is, place="page"),
        *(beside[1:] if blocked else ()),
        Column("rank_biserial", "effect", "", decimals(2)),
        Column("n_dropped", "left out", "", whole),
        *extra,
        *(Column(key, key, place="data") for key in ("median_difference", "hodges_lehmann", "ci_low", "ci_high", "p_value")),
        *(
            Column(key, key, place="data")
            for key in ("blocked_low", "blocked_high", "blocked_kind", "blocked_n", "blocked_range_km", "not_blocked")
        ),
    )
    return Table(name, title, caption, columns, frame(rows, columns))


def _as_it_is(value: Any) -> str:
    """A number that is text already, to be set as numbers are."""
    return text(value)


def _comparison(c: Comparison) -> dict[str, Any]:
    metric, over = METRICS[c.metric], c.blocked
    unit = metric.unit.strip("-")
    told = numbers(c.hodges_lehmann, c.ci_low, c.ci_high, *((over.ci_low, over.ci_high) if over else ()))
    shift, low, high, *ends = _signed(*told)
    return vars(c) | {
        "label": f"{metric.label}, {unit}" if unit else metric.label,
        "unit": unit,
        "share_won": None if c.share_won is None else 100 * c.share_won,
        "shift": shift,
        "interval": NOTHING if c.ci_low is None else f"{low} … {high}",
        "blocked_p": over and over.p_adjusted,
        "blocked_interval": " … ".join(ends) if over else NOTHING,
        "blocks": over and over.count,
        "blocked_kind": over and over.kind,
        "blocked_n": over and over.n,
        "blocked_low": over and over.ci_low,
        "blocked_high": over and over.ci_high,
        "blocked_range_km": over and over.range_km,
    }


def _signed(*shown: str) -> list[str]:
    """Numbers as they are set, with a sign of their own."""
    return [NOTHING if number == "-" else number.replace("-", "−") for number in shown]


def dropped(comparisons: Sequence[Comparison]) -> Table:
    """Basins that a comparison had to leave out, and why."""
    columns = (
        Column("better", "arm"),
        Column("than", "against"),
        Column("label", "metric"),
        Column("basins", "basins", "", whole),
        Column("reason", "reason"),
    )
    rows = [
        {"better": c.better, "than": c.than, "label": METRICS[c.metric].label, "basins": count, "reason": reason}
        for c in comparisons
        for reason, count in c.dropped.items()
    ]
    caption = "Pairs that a test does not see. A model that fails in its worst basins gains by this: look at them."
    return Table("dropped", "Basins left out of the claims' tests", caption, columns, frame(rows, columns))
