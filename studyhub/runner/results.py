"""A study's scores: one table of all its finished trials, and their medians for the terminal."""

import math
import os
from collections import Counter
from typing import Any

import pandas as pd
from rich.table import Table

from studyhub.catalog import METRICS
from studyhub.errors import DataError
from studyhub.stats.summary import medians
from studyhub.study.cells import Cell
from studyhub.study.files import make_folder, writing
from studyhub.study.store import STATES, Store

SCORES = "scores.parquet"
CELL_COLUMNS = {"trial": "str", "arm": "str", "fold": "int64", "seed": "int64"}
COLUMNS = CELL_COLUMNS | {"basin": "str", "period": "str"} | dict.fromkeys(METRICS, "float64") | {"days": "int64"}


def collect(store: Store, name: str) -> pd.DataFrame:
    """Join the scores of a study's finished trials, write them to ``studies/<name>/scores.parquet`` and return them.

    One row per cell, basin and period. Trials that diverged, failed or have not ended have none: ``states`` counts them.
    """
    parts = [part for cell in store.read_study(name).cells if (part := _scores(store, cell)) is not None]
    empty = pd.DataFrame({column: pd.Series(dtype=dtype) for column, dtype in COLUMNS.items()})
    scores = pd.concat(parts, ignore_index=True) if parts else empty
    path = make_folder(store.study_folder(name)) / SCORES
    temporary = path.with_name(f".{SCORES}.{os.getpid()}")
    with writing(path):
        try:
            scores.to_parquet(temporary, index=False)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    return scores


def _scores(store: Store, cell: Cell) -> pd.DataFrame | None:
    result = store.result(cell.trial)
    if result is None or result["state"] != "finished":
        return None
    path = store.trial_folder(cell.trial) / result["attempt"] / SCORES
    try:
        scores = pd.read_parquet(path).assign(trial=cell.trial, arm=cell.arm, fold=cell.fold, seed=cell.seed)
        return pd.DataFrame({column: scores[column].astype(dtype) for column, dtype in COLUMNS.items()})
    except (OSError, ValueError, KeyError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise DataError(f"{path}: cannot be read ({first}); remove {path.parent.parent} and launch again to repeat this trial") from None


def states(store: Store, cells: tuple[Cell, ...]) -> dict[str, Counter[str]]:
    """Count the cells of each arm by state."""
    counts: dict[str, Counter[str]] = {}
    for cell in cells:
        counts.setdefault(cell.arm, Counter())[store.state(cell.trial)] += 1
    return counts


def table(scores: pd.DataFrame, counts: dict[str, Counter[str]], width: int) -> Table:
    """Medians for the terminal: a row per arm and period, the arms in the study's order; as many metrics as ``width`` characters hold."""
    found = medians(scores).reset_index().to_dict("records")
    trials = {arm: told(count) for arm, count in counts.items()}
    shown = _fitting(width - max(map(len, counts)) - max(map(len, trials.values())))
    out = Table(title="Medians over basins", title_justify="left", caption_justify="left", header_style="bold", box=None, pad_edge=False)
    notes = [] if len(shown) == len(METRICS) else [f"{', '.join(list(METRICS)[len(shown) :])}: in the scores' file"]
    if any(row["basins"] > row[f"{name}_basins"] > 0 for row in found for name in shown):
        notes.append("*: without the basins in which the metric is not defined (values that never change, or not in an external table)")
    out.caption = "\n".join(notes) or None
    out.add_column("arm", no_wrap=True)
    out.add_column("period", no_wrap=True)
    for name in shown:
        out.add_column(f"{name}\n{METRICS[name].unit.strip('-')}", justify="right", no_wrap=True)
    out.add_column("basins", justify="right", no_wrap=True)
    out.add_column("trials", no_wrap=True)
    none = {"period": "-", "basins": 0} | dict.fromkeys(METRICS, float("nan"))
    for arm in counts:
        for row in [row for row in found if row["arm"] == arm] or [none]:
            values = [_median(row, name) for name in shown]
            out.add_row(arm, row["period"], *values, str(row["basins"]), trials[arm])
    return out


def _median(row: dict[str, Any], name: str) -> str:
    """A median, with a star where some basins have no value of the metric."""
    if math.isnan(row[name]):
        return "-"
    return f"{row[name]:.3f}" + ("" if row[f"{name}_basins"] == row["basins"] else "*")


def _fitting(width: int) -> list[str]:
    """Metrics whose columns fit into ``width`` characters, with the two columns that are always there; at least one."""
    left = width - len("  period  basins  ")
    shown = []
    for name in METRICS:
        left -= max(len(name), len("-100.000")) + 2
        if left < 0 and shown:
            break
        shown.append(name)
    return shown


def told(count: Counter[str]) -> str:
    """Counts by state in words.

    >>> told(Counter(finished=2, failed=1))
    '2 finished, 1 failed'
    """
    order = ("finished", *(state for state in STATES if state != "finished"))
    return ", ".join(f"{count[state]} {state}" for state in order if count[state])
