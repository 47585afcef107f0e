"""Where basins lie, and the blocks that they make."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from studyhub.errors import DataError
from studyhub.stats.blocks import Labels, cluster, numbered
from studyhub.stats.correlation import Field
from studyhub.stats.sign_flips import FEWEST
from studyhub.study.wording import unknown

AUTO, COORDINATES = "auto", "coordinates"
REGIONS = ("region", "huc_02", "continent")  # columns that are taken as blocks where coordinates are not known
_KEPT = 4  # sets of basins that are remembered: comparisons mostly share one


class Blocks(NamedTuple):
    """Blocks of some basins.

    Parameters
    ----------
    kind : what makes a block, in words
    placed : which of the basins have a block [basin]
    labels : block of each of those
    field : their places; None where coordinates are not known of all of them
    """

    kind: str
    placed: np.ndarray
    labels: Labels
    field: Field | None


class Places:
    """Places of basins, made ready for many comparisons.

    Parameters
    ----------
    table : columns basin, and lat and lon (degrees) or regions; what is not known is NaN or None
    blocks : "coordinates" for clusters of places, the name of a column of regions, or "auto": clusters where coordinates make enough
        blocks, else the first of region, huc_02 and continent that does

    Raises
    ------
    DataError
        ``blocks`` names no column.
    """

    def __init__(self, table: pd.DataFrame, blocks: str = AUTO):
        known = [column for column in table.columns if column not in ("basin", "lat", "lon")]
        if blocks not in (AUTO, COORDINATES, *known):
            raise DataError(f"what makes blocks: {unknown('column of regions', blocks, (COORDINATES, *known))}")
        if blocks == COORDINATES and not {"lat", "lon"} <= set(table.columns):
            raise DataError("blocks of coordinates need the columns lat and lon (degrees); there are none")
        self._table = table.drop_duplicates("basin").set_index("basin")
        self._blocks = blocks
        self._found: dict[tuple[str, ...], Blocks | str] = {}

    def of(self, basins: Iterable[str]) -> Blocks | str:
        """Blocks of some basins, or why there are none."""
        key = tuple(basins)
        if key not in self._found:
            if len(self._found) >= _KEPT:
                self._found.pop(next(iter(self._found)))
            self._found[key] = self._make(key)
        return self._found[key]

    def _make(self, basins: tuple[str, ...]) -> Blocks | str:
        table = self._table.reindex(list(basins))
        kinds = (self._blocks,) if self._blocks != AUTO else (COORDINATES, *(name for name in REGIONS if name in table))
        few, missing = [], []
        for kind in kinds:
            found = _by_coordinates(table) if kind == COORDINATES else _by_region(table, kind)
            if found is None:
                missing.append(kind)
                continue
            if (count := int(found.labels.max(initial=-1)) + 1) >= FEWEST:
                return found
            few.append(f"{count} {'block' if count == 1 else 'blocks'} by {kind}")
        told = " and ".join(few) or f"{', '.join(missing)} not known of all basins"
        return f"{told}, at least {FEWEST} blocks are required"


def _coordinates(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    if not {"lat", "lon"} <= set(table.columns):
        return None
    lat, lon = (np.asarray(pd.to_numeric(table[name], errors="coerce"), dtype=np.float64) for name in ("lat", "lon"))
    return lat, lon


def _by_coordinates(table: pd.DataFrame) -> Blocks | None:
    found = _coordinates(table)
    if found is None:
        return None
    lat, lon = found
    placed = np.isfinite(lat) & np.isfinite(lon)
    if not placed.any():
        return None
    labels = cluster(lat[placed], lon[placed])
    return Blocks("clusters of coordinates", placed, labels, Field(lat[placed], lon[placed], labels))


def _by_region(table: pd.DataFrame, column: str) -> Blocks | None:
    placed = (table[column].notna() & (table[column].astype(str) != "")).to_numpy()
    if not placed.any():
        return None
    labels = numbered(table[column].to_numpy(dtype=object)[placed].astype(str))
    found = _coordinates(table)
    if found is None or not np.isfinite(np.column_stack(found)[placed]).all():
        return Blocks(column, placed, labels, None)
    return Blocks(column, placed, labels, Field(found[0][placed], found[1][placed], labels))
