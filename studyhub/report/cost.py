"""What each arm costs, and how its water balance was solved, as in Table A2 of Song et al. (2024)."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from studyhub.report import figures
from studyhub.report.beside import Later
from studyhub.report.collect import Results, Run
from studyhub.report.contents import medians, metric_column
from studyhub.report.page import Section
from studyhub.report.tables import Column, Table, decimals, frame, significant, whole
from studyhub.study.arms import Arm

JUDGED = ("nse", "kge", "low_rmse", "peak_rmse")
NO_BALANCE = "–"


def section(results: Results, means: pd.DataFrame) -> Section:
    epochs = results.epochs()
    drawn = (Later(figures.learning_curves, epochs, results.arms),) if len(epochs) else ()
    return Section("cost", "Cost, convergence and learning", (schemes(results, means),), drawings=drawn, folded=(cost(results),))


def schemes(results: Results, means: pd.DataFrame) -> Table:
    """Scheme, step, memory, time per batch, and what came of it: Table A2."""
    columns = (
        Column("arm", "arm"),
        Column("scheme", "scheme"),
        Column("step", "step"),
        Column("peak_memory_mib", "peak memory", "MiB", whole),
        Column("seconds_per_update", "time per batch", "s", significant(3)),
        *map(metric_column, JUDGED),
        Column("convergence", "convergence"),
        Column("device", "device"),
    )
    found = medians(means).filter(list(JUDGED)).to_dict("index")
    rows = []
    for arm in results.spec.arms:
        runs = [run for run in results.of(arm.name) if run.epochs and run.result]
        known = _cost(runs)
        scheme, step = _scheme(arm) if isinstance(arm, Arm) else ("made elsewhere", NO_BALANCE)
        told = {"arm": arm.name, "scheme": scheme, "step": step, "convergence": _convergence(results.of(arm.name), known)}
        rows.append(known | found.get(arm.name, {}) | told)
    caption = (
        "Time per batch: one update, forward and backward, mean over the trials that ended. Peak memory: the largest, of the process on "
        "a CPU (it may have run another trial before), of the GPU's memory on a GPU. Scores: medians over the basins of each arm. Times "
        "compare only on one kind of device."
    )
    return Table("schemes", "Schemes, cost and scores", caption, columns, frame(rows, columns))


def _scheme(arm: Arm) -> tuple[str, str]:
    if arm.model.kind != "dpl":
        return "no water balance", NO_BALANCE
    if arm.searched is not None and {"scheme", "steps_per_day"} & {domain.key for domain in arm.searched.domains}:
        return "searched", "searched"
    steps = arm.model.steps_per_day
    return arm.model.scheme, "1 d" if steps == 1 else f"{24 / steps:g} h"


def _convergence(runs: Sequence[Run], known: dict[str, Any]) -> str:
    """Whether it came to an end, and how well each day was solved."""
    diverged = sum(run.state == "diverged" for run in runs)
    told = [f"{diverged} of {len(runs)} trials diverged"] if diverged else []
    if known.get("unconverged") is not None:
        told.append("everywhere" if not known["unconverged"] else f"all but {whole(known['unconverged'])} unit-days")
    elif known.get("below_zero"):
        told.append(f"stores below zero on {significant(2)(known['below_zero'])} % of unit-days")
    return "; ".join(told) or NO_BALANCE


def cost(results: Results) -> Table:
    """Time, memory and how the water balance was solved, in detail."""
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
        "Unit: one component of one basin. Counts: training and test, all trials together. The tolerance of a residual is 1e-6 mm and what "
        "rounding leaves of the stores; a day on which Newton stalls is solved again in shorter steps. Water balance: change of the stores "
        "against what came in, went out and was made by floors, mean over the days of the test and its warm-up."
    )
    return Table("cost", "Cost and convergence in detail", caption, columns, frame(rows, columns))


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
