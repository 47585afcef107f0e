"""What finished trials leave beside their scores: signatures, parameters and benchmarks per basin. Read one trial after the other.

A trial of an earlier version may lack a file: it is left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from studyhub.catalog import METRICS, SIGNATURES
from studyhub.errors import DataError

SIGNATURE_FILE, PARAMETER_FILE, BENCHMARK_FILE, BASINS = "signatures.parquet", "parameters.parquet", "benchmarks.parquet", "basins.parquet"
OBSERVED = "_obs"
SIGNATURE_COLUMNS = tuple(f"{name}{kind}" for name in SIGNATURES for kind in ("", OBSERVED))
BENCHMARK_COLUMNS = tuple(name for name, metric in METRICS.items() if metric.of == "discharge")
NAMES = ("basin", "parameter")
PARAMETER_COLUMNS = ("mean", "low", "high", "daily")

Files = Iterable[tuple[str, Path]]


def signatures(files: Files) -> pd.DataFrame:
    """Mean over an arm's trials, of those in which a signature is defined: arm, basin, signatures.

    Parameters
    ----------
    files : arm and folder of each finished trial
    """
    found: dict[str, _Gathered] = {}
    for arm, path in _there(files, SIGNATURE_FILE):
        table = _read(path, ("basin", *SIGNATURE_COLUMNS))
        found.setdefault(arm, _Gathered(len(SIGNATURE_COLUMNS))).add([table["basin"]], _numbers(table, SIGNATURE_COLUMNS))
    parts = []
    for arm, gathered in found.items():
        (basins,) = gathered.keys()
        parts.append(pd.DataFrame(gathered.means(), columns=list(SIGNATURE_COLUMNS)).assign(arm=arm, basin=basins.astype(object)))
    return _joined(parts, ("arm", "basin", *SIGNATURE_COLUMNS))


def parameters(files: Files) -> pd.DataFrame:
    """Mean over an arm's trials, and the widest range: arm, basin, parameter, mean, low, high, daily; the first three are categories."""
    found: dict[str, _Gathered] = {}
    for arm, path in _there(files, PARAMETER_FILE):
        table = _read(path, ("basin", "parameter", *PARAMETER_COLUMNS))
        gathered = found.setdefault(arm, _Gathered(len(PARAMETER_COLUMNS)))
        gathered.add([table["basin"], table["parameter"]], _numbers(table, PARAMETER_COLUMNS))
    parts = []
    for arm, gathered in found.items():
        basins, names = gathered.keys()
        low, high = gathered.low, gathered.high
        columns = {"arm": pd.Categorical.from_codes(np.zeros(len(low), dtype=np.int8), [arm]), "basin": basins, "parameter": names}
        columns |= {"mean": gathered.means()[:, 0], "low": low[:, 1], "high": high[:, 2], "daily": high[:, 3] > 0}
        parts.append(pd.DataFrame(columns))
    return _joined(parts, ("arm", "basin", "parameter", *PARAMETER_COLUMNS))


def benchmarks(files: Files) -> pd.DataFrame:
    """Each basin's benchmarks, which are the same in all trials: basin, benchmark, metrics of discharge."""
    known: set[str] = set()
    parts = []
    for _, path in _there(files, BENCHMARK_FILE):
        if known.issuperset(_coded(_read(path, ("basin",))["basin"]).dictionary.to_pylist()):
            continue
        table = _read(path, ("basin", "benchmark", *BENCHMARK_COLUMNS))
        basins = np.asarray(table["basin"].to_pandas(), dtype=object)
        values = pd.DataFrame(_numbers(table, BENCHMARK_COLUMNS), columns=list(BENCHMARK_COLUMNS))
        values = values.assign(basin=basins, benchmark=table["benchmark"].to_pylist())
        parts.append(values.loc[[basin not in known for basin in basins]])
        known.update(basins)
    return _joined(parts, ("basin", "benchmark", *BENCHMARK_COLUMNS))


def attributes(folder: Path | None) -> pd.DataFrame:
    """What a study keeps of its basins: basin, facts, attributes."""
    path = None if folder is None else folder / BASINS
    return pd.DataFrame({"basin": pd.Series(dtype="str")}) if path is None or not path.exists() else _read(path).to_pandas()


def days(path: Path, basins: set[str], columns: Sequence[str]) -> pd.DataFrame:
    """Rows of some basins in a ``simulation.parquet``: basin, columns. Of a large file only the parts with these basins are read."""
    parts = []
    with pq.ParquetFile(path, read_dictionary=["basin"]) as file:
        place = file.schema_arrow.get_field_index("basin")
        for group in range(file.metadata.num_row_groups):
            known = file.metadata.row_group(group).column(place).statistics
            if known is not None and known.has_min_max and not any(str(known.min) <= basin <= str(known.max) for basin in basins):
                continue
            coded = _coded(file.read_row_group(group, columns=["basin"], use_threads=False)["basin"])
            wanted = np.array([name in basins for name in coded.dictionary.to_pylist()], dtype=bool)
            rows = np.flatnonzero(wanted[coded.indices.to_numpy(zero_copy_only=False)])
            if len(rows):
                part = file.read_row_group(group, columns=list(columns), use_threads=False).take(pa.array(rows)).to_pandas()
                part.insert(0, "basin", coded.take(pa.array(rows)).to_pandas().astype("str"))
                parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else _none(path, columns)


def _none(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    schema = pq.read_schema(path)
    return pa.schema([schema.field(name) for name in ("basin", *columns)]).empty_table().to_pandas().astype({"basin": "str"})


class _Gathered:
    """Sums, counts, least and largest of numbers by one or two names, over tables that may each hold others; what is NaN counts nowhere.

    Parameters
    ----------
    width : numbers of each
    """

    def __init__(self, width: int):
        self._names: list[dict[str, int]] = []
        self._grid = np.zeros((0, 0), dtype=np.int64)  # row of each pair of names, from 1; 0: none
        self._sums, self._counts = np.zeros((0, width)), np.zeros((0, width))
        self.low, self.high = np.zeros((0, width)), np.zeros((0, width))

    def add(self, columns: Sequence[pa.ChunkedArray], values: np.ndarray) -> None:
        """Take a table, its rows named by the columns: each row once."""
        rows, there = self._rows(columns), np.isfinite(values)
        self._sums[rows] += np.where(there, values, 0.0)
        self._counts[rows] += there
        values = np.where(there, values, np.nan)
        self.low[rows], self.high[rows] = np.fmin(self.low[rows], values), np.fmax(self.high[rows], values)

    def keys(self) -> list[pd.Categorical]:
        """Names of the rows."""
        codes = np.nonzero(self._grid)
        order = np.argsort(self._grid[codes])
        return [pd.Categorical.from_codes(code[order], list(known)) for code, known in zip(codes, self._names, strict=False)]

    def means(self) -> np.ndarray:
        return np.divide(self._sums, self._counts, out=np.full(self._sums.shape, np.nan), where=self._counts > 0)

    def _rows(self, columns: Sequence[pa.ChunkedArray]) -> np.ndarray | slice:
        """Where each row belongs; a slice where that is the order of before, which most trials of an arm keep to."""
        self._names = self._names or [{} for _ in columns]
        places = [self._places(known, column) for known, column in zip(self._names, columns, strict=True)]
        first, second = places[0], places[1] if len(places) > 1 else np.zeros(len(places[0]), dtype=np.int64)
        self._grid = _grown(self._grid, (len(self._names[0]), len(self._names[1]) if len(places) > 1 else 1))
        unknown = self._grid[first, second] == 0
        count, width = len(self._sums), self._sums.shape[1]
        self._grid[first[unknown], second[unknown]] = np.arange(count + 1, count + 1 + unknown.sum())
        shape = (count + int(unknown.sum()), width)
        self._sums, self._counts = _grown(self._sums, shape), _grown(self._counts, shape)
        self.low, self.high = _grown(self.low, shape, np.nan), _grown(self.high, shape, np.nan)
        rows = self._grid[first, second] - 1
        return slice(0, len(rows)) if np.array_equal(rows, np.arange(len(rows))) else rows

    @staticmethod
    def _places(known: dict[str, int], column: pa.ChunkedArray) -> np.ndarray:
        coded = _coded(column)
        places = np.array([known.setdefault(name, len(known)) for name in coded.dictionary.to_pylist()], dtype=np.int64)
        return places[coded.indices.to_numpy(zero_copy_only=False)]


def _coded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Text of few values as places in a list of these."""
    whole = column.combine_chunks()
    return whole if isinstance(whole, pa.DictionaryArray) else whole.dictionary_encode()


def _grown(array: np.ndarray, shape: tuple[int, int], fill: float = 0.0) -> np.ndarray:
    if array.shape == shape:
        return array
    larger = np.full(shape, fill, dtype=array.dtype)
    larger[: array.shape[0], : array.shape[1]] = array
    return larger


def _there(files: Files, name: str) -> Iterator[tuple[str, Path]]:
    return ((arm, folder / name) for arm, folder in files if (folder / name).exists())


def _read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table; a column that an earlier version did not write is NaN."""
    try:
        with pq.ParquetFile(path, read_dictionary=[name for name in NAMES if name in (columns or ())]) as file:
            known = file.schema_arrow.names
            table = file.read(columns=None if columns is None else [name for name in columns if name in known], use_threads=False)
        for name in columns or ():
            if name not in known:
                table = table.append_column(name, pa.array(np.full(table.num_rows, np.nan)))
        return table
    except (OSError, ValueError, KeyError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise DataError(f"{path}: cannot be read ({first}); remove the trial's folder and launch the study again to repeat it") from None


def _numbers(table: pa.Table, columns: Sequence[str]) -> np.ndarray:
    """Columns in float64, [row, column]."""
    return np.column_stack([table[name].cast(pa.float64()).to_numpy() for name in columns])


def _joined(parts: list[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """One table of all parts, categories united."""
    if not parts:
        return pd.DataFrame(columns=list(columns))
    for name in columns:
        if isinstance(parts[0][name].dtype, pd.CategoricalDtype):
            every = list(dict.fromkeys(value for part in parts for value in part[name].cat.categories))
            parts = [part.assign(**{name: part[name].cat.set_categories(every)}) for part in parts]
    return pd.concat(parts, ignore_index=True).filter(list(columns))
