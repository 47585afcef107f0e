"""What every model returns for one batch of basins and days."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import torch
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
    """

    discharge: Tensor
    target: Tensor | None = None
    solve: Report | None = None
    fluxes: dict[str, Tensor] = field(default_factory=dict)
    parameters: dict[str, Tensor] = field(default_factory=dict)

    def daily(self, parameter: str) -> bool:
        """Tell a daily parameter [time, basin, component] from a static one [basin, component] or one of routing [basin]."""
        return self.parameters[parameter].ndim == 3


def joined(parts: Sequence[Simulation]) -> Simulation:
    """One simulation of all basins from simulations of some at a time."""
    solve = parts[0].solve
    for part in parts[1:]:
        solve = solve.then(part.solve) if solve is not None and part.solve is not None else None
    return Simulation(
        torch.cat([part.discharge for part in parts], dim=1),
        solve=solve,
        fluxes={name: torch.cat([part.fluxes[name] for part in parts], dim=1) for name in parts[0].fluxes},
        parameters={
            name: torch.cat([part.parameters[name] for part in parts], dim=int(parts[0].daily(name))) for name in parts[0].parameters
        },
    )
