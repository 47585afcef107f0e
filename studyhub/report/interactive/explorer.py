"""Any metric of any two arms, in every basin: what the explorer of a page is given."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from studyhub.catalog import METRICS
from studyhub.report.collect import Results
from studyhub.report.drawing.boundaries import Lines
from studyhub.report.drawing.ground import places
from studyhub.report.drawing.names import plain
from studyhub.report.drawing.view import column, distance, heading
from studyhub.report.figures import colours
from studyhub.report.interactive.chart import Interactive
from studyhub.report.interactive.script import rounded
from studyhub.stats.summary import judged, per_basin

VALUES = 300_000  # that a page holds at most: some 2 MB
MOST_LABELS = 30  # of a group to choose from
FACTS = {"climate": "climate", "continent": "continent", "huc_02": "hydrologic unit (HUC 2)", "dataset": "data set"}
# Attributes by whose thirds basins may be grouped: those that CAMELS and Caravan have, as a study file calls them.
THIRDS = {
    "aridity": "aridity",
    "p_mean": "mean precipitation",
    "frac_snow": "share of snow",
    "area_gages2": "area",
    "area": "area",
    "area_km2": "area",
    "elev_mean": "mean elevation",
    "slope_mean": "mean slope",
    "frac_forest": "share of forest",
    "soil_depth_pelletier": "depth of soil",
    "baseflow_index": "baseflow index",
    "moisture_index": "moisture index",
    "seasonality": "seasonality of moisture",
    "ele_mt_sav": "mean elevation",
    "slp_dg_sav": "mean slope",
    "for_pc_sse": "share of forest",
}


def explorer(results: Results, means: pd.DataFrame, start: tuple[str, str, str] | None, lines: Lines = ()) -> Interactive | None:
    """None where no basin has a score.

    Parameters
    ----------
    means : scores indexed by (arm, basin), as `stats.summary.per_basin` gives them of all metrics
    start : arm, the arm it is compared with, and metric to begin with; the first arms where it is None
    lines : boundaries behind the map
    """
    flat = means.reset_index()
    counts = flat.count().to_dict()
    metrics = [name for name in METRICS if counts.get(name)]
    arms = results.scored_arms
    if not metrics or flat.empty:
        return None
    first = start[2] if start and start[2] in metrics else metrics[0]
    basins = list(dict.fromkeys(flat["basin"]))
    most = max(2, VALUES // len(basins))
    shown = [arm for arm in dict.fromkeys((*(start or ())[:2], *arms)) if arm in set(arms)][:most]
    shown = [arm for arm in arms if arm in set(shown)]
    kept = list(dict.fromkeys((first, *metrics)))[: max(1, most // len(shown))]
    kept = [name for name in metrics if name in set(kept)]
    grid = _Grid(shown, basins)
    near = [name for name in kept if METRICS[name].direction in ("zero", "one")]
    by_distance = per_basin(judged(results.scores), near).reset_index() if near else flat
    place = results.basins.drop_duplicates("basin").set_index("basin").reindex(basins)
    on_map = places(results.basins).set_index("basin").reindex(basins)
    known = results.data.get("basins") or {}
    names = [plain(name) if (name := (known.get(basin) or {}).get("name")) else "" for basin in basins]
    looks = colours(results.arms)
    other = next((arm for arm in shown if arm != (start or (shown[0],))[0]), shown[0])
    begin = (start[0], start[1]) if start and {start[0], start[1]} <= set(shown) else (shown[0], other)
    groups = _groups(place) + _thirds(results.attributes(), basins)
    given = {
        "metrics": [_metric(name) for name in kept],
        "arms": [{"name": plain(arm), "colour": looks[arm]} for arm in shown],
        "basins": [plain(basin) for basin in basins],
        "names": names if any(names) else None,
        "lon": rounded(on_map["lon"].to_numpy("float64")),
        "lat": rounded(on_map["lat"].to_numpy("float64")),
        "groups": groups,
        "values": {name: grid.values(flat, name) for name in kept},
        "judged": {name: grid.values(by_distance, name) for name in near},
        "lines": [[[round(float(x), 2), round(float(y), 2)] for x, y in line] for line in lines],
        "start": {"metric": first, "a": shown.index(begin[0]), "b": shown.index(begin[1]), "by": groups[0]["key"] if groups else ""},
    }
    data = flat.rename(columns={name: column(name) for name in metrics})
    return Interactive("explorer", "Every basin, any two arms", _told(arms, shown, metrics, kept), {}, data, "explorer", given)


def _told(arms: Sequence[str], shown: Sequence[str], metrics: Sequence[str], kept: Sequence[str]) -> str:
    said = (
        "Means over folds and seeds, to four digits; no test is made here, see the claims. Choose what to compare. Drag over the map to "
        "look at an area alone; click on a basin to find it everywhere, and among the hydrographs where it is one of them; zoom with the "
        "buttons or Ctrl and the wheel, move with Shift and the pointer."
    )
    if len(kept) < len(metrics):
        said += f" To keep the page small it has {len(kept)} of {len(metrics)} metrics here; the file below has all."
    if len(shown) < len(arms):
        said += f" To keep the page small it has {len(shown)} of {len(arms)} arms here; the file below has all."
    return said


class _Grid:
    """Puts scores in the order of arms and basins."""

    def __init__(self, arms: Sequence[str], basins: Sequence[str]):
        self.shape = len(arms), len(basins)
        self.arms = pd.Index(arms)
        self.basins = pd.Index(basins)

    def values(self, table: pd.DataFrame, name: str) -> list[list[float | None]]:
        """A list over basins for each arm."""
        arm, basin = self.arms.get_indexer(table["arm"].to_list()), self.basins.get_indexer(table["basin"].to_list())
        there = (arm >= 0) & (basin >= 0)
        found = np.full(self.shape, np.nan)
        found[arm[there], basin[there]] = table[name].to_numpy("float64")[there]
        return [rounded(row) for row in found]


def _metric(name: str) -> dict[str, Any]:
    metric = METRICS[name]
    unit = metric.unit.strip("-")
    return {"key": name, "label": heading(name), "distance": distance(name), "unit": unit, "direction": metric.direction}


def _groups(place: pd.DataFrame) -> list[dict[str, Any]]:
    """What basins can be grouped by, of what is known of their places."""
    found = []
    for key, label in FACTS.items():
        if key not in place:
            continue
        texts = [None if pd.isna(value) else plain(value) for value in place[key]]
        group = _group(key, label, texts, sorted({text for text in texts if text is not None}))
        if 1 < len(group["labels"]) <= MOST_LABELS:
            found.append(group)
    return found


def _thirds(attributes: pd.DataFrame, basins: Sequence[str]) -> list[dict[str, Any]]:
    """Lowest, middle and highest third of the basins by an attribute."""
    table = attributes.drop_duplicates("basin").set_index("basin").reindex(list(basins))
    found: list[dict[str, Any]] = []
    for key, label in THIRDS.items():
        if key not in table or label in [group["label"].partition(",")[0] for group in found]:
            continue
        values = np.asarray(pd.to_numeric(table[key], errors="coerce"), dtype="float64")
        known = values[np.isfinite(values)]
        if len(np.unique(known)) < 3:
            continue
        low, high = np.quantile(known, [1 / 3, 2 / 3])
        labels = [f"low, to {low:.3g}", "middle", f"high, from {high:.3g}"]
        texts = [None if not np.isfinite(value) else labels[int(value > low) + int(value > high)] for value in values]
        found.append(_group(key, f"{label}, in thirds", texts, labels))
    return found


def _group(key: str, label: str, texts: Sequence[str | None], labels: Sequence[str]) -> dict[str, Any]:
    places: Mapping[str | None, int | None] = {text: place for place, text in enumerate(labels)} | {None: None}
    return {"key": key, "label": label, "labels": list(labels), "codes": [places[text] for text in texts]}
