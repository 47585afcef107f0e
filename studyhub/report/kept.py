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
        (basins,), rows = gathered.keys()
        parts.append(pd.DataFrame(gathered.means()[rows], columns=list(SIGNATURE_COLUMNS)).assign(arm=arm, basin=basins.astype(object)))
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
        (basins, names), rows = gathered.keys()
        low, high = gathered.low[rows], gathered.high[rows]
        columns = {"arm": pd.Categorical.from_codes(np.zeros(len(low), dtype=np.int8), [arm]), "basin": basins, "parameter": names}
        columns |= {"mean": gathered.means()[rows][:, 0], "low": low[:, 1], "high": high[:, 2], "daily": high[:, 3] > 0}
        parts.append(pd.DataFrame(columns))
    return _joined(parts, ("arm", "basin", "parameter", *PARAMETER_COLUMNS))


def benchmarks(files: Files) -> pd.DataFrame:
    """Each basin's benchmarks, which are the same in all trials: basin, benchmark, metrics of discharge."""
    known: set[str] = set()
    parts = []
    for _, path in _there(files, BENCHMARK_FILE):
        basins = _read(path, ("basin",))["basin"].to_pylist()
        if known.issuperset(basins):
            continue
        table = _read(path, ("basin", "benchmark", *BENCHMARK_COLUMNS))
        values = pd.DataFrame(_numbers(table, BENCHMARK_COLUMNS), columns=list(BENCHMARK_COLUMNS))
        values = values.assign(basin=basins, benchmark=table["benchmark"].to_pylist())
        parts.append(values.loc[[basin not in known for basin in basins]])
        known.update(basins)
    return _joined(parts, ("basin", "benchmark", *BENCHMARK_COLUMNS))


def attributes(folder: Path | None) -> pd.DataFrame:
    """What a study keeps of its basins: basin, facts, attributes."""
    path = None if folder is None else folder / BASINS
    return pd.DataFrame({"basin": pd.Series(dtype="str")}) if path is None or not path.exists() else _read(path).to_pandas()


class _Gathered:
    """Sums, counts, least and largest of numbers by one or two names, over tables that may each hold others; what is NaN counts nowhere.

    Parameters
    ----------
    width : numbers of each
    """

    def __init__(self, width: int):
        self.names: list[dict[str, int]] = []
        self.sums, self.counts = np.zeros((0, 0, width)), np.zeros((0, 0, width))
        self.low, self.high = np.zeros((0, 0, width)), np.zeros((0, 0, width))
        self.seen = np.zeros((0, 0), dtype=bool)

    def add(self, columns: Sequence[pa.ChunkedArray], values: np.ndarray) -> None:
        """Take a table, its rows named by the columns: each row once."""
        self.names = self.names or [{} for _ in columns]
        places = [self._places(known, column) for known, column in zip(self.names, columns, strict=True)]
        first, second = places[0], places[1] if len(places) > 1 else np.zeros(len(values), dtype=np.int64)
        shape = len(self.names[0]), len(self.names[1]) if len(self.names) > 1 else 1
        self.sums, self.counts, self.seen = _grown(self.sums, shape), _grown(self.counts, shape), _grown(self.seen, shape)
        self.low, self.high = _grown(self.low, shape, np.nan), _grown(self.high, shape, np.nan)
        there = np.isfinite(values)
        self.seen[first, second] = True
        self.sums[first, second] += np.where(there, values, 0.0)
        self.counts[first, second] += there
        self.low[first, second] = np.fmin(self.low[first, second], np.where(there, values, np.nan))
        self.high[first, second] = np.fmax(self.high[first, second], np.where(there, values, np.nan))

    def keys(self) -> tuple[list[pd.Categorical], tuple[np.ndarray, np.ndarray]]:
        """Names of what there is, and its places in the arrays."""
        first, second = np.nonzero(self.seen)
        names = [pd.Categorical.from_codes(codes, list(known)) for codes, known in zip((first, second), self.names, strict=False)]
        return names, (first, second)

    def means(self) -> np.ndarray:
        return np.divide(self.sums, self.counts, out=np.full(self.sums.shape, np.nan), where=self.counts > 0)

    @staticmethod
    def _places(known: dict[str, int], column: pa.ChunkedArray) -> np.ndarray:
        coded = column.combine_chunks().dictionary_encode()
        places = np.array([known.setdefault(name, len(known)) for name in coded.dictionary.to_pylist()], dtype=np.int64)
        return places[coded.indices.to_numpy(zero_copy_only=False)]


def _grown(array: np.ndarray, shape: tuple[int, int], fill: float = 0.0) -> np.ndarray:
    if array.shape[:2] == shape:
        return array
    larger = np.full((*shape, *array.shape[2:]), fill, dtype=array.dtype)
    larger[: array.shape[0], : array.shape[1]] = array
    return larger


def _there(files: Files, name: str) -> Iterator[tuple[str, Path]]:
    return ((arm, folder / name) for arm, folder in files if (folder / name).exists())


def _read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table; a column that an earlier version did not write is NaN."""
    try:
        with pq.ParquetFile(path) as file:
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
