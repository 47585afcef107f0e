"""Effects with their intervals, one below the other: what is claimed, and in a lighter tone what was only looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from studyhub.catalog import IDEALS, METRICS
from studyhub.report.drawing.canvas import BELOW, INK, RIGHT, SOFT, WIDTH, Canvas, Figure, Key, canvas, legend_height
from studyhub.report.drawing.names import SIZE, labels, measure, number, plain, stem
from studyhub.report.drawing.view import distance, heading

ROW, HEAD = 14.0, 17.0  # points for each effect, and for the name of a metric above its own
NAMES = 150.0  # points for the names of the arms at most
CLAIM, LOOKED, BLOCKED = "#0072B2", "#8fa3b3", "#E69F00"
MOST = 60  # effects in one drawing


@dataclass(frozen=True)
class Effect:
    """The shift of a metric between two arms, ``better - than``, in the metric's unit.

    Parameters
    ----------
    low, high : its 95 % interval over basins that count as independent; None where there is none
    blocked_low, blocked_high : the same over whole blocks of neighbouring basins
    claimed : whether the study file says it
    """

    better: str
    than: str
    metric: str
    shift: float
    low: float | None
    high: float | None
    blocked_low: float | None = None
    blocked_high: float | None = None
    claimed: bool = True

    @property
    def name(self) -> str:
        return f"{plain(self.better)} − {plain(self.than)}"

    def told(self) -> str:
        ends = "" if self.low is None or self.high is None else f", 95 % {number(self.low)} to {number(self.high)}"
        if self.blocked_low is not None and self.blocked_high is not None:
            ends += f", over blocks {number(self.blocked_low)} to {number(self.blocked_high)}"
        return f"{self.name}: {heading(self.metric)} {number(self.shift)}{ends}"


def forest(effects: Sequence[Effect]) -> Figure | None:
    """A panel for each metric, on its own axis, on which the right side is always the first arm's; None where there is no effect."""
    shown = [effect for effect in effects if effect.claimed][:MOST]
    shown += [effect for effect in effects if not effect.claimed][: MOST - len(shown)]
    if not shown:
        return None
    panels = {metric: [e for e in shown if e.metric == metric] for metric in dict.fromkeys(effect.metric for effect in shown)}
    short = labels(list(dict.fromkeys(effect.name for effect in shown)), NAMES)
    left = 14 + max(map(measure, short.values()))
    legend = _legend(shown)
    heights = {metric: len(rows) * ROW for metric, rows in panels.items()}
    total = sum(height + HEAD + BELOW - 8 for height in heights.values())
    with canvas(total + 4 + legend_height(legend)) as sheet:
        top = 0.0
        for metric, rows in panels.items():
            top += HEAD
            axes = sheet.axes(left, top, WIDTH - left - RIGHT - 8, heights[metric])
            _panel(sheet, axes, metric, rows, [short[row.name] for row in rows])
            top += heights[metric] + BELOW - 8
        sheet.legend(legend, top + 4)
        return sheet.figure(stem("forest"), "Effects with their intervals", _caption(effects, shown), _data(shown))


def _panel(sheet: Canvas, axes: Axes, metric: str, rows: Sequence[Effect], names: Sequence[str]) -> None:
    found = METRICS[metric]
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), names)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    unit = "" if found.unit in ("", "-") else f" ({'percentage points' if found.unit == '%' else found.unit})"
    axes.set_title(f"Δ {distance(metric)}{unit}", loc="left", pad=3, fontsize=SIZE, color=INK)
    axes.axvline(0, color=SOFT, linewidth=0.8, zorder=0.9)
    for place, effect in enumerate(rows):
        colour = CLAIM if effect.claimed else LOOKED
        if effect.blocked_low is not None and effect.blocked_high is not None:
            axes.plot([effect.blocked_low, effect.blocked_high], [place, place], color=BLOCKED, linewidth=5.5, alpha=0.55, zorder=1.5)
        if effect.low is not None and effect.high is not None:
            axes.plot([effect.low, effect.high], [place, place], color=colour, linewidth=1.5, zorder=2)
        (mark,) = axes.plot([effect.shift], [place], marker="D", markersize=4.6, color=colour, linestyle="none", zorder=3)
        sheet.explain(mark, effect.told())
    axes.set_xlim(_limits(rows))
    if found.direction != "larger":
        axes.invert_xaxis()
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.6g}".replace("-", "\u2212"))


def _limits(rows: Sequence[Effect]) -> tuple[float, float]:
    """Zero and all effects with their ends."""
    ends = [end for e in rows for end in (e.shift, e.low, e.high, e.blocked_low, e.blocked_high) if end is not None]
    low, high = min(0.0, *ends), max(0.0, *ends)
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _legend(shown: Sequence[Effect]) -> list[Key]:
    keys = [Key("claim of the study, 95 % interval", CLAIM)] if any(effect.claimed for effect in shown) else []
    keys += [Key("exploratory, 95 % interval", LOOKED)] if any(not effect.claimed for effect in shown) else []
    return keys + ([Key("over blocks of neighbouring basins", BLOCKED, width=5.0)] if any(e.blocked_low is not None for e in shown) else [])


def _caption(effects: Sequence[Effect], shown: Sequence[Effect]) -> str:
    text = (
        "Hodges-Lehmann shift of the first arm minus the second over basins, two-sided 95 % interval. On every axis the right of zero "
        "means that the first arm is better: axes of errors run from right to left."
    )
    if any(effect.blocked_low is not None for effect in shown):
        text += (
            " Wide bars: intervals that take neighbouring basins as one, for neighbours err alike; where they hold zero and the thin ones "
        )
        text += "do not, the basins may not be as many witnesses as they seem."
    if any(METRICS[effect.metric].direction in IDEALS for effect in shown):
        text += " |…|: how far from the ideal."
    if len(shown) < len(effects):
        text += f" Shown are {len(shown)} of {len(effects)} effects; the tables have all."
    return text


def _data(shown: Sequence[Effect]) -> pd.DataFrame:
    rows = [vars(effect) | {"unit": METRICS[effect.metric].unit, "kind": "claim" if effect.claimed else "exploratory"} for effect in shown]
    columns = ["better", "than", "metric", "unit", "shift", "low", "high", "blocked_low", "blocked_high", "kind"]
    return pd.DataFrame(rows, columns=columns)
