"""What every model returns for one batch of basins and days."""

from dataclasses import dataclass, field
from typing import Protocol, Self

from torch import Tensor


class Report(Protocol):
    """How a water balance was solved."""

    def then(self, later: Self) -> Self:
        """Report of this solve and a later one together."""
        ...


@dataclass(frozen=True)
class Simulation:
    """The scored days of one batch, warm-up left out.

    Parameters
    ----------
    discharge : [window, basin], mm/d
    target : [window, basin], discharge on the scale that the network is trained on (no unit); None for a model that has no such scale
    solve : how the water balance was solved (which units did not converge, which stores fell below zero); None for a model without stores
    fluxes : name -> [time, basin], mm/d
    parameters : name -> values of the water-balance model's parameters, in their units
    stores : name -> [time, basin], mm at the end of the day, mean over components
    runoff : [time, basin], mm/d, discharge before it is routed; None for a model without a water balance
    """

    discharge: Tensor
    target: Tensor | None = None
    solve: Report | None = None
    fluxes: dict[str, Tensor] = field(default_factory=dict)
    parameters: dict[str, Tensor] = field(default_factory=dict)
    stores: dict[str, Tensor] = field(default_factory=dict)
    runoff: Tensor | None = None

    def daily(self, parameter: str) -> bool:
        """Tell a daily parameter [time, basin, component] from a static one [basin, component] or one of routing [basin]."""
        return self.parameters[parameter].ndim == 3
