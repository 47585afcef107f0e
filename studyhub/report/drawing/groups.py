"""Which group each basin belongs to, where the basins are."""

from collections.abc import Mapping, Sequence

import pandas as pd

from studyhub.report.drawing.boundaries import Lines
from studyhub.report.drawing.canvas import COLOURS, Figure, Key, canvas, legend_height
from studyhub.report.drawing.ground import EDGE, ground, height_of, places, size_of_marks
from studyhub.report.drawing.names import basins_in_words, plain, stem

# Okabe and Ito's, then some of Paul Tol's "muted" that differ from them.
PALETTE = (*COLOURS, "#882255", "#999933", "#332288", "#44AA99", "#661100", "#F0A6B8")
MARKS = "osD^"  # the next one where colours come round again
CLIMATES = {"tropical": "#D55E00", "arid": "#E69F00", "temperate": "#009E73", "cold": "#0072B2", "polar": "#56B4E9"}
GREY = "#b3bac1"
TOLD = 1500  # basins up to which each mark says which it is; more are told by group, or a page would be too large


def looks(groups: Sequence[str], grey: Sequence[str] = ()) -> dict[str, Key]:
    """How the marks of some groups look; climate groups have colours of their own, those in ``grey`` none."""
    if set(groups) <= {*CLIMATES, *grey}:
        return {group: Key(group, CLIMATES.get(group, GREY), mark="o") for group in groups}
    coloured = [group for group in groups if group not in grey]
    found = {group: Key(group, PALETTE[i % len(PALETTE)], mark=MARKS[i // len(PALETTE) % len(MARKS)]) for i, group in enumerate(coloured)}
    return found | {group: Key(group, GREY, mark="o") for group in groups if group in grey}


def group_map(basins: pd.DataFrame, keys: Mapping[str, Key], name: str, title: str, what: str, lines: Lines = ()) -> Figure | None:
    """Basins coloured by group; None where no basin has coordinates.

    Parameters
    ----------
    basins : basin, lat, lon (degrees), group, and told, which a browser shows at the basin
    keys : group -> how it looks, in the order of the legend, as `looks` gives them; the last one is drawn first
    what : what the groups are, the begin of the caption
    lines : boundaries, drawn behind
    """
    placed = places(basins)
    if placed.empty:
        return None
    data = placed.merge(basins.loc[:, ["basin", "group", "told"]].drop_duplicates("basin"), on="basin")
    shown = {group: key for group, key in keys.items() if group in set(data["group"])}
    counts = data["group"].value_counts()
    legend = [Key(f"{plain(group)} ({counts[group]})", key.colour, mark=key.mark) for group, key in shown.items()]
    height, size = height_of(data), size_of_marks(len(data))
    with canvas(height + 4 + legend_height(legend)) as sheet:
        axes = ground(sheet, data, lines)
        for group, key in reversed(shown.items()):
            rows = data.loc[data["group"] == group]
            edge = 0.35 if size > 12 else 0.0
            marks = axes.scatter(rows["lon"], rows["lat"], s=size, marker=key.mark, c=key.colour, linewidths=edge, edgecolors=EDGE)
            told = f"{plain(group)}: {basins_in_words(len(rows))}"
            sheet.explain(marks, list(rows["told"]) if len(data) <= TOLD else told)
        sheet.legend(legend, height + 4)
        caption = f"{what}: {basins_in_words(len(data))}."
        if unplaced := len(set(basins["basin"])) - len(data):
            caption += f" Without coordinates: {basins_in_words(unplaced)}."
        drawn = data.drop(columns="told").rename(columns={"lat": "lat_degrees", "lon": "lon_degrees"})
        return sheet.figure(stem(name), title, caption, drawn)
