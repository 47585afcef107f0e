"""Basins that are neighbours, put together into blocks: what rain, snow or a bad gauge network does to one, it does to the next.

Blocks are k-means clusters of the basins' places as points on the unit sphere, so that distances are right at any latitude and across the
date line: one block for every 5 basins, 20 at most. More blocks would be smaller, and depend on one another; fewer would leave little to
permute. Neighbouring blocks depend on one another all the same: `leakage` says how much.

References
----------
Bester, C. A., Conley, T. G. and Hansen, C. B. (2011). Inference with dependent data using cluster covariance estimators.
doi:10.1016/j.jeconom.2011.01.007
Lloyd, S. P. (1982). Least squares quantization in PCM. doi:10.1109/TIT.1982.1056489
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.vq import kmeans2

EARTH_KM = 6371.0
BASINS_PER_BLOCK, MOST = 5, 20

Values = NDArray[np.float64]
Labels = NDArray[np.int64]


def cluster(lat: ArrayLike, lon: ArrayLike, seed: int = 0) -> Labels:
    """Number of the block of each basin, from 0; every block has a basin.

    Parameters
    ----------
    lat, lon : degrees [basin]
    seed : of the first guesses of k-means; blocks are the same for the same places in the same order
    """
    points = on_sphere(lat, lon)
    wanted = min(MOST, max(1, len(points) // BASINS_PER_BLOCK), len(np.unique(points.round(9), axis=0)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a cluster may come to be empty; the others are blocks all the same
        found: Any = kmeans2(points, wanted, iter=30, minit="++", rng=np.random.default_rng(seed))
    return numbered(found[1])


def numbered(labels: ArrayLike) -> Labels:
    """Labels of any kind as numbers from 0."""
    return np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64)


def sums(values: Values, blocks: Labels) -> Values:
    """Sum over each block."""
    return np.bincount(blocks, weights=values).astype(np.float64)


def on_sphere(lat: ArrayLike, lon: ArrayLike) -> Values:
    """Places as points on the unit sphere [basin, 3]."""
    lat, lon = np.radians(np.asarray(lat, dtype=np.float64)), np.radians(np.asarray(lon, dtype=np.float64))
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def distances(lat: ArrayLike, lon: ArrayLike) -> Values:
    """Great-circle distance of every two basins, km [basin, basin]."""
    points = on_sphere(lat, lon)
    squared = np.maximum(2 - 2 * points @ points.T, 0.0)
    return 2 * EARTH_KM * np.arcsin(np.minimum(np.sqrt(squared) / 2, 1.0))
