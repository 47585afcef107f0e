"""How much each parameter of a search mattered."""

from collections.abc import Mapping, Sequence

import pandas as pd

from studyhub.report.drawing.canvas import BELOW, RIGHT, WIDTH, Figure, canvas, keys, legend_height
from studyhub.report.drawing.names import labels, measure, number, plain, stem

BAND, BETWEEN = 9.0, 8.0  # points for each arm's bar, and between parameters
NAMES = 120.0


def importances(shares: Mapping[str, Mapping[str, float]], arms: Sequence[str], caption: str) -> Figure | None:
    """Bars by parameter and arm, the most important parameter above; None where none is known.

    Parameters
    ----------
    shares : arm -> parameter -> its share of the importance of all, from 0 to 1
    arms : all arms of the report, for their colours
    """
    known = {arm: found for arm in arms if (found := shares.get(arm))}
    if not known:
        return None
    every = list(dict.fromkeys(name for found in known.values() for name in found))
    order = sorted(every, key=lambda name: -max(found.get(name, 0.0) for found in known.values()))
    short, shown = labels(order, NAMES), keys(arms, list(known), width=6, dashed=False)
    left, step = 14 + max(map(measure, short.values())), len(known) * BAND + BETWEEN
    legend = list(shown.values())
    with canvas(4 + step * len(order) + BELOW + legend_height(legend)) as sheet:
        axes = sheet.axes(left, 4, WIDTH - left - RIGHT, step * len(order))
        axes.set(xlim=(0, 100), ylim=(step * len(order), 0), xlabel="Share of the importance of all (%)")
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_yticks([step * (place + 0.5) for place in range(len(order))], [short[name] for name in order])
        for place, name in enumerate(order):
            for number_of, (arm, found) in enumerate(known.items()):
                at = step * place + BETWEEN / 2 + BAND * (number_of + 0.5)
                (bar,) = axes.barh([at], [100 * found.get(name, 0.0)], height=0.8 * BAND, color=shown[arm].colour)
                sheet.explain(bar, f"{plain(arm)}: {plain(name)} {number(100 * found.get(name, 0.0))} %")
        sheet.legend(legend, 4 + step * len(order) + BELOW)
        rows = [(arm, name, 100 * found.get(name, 0.0)) for arm, found in known.items() for name in order]
        data = pd.DataFrame(rows, columns=["arm", "parameter", "importance_percent"])
        return sheet.figure(stem("importance"), "What mattered in the search", caption, data)
