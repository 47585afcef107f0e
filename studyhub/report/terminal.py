"""A study's medians as a table for the terminal."""

import math
from typing import Any

from rich.table import Table

from studyhub.catalog import METRICS
from studyhub.report.collect import Results
from studyhub.stats.summary import medians
from studyhub.study.status import told
from studyhub.study.wording import shortened

ARM_WIDTH = 24  # characters of an arm's name that there is always room for
MAIN = tuple(name for name, metric in METRICS.items() if metric.main)
UNDEFINED = "*: without the basins in which the metric is not defined (values that never change, or not in an external table)"


def table(results: Results, width: int) -> Table:
    """A row per arm and period, the arms in the study's order; as many metrics as ``width`` characters hold."""
    found = medians(results.scores).reset_index().to_dict("records")
    trials = {arm: told(count) for arm, count in results.states().items()}
    names = dict(zip(trials, shortened(trials, max(width // 3, ARM_WIDTH)), strict=True))
    shown = _fitting(width - max(map(len, names.values())) - max(map(len, trials.values())))
    out = Table(title="Medians over basins", title_justify="left", caption_justify="left", header_style="bold", box=None, pad_edge=False)
    notes = [] if len(shown) == len(MAIN) else [f"{', '.join(MAIN[len(shown) :])}: in the scores' file"]
    if any(row["basins"] > row[f"{name}_basins"] > 0 for row in found for name in shown):
        notes.append(UNDEFINED)
    out.caption = "\n".join(notes) or None
    out.add_column("arm", no_wrap=True)
    out.add_column("period", no_wrap=True)
    for name in shown:
        out.add_column(f"{name}\n{METRICS[name].unit.strip('-')}", justify="right", no_wrap=True)
    out.add_column("basins", justify="right", no_wrap=True)
    out.add_column("trials", no_wrap=True)
    none = {"period": "-", "basins": 0} | dict.fromkeys(METRICS, float("nan"))
    for arm in trials:
        for row in [row for row in found if row["arm"] == arm] or [none]:
            values = [_median(row, name) for name in shown]
            out.add_row(names[arm], row["period"], *values, str(row["basins"]), trials[arm])
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
    for name in MAIN:
        left -= max(len(name), len("-100.000")) + 2
        if left < 0 and shown:
            break
        shown.append(name)
    return shown
