"""Scores: medians over basins beside simple benchmarks, as in Table 1 of Song et al. (2024), and what they are made of."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from studyhub.catalog import METRICS
from studyhub.report import split
from studyhub.report.collect import Results
from studyhub.report.contents import MAIN, common_basins, medians, metric_column, unscored
from studyhub.report.page import Section
from studyhub.report.tables import Column, Table, best, whole

COMPONENTS = ("kge", "kge_r", "kge_alpha", "kge_beta", "kge_2012", "kge_gamma")
OTHERS = tuple(name for name, metric in METRICS.items() if metric.of == "discharge" and name not in (*MAIN, *COMPONENTS))
BENCHMARKS = {"climatology": "climatology of each day of the year", "mean": "mean of each basin"}


def section(results: Results, means: pd.DataFrame) -> Section:
    """Medians and what is folded beneath them; empty where nothing has a score."""
    if not results.scored_arms:
        return Section("scores", "Scores")
    spread, by_fold = split.scores(results)
    lost = unscored(results)
    return Section(
        "scores",
        "Scores",
        (*tables(results, means), *spread),
        folded=(*_folded(results, means), *by_fold, *((lost,) if len(lost.data) else ())),
        files=(per_basin(means),),
    )


def tables(results: Results, means: pd.DataFrame) -> list[Table]:
    """Medians over basins of the main metrics; where arms have other basins, those that all have too."""
    caption = (
        f"Medians over basins in the test period {results.test_period}; folds and seeds are averaged within a basin first. ↑ larger is "
        "better, ↓ smaller, → 0 nearer to zero (there biases of opposite sign cancel in a median: see the absolute ones)."
    )
    bold = " Bold: the best median of a column, which is no test; for tests see the claims."
    common = common_basins(results.scores)
    if len(common) == means.dropna(how="all").index.get_level_values("basin").nunique():
        return [_medians("medians", "Scores", caption + bold, results, means, MAIN, marked=True, benchmarks=True)]
    every = [_medians("medians", "Scores", caption, results, means, MAIN, benchmarks=True)]
    if common:
        told = f"The same, over the {len(common)} basins that every arm has, for above arms are judged on different basins.{bold}"
        shared = means.loc[means.index.get_level_values("basin").isin(list(common))]
        every.append(_medians("medians_common", "Scores on common basins", told, results, shared, MAIN, marked=True))
    return every


def _folded(results: Results, means: pd.DataFrame) -> list[Table]:
    components = (
        "Medians over basins. KGE = 1 − √((r − 1)² + (α − 1)² + (β − 1)²) with the correlation r of simulated and observed flow, the "
        "ratio α of their standard deviations and the ratio β of their means (Gupta et al. 2009); KGE 2012 takes the ratio γ of their "
        "coefficients of variation in place of α (Kling et al. 2012). All are 1 where the simulation is perfect."
    )
    others = "Medians over basins of the metrics that Table 1 does not have."
    made = [
        _medians("components", "Components of KGE", components, results, means, COMPONENTS),
        _medians("other_metrics", "Other metrics of discharge", others, results, means, OTHERS),
    ]
    return [table for table in made if len(table.columns) > 3]


def _medians(
    name: str,
    title: str,
    caption: str,
    results: Results,
    means: pd.DataFrame,
    metrics: Sequence[str],
    *,
    marked: bool = False,
    benchmarks: bool = False,
) -> Table:
    """A row for each arm, in the study's order; below them the benchmarks, which no mark is set in."""
    metrics = [metric for metric in metrics if not np.isnan(means[metric].to_numpy("float64")).all()] or list(metrics)[:1]
    columns = (Column("arm", "arm"), *map(metric_column, metrics), Column("basins", "basins", show=whole), Column("trials", "trials"))
    order = {arm: i for i, arm in enumerate(results.arms)}
    found = medians(means).reset_index().sort_values("arm", key=lambda names: names.map(order), kind="stable", ignore_index=True)
    found["basins"] = found[[f"{metric}_basins" for metric in metrics]].max(axis=1)
    trials = {arm: f"{count['finished']} of {count.total()}" for arm, count in results.states().items()}
    found["trials"] = [trials[arm] for arm in found["arm"]]
    undefined = [METRICS[metric].label for metric in metrics if np.any(found[f"{metric}_basins"] < found["basins"])]
    if undefined:
        caption += f" {', '.join(undefined)}: without the basins in which it is not defined."
    data = found.filter([column.key for column in columns])
    judged = {key: METRICS[key].direction for key in metrics if METRICS[key].direction != "zero"}
    marks = best(data, judged) if marked else frozenset()
    below = _benchmarks(results, metrics) if benchmarks else data.iloc[:0]
    if len(below):
        data = pd.concat([data, below], ignore_index=True)
        caption += " Last rows: what anyone could say without a model, from the observations of the training period."
    return Table(name, title, caption, columns, data, marks)


def _benchmarks(results: Results, metrics: Sequence[str]) -> pd.DataFrame:
    """Medians of what needs no model, over the basins in which it could be made."""
    found = results.benchmarks()
    if found.empty:
        return pd.DataFrame()
    kept = found.dropna(subset=[metric for metric in metrics if metric in found], how="all").groupby("benchmark", sort=False)
    table = kept[[metric for metric in metrics if metric in found]].median().assign(basins=kept.size()).reset_index()
    return table.assign(arm=[BENCHMARKS.get(name, name) for name in table["benchmark"]], trials=None).drop(columns="benchmark")


def per_basin(means: pd.DataFrame) -> Table:
    """Scores of every basin, one row per arm and basin."""
    columns = (Column("arm", "arm"), Column("basin", "basin"), *map(metric_column, METRICS))
    return Table("basins", "Scores per basin", "Mean over folds and seeds.", columns, means.reset_index().filter([c.key for c in columns]))
