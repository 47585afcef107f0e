"""How well the water in snow is simulated, which no model is trained on: snow water equivalent at the end of each day, [basin, day].

Metrics are those of discharge on other numbers. Where no snow was observed, NSE and correlation are not defined.
"""

import numpy as np
from numpy.typing import ArrayLike

from studyhub.evaluation.metrics import kge_r, nse, rmse
from studyhub.evaluation.pairs import Pairs, Values


def score(sim: ArrayLike, obs: ArrayLike) -> dict[str, Values]:
    """NSE, correlation r and RMSE (mm), each [basin], under the names of the scores' columns.

    Parameters
    ----------
    sim, obs : [basin, day], mm, NaN where missing
    """
    pairs = Pairs(sim, obs)
    with np.errstate(all="ignore"):
        return {"swe_nse": nse.of(pairs), "swe_r": kge_r.of(pairs), "swe_rmse": rmse.of(pairs)}
