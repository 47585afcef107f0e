"""Writing a shards folder: in blocks of basins, each complete or not at all, and the manifest last.

A folder is shards once its manifest is there. So it can be written where nothing can be renamed, and what was interrupted can go on.
"""

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from studyhub.data import quality
from studyhub.data.entries import NAME, Entry, Fact
from studyhub.data.manifest import Manifest
from studyhub.data.parquet import DailyFile, attributes_hash, content_hash, float32, numbers, parquet
from studyhub.data.record import TRUTH_UNITS, UNITS, Basin, period_of
from studyhub.data.runs import runs
from studyhub.errors import DataError
from studyhub.storage import Folder, LocalFolder, absolute, last_part

BASINS_PER_FILE = 64
ATTRIBUTES, PARAMETERS, QUALITY = "attributes.parquet", "parameters_true.parquet", "quality.parquet"
SHARD, TRUTH, BLOCK = "basins-{:03d}.parquet", "truth-{:03d}.parquet", "block-{:03d}.json"
Row = dict[str, Any]


@dataclass(frozen=True)
class Described:
    """What a manifest says beside what follows from the basins; see `Manifest`."""

    source: str
    settings: Mapping[str, Any]
    units: Mapping[str, str]
    codes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    identity: str | None = None


@dataclass
class Block:
    """What is known of the basins of one file, as plain values for JSON.

    Parameters
    ----------
    entries : basin -> record of its entry
    attributes, parameters : a row per basin, with NaN as None
    findings : rows of the quality table
    left_out : basin -> why it was not taken
    sizes : file -> bytes
    truth : variables of the truth file
    """

    entries: dict[str, Row] = field(default_factory=dict)
    attributes: list[Row] = field(default_factory=list)
    parameters: list[Row] = field(default_factory=list)
    findings: list[Row] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    truth: list[str] = field(default_factory=list)


def write_block(
    place: Folder,
    number: int,
    basins: Iterable[Basin],
    units: Mapping[str, str],
    *,
    findings: Mapping[str, Sequence[Row]] | None = None,
    left_out: Mapping[str, str] | None = None,
) -> Block:
    """Write the basins of one file, then what is known of them.

    Parameters
    ----------
    number : of the file, from 0
    basins : one by one, all of the variables of ``units`` in their order
    findings : basin -> rows of the quality table; filled while ``basins`` are drawn, if need be
    left_out : basin -> why it was not taken; likewise
    """
    files: dict[str, DailyFile] = {}
    block = Block()
    for basin in basins:
        _require_variables(basin, units)
        if basin.name in block.entries:
            raise DataError(f"basin {basin.name} comes twice")
        series = {name: float32(values) for name, values in basin.series.items()}
        truth = {name: float32(values) for name, values in basin.truth.items()}
        row_group = len(block.entries)
        block.entries[basin.name] = _entry(basin, SHARD.format(number), row_group, series, truth).record()
        block.attributes.append({"basin": basin.name} | _plain(basin.attributes))
        if truth:
            block.truth = list(truth)
            block.parameters.append({"basin": basin.name} | _plain(basin.parameters))
        for name, table in ((SHARD.format(number), series), (TRUTH.format(number), truth)):
            if table:
                files.setdefault(name, DailyFile()).append(basin.name, basin.start, table)
    for name, file in files.items():
        content = file.content()
        place.write(name, content)
        block.sizes[name] = len(content)
    block.findings = [row for rows in (findings or {}).values() for row in rows]
    block.left_out = dict(left_out or {})
    place.write(BLOCK.format(number), json.dumps(vars(block), allow_nan=False).encode())
    return block


def read_block(place: Folder, number: int) -> Block | None:
    """Return what `write_block` has written; None where it has not, or not to the end."""
    try:
        return Block(**json.loads(place.read(BLOCK.format(number))))
    except (OSError, ValueError, TypeError):
        return None


def finish(place: Folder, blocks: Sequence[Block], described: Described) -> None:
    """Write the tables of all basins and, last, the manifest.

    Raises
    ------
    DataError
        There is no basin, one comes twice, or attributes differ from basin to basin.
    """
    names = [name for block in blocks for name in block.entries]
    if not names:
        raise DataError(f"reader {described.source}: at least one basin is required, there is none")
    if len(set(names)) < len(names):
        raise DataError(f"basin {next(name for name in names if names.count(name) > 1)} comes twice")
    attributes = [row for block in blocks for row in block.attributes]
    _require_alike(attributes)
    findings = [quality.Finding(**row) for block in blocks for row in block.findings]
    tables = {
        ATTRIBUTES: numbers(attributes),
        PARAMETERS: numbers([row for block in blocks for row in block.parameters]),
        QUALITY: quality.table(findings),
    }
    sizes = {name: size for block in blocks for name, size in block.sizes.items()}
    for name, table in tables.items():
        if name == QUALITY or table.num_rows:
            content = parquet(table)
            place.write(name, content)
            sizes[name] = len(content)
    home = absolute(str(place))
    manifest = Manifest(
        where=(home,),
        source=described.source,
        settings=dict(described.settings),
        units=dict(described.units),
        attribute_names=tuple(name for name in attributes[0] if name != "basin"),
        codes={name: tuple(codes) for name, codes in described.codes.items()},
        sizes={f"{home}/{name}": size for name, size in sizes.items()},
        entries={name: Entry.from_record(record, home, last_part(home)) for block in blocks for name, record in block.entries.items()},
        quality=_counts(findings),
        left_out={name: why for block in blocks for name, why in block.left_out.items()},
        truth=tuple(next((block.truth for block in blocks if block.truth), ())),
        identity=described.identity,
    )
    place.write(NAME, manifest.text().encode())
    for number in range(len(blocks)):
        place.remove(BLOCK.format(number))


def write(
    folder: str | Path,
    basins: Iterable[Basin],
    *,
    source: str,
    settings: Mapping[str, Any],
    units: Mapping[str, str] | None = None,
    codes: Mapping[str, Sequence[str]] | None = None,
    identity: str | None = None,
    findings: Mapping[str, Sequence[Row]] | None = None,
    basins_per_file: int = BASINS_PER_FILE,
) -> Path:
    """Write basins as they come into a folder of this machine, which must not exist yet and appears complete or not at all.

    ``units`` None takes the canonical ones; ``findings`` are rows of the quality table by basin, filled while ``basins`` are drawn, if need
    be. The other parameters are those of `Manifest`.
    """
    path = Path(folder).absolute()
    partial = _beside(path)
    try:
        place, blocks = LocalFolder(partial), []
        left = iter(basins)
        while some := tuple(islice(left, basins_per_file)):
            units = units or _canonical(some[0])
            found = {basin.name: findings[basin.name] for basin in some if basin.name in findings} if findings else None
            blocks.append(write_block(place, len(blocks), some, units, findings=found))
        finish(place, blocks, Described(source, settings, units or {}, codes or {}, identity))
        partial.chmod(0o755)  # folders of mkdtemp are private
        _rename(partial, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error})") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # gone already where all went well
    return path


def _entry(basin: Basin, file: str, row_group: int, series: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> Entry:
    seen = np.isfinite(series["qobs"]) if "qobs" in series else np.zeros(period_of(basin).days, dtype=bool)
    attributes = attributes_hash(tuple(basin.attributes), [float(value) for value in basin.attributes.values()])
    bare = Entry(file, row_group, basin.start, period_of(basin).days, {}, {}, attributes)
    return Entry(
        file=file,
        row_group=row_group,
        start=basin.start,
        days=bare.days,
        hashes={name: content_hash(basin.start, values) for name, values in {**series, **truth}.items()},
        missing={name: int(np.isnan(values).sum()) for name, values in series.items()},
        attributes_hash=attributes,
        observed=tuple(zip(*(side.tolist() for side in runs(seen)), strict=True)),
        facts=_facts(basin, seen),
    )


def _facts(basin: Basin, seen: np.ndarray) -> dict[str, Fact]:
    facts: dict[str, Fact] = {
        name: None if isinstance(fact, float) and not math.isfinite(fact) else fact for name, fact in basin.facts.items()
    }
    observed = np.flatnonzero(seen)
    first, last = (str(np.datetime64(basin.start) + int(observed[i])) if len(observed) else None for i in (0, -1))
    return facts | {"observed_days": len(observed), "first_observed": first, "last_observed": last}


def _require_variables(basin: Basin, units: Mapping[str, str]) -> None:
    if tuple(basin.series) != tuple(units):
        given, due = ", ".join(basin.series), ", ".join(units)
        raise DataError(f"basin {basin.name}: the variables of the first basin are required, {due}, got {given}")
    unknown = set(basin.truth) - set(TRUTH_UNITS)
    if unknown:
        raise DataError(f"basin {basin.name}: no unit is known of {', '.join(sorted(unknown))}")


def _require_alike(rows: Sequence[Row]) -> None:
    due = tuple(rows[0])
    for row in rows:
        if tuple(row) != due:
            given = ", ".join(tuple(row)[1:])
            raise DataError(f"basin {row['basin']}: the attributes of the first basin are required, {', '.join(due[1:])}, got {given}")


def _canonical(basin: Basin) -> dict[str, str]:
    unknown = sorted(set(basin.series) - set(UNITS))
    if unknown:
        raise DataError(f"basin {basin.name}: no unit is known of {', '.join(unknown)}; known variables: {', '.join(UNITS)}")
    return {name: UNITS[name] for name in basin.series}


def _plain(numbers: Mapping[str, float]) -> dict[str, float | None]:
    return {name: float(value) if math.isfinite(value) else None for name, value in numbers.items()}


def _counts(findings: Sequence[quality.Finding]) -> dict[str, dict[str, int]]:
    """Basins by check and verdict; nothing where nothing was checked."""
    return (
        {check: {str(v): count for v, count in counts.items()} for check, counts in quality.summary(findings).items()} if findings else {}
    )


def _beside(folder: Path) -> Path:
    """Make an empty folder to write into, on the same disk as ``folder``."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: a folder that does not exist yet is required; remove it or name another")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".partial", dir=folder.parent))
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror})") from None


def _rename(partial: Path, folder: Path) -> None:
    try:
        os.replace(partial, folder)
    except OSError:
        raise DataError(f"{folder}: came into being while it was written; remove it or name another") from None
