"""The Hodges-Lehmann estimate of many samples at once, such as those of a bootstrap.

The exact estimate (`signed_rank.shift`) looks at all n (n + 1) / 2 pairs of basins: too many for hundreds of resamples of 5,000 basins.
Here the differences are counted in 512 narrow classes; the counts of a resample, convolved with themselves by Fourier transform, say how
many pairs have which sum, and the median of these is read between the classes: coarse for few basins, but for a spread good enough. The
classes span 8 interquartile ranges on either side of the median; what is beyond counts in the outermost, which leaves a median as it is.
"""

from typing import Any

import numpy as np
from scipy import fft

from studyhub.stats.blocks import Values

CLASSES = 512
SPAN = 8.0  # interquartile ranges on either side of the median
_AT_ONCE = 256  # samples, for the sake of memory


class Classes:
    """Classes of values: ``low`` is where the first begins, ``width`` how wide each is."""

    def __init__(self, values: Values):
        middle = float(np.median(values))
        quartiles = np.quantile(values, (0.25, 0.75))
        reach = SPAN * float(quartiles[1] - quartiles[0]) or float(np.ptp(values))
        self.low = max(middle - reach, float(values.min()))
        high = min(middle + reach, float(values.max()))
        self.width = (high - self.low) / CLASSES  # 0 where all values are the same

    def of(self, values: Values) -> np.ndarray:
        """Number of the class of each value."""
        return np.clip((values - self.low) / (self.width or 1.0), 0, CLASSES - 1).astype(np.int64)

    def counts(self, values: Values, weights: Values) -> Values:
        """How much of each sample is in which class: [sample, class] from values and weights [sample, basin]."""
        rows = np.arange(len(values))[:, None] * CLASSES
        flat = np.bincount((rows + self.of(values)).ravel(), weights=weights.ravel(), minlength=len(values) * CLASSES)
        return flat.astype(np.float64).reshape(len(values), CLASSES)

    def medians(self, counts: Values) -> Values:
        """Median of the means of all pairs of values, [sample]."""
        return np.concatenate([self._medians(counts[first : first + _AT_ONCE]) for first in range(0, len(counts), _AT_ONCE)])

    def _medians(self, counts: Values) -> Values:
        transformed: Any = fft.rfft(counts, 2 * CLASSES, axis=1)
        pairs: Any = fft.irfft(transformed**2, 2 * CLASSES, axis=1)  # ordered pairs by the sum of their classes' numbers
        below = np.cumsum(np.maximum(pairs, 0.0), axis=1)
        half = below[:, -1:] / 2
        place = np.argmax(below >= half, axis=1)[:, None]
        here = np.take_along_axis(pairs, place, axis=1)
        before = np.take_along_axis(below, place, axis=1) - here
        within = np.clip((half - before) / np.where(here > 0, here, 1.0), 0.0, 1.0)
        # Classes i and j: values lie between low + i and low + i + 1 widths, so that the mean lies around (i + j + 1) / 2 widths.
        return self.low + self.width * (place + 0.5 + within)[:, 0] / 2


def pseudo_medians(values: Values) -> Values:
    """Hodges-Lehmann estimate of each row [sample, basin], to a hundredth of an interquartile range where there are many basins."""
    classes = Classes(values.ravel())
    return classes.medians(classes.counts(values, np.ones_like(values)))
