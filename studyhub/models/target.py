"""The scale on which an LSTM learns discharge, and the way back to mm/d."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from studyhub.errors import DataError

RECIPES = ("feng2020", "kratzert2019")
MEAN_PRECIPITATION = ("p_mean", "clim_p_mean")  # mm/d: as the data set has it, else from the forcing

LEAST_STD = 1e-3  # below it a z-score would blow up what hardly varies
LEAST_PRECIPITATION = 0.01  # mm/d; a desert's flow is not divided by nothing
OFFSET = 0.1  # keeps the logarithm of dry days finite


@dataclass(frozen=True)
class TargetScaler:
    """Discharge in mm/d <-> a target with mean 0 and standard deviation 1 over the training basins and days.

    "feng2020": z-score of log10(sqrt(q / p_mean) + 0.1), p_mean the basin's mean precipitation (p_mean or clim_p_mean among the
    attributes). "kratzert2019": z-score of q.

    Parameters
    ----------
    mean, std : of the (transformed) discharge
    column : where the scaled attributes hold p_mean; used by "feng2020" only, as are the two that follow
    attribute_mean, attribute_std : what p_mean was scaled with, mm/d

    References
    ----------
    Feng, D. et al. (2020). doi:10.1029/2019WR026793
    """

    recipe: str
    mean: float
    std: float
    column: int = 0
    attribute_mean: float = 0.0
    attribute_std: float = 1.0

    @classmethod
    def fit(cls, recipe: str, q: Tensor, attributes: Tensor, scales: Mapping[str, tuple[float, float]]) -> "TargetScaler":
        """Statistics of the training basins and days.

        Parameters
        ----------
        q : [time, basin], mm/d, NaN where missing
        attributes : [basin, attribute], scaled
        scales : attribute -> (mean, standard deviation) it was scaled with, in the order of the columns

        Raises
        ------
        DataError
            "feng2020" without mean precipitation among the attributes, or nothing observed
        """
        assert recipe in RECIPES, f"a recipe is one of {RECIPES}, got {recipe!r}"
        if recipe == "feng2020":
            name = next((name for name in MEAN_PRECIPITATION if name in scales), None)
            if name is None:
                raise DataError(
                    "an LSTM of recipe feng2020 learns discharge divided by mean precipitation and needs the attribute p_mean or "
                    "clim_p_mean, "
                    f"got {', '.join(scales) or 'no attribute'}; add one of them to the attributes or choose recipe kratzert2019"
                )
            raw = cls(recipe, 0.0, 1.0, list(scales).index(name), *scales[name])
        else:
            raw = cls(recipe, 0.0, 1.0)
        values = raw.scale(q.double(), attributes.double())
        values = values[values.isfinite()]
        if not len(values):
            raise DataError(
                "training needs observed discharge, got none of any training basin in the training period; change one of the two"
            )
        std = values.std(correction=0).item()
        return replace(raw, mean=values.mean().item(), std=std if std >= LEAST_STD else 1.0)

    def scale(self, q: Tensor, attributes: Tensor) -> Tensor:
        """Target [time, basin] of discharge [time, basin] in mm/d; NaN stays NaN."""
        if self.recipe == "feng2020":
            q = torch.log10(torch.sqrt(q.clamp(min=0) / self._precipitation(attributes)) + OFFSET)
        return (q - self.mean) / self.std

    def unscale(self, target: Tensor, attributes: Tensor) -> Tensor:
        """Discharge [time, basin] in mm/d, never below 0, of a target [time, basin]."""
        value = target * self.std + self.mean
        if self.recipe == "feng2020":
            return (10**value - OFFSET).clamp(min=0) ** 2 * self._precipitation(attributes)
        return value.clamp(min=0)

    def _precipitation(self, attributes: Tensor) -> Tensor:
        """Mean precipitation [basin], mm/d."""
        return (attributes[:, self.column] * self.attribute_std + self.attribute_mean).clamp(min=LEAST_PRECIPITATION)

    def state(self) -> dict[str, Any]:
        """Plain values that `from_state` takes back."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "TargetScaler":
        return cls(**state)
