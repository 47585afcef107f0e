"""Curves over days and over epochs."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from studyhub.report.drawing.canvas import BELOW, INK, LEFT, RIGHT, TOP, WIDTH, Figure, Key, canvas, keys, legend_height
from studyhub.report.drawing.names import listed, plain, shorten, stem

FLOW, CURVE = 165.0, 165.0  # points, height of axes
OBSERVED = "observed"
FLOOD = 3.0  # times the largest observed discharge: simulations above it are cut off
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TICKS = 0.08  # least distance of two ticks on an axis of square roots, as a share of its length
SPAN = 10.0  # ratio of largest to smallest value from which an axis is logarithmic


def hydrograph(simulation: pd.DataFrame, arms: Sequence[str], basin: str, name: str, title: str, remark: str = "") -> Figure:
    """Observed and simulated discharge of a basin, of those ``arms`` that have rows.

    Parameters
    ----------
    simulation : one row per arm and day: arm, basin, date, qobs, qsim (mm/d); only the days to show
    arms : all arms of the study, for their colours
    remark : the caption's last sentence
    """
    data = _rows(simulation, arms, basin)
    shown = keys(arms, list(data["arm"]))
    observed = data.groupby("date").first().loc[:, "qobs_mm_d"]
    legend = [Key(OBSERVED, INK), *shown.values()]
    with canvas(TOP + FLOW + BELOW + legend_height(legend)) as sheet:
        axes = sheet.axes(LEFT, TOP, WIDTH - LEFT - RIGHT, FLOW)
        _daily(axes, observed, Key(OBSERVED, INK), 1.0, 2.6)
        for arm, key in shown.items():
            line = _daily(axes, data.loc[data["arm"] == arm].set_index("date").loc[:, "qsim_mm_d"], key, 1.0, 2.5)
            sheet.explain(line, arm)
        cut = _discharge_axis(axes, data)
        _dates(axes, data["date"].to_numpy("datetime64[D]"))
        sheet.legend(legend, TOP + FLOW + BELOW)
        caption = f"{_told(data, observed, basin)}{cut} {remark}".strip()
        return sheet.figure(stem(name), title, caption, data)


def _rows(simulation: pd.DataFrame, arms: Sequence[str], basin: str) -> pd.DataFrame:
    rows = simulation.loc[(simulation["basin"].astype(object) == basin) & simulation["arm"].isin(list(arms))]
    columns = {"arm": rows["arm"].astype(object), "basin": rows["basin"].astype(object), "date": pd.to_datetime(rows["date"])}
    for key in ("qobs", "qsim"):
        values = rows[key].to_numpy("float64")
        columns[f"{key}_mm_d"] = pd.Series(np.where(np.isfinite(values), values, np.nan), rows.index)
    return pd.DataFrame(columns)


def _daily(axes: Axes, values: pd.Series, key: Key, width: float, order: float) -> Line2D:
    """Draw a line that breaks where days are missing."""
    if len(values):
        values = values.loc[~values.index.duplicated()].sort_index()
        values = values.reindex(pd.date_range(values.index[0], values.index[-1]))
    days = mdates.date2num(values.index.to_numpy("datetime64[D]"))
    (line,) = axes.plot(days, values.to_numpy("float64"), color=key.colour, linestyle=key.dash, linewidth=width, zorder=order)
    return line


def _discharge_axis(axes: Axes, data: pd.DataFrame) -> str:
    """Square roots, in which low flow is seen beside floods; say what lies above the axis."""
    observed, simulated = (np.nan_to_num(data[key].to_numpy("float64")) for key in ("qobs_mm_d", "qsim_mm_d"))
    seen, top = float(observed.max(initial=0.0)), float(max(observed.max(initial=0.0), simulated.max(initial=0.0)))
    cut = ""
    if seen > 0 and top > FLOOD * seen:
        over = data.loc[simulated > FLOOD * seen, "arm"].drop_duplicates()
        cut, top = f" Cut off above the axis: {listed(over)}, up to {top:.3g} mm/d.", FLOOD * seen
    top = 1.05 * top or 1.0
    axes.set_yscale("function", functions=(lambda q: np.sqrt(np.maximum(q, 0.0)), np.square))
    axes.set_ylim(0.0, top)
    ticks = _root_ticks(top)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_ylabel("Discharge (mm/d)")
    return cut


def _root_ticks(top: float) -> list[float]:
    """Round values not too near to each other on an axis of square roots, from the top down."""
    kept: list[float] = []
    for power in range(int(np.ceil(np.log10(top))), -6, -1):
        for digit in (5.0, 2.0, 1.0):
            value = float(f"{digit}e{power}")
            near = kept[-1] if kept else np.inf
            if value <= top and np.sqrt(min(near, 4 * top) / top) - np.sqrt(value / top) >= TICKS and np.sqrt(value / top) >= TICKS:
                kept.append(value)
    return [0.0, *reversed(kept)]


def _told(data: pd.DataFrame, observed: pd.Series, basin: str) -> str:
    if data.empty:
        return f"No simulation of basin {plain(basin)}."
    first, last = (str(day) for day in (data["date"].to_numpy("datetime64[D]").min(), data["date"].to_numpy("datetime64[D]").max()))
    gaps = int(np.isnan(observed.to_numpy("float64")).sum())
    missing = f" Not observed on {gaps} of {len(observed)} days." if gaps else ""
    return f"Daily discharge of basin {plain(basin)}, {first} to {last}; axis of square roots, so that low flow is seen too.{missing}"


def _dates(axes: Axes, dates: np.ndarray) -> None:
    """Label months, and the year below the first month of each; years alone where there are many."""
    if not len(dates):
        axes.set_xticks([])
        return
    first, last = mdates.date2num([dates.min(), dates.max()])
    last = max(last, first + 1)
    axes.set_xlim(first, last)
    ticks = mdates.AutoDateLocator(minticks=3, maxticks=7).tick_values(mdates.num2date(first), mdates.num2date(last))
    ticks = [tick for tick in ticks if first <= tick <= last]
    days, years = last - first, set()
    texts = []
    for day in mdates.num2date(ticks):
        text = f"{day.year}" if days > 1500 else MONTHS[day.month - 1] if days > 90 else f"{day.day} {MONTHS[day.month - 1]}"
        texts.append(text if days > 1500 or day.year in years else f"{text}\n{day.year}")
        years.add(day.year)
    axes.set_xticks(ticks, texts)


def learning_curves(epochs: pd.DataFrame, arms: Sequence[str]) -> list[Figure]:
    """Training loss by epoch, a figure for each loss as different losses cannot be compared, and validation where there is any.

    Parameters
    ----------
    epochs : arm, fold, seed, epoch, loss, loss_name, validation (median NSE over the training basins, NaN without a validation period)
    """
    rows = epochs.loc[epochs["arm"].isin(list(arms))].astype({"loss": "float64", "validation": "float64"})
    found = []
    for loss, of in rows.dropna(subset=["loss_name"]).groupby("loss_name", observed=True):
        name = plain(loss)
        text = f"Training loss {name} by epoch"
        curve = _Curve(stem("learning", str(loss)), f"Training loss: {name}", f"Loss {shorten(name, 110)}", text)
        found.append(_curves(of, arms, "loss", curve))
    validated = rows.dropna(subset=["validation"])
    if len(validated):
        text = "Median NSE over the training basins in the validation period, by epoch"
        found.append(_curves(validated, arms, "validation", _Curve("learning_validation", "Validation NSE", "Median NSE (-)", text)))
    return found


@dataclass(frozen=True)
class _Curve:
    name: str
    title: str
    label: str
    text: str


def _curves(rows: pd.DataFrame, arms: Sequence[str], value: str, curve: _Curve) -> Figure:
    columns = ["arm", "fold", "seed", "epoch", *(["loss_name"] if value == "loss" else []), value]
    data = rows.loc[:, columns].sort_values(["fold", "seed", "epoch"], kind="stable").replace([np.inf, -np.inf], np.nan)
    shown = keys(arms, list(data["arm"]))
    trials = data.groupby(["arm", "fold", "seed"], sort=False)
    with canvas(TOP + CURVE + BELOW + legend_height(list(shown.values()))) as sheet:
        axes = sheet.axes(LEFT, TOP, WIDTH - LEFT - RIGHT, CURVE)
        axes.set(xlabel="Epoch", ylabel=curve.label)
        for (arm, fold, seed), trial in trials:  # pyright: ignore[reportGeneralTypeIssues]
            key = shown[arm]
            looks = {"color": key.colour, "linestyle": key.dash, "linewidth": 1.3 if len(trials) == len(shown) else 0.9}
            (line,) = axes.plot(trial["epoch"], trial[value], marker="o" if len(trial) == 1 else None, markersize=3, **looks)
            sheet.explain(line, f"{arm}, fold {fold}, seed {seed}")
        _loss_axis(axes, data[value].to_numpy() if value == "loss" else np.array([]))
        axes.set_xlim(data["epoch"].min() - 0.5, data["epoch"].max() + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1))
        sheet.legend(list(shown.values()), TOP + CURVE + BELOW)
        count = "one trial" if len(trials) == 1 else f"one line for each of {len(trials)} trials"
        return sheet.figure(curve.name, curve.title, f"{curve.text}: {count}.", data)


def _loss_axis(axes: Axes, values: np.ndarray) -> None:
    values = values[np.isfinite(values)]
    if not len(values) or values.min() <= 0 or values.max() < SPAN * values.min():
        return
    axes.set_yscale("log")
    decades = np.log10(values.max() / values.min())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 3 else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
