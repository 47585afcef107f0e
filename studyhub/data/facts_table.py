"""What is known of a study's basins, in one file beside the study: reports group basins by it when the shards are gone.

Columns: basin, lat and lon (degrees), area_km2, climate_group, continent, huc_02, dataset, then all attributes as the networks get them;
of a category (land cover, geology) its name in place of the code. Missing is NaN or null.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studyhub.data.manifest import digest
from studyhub.data.parquet import parquet
from studyhub.data.shards import Shards
from studyhub.study.files import temporary_name, writing

NUMBERS = {"lat": "gauge_lat", "lon": "gauge_lon", "area_km2": "area_km2"}  # column -> fact
TEXTS = ("climate_group", "continent", "huc_02", "dataset")
CONTENT = b"studyhub content"


def write_facts(shards: Shards, basins: Iterable[str], path: Path) -> None:
    """Write what is known of some basins, whole or not at all; a file that says so already stays.

    Raises
    ------
    DataError
        The attributes cannot be read.
    StoreError
        ``path`` cannot be written.
    """
    basins, metadata = sorted(basins), shards.manifest.metadata
    content = digest([shards.hash(basins, ()), [dict(metadata[basin]) for basin in basins]]).encode()
    if _content(path) == content:
        return
    table = facts_table(shards, basins).replace_schema_metadata({CONTENT: content})
    temporary = path.with_name(temporary_name(path.name))
    with writing(path):
        try:
            temporary.write_bytes(parquet(table))
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def facts_table(shards: Shards, basins: list[str]) -> pa.Table:
    metadata = shards.manifest.metadata
    known: list[Mapping[str, Any]] = [metadata[basin] for basin in basins]
    record = shards.read(basins, variables=())
    columns: dict[str, pa.Array] = {"basin": pa.array(basins, pa.string())}
    columns |= {name: pa.array([_number(facts.get(fact)) for facts in known], pa.float64()) for name, fact in NUMBERS.items()}
    columns |= {name: pa.array([_text(facts.get(name)) for facts in known], pa.string()) for name in TEXTS}
    for name, values in zip(record.attribute_names, record.attributes.T, strict=True):
        if name not in columns:
            columns[name] = _attribute(values, shards.manifest.codes.get(name))
    return pa.table(columns)


def _attribute(values: np.ndarray, names: tuple[str, ...] | None) -> pa.Array:
    if names is None:
        return pa.array(values, pa.float64())
    return pa.array([names[int(code)] if 0 <= code < len(names) else None for code in values], pa.string())


def _number(fact: Any) -> float:
    return float(fact) if isinstance(fact, int | float) else float("nan")


def _text(fact: Any) -> str | None:
    return None if fact is None or fact == "" else str(fact)


def _content(path: Path) -> bytes | None:
    """What a file of an earlier launch was made from."""
    try:
        return (pq.read_schema(path).metadata or {}).get(CONTENT)
    except (OSError, ValueError):
        return None
