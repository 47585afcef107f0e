"""Simulated against observed, a basin a mark: one panel for each arm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from studyhub.report.drawing.canvas import BELOW, LEFT, RIGHT, SOFT, WIDTH, Canvas, Figure, canvas, colours
from studyhub.report.drawing.names import basins_in_words, number, plain, shorten, stem

HEAD, BETWEEN = 18.0, 14.0  # points for the title of a panel, and between two beside each other
MANY = 500  # basins from which marks become a density
PANELS = 6
CELLS = 34  # of the density, along an axis


@dataclass(frozen=True)
class Quantity:
    """What is compared: ``name`` of the figure, title, its name in text, unit, and columns of the simulated and the observed values."""

    name: str
    title: str
    label: str
    unit: str
    simulated: str
    observed: str

    def axis(self, which: str) -> str:
        return f"{which} {self.label}{f' ({self.unit})' if self.unit else ''}"


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation over basins; NaN where it is not defined."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def scatter(values: pd.DataFrame, arms: Sequence[str], quantity: Quantity, remark: str = "") -> Figure | None:
    """A panel for each arm that has pairs, the first few; None where none has.

    Parameters
    ----------
    values : arm, basin, and the columns of the quantity
    arms : all arms of the report, for their order and colours
    """
    keep = np.isfinite(values[quantity.observed].to_numpy("float64")) & np.isfinite(values[quantity.simulated].to_numpy("float64"))
    data = values.loc[keep, ["arm", "basin", quantity.observed, quantity.simulated]]
    known = set(data["arm"].unique())
    there = [arm for arm in arms if arm in known]
    if not there:
        return None
    shown = there[:PANELS]
    data = data.loc[data["arm"].isin(shown)]
    across = min(2, len(shown))
    width = (WIDTH - LEFT - RIGHT - BETWEEN * (across - 1)) / across
    height = min(width, 170.0)
    rows = -(-len(shown) // across)
    bounds, colour = _limits(data[[quantity.observed, quantity.simulated]].to_numpy("float64")), colours(arms)
    with canvas(rows * (HEAD + height + BETWEEN) + BELOW - BETWEEN) as sheet:
        for place, arm in enumerate(shown):
            row, side = divmod(place, across)
            axes = sheet.axes(LEFT + side * (width + BETWEEN), HEAD + row * (HEAD + height + BETWEEN), width, height)
            axes.set(xlim=bounds, ylim=bounds)
            lowest = place + across >= len(shown)
            axes.tick_params(axis="x", labelbottom=lowest)
            axes.tick_params(axis="y", labelleft=not side)
            axes.set_xlabel(quantity.axis("Observed") if lowest else "")
            axes.set_ylabel("" if side else quantity.axis("Simulated"))
            _panel(sheet, axes, data.loc[data["arm"] == arm], quantity, colour[arm], width)
        caption = (
            f"Mean over trainings in each basin, of {basins_in_words(data['basin'].nunique())}; line: equality; r: correlation over basins."
        )
        caption += " Darker: more basins." if len(data) > MANY * len(shown) else ""
        caption += f" Shown are the first {len(shown)} of {len(there)} arms." if len(shown) < len(there) else ""
        return sheet.figure(stem(quantity.name), quantity.title, caption + (f" {remark}" if remark else ""), data)


def _panel(sheet: Canvas, axes: Axes, rows: pd.DataFrame, quantity: Quantity, colour: str, width: float) -> None:
    x, y = rows[quantity.observed].to_numpy("float64"), rows[quantity.simulated].to_numpy("float64")
    low, high = axes.get_xlim()
    told = f"r {number(correlation(x, y))}"
    arm = str(rows["arm"].iloc[0])
    axes.set_title(f"{shorten(arm, width - 52)}, {told}", loc="left", pad=4)
    axes.plot([low, high], [low, high], color=SOFT, linewidth=0.8, zorder=1.1)
    for side in (axes.xaxis, axes.yaxis):
        side.set_major_locator(MaxNLocator(nbins=4))
    if len(rows) > MANY:
        shades = LinearSegmentedColormap.from_list("density", [f"{colour}33", colour])
        cells = axes.hexbin(x, y, gridsize=CELLS, extent=(low, high, low, high), mincnt=1, bins="log", cmap=shades, linewidths=0, zorder=2)
        sheet.explain(cells, f"{plain(arm)}: {basins_in_words(len(rows))}, {told}")
        return
    size = float(np.clip(2500 / len(rows), 5, 22))
    marks = axes.scatter(x, y, s=size, color=colour, alpha=0.75, linewidths=0, zorder=2)
    told_each = zip(rows["basin"], x, y, strict=True)
    sheet.explain(marks, [f"basin {basin}: observed {number(seen)}, simulated {number(made)}" for basin, seen, made in told_each])


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.04 * (high - low) or 0.5
    return (0.0 if 0 <= low < 0.3 * high else low - room), high + room
