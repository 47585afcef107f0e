"""Routing of discharge to the outlet by a gamma unit hydrograph. Song et al. (2024), Eqs. 21-22."""

from typing import TYPE_CHECKING

from studyhub.physics.structure import Parameter

if TYPE_CHECKING:
    from torch import Tensor

ROUTE_A = Parameter("route_a", "shape of the unit hydrograph", "-", 0.0, 2.9)
ROUTE_B = Parameter("route_b", "time scale of the unit hydrograph", "d", 0.0, 6.5)
ORDINATES = 15  # days over which today's water arrives
MEMORY = ORDINATES - 1  # days before the first one wanted that must be routed too


def unit_hydrograph(a: "Tensor", b: "Tensor") -> "Tensor":
    """Weights of the days 0 to 14 before today.

    The density t^(a' - 1) exp(-t / b') with a' = max(a, 0) + 0.1 and b' = max(b, 0) + 0.5 [d], taken at t = 0.5, 1.5, ... 14.5 d and scaled
    to sum 1.

    Parameters
    ----------
    a : [basin], shape (no unit)
    b : [basin], time scale in days

    Returns
    -------
    [ordinate, basin], no unit
    """
    import torch

    shape, scale = a.clamp(min=0.0) + 0.1, b.clamp(min=0.0) + 0.5
    time = torch.arange(ORDINATES, dtype=a.dtype, device=a.device)[:, None] + 0.5
    # Logarithms, because t^(a' - 1) and exp(-t / b') leave float32 long before their product does; the gamma function cancels in the
    # scaling.
    return torch.softmax((shape - 1.0) * time.log() - time / scale, dim=0)


def route(discharge: "Tensor", a: "Tensor", b: "Tensor") -> "Tensor":
    """Route discharge [time, basin] in mm/d; before its first day no water is under way.

    Parameters
    ----------
    discharge : [time, basin], mm/d
    a, b : [basin], see ``unit_hydrograph``

    Returns
    -------
    [time, basin], mm/d
    """
    import torch

    weights = unit_hydrograph(a, b)
    padded = torch.nn.functional.pad(discharge, (0, 0, MEMORY, 0))
    days = padded.unfold(0, ORDINATES, 1)  # [time, basin, ordinate], oldest first
    return torch.einsum("tbk,kb->tb", days, weights.flip(0))
