"""What a finished trial leaves: scores, simulated fluxes and parameters per basin, as Parquet files."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from studyhub.data.record import Record
from studyhub.evaluation import metrics
from studyhub.models.simulation import Simulation

TEST = "test"
SCORES, SIMULATION, PARAMETERS = "scores.parquet", "simulation.parquet", "parameters.parquet"


def joined(parts: list[Simulation]) -> Simulation:
    """One simulation of all basins from simulations of some at a time."""
    solve = parts[0].solve
    for part in parts[1:]:
        solve = solve.then(part.solve) if solve is not None and part.solve is not None else None
    return Simulation(
        torch.cat([part.discharge for part in parts], dim=1),
        solve=solve,
        fluxes={name: torch.cat([part.fluxes[name] for part in parts], dim=1) for name in parts[0].fluxes},
        parameters={
            name: torch.cat([part.parameters[name] for part in parts], dim=int(_daily(x))) for name, x in parts[0].parameters.items()
        },
    )


def scores(record: Record, simulation: Simulation) -> dict[str, np.ndarray]:
    """Metric -> value per basin, and the days they are from."""
    return metrics.score(_rows(simulation.discharge), record.variable("qobs"))


def write(folder: Path, record: Record, simulation: Simulation) -> None:
    """Write what a model did in the test period.

    ``scores.parquet``: basin, period, metrics. ``simulation.parquet``: basin, date, qobs, qsim and other fluxes in mm/d. For a model with a
    water balance ``parameters.parquet``: basin, parameter, its mean and range over components and days in its unit, whether it is daily.

    Parameters
    ----------
    record : basins and days of the test period
    simulation : of the same basins and days
    """
    table = pd.DataFrame({"basin": record.basins, "period": TEST} | scores(record, simulation))
    table.to_parquet(folder / SCORES, index=False)
    days = {"qobs": record.variable("qobs"), "qsim": _rows(simulation.discharge)} | {k: _rows(v) for k, v in simulation.fluxes.items()}
    basins = pd.Categorical.from_codes(np.repeat(np.arange(len(record.basins)), len(record.dates)), categories=list(record.basins))
    dates = np.tile(record.dates, len(record.basins))
    flat = {name: values.astype(np.float32).ravel() for name, values in days.items()}
    pd.DataFrame({"basin": basins, "date": dates} | flat).to_parquet(folder / SIMULATION, index=False, compression="zstd")
    if simulation.parameters:
        _parameters(record.basins, simulation).to_parquet(folder / PARAMETERS, index=False)


def _parameters(basins: tuple[str, ...], simulation: Simulation) -> pd.DataFrame:
    tables = []
    for name, values in simulation.parameters.items():
        daily = _daily(values)
        numbers = values.transpose(0, 1) if daily else values
        numbers = numbers.reshape(len(basins), -1).double().cpu().numpy()
        spread = {"mean": numbers.mean(axis=1), "low": numbers.min(axis=1), "high": numbers.max(axis=1), "daily": daily}
        tables.append(pd.DataFrame({"basin": basins, "parameter": name} | spread))
    return pd.concat(tables, ignore_index=True)


def _daily(values: torch.Tensor) -> bool:
    """Tell a daily parameter [time, basin, component] from a static one [basin, component] or one of routing [basin]."""
    return values.ndim == 3


def _rows(values: torch.Tensor) -> np.ndarray:
    """[time, basin] tensor -> [basin, time] array."""
    return values.T.double().cpu().numpy()
