"""What a finished trial leaves: scores, simulated fluxes and parameters per basin, as Parquet files."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from studyhub.data.record import Record
from studyhub.evaluation import metrics

if TYPE_CHECKING:
    from torch import Tensor

    from studyhub.models.simulation import Simulation

TEST = "test"
SCORES, SIMULATION, PARAMETERS = "scores.parquet", "simulation.parquet", "parameters.parquet"


def scores(record: Record, simulation: "Simulation") -> dict[str, np.ndarray]:
    """Metric -> value per basin, and the days they are from."""
    return metrics.score(_rows(simulation.discharge), record.variable("qobs"))


def write(folder: Path, record: Record, simulation: "Simulation") -> None:
    """Write what a model did in the test period: as `write_days`, with all fluxes that the model gives.

    For a model with a water balance also ``parameters.parquet``: basin, parameter, its mean and range over components and days in its unit,
    whether it is daily.

    Parameters
    ----------
    record : basins and days of the test period
    simulation : of the same basins and days
    """
    write_days(folder, record, {name: _rows(values) for name, values in ({"qsim": simulation.discharge} | simulation.fluxes).items()})
    if simulation.parameters:
        _parameters(record.basins, simulation).to_parquet(folder / PARAMETERS, index=False)


def write_days(folder: Path, record: Record, fluxes: Mapping[str, np.ndarray]) -> None:
    """Write scores and simulated days of the test period.

    ``scores.parquet``: basin, period, metrics. ``simulation.parquet``: basin, date, qobs, qsim and other fluxes in mm/d.

    Parameters
    ----------
    record : basins and days of the test period
    fluxes : "qsim" and perhaps others -> [basin, time], mm/d, NaN where missing
    """
    scored = metrics.score(fluxes["qsim"], record.variable("qobs"))
    pd.DataFrame({"basin": record.basins, "period": TEST} | scored).to_parquet(folder / SCORES, index=False)
    basins = pd.Categorical.from_codes(np.repeat(np.arange(len(record.basins)), len(record.dates)), categories=list(record.basins))
    dates = np.tile(record.dates, len(record.basins))
    flat = {name: values.astype(np.float32).ravel() for name, values in ({"qobs": record.variable("qobs")} | dict(fluxes)).items()}
    pd.DataFrame({"basin": basins, "date": dates} | flat).to_parquet(folder / SIMULATION, index=False, compression="zstd")


def _parameters(basins: tuple[str, ...], simulation: "Simulation") -> pd.DataFrame:
    tables = []
    for name, values in simulation.parameters.items():
        daily = simulation.daily(name)
        numbers = values.transpose(0, 1) if daily else values
        numbers = numbers.reshape(len(basins), -1).double().cpu().numpy()
        spread = {"mean": numbers.mean(axis=1), "low": numbers.min(axis=1), "high": numbers.max(axis=1), "daily": daily}
        tables.append(pd.DataFrame({"basin": basins, "parameter": name} | spread))
    return pd.concat(tables, ignore_index=True)


def _rows(values: "Tensor") -> np.ndarray:
    """[time, basin] tensor -> [basin, time] array."""
    return values.T.double().cpu().numpy()
