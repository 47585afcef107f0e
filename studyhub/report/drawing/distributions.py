"""Cumulative distributions of scores over basins."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from studyhub.catalog import METRICS
from studyhub.report.drawing.canvas import BELOW, LEFT, RIGHT, SOFT, TOP, WIDTH, Canvas, Figure, Key, canvas, keys, legend_height
from studyhub.report.drawing.names import number, stem
from studyhub.report.drawing.view import BETTER, axis, column, count, heading, left_out, limits, outside, tidy

PLOT = 190.0  # points, height of axes
STEPS = 800  # of a line at most: finer ones cannot be seen


def ecdf(per_basin: pd.DataFrame, arms: Sequence[str], metric: str) -> Figure:
    """Empirical cumulative distribution of a metric over basins, a step line for each arm."""
    scores = tidy(per_basin, arms, metric)
    known = scores.dropna(subset=["score"]).sort_values("score", kind="stable")
    groups = {arm: rows for arm in arms if len(rows := known.loc[known["arm"] == arm])}
    drawn = [rows.assign(share_of_basins=np.arange(1, len(rows) + 1) / len(rows)) for rows in groups.values()]
    low, high = limits(known["score"].to_numpy(), METRICS[metric])
    shown = keys(arms, list(groups))
    with canvas(TOP + PLOT + BELOW + legend_height(list(shown.values()))) as sheet:
        axes = sheet.axes(LEFT, TOP, WIDTH - LEFT - RIGHT, PLOT)
        axes.set(xlim=(low, high), ylim=(0, 1), xlabel=axis(metric), ylabel="Share of basins (-)")
        if METRICS[metric].direction == "zero":
            axes.axvline(0, color=SOFT, linewidth=0.6)
        for rows in drawn:
            _steps(sheet, axes, shown[rows["arm"].iloc[0]], rows)
        _note(axes, bool(drawn))
        sheet.legend(list(shown.values()), TOP + PLOT + BELOW)
        name = METRICS[metric].label
        caption = f"Share of basins whose {name} is at most the value on the axis: {count(scores)}; {BETTER[METRICS[metric].direction]}."
        caption += outside(known, low, high) + left_out(scores, arms)
        data = pd.concat(drawn) if drawn else known.assign(share_of_basins=[])
        return sheet.figure(stem("ecdf", metric), f"{heading(metric)} over basins", caption, data.rename(columns={"score": column(metric)}))


def _steps(sheet: Canvas, axes: Axes, key: Key, rows: pd.DataFrame) -> None:
    x, y = rows["score"].to_numpy(), rows["share_of_basins"].to_numpy()
    told = f"{key.name}: median {number(np.median(x))}"
    if len(x) > STEPS:
        kept = np.unique(np.linspace(0, len(x) - 1, STEPS).round().astype(int))
        x, y = x[kept], y[kept]
    looks = {"color": key.colour, "linestyle": key.dash, "drawstyle": "steps-post", "clip_on": True}
    (line,) = axes.plot([x[0], *x], [0, *y], **looks)
    sheet.explain(line, told)


def _note(axes: Axes, drawn: bool) -> None:
    if not drawn:
        axes.text(0.5, 0.5, "No scores to show", transform=axes.transAxes, ha="center", va="center", color=SOFT)
