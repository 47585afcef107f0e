"""Mean ranks of arms over basins, and which arms ranks do not tell apart.

References
----------
Demšar, J. (2006). Statistical comparisons of classifiers over multiple data sets. Journal of Machine Learning Research 7, 1-30.
"""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.ticker import MaxNLocator

from studyhub.catalog import METRICS
from studyhub.report.drawing.canvas import BELOW, INK, RIGHT, SOFT, WIDTH, Figure, canvas, colours
from studyhub.report.drawing.names import labels, measure, number, plain, stem

ROW, RULER, BAR = 14.0, 24.0, 9.0  # points for each arm, for the critical difference above, and for each bar that joins arms
NAMES = 130.0  # points for names of arms
MOST = 40  # arms in one drawing: the best


def critical_difference(
    ranks: Mapping[str, float], difference: float, cliques: Sequence[Sequence[str]], arms: Sequence[str], metric: str, told: str
) -> Figure | None:
    """Arms by mean rank, the best above; a bar joins those whose mean ranks lie within the critical difference. None with fewer than two.

    Parameters
    ----------
    ranks : arm -> mean rank over basins, 1 the best
    difference : of mean ranks that would be significant (Nemenyi)
    cliques : groups of arms that it does not tell apart
    arms : all arms of the report, for their colours
    told : the test in words, the end of the caption
    """
    order = sorted(ranks, key=lambda arm: ranks[arm])[:MOST]
    if len(order) < 2:
        return None
    short, place = labels(order, NAMES), {arm: row for row, arm in enumerate(order)}
    joined = [sorted(place[arm] for arm in clique if arm in place) for clique in cliques]
    joined = [rows for rows in joined if len(rows) > 1]
    left = 14 + max(map(measure, short.values()))
    room = 8 + BAR * len(joined)
    height = len(order) * ROW + 4
    colour = colours(arms)
    with canvas(RULER + height + BELOW) as sheet:
        axes = sheet.axes(left, RULER, WIDTH - left - RIGHT - room, height)
        axes.set(xlim=_limits([ranks[arm] for arm in order], difference), ylim=(len(order) - 0.5, -0.5))
        axes.set_yticks(range(len(order)), [short[arm] for arm in order])
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.set_xlabel(f"Mean rank by {METRICS[metric].label} (1: the best)")
        for arm in order:
            (mark,) = axes.plot([ranks[arm]], [place[arm]], marker="o", markersize=6, color=colour.get(arm, SOFT), linestyle="none")
            sheet.explain(mark, f"{plain(arm)}: mean rank {number(ranks[arm])}")
        start = axes.get_xlim()[0]
        ruler = {"color": INK, "linewidth": 1.2, "clip_on": False, "transform": axes.get_xaxis_transform()}
        axes.plot([start, start + difference], [1 + 7 / height] * 2, marker="|", markersize=5, **ruler)
        sheet.text(left, 8, f"critical difference {number(difference)}", va="center", color=INK)
        for number_of, rows in enumerate(joined):
            x = 1 + (8 + BAR * number_of) / (WIDTH - left - RIGHT - room)
            (bar,) = axes.plot(
                [x, x], [rows[0] - 0.25, rows[-1] + 0.25], color=INK, linewidth=2.6, clip_on=False, transform=axes.get_yaxis_transform()
            )
            sheet.explain(bar, "Not told apart: " + ", ".join(plain(order[row]) for row in rows))
        text = f"Mean rank of each arm by {METRICS[metric].label} over basins; bars join arms that ranks do not tell apart. {told}"
        if len(order) < len(ranks):
            text += f" Shown are the best {len(order)} of {len(ranks)} arms."
        return sheet.figure(stem("ranks", metric), f"Arms ranked by {METRICS[metric].label}", text, _data(order, ranks, joined))


def _limits(ranks: Sequence[float], difference: float) -> tuple[float, float]:
    low, high = min(ranks), max(ranks)
    room = 0.08 * max(high - low, difference, 0.1)
    return low - room, max(high, low + difference) + room


def _data(order: Sequence[str], ranks: Mapping[str, float], joined: Sequence[Sequence[int]]) -> pd.DataFrame:
    groups = [" ".join(str(n) for n, rows in enumerate(joined, 1) if row in rows) for row in range(len(order))]
    return pd.DataFrame({"arm": order, "mean_rank": [ranks[arm] for arm in order], "groups_not_told_apart": groups})
