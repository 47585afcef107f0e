"""The tables of a study's report, each made from its results."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from studyhub.catalog import METRICS
from studyhub.report.collect import Results, Run
from studyhub.report.tables import Column, Table, best, decimals, frame, significant, whole
from studyhub.stats.summary import medians
from studyhub.study.describe import differences
from studyhub.study.status import told

ARROWS = {"larger": "↑", "smaller": "↓", "zero": "→\u00a00"}
DECIMALS = {"%": 1}


def metric_column(name: str) -> Column:
    metric = METRICS[name]
    return Column(name, f"{metric.label}\u00a0{ARROWS[metric.direction]}", metric.unit.strip("-"), decimals(DECIMALS.get(metric.unit, 3)))


def arms(results: Results) -> Table:
    """What differs between the arms, and how far their trials are."""
    keys, rows = differences(results.spec.arms)
    counts = results.states()
    columns = (Column("arm", "arm"), *(Column(key, key) for key in keys), Column("trials", "trials"))
    found = [dict(zip(("arm", *keys), row, strict=True)) | {"trials": told(counts.get(row[0], {}))} for row in rows]
    caption = "Only the settings in which arms differ; all others are the same and stand in the study file at the end of this page."
    return Table("arms", "Arms", caption if len(found) > 1 else "One arm: nothing differs.", columns, frame(found, columns))


def searched(results: Results) -> Table:
    """What each search has chosen."""
    columns = (Column("arm", "arm"), Column("fold", "fold"), Column("trainings", "trainings"), Column("value", "validation"))
    columns += (Column("chosen", "chosen"),)
    found = [_searched(entry) for entry in results.searches if entry["arm"] in results.arms]
    caption = "What each arm was tuned to, by as many trainings. Validation: median over basins, of days or basins apart from the test."
    return Table("searches", "Searches", caption, columns, frame(found, columns))


def _searched(entry: Mapping[str, Any]) -> dict[str, Any]:
    chosen, tried = entry["chosen"], entry["trials"]
    values = next((row["values"] for row in tried if row["params"] == chosen), None) or ()
    told = [f"{METRICS[name].label} {value:.3f}" for name, value in zip(entry["objectives"], values, strict=False)]
    params = [f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in (chosen or {}).items()]
    nothing = "nothing usable" if entry["done"] else "not yet"
    return {
        "arm": entry["arm"],
        "fold": str(entry["fold"]),
        "trainings": f"{len(tried)} of {entry['budget']}",
        "value": ", ".join(told),
        "chosen": ", ".join(params) or nothing,
    }


def scores(results: Results) -> list[Table]:
    """Medians over basins of every metric, as in Table 1 of Song et al. (2024); where arms have other basins, those that all have too."""
    found = results.scores
    caption = (
        f"Medians over basins in the test period {results.spec.split.test}; folds and seeds are averaged within a basin first. ↑ larger is "
        "better, ↓ smaller, → 0 nearer to zero (there biases of opposite sign cancel in a median: see the absolute ones)."
    )
    bold = " Bold: the best median of a column, which is no test; for tests see the claims."
    common = common_basins(found)
    if len(common) == found.dropna(subset=list(METRICS), how="all")["basin"].nunique():
        return [_medians("medians", "Scores", caption + bold, results, found, marked=True)]
    tables = [_medians("medians", "Scores", caption, results, found, marked=False)]
    if common:
        told = f"The same, over the {len(common)} basins that every arm has, for above arms are judged on different basins.{bold}"
        shared = found.loc[found["basin"].isin(list(common))]
        tables.append(_medians("medians_common", "Scores on common basins", told, results, shared, marked=True))
    return tables


def common_basins(scores: pd.DataFrame) -> set[str]:
    """Basins in which every arm that has scores has any."""
    scored = scores.dropna(subset=list(METRICS), how="all")
    return set.intersection(*(set(group["basin"]) for _, group in scored.groupby("arm"))) if len(scored) else set()


def _medians(name: str, title: str, caption: str, results: Results, scores: pd.DataFrame, *, marked: bool) -> Table:
    columns = (Column("arm", "arm"), *map(metric_column, METRICS), Column("basins", "basins", show=whole), Column("trials", "trials"))
    order = {arm: i for i, arm in enumerate(results.arms)}
    found = medians(scores).reset_index().sort_values("arm", key=lambda names: names.map(order), kind="stable", ignore_index=True)
    counts = found[[f"{metric}_basins" for metric in METRICS]]
    found["basins"] = counts.max(axis=1)
    trials = {arm: f"{count['finished']} of {count.total()}" for arm, count in results.states().items()}
    found["trials"] = [trials[arm] for arm in found["arm"]]
    undefined = [METRICS[metric].label for metric in METRICS if np.any(found[f"{metric}_basins"] < found["basins"])]
    if undefined:
        caption += f" {', '.join(undefined)}: without the basins in which it is not defined."
    data = found.filter([column.key for column in columns])
    judged = {key: metric.direction for key, metric in METRICS.items() if metric.direction != "zero"}
    return Table(name, title, caption, columns, data, best(data, judged) if marked else frozenset())


def cost(results: Results) -> Table:
    """Time, memory and how the water balance was solved, as in Table A2 of Song et al. (2024)."""
    columns = (
        Column("arm", "arm"),
        Column("seconds_per_update", "time per batch", "s", significant(3)),
        Column("minutes", "time per trial", "min", significant(3)),
        Column("peak_memory_mib", "peak memory", "MiB", whole),
        Column("parameters", "weights", "", whole),
        Column("iterations", "Newton iterations per unit and day", "", decimals(2)),
        Column("residual", "worst residual, in tolerances", "", significant(2)),
        Column("unconverged", "unit-days not converged", "", whole),
        Column("cut_days", "unit-days in shorter steps", "%", significant(2)),
        Column("below_zero", "unit-days below zero", "%", significant(2)),
        Column("balance", "worst error of a unit's water balance", "mm/d", significant(2)),
        Column("device", "device"),
    )
    rows = [{"arm": arm} | _cost([run for run in results.of(arm) if run.epochs and run.result]) for arm in results.arms]
    caption = (
        "Time per batch: one update, forward and backward; means over the trials that ended. Peak memory: the largest, of the process on a "
        "CPU (it may have run another trial before), of the GPU's memory on a GPU. Unit: one component of one basin. Counts: training and "
        "test, all trials together. The tolerance of a residual is 1e-6 mm and what rounding leaves of the stores; a day on which Newton "
        "stalls is solved again in shorter steps. Water balance: change of the stores against what came in, went out and was made by "
        "floors, mean over the days of the test and its warm-up."
    )
    return Table("cost", "Cost and convergence", caption, columns, frame(rows, columns))


def _cost(runs: Sequence[Run]) -> dict[str, Any]:
    solves = [solve for run in runs for solve in (*(epoch["solve"] for epoch in run.epochs), run.result.get("test_solve")) if solve]
    unit_days = sum(solve["unit_days"] for solve in solves)
    minutes = _mean(run.result.get("seconds") for run in runs)
    found: dict[str, Any] = {
        "seconds_per_update": _mean(run.result.get("seconds_per_update") for run in runs),
        "minutes": None if minutes is None else minutes / 60,
        "peak_memory_mib": max((run.result.get("peak_memory_mib") or 0 for run in runs), default=0) or None,
        "parameters": next((run.result["parameters"] for run in runs if run.result.get("parameters")), None),
        "device": ", ".join(sorted({run.result.get("provenance", {}).get("device", "") for run in runs} - {""})) or None,
    }
    if not unit_days:
        return found
    totals = {key: sum(solve[key] for solve in solves) for key in ("unconverged", "cut_days", "below_zero")}
    iterations = sum(solve["iterations"] * solve["unit_days"] for solve in solves) / unit_days
    implicit = iterations > 0
    balances = [solve["balance"] for solve in solves if solve.get("balance") is not None]
    return found | {
        "balance": max(balances, default=None),
        "iterations": iterations if implicit else None,
        "residual": max(solve["residual"] for solve in solves) if implicit else None,
        "unconverged": totals["unconverged"] if implicit else None,
        "cut_days": 100 * totals["cut_days"] / unit_days if implicit else None,
        "below_zero": 100 * totals["below_zero"] / unit_days,
    }


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def unscored(results: Results) -> Table:
    """Basins for which an arm's simulation from elsewhere could not be scored, and why."""
    columns = (Column("arm", "arm"), Column("count", "basins", "", whole), Column("reason", "why"), Column("basins", "which"))
    rows = [
        {"arm": run.cell.arm, "count": len(basins), "reason": reason, "basins": ", ".join(basins)}
        for run in results.runs
        for reason, basins in (run.result.get("dropped") or {}).items()
    ]
    caption = "Arms that were not trained here are scored on the same days as all others, or not at all."
    return Table("unscored", "Basins without a score", caption, columns, frame(rows, columns))


def troubles(results: Results) -> Table:
    """Trials that have not finished."""
    columns = (Column("arm", "arm"), Column("fold", "fold"), Column("seed", "seed"), Column("state", "state"), Column("cause", "why"))
    rows = [
        {"arm": run.cell.arm, "fold": run.cell.fold, "seed": run.cell.seed, "state": run.state, "cause": run.cause}
        for run in results.runs
        if run.state != "finished"
    ]
    caption = "They have no scores: the medians and tests of this page are without them."
    return Table("unfinished", "Trials that have not finished", caption, columns, frame(rows, columns))


def trials(results: Results) -> Table:
    """Every trial and what made it."""
    columns = (
        Column("arm", "arm"),
        Column("fold", "fold"),
        Column("seed", "seed"),
        Column("state", "state"),
        Column("trial", "trial"),
        Column("commit", "commit"),
        Column("device", "device"),
        Column("dtype", "dtype"),
        Column("backend", "backend"),
        Column("host", "host"),
        Column("data", "data"),
        Column("table", "external table"),
    )
    rows = [_trial(run) for run in results.runs]
    caption = (
        "A trial's id hashes its settings, its data and the version of the science; the same id means the same training. "
        "+ marks a commit with changes that it does not hold."
    )
    return Table("trials", "Trials", caption, columns, frame(rows, columns))


def _trial(run: Run) -> dict[str, Any]:
    made = run.result.get("provenance") or {}
    commit = made.get("commit")
    return {
        "arm": run.cell.arm,
        "fold": run.cell.fold,
        "seed": run.cell.seed,
        "state": run.state,
        "trial": run.cell.trial,
        "commit": commit[:10] + ("+" if made.get("dirty") else "") if commit else None,
        "device": made.get("device"),
        "dtype": made.get("dtype"),
        "backend": (run.result.get("test_solve") or {}).get("backend"),
        "host": made.get("host"),
        "data": run.result.get("data"),
        "table": f"{table.get('file')}, hash {table.get('hash')}" if (table := run.result.get("external")) else None,
    }


def versions(results: Results) -> Table:
    """Libraries and machines, each with the number of trials that used it."""
    columns = (Column("what", "what"), Column("version", "version"), Column("trials", "trials", "", whole))
    counts: dict[tuple[str, str], int] = {}
    for run in results.runs:
        for pair in _made_with(run.result.get("provenance") or {}):
            counts[pair] = counts.get(pair, 0) + 1
    rows = [{"what": what, "version": version, "trials": count} for (what, version), count in counts.items()]
    return Table("versions", "Software and machines", "What the trials ran with.", columns, frame(rows, columns))


def _made_with(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    machine = [(key, str(made[key])) for key in ("python", "platform", "cpu", "device", "dtype") if made.get(key)]
    return [*((name, str(version)) for name, version in (made.get("packages") or {}).items()), *machine]


def per_basin(results: Results, means: pd.DataFrame) -> Table:
    """Scores of every basin, one row per arm and basin."""
    columns = (Column("arm", "arm"), Column("basin", "basin"), *map(metric_column, METRICS))
    caption = "Mean over folds and seeds."
    return Table("basins", "Scores per basin", caption, columns, means.reset_index().filter([column.key for column in columns]))
