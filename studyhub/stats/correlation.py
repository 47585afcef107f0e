"""How far the differences of two arms go together in space, and what blocks of basins miss of it.

The correlation of two basins is taken as ``s exp(-distance / range)``: neighbours are alike, and a part ``1 - s`` is each basin's own.
Range and s are those of the highest restricted likelihood on a grid: residuals from a common mean would make long ranges look short, and
the restricted likelihood allows for that.

References
----------
Akaike, H. (1974). A new look at the statistical model identification. doi:10.1109/TAC.1974.1100705
Cressie, N. (1993). Statistics for Spatial Data. doi:10.1002/9781119115151
Patterson, H. D. and Thompson, R. (1971). Recovery of inter-block information when block sizes are unequal. doi:10.1093/biomet/58.3.545
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh

from studyhub.stats.blocks import Labels, Values, distances

RANGES_KM = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0)
SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)
MOST = 300  # basins that are looked at; of more, as many by chance
_SELF = 1e-6  # on the diagonal: two gauges at one place must not make the matrix singular
_PARAMETERS = 2.0  # range and share: by how much the logarithm of the likelihood must be better for them (Akaike 1974)
_LATITUDE = 1.0  # how far below the best a logarithm of the likelihood may be for a fit to be thought possible
_SMALLEST = 1e-300  # variance of values that are all the same


class Fit(NamedTuple):
    """``share`` of the variance goes together over ``range_km`` (at that distance, 1/e of it is left); 0 and 0.0 where none does."""

    range_km: float
    share: float


class Shared(NamedTuple):
    """What blocks have in common.

    Parameters
    ----------
    leakage : variance of the sum of all values over that of independent blocks as variable as these
    about_mean : the same, over what the blocks' spread about their own mean says
    freedom : degrees of freedom of that spread, Satterthwaite's; fewer than blocks - 1 where some are large or blocks are alike
    """

    leakage: float
    about_mean: float
    freedom: float


def shared(covariance: Values) -> Shared:
    """What blocks have in common, of the covariance of their sums [block, block]."""
    count, total = len(covariance), float(covariance.sum())
    centred = covariance - covariance.mean(axis=0)
    centred = centred - centred.mean(axis=1, keepdims=True)
    spread = max(float(np.trace(centred)), _SMALLEST)
    return Shared(
        max(1.0, total / float(np.trace(covariance))), max(1.0, total * (count - 1) / count / spread), spread**2 / float(np.sum(centred**2))
    )


class Field:
    """The places of some basins, made ready to fit many values on them.

    Parameters
    ----------
    lat, lon : degrees [basin]
    blocks : number of the block of each basin, whose leakage is asked for
    """

    def __init__(self, lat: ArrayLike, lon: ArrayLike, blocks: Labels, seed: int = 0):
        lat, lon = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
        everyone = np.arange(lat.size)
        chosen = everyone if lat.size <= MOST else np.sort(np.random.default_rng(seed).choice(everyone, MOST, replace=False))
        self._chosen, self._part = chosen, lat.size / chosen.size
        self._between = distances(lat[chosen], lon[chosen])
        self._member = np.eye(int(blocks.max()) + 1)[blocks[chosen]]
        self._shared: dict[Fit, Shared] = {}
        self._spectra = [self._spectrum(distance) for distance in RANGES_KM]

    def fit(self, values: Values) -> Fit:
        """Range and share of the highest restricted likelihood of values [basin]; none unless Akaike's criterion is for it."""
        (best,) = self.fits(values[None])
        return best

    def fits(self, values: Values) -> list[Fit]:
        """As `fit`, for many sets of values [set, basin]."""
        return [GRID[best] for best in np.argmax(self._likelihoods(values), axis=0)]

    def cautious(self, values: Values) -> Shared:
        """What blocks have in common by that possible fit of values [basin] by which they tell least of the mean.

        The variance of the mean grows with the range, and the fit is uncertain where the area holds few regions that differ by chance: an
        interval by the best fit alone would be too narrow there.
        """
        (found,) = self._likelihoods(values[None]).T
        possible = np.flatnonzero(found >= found.max() - _LATITUDE)
        return max((self.shared(GRID[place]) for place in possible), key=lambda common: common.about_mean)

    def _likelihoods(self, values: Values) -> Values:
        """Logarithms of the likelihoods of the grid's fits, [fit, set]."""
        y = values[:, self._chosen]
        found = [_likelihood(np.ones(y.shape[1]), np.ones(y.shape[1]), y)]  # without correlation: as if each were an eigenvector
        for eigenvalues, vectors in self._spectra:
            ones, turned = vectors.sum(axis=0), y @ vectors
            found += [_likelihood(share * eigenvalues + 1 - share + _SELF, ones, turned) for share in SHARES]
        found[0] = found[0] + _PARAMETERS  # else one in ten sets of independent values would seem to go together over a long range
        return np.stack(found)

    def shared(self, fit: Fit) -> Shared:
        """What blocks have in common, if the values' correlation is that of the fit."""
        if fit not in self._shared:
            chosen = self._correlation(fit) * self._part
            np.fill_diagonal(chosen, 1.0)  # of a choice of basins, pairs count as often as they stand for pairs of all
            self._shared[fit] = shared(self._member.T @ chosen @ self._member)
        return self._shared[fit]

    def _correlation(self, fit: Fit) -> Values:
        if not fit.share:
            return np.eye(len(self._chosen))
        correlation = fit.share * np.exp(-self._between / fit.range_km)
        np.fill_diagonal(correlation, 1.0)
        return correlation

    def _spectrum(self, distance: float) -> tuple[Values, Values]:
        """Eigenvalues and eigenvectors of the correlation of a range; every share has the same vectors."""
        eigenvalues, vectors = eigh(np.exp(-self._between / distance), overwrite_a=True, check_finite=False)
        return np.maximum(eigenvalues, 0.0), vectors


def _likelihood(variances: Values, ones: Values, y: Values) -> Values:
    """Logarithm of the restricted likelihood of each row of y, but for a constant.

    Parameters
    ----------
    variances : eigenvalues of the correlation
    ones : a vector of ones, in the coordinates of the eigenvectors
    y : values [set, coordinate], in these coordinates
    """
    precision = np.sum(ones**2 / variances)
    residual = np.sum(y**2 / variances, axis=1) - (y @ (ones / variances)) ** 2 / precision
    spread = (y.shape[1] - 1) * np.log(np.maximum(residual, _SMALLEST))
    return -(np.log(variances).sum() + np.log(precision) + spread) / 2


GRID = [Fit(0.0, 0.0), *(Fit(distance, share) for distance in RANGES_KM for share in SHARES)]
