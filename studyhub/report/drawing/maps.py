"""Scores and differences of scores where the basins are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap
from matplotlib.ticker import MaxNLocator

from studyhub.catalog import METRICS
from studyhub.report.drawing.boundaries import Lines
from studyhub.report.drawing.canvas import RIGHT, SOFT, WIDTH, Canvas, Figure, canvas
from studyhub.report.drawing.ground import EDGE, SIDE, ground, height_of, places, size_of_marks
from studyhub.report.drawing.names import SIZE, basins_in_words, number, plain, shorten, stem
from studyhub.report.drawing.view import BETTER, axis, column, distance, heading, limits, tidy

BAR = 39.0  # points for the colour bar, its ticks and its label
WIN, LOSE = "#2166ac", "#b2182b"  # text beside the ends of the colour map "RdBu"


@dataclass(frozen=True)
class _Scale:
    """Classes of colours: their bounds, the colour map, and the name of the values."""

    bounds: np.ndarray
    colours: str
    label: str

    def colouring(self) -> tuple[BoundaryNorm, Colormap]:
        """One colour for each class and one beyond each end: the middle stays the middle wherever values lie."""
        found = colormaps[self.colours](np.linspace(0, 1, len(self.bounds) + 1))
        classes = ListedColormap(found[1:-1]).with_extremes(under=found[0], over=found[-1])
        return BoundaryNorm(self.bounds, classes.N), classes

    def beyond(self, values: np.ndarray) -> Literal["neither", "both", "min", "max"]:
        below, above = (values < self.bounds[0]).any(), (values > self.bounds[-1]).any()
        return "both" if below and above else "min" if below else "max" if above else "neither"


def score_map(per_basin: pd.DataFrame, basins: pd.DataFrame, arm: str, metric: str, lines: Lines = ()) -> Figure | None:
    """A metric of an arm in each basin, coloured by the range of all arms in ``per_basin``: so maps of the same table can be compared.

    None where no basin with a score has coordinates.
    """
    scores = tidy(per_basin, [arm], metric)
    data, unplaced = _placed(scores, basins)
    values = _finite(data)
    if not len(values):
        return None
    found, name = METRICS[metric], plain(arm)
    every = _finite(tidy(per_basin, list(dict.fromkeys(per_basin["arm"])), metric))
    low, high = limits(every, found)
    if found.direction == "larger":  # colours for the range in which most basins lie
        low = float(np.clip(np.floor(10 * np.quantile(every, 0.05)) / 10, low, 0.8))
    zero = found.direction == "zero"
    scale = _Scale(
        _symmetric(every) if zero else _bounds(low, high),
        "PuOr_r" if zero else "viridis" if found.direction == "larger" else "viridis_r",
        f"{axis(metric)}, {BETTER[found.direction]}",
    )
    caption = f"{heading(metric)} of {name} in {basins_in_words(len(values))}: median {number(np.median(values))}."
    caption += _beyond(values, scale.bounds) + _missing(data, unplaced)
    told = [f"basin {basin}: {found.label} {number(score)}" for basin, score in zip(data["basin"], data["score"], strict=True)]
    table = data.rename(columns={"score": column(metric), "lat": "lat_degrees", "lon": "lon_degrees"})
    with canvas(height_of(data) + BAR) as sheet:
        _draw(sheet, data, told, scale, lines)
        return sheet.figure(stem("map", metric, arm), f"{heading(metric)} of {name}", caption, table)


def difference_map(per_basin: pd.DataFrame, basins: pd.DataFrame, better: str, than: str, metric: str, lines: Lines = ()) -> Figure | None:
    """Where ``better`` is better than ``than``: the difference of their scores, as `stats.summary.judged` gives them.

    None where no basin with both scores has coordinates.
    """
    found, names = METRICS[metric], (plain(better), plain(than))
    scores = tidy(per_basin, [better, than], metric)
    if found.direction == "zero":
        scores["score"] = scores["score"].abs()
    table = scores.pivot_table(index="basin", columns="arm", values="score", dropna=False).reindex(columns=dict.fromkeys((better, than)))
    both = pd.DataFrame({"basin": table.index.to_numpy(object), "score": (table[better] - table[than]).to_numpy()})
    data, unplaced = _placed(both, basins)
    values = _finite(data)
    if not len(values):
        return None
    gains = values if found.direction == "larger" else -values
    label = distance(metric)
    rising = found.direction == "larger"
    scale = _Scale(_symmetric(values), "RdBu" if rising else "RdBu_r", f"Difference in {label} ({found.unit})")
    caption = (
        f"{names[0]} minus {names[1]} in {basins_in_words(len(values))}, median {number(np.median(values))}. "
        f"Blue: {names[0]} is better ({(gains > 0).sum()}); red: {names[1]} is better ({(gains < 0).sum()})."
    )
    caption += _beyond(values, scale.bounds) + _missing(data, unplaced)
    told = [f"basin {basin}: {number(score)}" for basin, score in zip(data["basin"], data["score"], strict=True)]
    drawn = data.rename(columns={"score": f"difference_{column(metric)}", "lat": "lat_degrees", "lon": "lon_degrees"})
    with canvas(height_of(data) + BAR + SIZE + 4) as sheet:
        _draw(sheet, data, told, scale, lines)
        _ends(sheet, names, rising)
        return sheet.figure(stem("difference", metric, better, than), f"Difference in {label}: {names[0]} minus {names[1]}", caption, drawn)


def _placed(scores: pd.DataFrame, basins: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Scores with coordinates, those in the middle first so that extremes lie on top, and how many basins have none."""
    data = scores.merge(places(basins), on="basin").loc[:, ["basin", "lat", "lon", "score"]]
    values = data["score"].to_numpy()
    far = np.abs(values - np.nanmedian(values)) if np.isfinite(values).any() else np.zeros(len(values))
    return data.iloc[np.argsort(np.nan_to_num(far, nan=-1.0), kind="stable")], len(scores) - len(data)


def _finite(data: pd.DataFrame) -> np.ndarray:
    values = data["score"].to_numpy("float64")
    return values[np.isfinite(values)]


def _bounds(low: float, high: float) -> np.ndarray:
    return np.asarray(MaxNLocator(nbins=10, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))


def _symmetric(values: np.ndarray) -> np.ndarray:
    """Bounds to both sides of zero that hold nearly all values; a few far ones do not take the colours of all others."""
    sizes = np.abs(values)
    reach = float(np.quantile(sizes, 0.95)) or float(sizes.max()) or 1.0
    step = np.asarray(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(0, reach))
    return np.concatenate([-step[:0:-1], step])


def _beyond(values: np.ndarray, bounds: np.ndarray) -> str:
    off = int(((values < bounds[0]) | (values > bounds[-1])).sum())
    return f" Beyond the colours: {basins_in_words(off)}." if off else ""


def _missing(data: pd.DataFrame, unplaced: int) -> str:
    hollow = int(np.isnan(data["score"].to_numpy()).sum())
    told = f" Hollow: not defined in {basins_in_words(hollow)}." if hollow else ""
    return told + (f" Without coordinates: {basins_in_words(unplaced)}." if unplaced else "")


def _draw(sheet: Canvas, data: pd.DataFrame, told: Sequence[str], scale: _Scale, lines: Lines) -> None:
    axes = ground(sheet, data, lines)
    values = data["score"].to_numpy("float64")
    known, size = np.isfinite(values), size_of_marks(len(data))
    norm, colours = scale.colouring()
    faces = colours(norm(np.where(known, values, scale.bounds[0])))
    faces[~known] = 0.0  # hollow
    edges = [EDGE if there else SOFT for there in known]
    marks = axes.scatter(data["lon"], data["lat"], s=size, linewidths=0.35 if size > 12 else 0.2, facecolors=faces, edgecolors=edges)
    sheet.explain(marks, told)
    bar = sheet.axes(SIDE + 30, height_of(data), WIDTH - SIDE - RIGHT - 60, 7)
    drawn = sheet.sheet.colorbar(ScalarMappable(norm, colours), cax=bar, orientation="horizontal", extend=scale.beyond(values))
    for classes in bar.collections:  # not as an image, and without gaps between them
        classes.set(rasterized=False, edgecolor="face", linewidth=0.3)
    ticks = _ticks(scale.bounds).tolist()
    drawn.set_ticks(ticks, labels=[f"{tick:.6g}".replace("-", "\u2212") for tick in ticks])
    drawn.outline.set(linewidth=0.4)
    drawn.set_label(scale.label)


def _ticks(bounds: np.ndarray) -> np.ndarray:
    zero = np.flatnonzero(bounds == 0)
    return bounds if len(bounds) <= 7 else bounds[zero[0] % 2 if len(zero) else 0 :: 2]


def _ends(sheet: Canvas, names: tuple[str, str], rising: bool) -> None:
    """Say below the colour bar which side of it means that which arm is better."""
    better, than = (shorten(f"{name} better", WIDTH / 2 - 20) for name in names)
    left, right = ((than, LOSE), (better, WIN)) if rising else ((better, WIN), (than, LOSE))
    top = sheet.height - 7
    sheet.text(8, top, f"← {left[0]}", color=left[1], va="center")
    sheet.text(WIDTH - 8, top, f"{right[0]} →", color=right[1], va="center", ha="right")
