"""Box plots of scores by arm and a group of basins, such as climate groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cbook import boxplot_stats
from matplotlib.collections import LineCollection, PolyCollection

from studyhub.catalog import METRICS
from studyhub.report.drawing.canvas import (
    BELOW,
    INK,
    LEFT,
    LIGHT,
    RIGHT,
    SOFT,
    TOP,
    WIDTH,
    Canvas,
    Figure,
    Key,
    canvas,
    keys,
    legend_height,
)
from studyhub.report.drawing.names import basins_in_words, labels, measure, number, plain, shorten, stem
from studyhub.report.drawing.view import BETTER, WORST, axis, column, heading, left_out, limits, outside, tidy

PLOT = 190.0  # points, height of axes where boxes stand side by side
CLIMATES = ("tropical", "arid", "temperate", "cold", "polar")
MOST_ARMS, MOST_BOXES = 6, 36  # that stand side by side; more lie in panels, each with its name
FEWEST = 5  # scores that make a box; fewer are drawn as points
NAMES = 104.0  # points for the names of arms beside their boxes
LINE = 12.0  # points for each box in a panel
HEAD, BETWEEN = 18.0, 22.0  # points for the title of a panel, and between two beside each other


@dataclass(frozen=True)
class _Group:
    """Scores of a group of basins: rows of each arm, its box unless there are too few, and which of the rows are points of their own."""

    name: str
    basins: int
    rows: Mapping[str, pd.DataFrame]
    boxes: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Plot:
    metric: str
    groups: Sequence[_Group]
    keys: Mapping[str, Key]
    limits: tuple[float, float]
    caption: str
    by: str
    called: str

    def figure(self, sheet: Canvas) -> Figure:
        data = pd.concat([rows for group in self.groups for rows in group.rows.values()])
        data = data.loc[:, [self.by, "arm", "basin", "score", "drawn_as"]].rename(columns={"score": column(self.metric)})
        name = stem("boxes", self.metric) if self.by == "climate" else stem("boxes", self.by, self.metric)
        return sheet.figure(name, f"{heading(self.metric)} by {self.called}", self.caption, data)


def boxes(
    per_basin: pd.DataFrame, basins: pd.DataFrame, arms: Sequence[str], metric: str, by: str = "climate", called: str = "climate group"
) -> Figure | None:
    """Box plots of a metric by group of basins and arm; None where no basin with a score has a group.

    Parameters
    ----------
    basins : basin, and in column ``by`` its group, ``called`` so in text; categories stand in their order
    """
    scores = tidy(per_basin, arms, metric)
    known = scores.dropna(subset=["score"])
    data = _with_group(known, basins, by)
    if data.empty:
        return None
    groups = [_group(name, data.loc[data[by] == name], arms) for name in _order(set(data[by]), basins.loc[:, by])]
    shown = keys(arms, list(data["arm"]), width=6, dashed=False)
    low, high = _limits(data, groups, metric)
    told = _caption(groups, metric, called) + outside(data, low, high)
    if strangers := len(set(known["basin"]) - set(data["basin"])):
        told += f" Without a {called}: {basins_in_words(strangers)}."
    plot = _Plot(metric, groups, shown, (low, high), told + left_out(scores, arms), by, called)
    room = (WIDTH - LEFT - RIGHT) / len(groups)
    narrow = all(measure(plain(group.name)) < room for group in groups)
    beside = narrow and len(shown) <= MOST_ARMS and len(shown) * len(groups) <= MOST_BOXES
    return _side_by_side(plot) if beside else _in_panels(plot)


def _with_group(known: pd.DataFrame, basins: pd.DataFrame, by: str) -> pd.DataFrame:
    if by not in basins.columns:
        return known.iloc[:0]
    facts = basins.loc[:, ["basin", by]].dropna().astype({"basin": object, by: "str"}).drop_duplicates("basin")
    return known.merge(facts, on="basin")


def _order(there: set[str], groups: pd.Series) -> list[str]:
    """Categories in their order; else climates from the tropics to the poles, then names."""
    first = [str(name) for name in groups.cat.categories] if isinstance(groups.dtype, pd.CategoricalDtype) else CLIMATES
    return [*(name for name in first if name in there), *sorted(there - set(first))]


def _group(name: str, data: pd.DataFrame, arms: Sequence[str]) -> _Group:
    known = {str(arm): rows for arm, rows in data.groupby("arm", sort=False)}
    scores = {arm: known[arm]["score"].to_numpy("float64") for arm in arms if arm in known}
    found = {arm: boxplot_stats(values, whis=1.5)[0] for arm, values in scores.items() if len(values) >= FEWEST}
    rows = {arm: known[arm].assign(drawn_as=_drawn(values, found.get(arm))) for arm, values in scores.items()}
    return _Group(name, len(set(data["basin"])), rows, found)


def _drawn(values: np.ndarray, box: Mapping[str, Any] | None) -> np.ndarray | str:
    """Say which scores lie within a box and its whiskers and which are points of their own."""
    return "point" if box is None else np.where((values >= box["whislo"]) & (values <= box["whishi"]), "box", "point")


def _limits(data: pd.DataFrame, groups: Sequence[_Group], metric: str) -> tuple[float, float]:
    """As in other charts, but a box of few basins must not lie outside."""
    low, high = limits(data["score"].to_numpy(), METRICS[metric])
    found = [box for group in groups for box in group.boxes.values()]
    if METRICS[metric].direction == "larger" and found:
        least = max(WORST, min(box["whislo"] for box in found))
        low = min(low, float(np.floor(2 * least) / 2))
    elif found:
        high = max([high, *(1.05 * box["q3"] for box in found)])
        low = min([low, *(1.05 * box["q1"] for box in found if box["q1"] < 0)])
    return low, high


def _caption(groups: Sequence[_Group], metric: str, called: str) -> str:
    found = METRICS[metric]
    text = f"{heading(metric)} by {called} and arm, n basins in each group; {BETTER[found.direction]}. "
    text += "Boxes: quartiles and median; whiskers: up to 1.5 times the box's length; points: basins beyond."
    few = any(len(rows) < FEWEST for group in groups for rows in group.rows.values())
    return text + (f" Fewer than {FEWEST} basins are all drawn as points." if few else "")


def _side_by_side(plot: _Plot) -> Figure:
    names = list(plot.keys)
    thick = 0.84 / len(names)
    with canvas(TOP + PLOT + BELOW + legend_height(list(plot.keys.values()))) as sheet:
        axes = sheet.axes(LEFT, TOP, WIDTH - LEFT - RIGHT, PLOT)
        axes.set(xlim=(-0.5, len(plot.groups) - 0.5), ylim=plot.limits, ylabel=axis(plot.metric))
        axes.grid(False, axis="x")
        axes.tick_params(axis="x", length=0)
        axes.set_xticks(range(len(plot.groups)), [f"{plain(group.name)}\nn = {group.basins}" for group in plot.groups])
        for place, group in enumerate(plot.groups):
            at = {arm: place + (names.index(arm) - (len(names) - 1) / 2) * thick for arm in group.rows}
            _draw(sheet, axes, group, plot.keys, at, min(0.4 * thick, 0.16), True)
        if METRICS[plot.metric].direction == "zero":
            axes.axhline(0, color=SOFT, linewidth=0.6, zorder=0.9)
        for place in range(1, len(plot.groups)):
            axes.axvline(place - 0.5, color=LIGHT, linewidth=0.8)
        sheet.legend(list(plot.keys.values()), TOP + PLOT + BELOW)
        return plot.figure(sheet)


def _in_panels(plot: _Plot) -> Figure:
    """A panel for each group, two in a row, arms one below the other with their names at the left."""
    names, across = list(plot.keys), min(2, len(plot.groups))
    short = labels(names, NAMES)
    left = 12 + max(map(measure, short.values()))
    width = (WIDTH - left - RIGHT - BETWEEN * (across - 1)) / across
    height, rows = len(names) * LINE + 4, -(-len(plot.groups) // across)
    with canvas(rows * (HEAD + height) + BELOW) as sheet:
        for place, group in enumerate(plot.groups):
            row, side = divmod(place, across)
            axes = sheet.axes(left + side * (width + BETWEEN), HEAD + row * (HEAD + height), width, height)
            axes.set_yticks(range(len(names)), ["" if side else short[name] for name in names])
            lowest = place + across >= len(plot.groups)
            axes.tick_params(axis="x", labelbottom=lowest)
            axes.set_xlabel(axis(plot.metric) if lowest else "")
            _panel(sheet, axes, plot, group, width)
        return plot.figure(sheet)


def _panel(sheet: Canvas, axes: Axes, plot: _Plot, group: _Group, width: float) -> None:
    names = list(plot.keys)
    axes.set(xlim=plot.limits, ylim=(len(names) - 0.5, -0.5))
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)
    if METRICS[plot.metric].direction == "zero":
        axes.axvline(0, color=SOFT, linewidth=0.6, zorder=0.9)
    count = f" (n = {group.basins})"
    axes.set_title(shorten(group.name, width + BETWEEN - 4 - measure(count)) + count, loc="left", pad=4)
    _draw(sheet, axes, group, plot.keys, {arm: names.index(arm) for arm in group.rows}, 0.32, False)


def _draw(sheet: Canvas, axes: Axes, group: _Group, looks: Mapping[str, Key], at: Mapping[str, float], half: float, upright: bool) -> None:
    """Boxes and points of a group, each with its middle line at ``at`` and ``half`` its thickness to either side."""

    def turned(across: Any, along: Any) -> np.ndarray:
        return np.column_stack((across, along) if upright else (along, across))

    colours = [looks[arm].colour for arm in group.boxes]
    edges = {arm: (at[arm] - half, at[arm] + half) for arm in group.boxes}
    areas = [turned([*edges[arm], *edges[arm][::-1]], [box["q1"]] * 2 + [box["q3"]] * 2) for arm, box in group.boxes.items()]
    faces = [colour + "66" for colour in colours]
    drawn = axes.add_collection(PolyCollection(areas, facecolors=faces, edgecolors=colours, linewidths=0.8), autolim=False)
    counted = [f"{looks[arm].name}: median {number(box['med'])}, n = {len(group.rows[arm])}" for arm, box in group.boxes.items()]
    sheet.explain(drawn, counted)
    for end, reach in (("q1", "whislo"), ("q3", "whishi")):
        lines = [turned([at[arm]] * 2, [box[end], box[reach]]) for arm, box in group.boxes.items()]
        axes.add_collection(LineCollection(lines, colors=colours, linewidths=0.8), autolim=False)
    middles = [turned(edges[arm], [box["med"]] * 2) for arm, box in group.boxes.items()]
    axes.add_collection(LineCollection(middles, colors=INK, linewidths=1.3), autolim=False)
    low, high = axes.get_ylim() if upright else axes.get_xlim()
    for arm, rows in group.rows.items():
        points = rows.loc[(rows["drawn_as"] == "point") & rows["score"].between(low, high)]
        if len(points):
            shape = {"s": 7 if arm in group.boxes else 14, "facecolor": "none", "edgecolor": looks[arm].colour, "linewidth": 0.7}
            marks = axes.scatter(*turned([at[arm]] * len(points), points["score"]).T, **shape)
            told = [f"basin {b}, {looks[arm].name}: {number(s)}" for b, s in zip(points["basin"], points["score"], strict=True)]
            sheet.explain(marks, told)
