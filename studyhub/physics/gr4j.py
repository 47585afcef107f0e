"""GR4J, the daily rainfall-runoff model with four parameters of Perrin et al. (2003).

Symbols are the paper's: P precipitation and EP potential evapotranspiration [mm/d]; what one cancels of the other never meets a store.
What the production store S does not keep of the rain, and what percolates from it, goes to the routing store R by unit hydrograph UH1
(90 %) and to the outlet by UH2 (10 %). Both branches exchange water with the underground.

A unit hydrograph is a delay line: its first ordinate is the share of today's water that passes at once, and store k of the line holds
what is due in k days. Each store hands all it holds, at 1/d, to the next. So the sequential scheme is the published model, to rounding.
Under the schemes of the differential equations the lines are chains of linear reservoirs, with the same ordinates and the same mean delay
but smoother than the published ones; the other rates, which the paper has integrated over a day, are taken for instantaneous ones.

References
----------
Perrin, C., Michel, C. and Andréassian, V. (2003). Improvement of a parsimonious model for streamflow simulation. Journal of Hydrology 279,
275-289. doi:10.1016/S0022-1694(03)00225-7
"""

from inspect import Parameter as Argument
from inspect import Signature
from typing import Any

from studyhub.physics.ops import maximum, minimum, sqrt, tanh
from studyhub.physics.structure import Flux, Parameter, Physics, Stage, Store

# Wider than the paper's 80 % intervals (100-1200 mm, -5 to 3 mm/d, 20-300 mm, 1.1-2.9 d), for a fifth of its basins lie outside them and a
# network can only approach the ends of a range. X4 ends at 0.5 d, below which UH2 too passes everything at once, and where the lines end.
PARAMETERS = (
    Parameter("X1", "capacity of the production store", "mm", 50.0, 2000.0),
    Parameter("X2", "coefficient of groundwater exchange, above 0 where water is gained", "mm/d", -10.0, 5.0),
    Parameter("X3", "one-day-ahead capacity of the routing store", "mm", 10.0, 500.0),
    Parameter("X4", "time base of unit hydrograph UH1", "d", 0.5, 4.0),
)
PARTS = {"UH1": 0.9, "UH2": 0.1}
DAYS = {"UH1": 4, "UH2": 8}  # ordinates: the longest X4, and twice as many
OUTLETS = {"UH1": "R", "UH2": None}


def interception(P, EP):
    """min(P, EP): rain that evaporates before it meets a store."""
    return minimum(P, EP)


def filling(S, P, EP, X1):
    """Ps = X1 (1 - s^2) tanh(Pn / X1) / (1 + s tanh(Pn / X1)) with s = S / X1 and Pn = max(P - EP, 0)."""
    # Here and in Es a store above X1 counts as full: an X1 that falls can leave it so, and Es has a pole up there.
    level, wet = minimum(S / X1, 1.0), tanh(maximum(P - EP, 0.0) / X1)
    return X1 * (1.0 - level * level) * wet / (1.0 + level * wet)


def evaporation(S, P, EP, X1):
    """Es = S (2 - s) tanh(En / X1) / (1 + (1 - s) tanh(En / X1)) with s = S / X1 and En = max(EP - P, 0)."""
    level, dry = minimum(S / X1, 1.0), tanh(maximum(EP - P, 0.0) / X1)
    return S * (2.0 - level) * dry / (1.0 + (1.0 - level) * dry)


def percolation(S, X1):
    """Perc = S (1 - (1 + (4 S / 9 X1)^4)^(-1/4))."""
    return S * _drained(4.0 / 9.0 * S / X1)


def effective_rainfall(P, EP, filling, percolation):
    """Pr = Pn - Ps + Perc."""
    return maximum(P - EP, 0.0) - filling + percolation


def exchange(R, X2, X3):
    """F = X2 (R / X3)^(7/2), R / X3 at most 1."""
    # Each published day begins with R below X3. Within the day it may pass it, where a gain without bound would feed itself.
    return X2 * minimum(R / X3, 1.0) ** 3.5


def routing_outflow(R, X3):
    """Qr = R (1 - (1 + (R / X3)^4)^(-1/4))."""
    return R * _drained(R / X3)


def direct_exchange(exchange, UH2_in_1, UH2_out_1):
    """max(F, -Q1), with Q1 what UH2 brings today: Qd = Q1 + this is never below 0."""
    return maximum(exchange, -(UH2_in_1 + UH2_out_1))


def _drained(level: Any) -> Any:
    """Share of a store that leaves it in a day.

    1 - (1 + x)^(-1/4), with x = level^4, written as x / (w (w + 1) (w^2 + 1)) with w = (1 + x)^(1/4): the difference would put rounding of
    the store's size into a small rate, which then no step of the stores below could follow.
    """
    square = level * level
    x = square * square
    w2 = sqrt(1.0 + x)
    w = sqrt(w2)
    return x / (w * (w + 1.0) * (w2 + 1.0))


def _passed(line: str, day: int, X4: Any) -> Any:
    """S-curve: share of a day's water that has left the line after ``day`` days."""
    if day in (0, DAYS[line]):
        return float(day > 0)
    time = day / X4
    rising = _power(minimum(time, 1.0))
    return rising if line == "UH1" else 0.5 * (1.0 + rising - _power(minimum(maximum(2.0 - time, 1e-8), 1.0)))


def _power(base: Any) -> Any:
    """Base^(5/2), cheaper than by a logarithm; above 0 its slope is finite."""
    return base * base * sqrt(base)


# What the functions below enclose are plain values, from which a kernel's name can be made.


def _entry(line: str, day: int) -> Flux:
    """One ordinate's share of today's water."""

    def rate(effective_rainfall, X4):
        return PARTS[line] * (_passed(line, day, X4) - _passed(line, day - 1, X4)) * effective_rainfall

    rate.__doc__ = f"{PARTS[line]:g} {line}({day}) Pr: today's water that leaves {line} in {day - 1} d."
    return Flux(_named(rate, f"{line}_in_{day}", "effective_rainfall", "X4"), None, _next(line, day))


def _move(line: str, day: int) -> Flux:
    """From one store of a line to the next."""

    def rate(water):
        """All of it, at 1/d."""
        return 1.0 * water

    return Flux(_named(rate, f"{line}_out_{day}", f"{line}_{day}"), f"{line}_{day}", _next(line, day))


def _next(line: str, day: int) -> str | None:
    """Where water of that day is a day later."""
    return OUTLETS[line] if day == 1 else f"{line}_{day - 1}"


def _named(rate: Any, name: str, *arguments: str) -> Any:
    rate.__name__, rate.__signature__ = name, Signature([Argument(argument, Argument.POSITIONAL_OR_KEYWORD) for argument in arguments])
    return rate


ENTRIES = tuple(_entry(line, day) for line in PARTS for day in range(1, DAYS[line] + 1))
MOVES = tuple(_move(line, day) for line in PARTS for day in range(1, DAYS[line]))

GR4J = Physics(
    name="gr4j",
    parameters=PARAMETERS,
    stores=(
        Store("S", "production store"),
        *(Store(f"{line}_{day}", f"water that leaves {line} in {day} d") for line in PARTS for day in range(1, DAYS[line])),
        Store("R", "routing store"),
    ),
    symbols=(("P", "prcp"), ("EP", "pet")),
    fluxes=(
        Flux(interception, None, None),
        Flux(filling, None, "S"),
        Flux(evaporation, "S", None),
        Flux(percolation, "S", None),  # joins the rain in Pr, which enters the lines
        Flux(effective_rainfall, None, None),
        Flux(exchange, None, "R"),
        *MOVES,
        *ENTRIES,
        Flux(routing_outflow, "R", None),
        Flux(direct_exchange, None, None),
    ),
    stages=(
        Stage(("interception", "filling", "evaporation")),
        Stage(("percolation",)),
        # The exchange sees R before today's water. What is in the lines moves on before that enters them.
        Stage(("effective_rainfall", "exchange", *(flux.name for flux in (*MOVES, *ENTRIES))), floors=(("R", 0.0),)),
        Stage(("routing_outflow", "direct_exchange")),
    ),
    outputs=(
        ("qsim", ("UH2_in_1", "UH2_out_1", "direct_exchange", "routing_outflow")),  # the first three, Qd, are never below 0 together
        ("et", ("interception", "evaporation")),
        ("baseflow", ("routing_outflow",)),  # the slow one of its two branches; what else it holds of quick flow cannot be told apart
    ),
    routed=False,
)
