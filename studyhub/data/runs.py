"""Runs of days, the element of gaps, spells and flat lines."""

import numpy as np


def runs(days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each run of True begins and how long it is, int64 [run] each, in order.

    Parameters
    ----------
    days : bool [time]
    """
    edges = np.diff(days.astype(np.int8), prepend=0, append=0)
    begins = np.flatnonzero(edges == 1)
    return begins, np.flatnonzero(edges == -1) - begins
