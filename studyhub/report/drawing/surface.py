"""A score over the plane of two parameters: a row of panels for each basin, a column for each arm, all in the same colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap
from matplotlib.ticker import MaxNLocator

from studyhub.catalog import IDEALS, METRICS
from studyhub.physics.structure import Parameter
from studyhub.report.drawing.canvas import BELOW, INK, LEFT, RIGHT, SOFT, WIDTH, Canvas, Figure, Key, canvas, legend_height
from studyhub.report.drawing.names import number, plain, shorten, stem
from studyhub.report.drawing.view import column, distance, heading

SURFACE_COLUMNS, SURFACE_ROWS = 4, 6  # panels of one drawing
TOP, HEAD, TITLE, GAP, BETWEEN = 15.0, 13.0, 13.0, 8.0, 8.0  # points: names of arms, of a basin; scores above a panel; below it; beside it
TALL, BAR = 92.0, 38.0  # points: height of a panel, and of the colour bar with its label
CLASSES, SEEN = 14, 0.04  # of colours; share of the points that may lie beyond them


@dataclass(frozen=True)
class Plane:
    """What is drawn: the parameter along each axis, and the metric."""

    x: Parameter
    y: Parameter
    metric: str

    @property
    def label(self) -> str:
        """What the colours show: where the nearest to an ideal is best, how far a score is from it."""
        return distance(self.metric)

    def judged(self, scores: np.ndarray) -> np.ndarray:
        ideal = IDEALS.get(METRICS[self.metric].direction)
        return scores if ideal is None else np.abs(scores - ideal)

    def best(self, scores: np.ndarray) -> int | None:
        """Place of the best score; None where none is defined."""
        judged = self.judged(scores)
        if not np.isfinite(judged).any():
            return None
        return int(np.nanargmax(judged) if METRICS[self.metric].direction == "larger" else np.nanargmin(judged))


@dataclass(frozen=True)
class _Scale:
    bounds: np.ndarray
    colours: Colormap
    extend: Literal["neither", "both", "min", "max"]

    @classmethod
    def of(cls, values: np.ndarray, rising: bool) -> "_Scale":
        """Classes that hold all but a few of the worst, which would take the colours of all others."""
        finite = values[np.isfinite(values)]
        low, high = (np.quantile(finite, SEEN), finite.max()) if rising else (finite.min(), np.quantile(finite, 1 - SEEN))
        room = 0.0 if high - low > 1e-6 else 0.05
        bounds = np.asarray(MaxNLocator(nbins=CLASSES, steps=[1, 2, 2.5, 5, 10]).tick_values(float(low - room), float(high + room)))
        below, above = bool((finite < bounds[0]).any()), bool((finite > bounds[-1]).any())
        shades = colormaps["viridis" if rising else "viridis_r"](np.linspace(0, 1, len(bounds) + 1))
        colours = ListedColormap(shades[1:-1]).with_extremes(under=shades[0], over=shades[-1])
        return cls(bounds, colours, "both" if below and above else "min" if below else "max" if above else "neither")


def surfaces(
    table: pd.DataFrame, plane: Plane, arms: Sequence[str], basins: Sequence[str], remark: str = "", part: int = 1
) -> Figure | None:
    """Panels of the first few of these arms and basins; None where no score is defined.

    Parameters
    ----------
    table : arm, basin, x, y (in the parameters' units), dx, dy (offsets as shares of the ranges), score, diverged
    remark : more for the caption
    part : number of the drawing, where there are several of the plane
    """
    arms, basins = list(arms)[:SURFACE_COLUMNS], list(basins)[:SURFACE_ROWS]
    data = table.loc[table["arm"].isin(arms) & table["basin"].isin(basins)]
    values = plane.judged(data["score"].to_numpy("float64"))
    if not np.isfinite(values).any():
        return None
    scale = _Scale.of(values, METRICS[plane.metric].direction == "larger")
    limits = _limits(data["x"], plane.x), _limits(data["y"], plane.y)
    width = (WIDTH - LEFT - RIGHT - BETWEEN * (len(arms) - 1)) / len(arms)
    row = HEAD + TITLE + TALL + GAP
    legend = [Key("as learned", INK, mark="o"), Key("best of the points", INK, mark="X")]
    legend += [Key("a store has diverged", SOFT, mark="x")] if data["diverged"].any() else []
    bottom = TOP + row * len(basins) - GAP + BELOW
    with canvas(bottom + BAR + legend_height(legend)) as sheet:
        for side, arm in enumerate(arms):
            sheet.text(LEFT + side * (width + BETWEEN), 8, shorten(arm, width), va="center_baseline", weight="bold")
        for down, basin in enumerate(basins):
            top = TOP + down * row
            sheet.text(LEFT, top + 7, f"Basin {shorten(basin, WIDTH - LEFT - 50)}", va="center_baseline")
            for side, arm in enumerate(arms):
                axes = sheet.axes(LEFT + side * (width + BETWEEN), top + HEAD + TITLE, width, TALL)
                axes.set(xlim=limits[0], ylim=limits[1])
                axes.grid(False)
                lowest = down == len(basins) - 1
                axes.xaxis.set_major_locator(MaxNLocator(nbins=max(2, int(width // 34)), steps=[1, 2, 5, 10]))
                axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
                axes.tick_params(axis="x", labelbottom=lowest)
                axes.tick_params(axis="y", labelleft=not side)
                axes.set_xlabel(_axis(plane.x, width) if lowest else "")
                axes.set_ylabel("" if side else _axis(plane.y, TALL))
                _panel(sheet, axes, data.loc[(data["arm"] == arm) & (data["basin"] == basin)], plane, scale, arm, basin)
        _colours(sheet, scale, plane, bottom)
        sheet.legend(legend, bottom + BAR)
        title = f"{heading(plane.metric)} over {plane.x.name} and {plane.y.name}"
        name = stem("surface", plane.x.name.lower(), plane.y.name.lower(), plane.metric, str(part))
        renamed = {"x": f"{plane.x.name}{_unit(plane.x)}", "y": f"{plane.y.name}{_unit(plane.y)}", "score": column(plane.metric)}
        shown = data.filter(["arm", "basin", "seed", "x", "y", "dx", "dy", "score", "diverged"]).rename(columns=renamed)
        return sheet.figure(name, title, _caption(plane, data, remark), shown)


def _limits(values: pd.Series, parameter: Parameter) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.0 if high > low else 0.01 * (parameter.high - parameter.low)
    return low - room, high + room


def _unit(parameter: Parameter) -> str:
    return "" if parameter.unit in ("", "-") else f" ({parameter.unit.replace('degC', '°C')})"


def _axis(parameter: Parameter, room: float) -> str:
    return shorten(f"{parameter.name}{_unit(parameter)}", room)


def _caption(plane: Plane, data: pd.DataFrame, remark: str) -> str:
    label = METRICS[plane.metric].label
    bounds = " and ".join(
        f"{p.low:g} to {p.high:g}{'' if p.unit in ('', '-') else f' {p.unit}'}".replace("degC", "°C") for p in (plane.x, plane.y)
    )
    told = (
        f"{heading(plane.metric)} of the test where {plane.x.name} ({plane.x.meaning}) and {plane.y.name} ({plane.y.meaning}) are moved "
        "away from what was learned; nothing is trained again. One offset, a share of the parameter's range, is added to its values of all "
        f"components and days, which are held within {bounds}; axes show their mean. All else stays as learned. Above each panel: {label} "
        "as learned → best of the points."
    )
    lost = int(np.count_nonzero(data["diverged"].to_numpy("bool")))
    told += f" At {lost} of {len(data)} points a store has diverged: no score." if lost else ""
    return f"{told} {remark}".strip()


def _panel(sheet: Canvas, axes: Axes, rows: pd.DataFrame, plane: Plane, scale: _Scale, arm: str, basin: str) -> None:
    axes.spines[:].set(visible=True)
    scores = rows["score"].to_numpy("float64")
    best = plane.best(scores)
    if not len(rows) or best is None:
        axes.text(0.5, 0.5, "no score" if len(rows) else "not computed", transform=axes.transAxes, ha="center", va="center", color=SOFT)
        return
    grid = rows.pivot_table(index="dy", columns="dx", values=["score", "x", "y"], dropna=False)
    x, y = grid["x"].to_numpy("float64")[0], grid["y"].to_numpy("float64")[:, 0]
    z = np.ma.masked_invalid(plane.judged(grid["score"].to_numpy("float64")))
    if min(z.shape) > 1:
        looks = {"levels": scale.bounds, "cmap": scale.colours, "norm": BoundaryNorm(scale.bounds, scale.colours.N), "extend": scale.extend}
        filled = axes.contourf(x, y, z, **looks)
        filled.set(edgecolor="face", linewidth=0.3)
        axes.contour(x, y, z, levels=scale.bounds, colors="white", linewidths=0.35, linestyles="solid")
    lost = rows.loc[rows["diverged"].to_numpy("bool")]
    if len(lost):
        axes.plot(lost["x"], lost["y"], linestyle="none", marker="x", markersize=2.2, color=SOFT, markeredgewidth=0.6)
    middle = int(np.argmin(np.abs(rows["dx"].to_numpy()) + np.abs(rows["dy"].to_numpy())))
    for place, mark, what in ((best, "X", "best"), (middle, "o", "as learned")):
        at = rows.iloc[[place]]
        looks = {"marker": mark, "s": 26, "color": "#000000", "edgecolors": "white", "linewidths": 0.7, "zorder": 3, "clip_on": False}
        drawn = axes.scatter(at["x"], at["y"], **looks)
        values = f"{plane.x.name} {number(float(at['x'].iloc[0]))}, {plane.y.name} {number(float(at['y'].iloc[0]))}"
        told = f"{METRICS[plane.metric].label} {number(scores[place])}"
        sheet.explain(drawn, f"{plain(arm)}, basin {plain(basin)}, {what}: {values}, {told}")
    axes.set_title(f"{_short(scores[middle])} → {_short(scores[best])}", loc="left", pad=3)


def _short(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212") if np.isfinite(value) and abs(value) < 100 else number(value)


def _colours(sheet: Canvas, scale: _Scale, plane: Plane, top: float) -> None:
    bar = sheet.axes(LEFT, top, WIDTH - LEFT - RIGHT, 7)
    norm = BoundaryNorm(scale.bounds, scale.colours.N)
    drawn = sheet.sheet.colorbar(ScalarMappable(norm, scale.colours), cax=bar, orientation="horizontal", extend=scale.extend)
    for classes in bar.collections:  # not as an image, and without gaps between them
        classes.set(rasterized=False, edgecolor="face", linewidth=0.3)
    ticks = scale.bounds if len(scale.bounds) <= 8 else scale.bounds[np.argmin(np.abs(scale.bounds)) % 2 :: 2]
    drawn.set_ticks(ticks.tolist(), labels=[f"{tick:.6g}".replace("-", "\u2212") for tick in ticks])
    drawn.outline.set(linewidth=0.4)
    drawn.set_label(f"{plane.label} ({METRICS[plane.metric].unit})")
