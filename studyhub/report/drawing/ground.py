"""The ground that maps are drawn on: where basins are, and axes of longitude and latitude."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from studyhub.report.drawing.boundaries import Lines
from studyhub.report.drawing.canvas import RIGHT, TOP, WIDTH, Canvas

SIDE = 34.0  # points for the labels of latitudes
DEGREES = 20.0  # points for the labels of longitudes
LOWEST, HIGHEST = 120.0, 250.0  # points, height of a map
EDGE = "#3d444b"  # around marks


def places(basins: pd.DataFrame) -> pd.DataFrame:
    """Basins with coordinates that may be: basin, lat, lon in degrees; longitudes from -180 to 180."""
    if not {"lat", "lon"} <= set(basins.columns):
        return pd.DataFrame(columns=["basin", "lat", "lon"])
    facts = basins.loc[:, ["basin", "lat", "lon"]].astype({"basin": object, "lat": "float64", "lon": "float64"}).drop_duplicates("basin")
    facts = facts.loc[facts["lat"].between(-90, 90) & facts["lon"].between(-180, 360)]
    return facts.assign(lon=np.where(facts["lon"] > 180, facts["lon"] - 360, facts["lon"]))


def height_of(data: pd.DataFrame) -> float:
    """Points that a map of these basins takes, the labels of its degrees included."""
    return TOP + _frame(data)[-1] + DEGREES


def ground(sheet: Canvas, data: pd.DataFrame, lines: Lines) -> Axes:
    """Axes at the top of the sheet that hold all basins, the ``lines`` of boundaries behind them."""
    west, east, south, north, height = _frame(data)
    axes = sheet.axes(SIDE, TOP, WIDTH - SIDE - RIGHT, height)
    axes.set(xlim=(west, east), ylim=(south, north))
    axes.spines[:].set(visible=True, color="#b9c1c9")
    if near := [line for line in lines if _near(line, west, east, south, north)]:
        axes.add_collection(LineCollection(near, colors="#b9c1c9", linewidths=0.5, zorder=0.5), autolim=False)
    for side, (minus, plus), bins in ((axes.xaxis, "WE", 5), (axes.yaxis, "SN", 4)):
        side.set_major_locator(MaxNLocator(bins, steps=[1, 2, 5, 10]))
        side.set_major_formatter(lambda value, _, ends=(minus, plus): f"{abs(value):g}°{ends[int(value > 0)] if value else ''}")
    return axes


def size_of_marks(count: int) -> float:
    """Area of a mark in square points: the more basins, the smaller."""
    return float(np.clip(6000 / count, 5, 34))


def _near(line: np.ndarray, west: float, east: float, south: float, north: float) -> bool:
    """Tell whether a line may be seen in a frame."""
    (left, low), (right, high) = line.min(axis=0), line.max(axis=0)
    return left <= east and right >= west and low <= north and high >= south


def _frame(data: pd.DataFrame) -> tuple[float, float, float, float, float]:
    """West, east, south, north and the map's height in points: one length in all directions at the middle latitude."""
    width = WIDTH - SIDE - RIGHT
    (west, east), (south, north) = ((float(at.min()), float(at.max())) for at in (data["lon"].to_numpy(), data["lat"].to_numpy()))
    lon, lat = (west + east) / 2, (south + north) / 2
    narrowing = max(np.cos(np.radians(lat)), 0.2)
    wide, tall = (max(1.08 * span, 4.0) for span in (east - west, north - south))
    height = float(np.clip(width * tall / (wide * narrowing), LOWEST, HIGHEST))
    wide = max(wide, width * tall / (height * narrowing))
    tall = wide * narrowing * height / width
    return lon - wide / 2, lon + wide / 2, lat - tall / 2, lat + tall / 2, height
