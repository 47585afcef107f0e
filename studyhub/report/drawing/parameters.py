"""Learned parameters of a water-balance model: where they lie within their bounds, and where in the world."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cbook import boxplot_stats
from matplotlib.ticker import MaxNLocator

from studyhub.physics.structure import Parameter
from studyhub.report.drawing.canvas import BELOW, INK, LIGHT, RIGHT, SOFT, WIDTH, Canvas, Figure, Key, canvas, keys, legend_height
from studyhub.report.drawing.ground import places
from studyhub.report.drawing.names import SIZE, basins_in_words, measure, number, plain, shorten, stem

BAND, BETWEEN_ROWS = 7.5, 7.0  # points for each arm's box, and between parameters
HEAD, GAP, BAR = 16.0, 8.0, 36.0  # points: title of a map, between maps, colour bar below them
MAP_LOW, MAP_HIGH = 70.0, 150.0  # points, height of a map
CLASSES = 10
MOST_ARMS = 6
MOST_MARKS = 8_000  # of one drawing


def ranges(means: pd.DataFrame, bounds: Mapping[str, Parameter], arms: Sequence[str], near: float) -> Figure | None:
    """Box plots over basins of every parameter's mean, scaled to its bounds; None where no parameter has any.

    Parameters
    ----------
    means : arm, basin, parameter, mean (in the parameter's unit)
    bounds : parameter -> its row of the model's table, in the order to draw
    arms : all arms of the report
    near : share of the range from which a value counts as near a bound
    """
    means = means.astype({"arm": object, "parameter": object})
    data = means.loc[means["parameter"].isin(list(bounds)) & np.isfinite(means["mean"].to_numpy("float64"))]
    shown = keys(arms, list(data["arm"]), width=6, dashed=False)
    shown = {arm: shown[arm] for arm in list(shown)[:MOST_ARMS]}
    data = data.loc[data["arm"].isin(list(shown))]
    if data.empty:
        return None
    table = pd.DataFrame({name: (row.low, row.high) for name, row in bounds.items()}).T
    low, high = table.reindex(data["parameter"].astype(object)).to_numpy("float64").T
    data = data.assign(share=100 * (data["mean"].to_numpy("float64") - low) / (high - low))
    order = [name for name in bounds if name in set(data["parameter"])]
    told = {name: _bounds(bounds[name]) for name in order}
    left = 12 + max(map(measure, told.values()))
    step = len(shown) * BAND + BETWEEN_ROWS
    legend = list(shown.values())
    with canvas(4 + step * len(order) + BELOW + legend_height(legend)) as sheet:
        axes = sheet.axes(left, 4, WIDTH - left - RIGHT, step * len(order))
        axes.set(xlim=(-1, 101), ylim=(step * len(order), 0), xlabel="Place within the bounds (%)")
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_yticks([step * (place + 0.5) for place in range(len(order))], list(told.values()))
        for ends in ((-1, 100 * near), (100 - 100 * near, 101)):
            axes.axvspan(*ends, color="#f6e3cf", linewidth=0, zorder=0.5)
        groups = dict(iter(data.groupby(["parameter", "arm"], sort=False)["share"]))
        for place, name in enumerate(order):
            if place:
                axes.axhline(step * place, color=LIGHT, linewidth=0.6, zorder=0.8)
            for number_of, (arm, key) in enumerate(shown.items()):
                if (name, arm) in groups:
                    at = step * place + BETWEEN_ROWS / 2 + BAND * (number_of + 0.5)
                    _box(sheet, axes, groups[name, arm].to_numpy("float64"), key, at, name)
        sheet.legend(legend, 4 + step * len(order) + BELOW)
        caption = (
            f"Mean over components and days of every parameter in {basins_in_words(data['basin'].nunique())}, scaled from its lower "
            f"bound (0 %) to its upper one (100 %). Boxes: quartiles and median; whiskers: 5th and 95th percentile. Shaded: within "
            f"{100 * near:g} % of a bound."
        )
        if len(set(means["arm"])) > len(shown):
            caption += f" Shown are the first {len(shown)} arms that have parameters."
        summary = data.groupby(["parameter", "arm"], sort=False)["share"].quantile([0.05, 0.25, 0.5, 0.75, 0.95]).unstack()
        summary.columns = [f"percentile_{round(100 * q)}_percent_of_range" for q in summary.columns]
        return sheet.figure(stem("parameter_ranges"), "Parameters within their bounds", caption, summary.reset_index())


def _bounds(row: Parameter) -> str:
    unit = "" if row.unit in ("", "-") else f" {row.unit.replace('degC', '°C')}"
    return f"{row.name}, {row.low:g}–{row.high:g}{unit}".replace("-", "\u2212")


def _box(sheet: Canvas, axes: Axes, values: np.ndarray, key: Key, at: float, name: str) -> None:
    found, half = boxplot_stats(values, whis=(5, 95))[0], 0.36 * BAND
    axes.plot([found["whislo"], found["whishi"]], [at, at], color=key.colour, linewidth=0.8)
    across = [found["q1"], found["q3"], found["q3"], found["q1"]]
    (area,) = axes.fill(
        across, [at - half, at - half, at + half, at + half], facecolor=key.colour + "77", edgecolor=key.colour, linewidth=0.7
    )
    axes.plot([found["med"]] * 2, [at - half, at + half], color=INK, linewidth=1.3)
    sheet.explain(area, f"{plain(key.name)}: median of {name} at {found['med']:.0f} % of its range")


def parameter_map(means: pd.DataFrame, basins: pd.DataFrame, row: Parameter, arms: Sequence[str]) -> Figure | None:
    """A map of a parameter for each arm, in the same colours; None where no basin that has it has coordinates.

    Parameters
    ----------
    means : arm, basin, parameter, mean, of this parameter alone or of more
    arms : those to show, as many of them as a page can hold
    """
    data = means.loc[(means["parameter"] == row.name) & np.isfinite(means["mean"].to_numpy("float64")), ["arm", "basin", "mean"]]
    data = data.merge(places(basins), on="basin")
    known = set(data["arm"].unique())
    there = [arm for arm in arms if arm in known]
    if not there:
        return None
    shown = there[: max(2, min(MOST_ARMS, MOST_MARKS // max(data["basin"].nunique(), 1)))]
    data = data.loc[data["arm"].isin(shown)]
    across = min(2, len(shown))
    width = (WIDTH - 2 * RIGHT - GAP * (across - 1)) / across
    frame = _frame(data, width)
    rows, height = -(-len(shown) // across), frame[-1]
    levels = _levels(data["mean"].to_numpy("float64"), row)
    unit = "" if row.unit in ("", "-") else f" ({row.unit.replace('degC', '°C')})"
    with canvas(rows * (HEAD + height + GAP) + BAR) as sheet:
        for place, arm in enumerate(shown):
            down, side = divmod(place, across)
            axes = sheet.axes(RIGHT + side * (width + GAP), HEAD + down * (HEAD + height + GAP), width, height)
            _map(sheet, axes, data.loc[data["arm"] == arm], levels, frame, row.name)
            axes.set_title(shorten(arm, width), loc="left", pad=3)
        _colours(sheet, levels, f"{row.name}{unit}, mean over components and days", sheet.height - BAR + 2)
        caption = (
            f"{row.name}: {row.meaning}. Learned in {basins_in_words(data['basin'].nunique())}; bounds {row.low:g} to {row.high:g}{unit}."
        )
        caption += f" Shown are {len(shown)} of {len(there)} arms." if len(shown) < len(there) else ""
        unplaced = means.loc[means["parameter"] == row.name, "basin"].nunique() - data["basin"].nunique()
        caption += f" Without coordinates: {basins_in_words(unplaced)}." if unplaced else ""
        table = data.rename(columns={"mean": row.name, "lat": "lat_degrees", "lon": "lon_degrees"})
        return sheet.figure(stem("parameter_map", row.name.lower()), f"Where {row.name} is large and small", caption, table)


def _levels(values: np.ndarray, row: Parameter) -> np.ndarray:
    """Bounds of the classes: round, over the range in which nearly all values lie."""
    low, high = np.quantile(values, [0.02, 0.98]) if len(values) else (row.low, row.high)
    if high - low < 1e-3 * (row.high - row.low):
        low, high = row.low, row.high
    return np.asarray(MaxNLocator(nbins=CLASSES, steps=[1, 2, 2.5, 5, 10]).tick_values(float(low), float(high)))


def _map(sheet: Canvas, axes: Axes, data: pd.DataFrame, levels: np.ndarray, frame: tuple[float, ...], name: str) -> None:
    """Marks class by class: all of one class look alike, which keeps a page of many maps small."""
    west, east, south, north, _ = frame
    axes.set(xlim=(west, east), ylim=(south, north), xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set(visible=True, color="#b9c1c9")
    colour = colormaps["viridis"](np.linspace(0, 1, len(levels) - 1))
    classes = np.clip(np.digitize(data["mean"].to_numpy("float64"), levels) - 1, 0, len(levels) - 2)
    size = float(np.clip(2200 / len(data), 2.5, 20))
    for number_of in range(len(levels) - 1):
        rows = data.loc[classes == number_of]
        if len(rows):
            marks = axes.scatter(rows["lon"], rows["lat"], s=size, color=[colour[number_of]], linewidths=0, clip_on=False)
            sheet.explain(marks, f"{name} {levels[number_of]:.4g} to {levels[number_of + 1]:.4g}: {basins_in_words(len(rows))}")


def _colours(sheet: Canvas, levels: np.ndarray, label: str, top: float) -> None:
    axes = sheet.axes(RIGHT + 24, top, WIDTH - 2 * RIGHT - 48, 7)
    colour = colormaps["viridis"](np.linspace(0, 1, len(levels) - 1))
    axes.set(xlim=(levels[0], levels[-1]), ylim=(0, 1), yticks=[])
    axes.grid(False)
    for number_of, (low, high) in enumerate(zip(levels[:-1], levels[1:], strict=True)):
        axes.fill([low, high, high, low], [0, 0, 1, 1], color=colour[number_of], linewidth=0)
    axes.spines[:].set(visible=True, color=SOFT, linewidth=0.4)
    ticks = levels if len(levels) <= 7 else levels[::2]
    axes.set_xticks(ticks.tolist(), [number(float(tick)) for tick in ticks])
    axes.set_xlabel(label, fontsize=SIZE)


def _frame(data: pd.DataFrame, width: float) -> tuple[float, float, float, float, float]:
    """West, east, south, north, and the height in points of a map so wide, in which a length is one in all directions at its middle."""
    (west, east), (south, north) = ((float(at.min()), float(at.max())) for at in (data["lon"].to_numpy(), data["lat"].to_numpy()))
    lon, lat = (west + east) / 2, (south + north) / 2
    narrowing = max(float(np.cos(np.radians(lat))), 0.2)
    wide, tall = (max(1.08 * span, 4.0) for span in (east - west, north - south))
    height = float(np.clip(width * tall / (wide * narrowing), MAP_LOW, MAP_HIGH))
    wide = max(wide, width * tall / (height * narrowing))
    tall = wide * narrowing * height / width
    return lon - wide / 2, lon + wide / 2, lat - tall / 2, lat + tall / 2, height
