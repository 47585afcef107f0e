"""What a finished trial leaves: scores, simulated fluxes and parameters per basin, as Parquet files. Written some basins at a time."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from studyhub.data.record import Record
from studyhub.evaluation import metrics
from studyhub.runner.judged import Observed, Simulated, benchmarks_of, scores_of, signatures_of

if TYPE_CHECKING:
    from torch import Tensor

    from studyhub.models.simulation import Simulation

TEST = "test"
SCORES, SIMULATION, PARAMETERS = "scores.parquet", "simulation.parquet", "parameters.parquet"
SIGNATURES, BENCHMARKS = "signatures.parquet", "benchmarks.parquet"


class Outputs:
    """Files of the test period in a folder: complete once it is closed, none where anything has failed until then.

    ``scores.parquet``: basin, period, metrics. ``simulation.parquet``: basin, date, qobs, qsim and other fluxes in mm/d.
    ``signatures.parquet``: basin, signatures of the simulated and (``<name>_obs``) the observed days. For a model with a water balance also
    ``parameters.parquet``: basin, parameter, mean and range over components and days in its unit, whether it is daily. Where a training
    period is known, ``benchmarks.parquet``: basin, benchmark, metrics of discharge.

    Parameters
    ----------
    basins : all that will be added, in their order
    """

    def __init__(self, folder: Path, basins: tuple[str, ...]):
        self.folder, self.basins = folder, basins
        self._tables: dict[str, list[pd.DataFrame]] = {name: [] for name in (SCORES, SIGNATURES, PARAMETERS, BENCHMARKS)}
        self._days: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        whole = False
        try:
            if self._days is not None:
                self._days.close()
            if kind is None:
                for name, parts in self._tables.items():
                    if parts or name == SCORES:
                        write_table(self.folder / name, parts)
                whole = True
        finally:
            if not whole:  # on a full disk, that makes room to say so
                for name in (*self._tables, SIMULATION):
                    (self.folder / name).unlink(missing_ok=True)

    def add(self, record: Record, simulation: "Simulation", observed: Observed, snow: Sequence[str] = ()) -> None:
        """Judge what a model did, and write it with all fluxes and parameters that it gives.

        Parameters
        ----------
        record : some of the basins, days of the test period
        simulation : of the same basins and days
        observed : what is known of them beside discharge
        snow : stores that hold the water in snow together
        """
        fluxes = {name: rows(values) for name, values in simulation.fluxes.items()}
        simulated = Simulated(
            rows(simulation.discharge),
            fluxes.get("et"),
            np.sum([rows(simulation.stores[name]) for name in snow], axis=0) if snow and simulation.stores else None,
            fluxes.get("baseflow"),
            None if simulation.runoff is None else rows(simulation.runoff),
        )
        self.add_days(record, simulated, observed, fluxes)
        if simulation.parameters:
            self._tables[PARAMETERS].append(parameters(record.basins, simulation))

    def add_days(self, record: Record, simulated: Simulated, observed: Observed, fluxes: Mapping[str, np.ndarray] | None = None) -> None:
        """Judge and write simulated days.

        Parameters
        ----------
        fluxes : others than discharge that are to be written -> [basin, time], mm/d
        """
        qobs, dates = record.variable("qobs"), record.dates
        self._tables[SCORES].append(table_of(record.basins, scores_of(simulated, qobs, dates, observed)))
        self._tables[SIGNATURES].append(pd.DataFrame({"basin": record.basins} | signatures_of(simulated, qobs, dates, observed)))
        found = benchmarks_of(record.basins, qobs, dates, observed)
        self._tables[BENCHMARKS] += [] if found is None else [found]
        table = pa.Table.from_pandas(
            long(record, {"qobs": qobs, "qsim": simulated.qsim, **(fluxes or {})}, self.basins), preserve_index=False
        )
        if self._days is None:
            self._days = pq.ParquetWriter(self.folder / SIMULATION, table.schema, compression="zstd")
        self._days.write_table(table)


def scores(record: Record, simulation: "Simulation") -> dict[str, np.ndarray]:
    """Metric of discharge -> value per basin, and the days they are from."""
    return metrics.score(rows(simulation.discharge), record.variable("qobs"))


def efficiency(record: Record, simulation: "Simulation") -> np.ndarray:
    """NSE of discharge per basin."""
    return metrics.nse(rows(simulation.discharge), record.variable("qobs"))


def table_of(basins: tuple[str, ...], scored: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Scores as ``scores.parquet`` has them: basin, period, metrics."""
    return pd.DataFrame({"basin": basins, "period": TEST} | dict(scored))


def write_table(path: Path, parts: Sequence[pd.DataFrame]) -> None:
    """Write tables of one kind as one, which appears whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    try:
        pd.concat(parts, ignore_index=True).to_parquet(beside, index=False)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def long(record: Record, series: Mapping[str, np.ndarray], names: tuple[str, ...]) -> pd.DataFrame:
    """Return a row per basin and day: basin, date, and the series in float32.

    Parameters
    ----------
    series : name -> [basin, time]
    names : all basins that the column may hold
    """
    codes = [names.index(basin) for basin in record.basins]
    basins = pd.Categorical.from_codes(np.repeat(codes, len(record.dates)), categories=list(names))
    dates = np.tile(record.dates, len(record.basins))
    return pd.DataFrame({"basin": basins, "date": dates} | {name: values.astype(np.float32).ravel() for name, values in series.items()})


def parameters(basins: tuple[str, ...], simulation: "Simulation") -> pd.DataFrame:
    """Mean and range of each parameter over components and days: basin, parameter, mean, low, high, daily."""
    tables = []
    for name, values in simulation.parameters.items():
        daily = simulation.daily(name)
        numbers = values.transpose(0, 1) if daily else values
        numbers = numbers.reshape(len(basins), -1).double().cpu().numpy()
        spread = {"mean": numbers.mean(axis=1), "low": numbers.min(axis=1), "high": numbers.max(axis=1), "daily": daily}
        tables.append(pd.DataFrame({"basin": basins, "parameter": name} | spread))
    return pd.concat(tables, ignore_index=True)


def rows(values: "Tensor") -> np.ndarray:
    """[time, basin] tensor -> [basin, time] array."""
    return values.T.double().cpu().numpy()
