"""Metrics that a trial was not scored by when it ended, since its version did not have them: computed anew from its simulated days."""

from pathlib import Path

import numpy as np
import pandas as pd

from studyhub.catalog import METRICS
from studyhub.evaluation.metrics import score

BASINS_AT_ONCE = 64  # bounds memory


def completed(scores: pd.DataFrame, simulation: Path) -> pd.DataFrame:
    """Return scores with all metrics: those of discharge from the simulated days where they are here, others NaN.

    Parameters
    ----------
    scores : of one trial: basin, period, metrics
    simulation : file of its days: basin, date, qobs, qsim
    """
    lacking = [name for name in METRICS if name not in scores]
    due = [name for name in lacking if METRICS[name].of == "discharge"]
    values = pd.DataFrame(np.nan, index=scores.index, columns=lacking)
    if due and simulation.exists():
        for first in range(0, len(scores), BASINS_AT_ONCE):
            rows = scores.index[first : first + BASINS_AT_ONCE]
            found = _scored(simulation, scores.loc[rows, "basin"].tolist())
            values.loc[rows, due] = np.column_stack([found[name] for name in due])
    return pd.concat([scores, values], axis=1)


def _scored(simulation: Path, basins: list[str]) -> dict[str, np.ndarray]:
    days = pd.read_parquet(simulation, columns=["basin", "date", "qobs", "qsim"], filters=[("basin", "in", basins)])
    rows = pd.Index(basins).get_indexer(pd.Index(days["basin"].astype("str")))
    columns, dates = pd.factorize(days["date"], sort=True)
    sim, obs = np.full((2, len(basins), len(dates)), np.nan)
    sim[rows, columns], obs[rows, columns] = days["qsim"].to_numpy(), days["qobs"].to_numpy()
    return score(sim, obs)
