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

if TYPE_CHECKING:
    from torch import Tensor

    from studyhub.models.simulation import Simulation

TEST = "test"
SCORES, SIMULATION, PARAMETERS = "scores.parquet", "simulation.parquet", "parameters.parquet"


class Outputs:
    """Files of the test period in a folder: complete once it is closed, none where anything has failed until then.

    ``scores.parquet``: basin, period, metrics. ``simulation.parquet``: basin, date, qobs, qsim and other fluxes in mm/d. For a model with a
    water balance also ``parameters.parquet``: basin, parameter, mean and range over components and days in its unit, whether it is daily.

    Parameters
    ----------
    basins : all that will be added, in their order
    """

    def __init__(self, folder: Path, basins: tuple[str, ...]):
        self.folder, self.basins = folder, basins
        self._scores: list[pd.DataFrame] = []
        self._parameters: list[pd.DataFrame] = []
        self._days: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        whole = False
        try:
            if self._days is not None:
                self._days.close()
            if kind is None:
                write_table(self.folder / SCORES, self._scores)
                if self._parameters:
                    write_table(self.folder / PARAMETERS, self._parameters)
                whole = True
        finally:
            if not whole:  # on a full disk, that makes room to say so
                for name in (SCORES, SIMULATION, PARAMETERS):
                    (self.folder / name).unlink(missing_ok=True)

    def add(self, record: Record, simulation: "Simulation") -> None:
        """Score what a model did, and write it with all fluxes and parameters that it gives.

        Parameters
        ----------
        record : some of the basins, days of the test period
        simulation : of the same basins and days
        """
        self.add_days(record, {name: rows(values) for name, values in ({"qsim": simulation.discharge} | simulation.fluxes).items()})
        if simulation.parameters:
            self._parameters.append(parameters(record.basins, simulation))

    def add_days(self, record: Record, fluxes: Mapping[str, np.ndarray]) -> None:
        """Score and write simulated days.

        Parameters
        ----------
        fluxes : "qsim" and perhaps others -> [basin, time], mm/d, NaN where missing
        """
        scored = metrics.score(fluxes["qsim"], record.variable("qobs"))
        self._scores.append(table_of(record.basins, scored))
        table = pa.Table.from_pandas(long(record, {"qobs": record.variable("qobs"), **fluxes}, self.basins), preserve_index=False)
        if self._days is None:
            self._days = pq.ParquetWriter(self.folder / SIMULATION, table.schema, compression="zstd")
        self._days.write_table(table)


def scores(record: Record, simulation: "Simulation") -> dict[str, np.ndarray]:
    """Metric -> value per basin, and the days they are from."""
    return metrics.score(rows(simulation.discharge), record.variable("qobs"))


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
