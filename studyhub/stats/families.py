"""p-values of several tests, adjusted for there being several. None, where a test had nothing to test, stays None.

References
----------
Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. doi:10.1111/j.2517-6161.1995.tb02031.x
Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6, 65-70.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

PValues = Sequence[float | None]


def holm(p_values: PValues) -> list[float | None]:
    """Adjust so that the chance of any false claim in the family stays below the level.

    A claim that could not be tested stays in the family: an arm that crashes makes no other claim easier.
    """

    def step_down(p: NDArray[np.float64]) -> NDArray[np.float64]:
        order = np.argsort(p)
        adjusted = np.empty_like(p)
        adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * (len(p_values) - np.arange(p.size))))
        return adjusted

    return _adjusted(p_values, step_down)


def benjamini_hochberg(p_values: PValues) -> list[float | None]:
    """Adjust so that the expected share of false ones among those found stays below the level."""
    return _adjusted(p_values, stats.false_discovery_control)


def _adjusted(p_values: PValues, adjust: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> list[float | None]:
    there = [p for p in p_values if p is not None]
    found = iter(adjust(np.array(there)).tolist() if there else [])
    return [None if p is None else next(found) for p in p_values]
