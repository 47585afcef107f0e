"""How scores change around what was learned, as ``studyhub surface`` has computed it: Figs. 8 and A3 of Song et al. (2024).

doi:10.5194/hess-28-3051-2024
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from studyhub.catalog import METRICS
from studyhub.physics.structure import Parameter
from studyhub.report import figures
from studyhub.report.beside import Later
from studyhub.report.collect import Results
from studyhub.report.figures import Plane
from studyhub.report.page import Section
from studyhub.report.parameters import bounds_of
from studyhub.report.tables import Column, Table, decimals, frame, significant, whole
from studyhub.study.surface import FILE

PLANES, ARMS, BASINS = 4, 12, 12  # of each as many are drawn
AXES = ["x_parameter", "y_parameter", "metric"]
COLUMNS = ["arm", "seed", "trial", "basin", *AXES, "x", "y", "dx", "dy", "score", "diverged"]


def section(results: Results) -> Section:
    """Empty where nothing was computed."""
    planes = _planes(read(results), bounds_of(results))
    title = "KGE surface" if {plane.metric for plane in planes} <= {"kge"} else "Surfaces of scores"
    if not planes:
        return Section("surface", title)
    drawn = [drawing for plane in list(planes)[:PLANES] for drawing in _drawn(results, plane, planes[plane])]
    left = len(planes) - PLANES
    notes = (f"{left} more pairs of parameters are in {FILE}, and not drawn.",) if left > 0 else ()
    return Section("surface", title, drawings=tuple(drawn), folded=(summary(planes, results.arms),), notes=notes)


def _planes(table: pd.DataFrame, bounds: Mapping[str, Parameter]) -> dict[Plane, pd.DataFrame]:
    """Rows of each pair of parameters and metric, in the order in which they were computed."""
    found = {}
    for axes in table[AXES].drop_duplicates().itertuples(index=False, name=None):
        x, y, metric = map(str, axes)
        if {x, y} <= bounds.keys() and metric in METRICS:
            found[Plane(bounds[x], bounds[y], metric)] = table.loc[(table[AXES] == list(axes)).all(axis=1)]
    return found


def read(results: Results) -> pd.DataFrame:
    """Surfaces of the study's trials as they are now; none where there are none, or where they cannot be read."""
    nothing = pd.DataFrame(columns=COLUMNS)
    if results.folder is None:
        return nothing
    try:
        table = pd.read_parquet(results.folder / FILE, columns=COLUMNS)
    except (OSError, ValueError, KeyError):
        return nothing
    current = {(run.cell.arm, run.cell.trial) for run in results.runs}
    kept = [place in current for place in zip(table["arm"], table["trial"], strict=True)]
    return table.loc[np.array(kept, dtype=bool)]


def _drawn(results: Results, plane: Plane, rows: pd.DataFrame) -> list[Later]:
    arms = [arm for arm in results.arms if arm in set(rows["arm"])]
    basins = list(dict.fromkeys(rows["basin"]))
    remark = f"One training of each arm (seed {', '.join(str(seed) for seed in dict.fromkeys(rows['seed']))})."
    if len(arms) > ARMS or len(basins) > BASINS:
        remark += f" Shown are {min(ARMS, len(arms))} of {len(arms)} arms and {min(BASINS, len(basins))} of {len(basins)} basins."
    blocks = [
        (some, where) for some in _parts(arms[:ARMS], figures.SURFACE_COLUMNS) for where in _parts(basins[:BASINS], figures.SURFACE_ROWS)
    ]
    return [Later(figures.surfaces, rows, plane, *block, remark, part) for part, block in enumerate(blocks, 1)]


def _parts(names: Sequence[str], most: int) -> list[Sequence[str]]:
    return [names[first : first + most] for first in range(0, len(names), most)]


def summary(planes: Mapping[Plane, pd.DataFrame], arms: Sequence[str]) -> Table:
    """Where what was learned lies, and the best of the points, of each surface."""
    three = significant(3)
    columns = (
        Column("arm", "arm"),
        Column("basin", "basin"),
        Column("metric", "metric"),
        Column("x_parameter", "first parameter"),
        Column("x", "learned", "", three),
        Column("x_best", "best", "", three),
        Column("y_parameter", "second parameter"),
        Column("y", "learned", "", three),
        Column("y_best", "best", "", three),
        Column("score", "score as learned", "", decimals(3)),
        Column("score_best", "best of the points", "", decimals(3)),
        Column("points", "points", "", whole),
        Column("diverged", "diverged", "", whole),
    )
    found = []
    for plane, rows in planes.items():
        for arm, basin in rows[["arm", "basin"]].drop_duplicates().itertuples(index=False, name=None):
            one = rows.loc[(rows["arm"] == arm) & (rows["basin"] == basin)]
            found.append(_summed(plane, one) | {"arm": arm, "basin": basin, "metric": METRICS[plane.metric].label})
    found.sort(key=lambda row: arms.index(row["arm"]))
    caption = (
        "Means over components and days, in the parameter's unit. Far from the best point lies what the parameter network could not give "
        "this basin, be it for lack of information or of structure."
    )
    return Table("surfaces", "Learned and best points", caption, columns, frame(found, columns), most=40)


def _summed(plane: Plane, rows: pd.DataFrame) -> dict[str, Any]:
    scores = rows["score"].to_numpy("float64")
    middle = int(np.flatnonzero((rows["dx"] == 0) & (rows["dy"] == 0))[0])
    best = plane.best(scores)
    known: dict[str, Any] = {"x_parameter": _named(plane.x), "y_parameter": _named(plane.y), "score": scores[middle]}
    for axis in ("x", "y"):
        values = rows[axis].to_numpy("float64")
        known |= {axis: values[middle], f"{axis}_best": float("nan") if best is None else values[best]}
    known["score_best"] = float("nan") if best is None else scores[best]
    return known | {"points": len(rows), "diverged": np.count_nonzero(rows["diverged"].to_numpy("bool"))}


def _named(parameter: Parameter) -> str:
    return parameter.name if parameter.unit in ("", "-") else f"{parameter.name}, {parameter.unit.replace('degC', '°C')}"
