"""HBV with five stores, as in Song et al. (2024), Eqs. 3-20, and Feng et al. (2024).

Symbols are the paper's: P precipitation [mm/d], T air temperature [degC], EP potential evapotranspiration [mm/d]. Where the printed
equations leave a rate unbounded (melt beyond the snowpack, negative excess), the bounds of the published program are kept. Store limits are
rates per day at any time step, so that all schemes of the differential equations converge to one solution.

References
----------
Song, Y. et al. (2024). When ancient numerical demons meet physics-informed machine learning: adjoint-based gradients for implicit
differentiable modeling. Hydrology and Earth System Sciences 28, 3051-3077. doi:10.5194/hess-28-3051-2024
Feng, D. et al. (2024). Deep dive into hydrologic simulations at global scale: harnessing the power of deep learning and physics-informed
differentiable models. Geoscientific Model Development 17, 7181-7198. doi:10.5194/gmd-17-7181-2024
"""

from dataclasses import replace

from studyhub.physics.ops import maximum, minimum, where
from studyhub.physics.structure import Flux, Parameter, Physics, Stage, Store

PARAMETERS = (
    Parameter("BETA", "shape of recharge", "-", 1.0, 6.0),
    Parameter("FC", "field capacity: maximum soil moisture storage", "mm", 50.0, 1000.0),
    Parameter("K0", "recession coefficient of near-surface flow", "1/d", 0.05, 0.9),
    Parameter("K1", "recession coefficient of interflow", "1/d", 0.01, 0.5),
    Parameter("K2", "recession coefficient of baseflow", "1/d", 0.001, 0.2),
    Parameter("LP", "fraction of FC above which evapotranspiration is potential", "-", 0.2, 1.0),
    Parameter("PERC", "limit of percolation to the lower zone", "mm/d", 0.0, 10.0),
    Parameter("UZL", "upper-zone storage above which near-surface flow starts", "mm", 0.0, 100.0),
    Parameter("TT", "temperature that separates snow from rain", "degC", -2.5, 2.5),
    Parameter("CFMAX", "degree-day factor of snowmelt", "mm/degC/d", 0.5, 10.0),
    Parameter("CFR", "refreezing as a fraction of CFMAX", "-", 0.0, 0.1),
    Parameter("CWH", "water that the snowpack holds, as a fraction of it", "-", 0.0, 0.2),
    Parameter("BETAET", "shape of evapotranspiration", "-", 0.3, 5.0),
)
CAPILLARY_PARAMETERS = (
    Parameter("C", "rate of capillary rise", "1/d", 0.0, 1.0),
    Parameter("NDC", "fraction of FC at which capillary rise ends", "-", 0.05, 0.95),
)
STORES = (
    Store("SP", "snowpack", start=0.001),
    Store("LQ", "liquid water in the snowpack", start=0.001),
    # At SM = 0 and BETAET < 1 the power in evapotranspiration has an infinite slope: a minimum's unselected branch would give 0 * inf.
    Store("SM", "soil moisture", least=1e-8, start=0.001),
    Store("UZ", "upper zone", start=0.001),
    Store("LZ", "lower zone", start=0.001),
)
SOIL_FLOOR = 1e-5  # mm, kept by the sequential scheme so that powers of soil moisture have finite slopes


def snowfall(P, T, TT):
    """Eq. 4."""
    return where(T < TT, P, 0.0)


def melt(SP, T, CFMAX, TT):
    """Eq. 6."""
    return minimum(maximum(CFMAX * (T - TT), 0.0), SP)


def refreezing(LQ, T, CFR, CFMAX, TT):
    """Eq. 5."""
    return minimum(maximum(CFR * CFMAX * (TT - T), 0.0), LQ)


def infiltration(SP, LQ, CWH):
    """Eq. 8: meltwater that the snowpack cannot hold."""
    return maximum(LQ - CWH * SP, 0.0)


def rain(P, T, TT):
    """Eq. 10; at T = TT all of P is rain, so that none is lost."""
    return where(T < TT, 0.0, P)


def recharge(SM, rain, infiltration, BETA, FC):
    """Eq. 11: effective flow to the upper zone."""
    return minimum((SM / FC) ** BETA, 1.0) * (rain + infiltration)


def excess(SM, FC):
    """Eq. 12."""
    return maximum(SM - FC, 0.0)


def evapotranspiration(SM, EP, BETAET, LP, FC):
    """Eq. 13."""
    return minimum(minimum((SM / (LP * FC)) ** BETAET, 1.0) * EP, SM)


def capillary_rise(SM, LZ, C, NDC, FC):
    """Eq. 14."""
    return C * LZ * (1.0 - minimum(SM / (NDC * FC), 1.0))


def percolation(UZ, PERC):
    """Eq. 16."""
    return minimum(PERC, UZ)


def near_surface_flow(UZ, K0, UZL):
    """Eq. 17: Q0."""
    return K0 * maximum(UZ - UZL, 0.0)


def interflow(UZ, K1):
    """Eq. 18: Q1."""
    return K1 * UZ


def baseflow(LZ, K2):
    """Eq. 20: Q2, with K2 where the paper prints K0."""
    return K2 * LZ


_BASIC = Physics(
    name="hbv",
    parameters=PARAMETERS,
    stores=STORES,
    symbols=(("P", "prcp"), ("T", "tmean"), ("EP", "pet")),
    fluxes=(
        Flux(snowfall, None, "SP"),
        Flux(melt, "SP", "LQ"),
        Flux(refreezing, "LQ", "SP"),
        Flux(infiltration, "LQ", "SM"),
        Flux(rain, None, "SM"),
        Flux(recharge, "SM", "UZ"),
        Flux(excess, "SM", "UZ"),
        Flux(evapotranspiration, "SM", None),
        Flux(percolation, "UZ", "LZ"),
        Flux(near_surface_flow, "UZ", None),
        Flux(interflow, "UZ", None),
        Flux(baseflow, "LZ", None),
    ),
    stages=(
        Stage(("snowfall",)),
        Stage(("melt",)),
        Stage(("refreezing",)),
        Stage(("rain", "infiltration", "recharge")),  # recharge sees the soil before today's water
        Stage(("excess",)),
        Stage(("evapotranspiration",), floors=(("SM", SOIL_FLOOR),)),
        Stage(("percolation",)),
        Stage(("near_surface_flow",)),
        Stage(("interflow",)),
        Stage(("baseflow",)),
    ),
    outputs=(
        ("qsim", ("near_surface_flow", "interflow", "baseflow")),
        ("et", ("evapotranspiration",)),
        ("baseflow", ("baseflow",)),
    ),
    snow=("SP", "LQ"),
)

HBV = replace(
    _BASIC,
    capillary=_BASIC.with_flux(
        Flux(capillary_rise, "LZ", "SM"),
        Stage(("capillary_rise",), floors=(("SM", SOIL_FLOOR), ("LZ", SOIL_FLOOR))),
        after="evapotranspiration",
        parameters=CAPILLARY_PARAMETERS,
    ),
)
