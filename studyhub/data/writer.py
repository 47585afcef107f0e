"""Writing a shards folder: complete or not at all."""

import hashlib
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studyhub.data.manifest import Entry, Fact, Manifest, digest
from studyhub.data.record import TRUTH_UNITS, UNITS, Basin, days
from studyhub.errors import DataError

BASINS_PER_FILE = 64
ATTRIBUTES, TRUTH, PARAMETERS = "attributes.parquet", "truth.parquet", "parameters_true.parquet"


def write(
    folder: str | Path,
    basins: Iterable[Basin],
    *,
    source: str,
    settings: Mapping[str, Any],
    codes: Mapping[str, Sequence[str]] | None = None,
    identity: str | None = None,
    basins_per_file: int = BASINS_PER_FILE,
) -> Path:
    """Write basins as they come; ``folder`` must not exist yet.

    Everything is written beside ``folder`` and renamed in at the end, so that an interrupted write leaves no ``folder``. The other
    parameters are those of `Manifest`.
    """
    folder = Path(folder).absolute()
    partial = _beside(folder)
    try:
        with _Writer(partial, basins_per_file) as writer:
            for basin in basins:
                writer.add(basin)
        writer.finish(source=source, settings=settings, codes=codes or {}, identity=identity)
        partial.chmod(0o755)  # folders of mkdtemp are private
        _rename(partial, folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error})") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # gone already where all went well
    return folder


def _beside(folder: Path) -> Path:
    """Make an empty folder to write into, on the same disk as ``folder``."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: a folder that does not exist yet is required; remove it or name another")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".partial", dir=folder.parent))
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror})") from None


@dataclass
class _Writer:
    """Writes basins one by one into ``folder`` and remembers what the manifest must say."""

    folder: Path
    basins_per_file: int
    entries: dict[str, Entry] = field(default_factory=dict)
    attributes: list[dict[str, Any]] = field(default_factory=list)
    parameters: list[dict[str, Any]] = field(default_factory=list)
    variables: tuple[str, ...] = ()
    truth: tuple[str, ...] = ()
    shard: pq.ParquetWriter | None = None
    truth_file: pq.ParquetWriter | None = None

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self.shard, self.truth_file):
            if file is not None:
                file.close()

    def _next_shard(self, name: str) -> pq.ParquetWriter:
        if self.shard is not None:
            self.shard.close()
        return pq.ParquetWriter(self.folder / name, _schema(self.variables), compression="zstd")

    def add(self, basin: Basin) -> None:
        self._require_like_the_first(basin)
        series = {name: _float32(values) for name, values in basin.series.items()}
        truth = {name: _float32(values) for name, values in basin.truth.items()}
        number, row_group = divmod(len(self.entries), self.basins_per_file)
        name = f"basins-{number:03d}.parquet"
        entry = Entry(name, row_group, basin.start, _length(basin), {}, _attributes_hash(basin), _facts(basin))
        hashes = {variable: content_hash(entry, values) for variable, values in (series | truth).items()}
        self.entries[basin.name] = replace(entry, hashes=hashes)
        self.attributes.append({"basin": basin.name, **{k: float(v) for k, v in basin.attributes.items()}})
        if self.shard is None or row_group == 0:
            self.shard = self._next_shard(name)
        self.shard.write_table(_table(basin.name, entry, series))
        if truth:
            self._add_truth(basin, entry, truth)

    def _add_truth(self, basin: Basin, entry: Entry, truth: Mapping[str, np.ndarray]) -> None:
        if self.truth_file is None:
            self.truth_file = pq.ParquetWriter(self.folder / TRUTH, _schema(self.truth), compression="zstd")
        self.truth_file.write_table(_table(basin.name, entry, truth))
        self.parameters.append({"basin": basin.name, **{k: float(v) for k, v in basin.parameters.items()}})

    def _require_like_the_first(self, basin: Basin) -> None:
        if basin.name in self.entries:
            raise DataError(f"basin {basin.name} comes twice")
        if not self.entries:
            unknown = (set(basin.series) - set(UNITS)) | (set(basin.truth) - set(TRUTH_UNITS))
            if unknown:
                known = ", ".join(UNITS)
                raise DataError(f"basin {basin.name}: no unit is known of {', '.join(sorted(unknown))}; known variables: {known}")
            self.variables, self.truth = tuple(basin.series), tuple(basin.truth)
            return
        given = (tuple(basin.series), tuple(basin.truth), tuple(basin.attributes))
        due = (self.variables, self.truth, tuple(name for name in self.attributes[0] if name != "basin"))
        if given != due:
            raise DataError(f"basin {basin.name}: the variables and attributes of the first basin are required, {due}, got {given}")

    def finish(self, *, source: str, settings: Mapping[str, Any], codes: Mapping[str, Sequence[str]], identity: str | None) -> None:
        if not self.entries:
            raise DataError(f"reader {source}: at least one basin is required, there is none")
        pq.write_table(pa.Table.from_pylist(self.attributes), self.folder / ATTRIBUTES, compression="zstd")
        if self.parameters:
            pq.write_table(pa.Table.from_pylist(self.parameters), self.folder / PARAMETERS, compression="zstd")
        Manifest(
            folder=self.folder,
            source=source,
            settings=dict(settings),
            units={name: UNITS[name] for name in self.variables},
            attribute_names=tuple(name for name in self.attributes[0] if name != "basin"),
            codes={name: tuple(names) for name, names in codes.items()},
            sizes={path.name: path.stat().st_size for path in sorted(self.folder.glob("*.parquet"))},
            entries=self.entries,
            truth=self.truth,
            identity=identity,
        ).save()


def content_hash(entry: Entry, values: np.ndarray) -> str:
    """Hash of one basin's float32 values and of the day they start on, 16 hex digits."""
    return hashlib.sha256(str(entry.start).encode() + np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


def attributes_hash(names: Sequence[str], values: Iterable[float]) -> str:
    """Hash of one basin's attributes by name; their order does not matter."""
    return digest({name: None if math.isnan(value) else float(value) for name, value in zip(names, values, strict=True)})


def _attributes_hash(basin: Basin) -> str:
    return attributes_hash(tuple(basin.attributes), [float(value) for value in basin.attributes.values()])


def _length(basin: Basin) -> int:
    lengths = {len(values) for values in (*basin.series.values(), *basin.truth.values())}
    if len(lengths) != 1 or lengths == {0}:
        raise DataError(f"basin {basin.name}: variables of one length, at least one day, are required, got lengths {sorted(lengths)}")
    return lengths.pop()


def _float32(values: np.ndarray) -> np.ndarray:
    values = np.array(values, dtype=np.float32)
    values[np.isnan(values)] = np.nan  # one bit pattern for missing, so that hashes compare
    return values


def _facts(basin: Basin) -> dict[str, Fact]:
    facts = {name: None if isinstance(fact, float) and not math.isfinite(fact) else fact for name, fact in basin.facts.items()}
    observed = np.flatnonzero(np.isfinite(basin.series["qobs"])) if "qobs" in basin.series else np.empty(0, dtype=np.int64)
    first, last = (str(np.datetime64(basin.start) + int(observed[i])) if len(observed) else None for i in (0, -1))
    return facts | {"observed_days": len(observed), "first_observed": first, "last_observed": last}


def _schema(variables: Sequence[str]) -> pa.Schema:
    return pa.schema([("basin", pa.string()), ("date", pa.date32()), *((name, pa.float32()) for name in variables)])


def _table(basin: str, entry: Entry, series: Mapping[str, np.ndarray]) -> pa.Table:
    columns = [pa.repeat(basin, entry.days), pa.array(days(entry.period)), *(pa.array(values) for values in series.values())]
    return pa.Table.from_arrays(columns, schema=_schema(tuple(series)))


def _rename(partial: Path, folder: Path) -> None:
    try:
        os.replace(partial, folder)
    except OSError:
        raise DataError(f"{folder}: came into being while it was written; remove it or name another") from None
