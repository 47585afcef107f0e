"""Tables of comparisons: the study's claims, what else was looked at, and the basins that were left out."""

from collections.abc import Mapping, Sequence
from typing import Any

from studyhub.catalog import METRICS
from studyhub.report.collect import Results
from studyhub.report.tables import NOTHING, Column, Table, decimals, frame, probability, text, whole
from studyhub.stats.compare import Comparison
from studyhub.stats.wording import numbers
from studyhub.study.describe import differences

DECLARED = {None: NOTHING, True: "after results", False: "before results"}


def claims(results: Results, comparisons: Sequence[Comparison]) -> Table:
    """The claims of the study file: confirmatory tests."""
    caption = (
        "Claims of the study file. One-sided paired Wilcoxon signed-rank test over basins (zeros by Pratt's method), folds and seeds "
        "averaged within a basin first, p adjusted by Holm over all claims. Shift: Hodges-Lehmann estimate of first arm minus second, "
        "in the metric's unit (of absolute values where nearer to zero is better); its interval is two-sided and not adjusted, so that "
        "it may hold zero where the one-sided test is significant. Effect: matched-pairs rank-biserial correlation, +1 where the first "
        "arm is better in every basin. Arms that differ in several settings say nothing about one of them alone. Declared: whether "
        "both arms had results when the claim was first launched."
    )
    settings = {arm.name: arm for arm in results.spec.arms}
    rows = [
        _comparison(c)
        | {
            "differ": ", ".join(differences([settings[c.better], settings[c.than]])[0]),
            "declared": DECLARED[results.late(c.better, c.than, c.metric)],
        }
        for c in comparisons
    ]
    extra = (Column("differ", "arms differ in"), Column("declared", "declared"))
    return _comparisons("claims", "Claims", caption, rows, Column("p_holm", "p (Holm)", "", probability), extra)


def exploratory(comparisons: Sequence[Comparison]) -> Table:
    """Everything else that was looked at."""
    caption = (
        "No claims of the study file: a place to find questions, not answers. Two-sided tests over the same basins, p adjusted by "
        "Benjamini and Hochberg over this table."
    )
    rows = [_comparison(c) for c in comparisons]
    return _comparisons("exploratory", "Exploratory comparisons", caption, rows, Column("p_bh", "p (BH)", "", probability))


def _comparisons(
    name: str, title: str, caption: str, rows: Sequence[Mapping[str, Any]], adjusted: Column, extra: Sequence[Column] = ()
) -> Table:
    columns = (
        Column("better", "arm"),
        Column("than", "against"),
        Column("label", "metric", place="page"),
        Column("metric", "metric", place="data"),
        Column("unit", "unit", place="data"),
        adjusted,
        Column("n", "basins", "", whole),
        Column("share_won", "won", "%", decimals(0)),
        Column("shift", "shift", "", _as_it_is, place="page"),
        Column("interval", "95 % interval", "", _as_it_is, place="page"),
        Column("rank_biserial", "effect", "", decimals(2)),
        Column("n_dropped", "left out", "", whole),
        *extra,
        *(Column(key, key, place="data") for key in ("median_difference", "hodges_lehmann", "ci_low", "ci_high", "p_value")),
    )
    return Table(name, title, caption, columns, frame(rows, columns))


def _as_it_is(value: Any) -> str:
    """A number that is text already, to be set as numbers are."""
    return text(value)


def _comparison(c: Comparison) -> dict[str, Any]:
    metric = METRICS[c.metric]
    unit = metric.unit.strip("-")
    shift, low, high = (NOTHING if number == "-" else number.replace("-", "−") for number in numbers(c.hodges_lehmann, c.ci_low, c.ci_high))
    return vars(c) | {
        "label": f"{metric.label}, {unit}" if unit else metric.label,
        "unit": unit,
        "share_won": None if c.share_won is None else 100 * c.share_won,
        "shift": shift,
        "interval": NOTHING if c.ci_low is None else f"{low} … {high}",
    }


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
