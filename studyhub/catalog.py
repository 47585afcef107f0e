"""What exists, by name: everything that a study file may say. Nothing here needs torch, so a study is read and planned anywhere.

References
----------
Addor, N. et al. (2017). The CAMELS data set: catchment attributes and meteorology for large-sample studies. doi:10.5194/hess-21-5293-2017
Feng, D. et al. (2024). doi:10.5194/gmd-17-7181-2024
Gupta, H. V. et al. (2009). Decomposition of the mean squared error and NSE performance criteria. doi:10.1016/j.jhydrol.2009.08.003
Kling, H. et al. (2012). Runoff conditions in the upper Danube basin. doi:10.1016/j.jhydrol.2012.01.011
Kratzert, F. et al. (2019). Towards learning universal, regional, and local hydrological behaviors. doi:10.5194/hess-23-5089-2019
Nash, J. E. and Sutcliffe, J. V. (1970). River flow forecasting through conceptual models part I. doi:10.1016/0022-1694(70)90255-6
Song, Y. et al. (2024). doi:10.5194/hess-28-3051-2024
"""

from dataclasses import dataclass

from studyhub.physics.gr4j import GR4J
from studyhub.physics.hbv import HBV
from studyhub.physics.structure import Physics
from studyhub.quantities import COMPOSITE
from studyhub.quantities import IDEALS as IDEALS
from studyhub.quantities import METRICS as METRICS
from studyhub.quantities import SIGNATURES as SIGNATURES
from studyhub.quantities import Direction as Direction
from studyhub.quantities import Metric as Metric
from studyhub.quantities import Signature as Signature
from studyhub.study.settings import Model

Rates = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Optimizer:
    """``learning_rate`` is what a study gets that names none: (first epoch, rate) steps, epochs from 1."""

    meaning: str
    learning_rate: Rates


@dataclass(frozen=True)
class Defaults:
    """What a recipe brings to one kind of model, where the study says nothing."""

    forcing: tuple[str, ...]
    dropout: float
    loss: str
    optimizer: str
    epochs: int
    batch: int
    gradient_norm: float | None = None


@dataclass(frozen=True)
class Recipe:
    """A published way to build and train a network.

    ``brings`` holds its defaults for each kind of model; ``logged`` are the forcing variables that go through a logarithm before they are
    scaled.
    """

    meaning: str
    brings: dict[str, Defaults]
    logged: tuple[str, ...] = ()


MODELS = {
    "lstm": "an LSTM gives streamflow from forcing and attributes",
    "dpl": "a parameter network gives a water-balance model its parameters (differentiable parameter learning)",
}

PHYSICS: dict[str, Physics] = {physics.name: physics for physics in (HBV, GR4J)}

SCHEMES = {
    "sequential": "one flux after the other within the day, stores updated at once (operator splitting, as in the published HBV programs)",
    "implicit": "backward Euler on all stores at once, with the adjoint's gradients",
    "crank_nicolson": "the mean of forward and backward Euler on all stores at once, with the adjoint's gradients; second order",
    "explicit": "forward Euler: fluxes from the stores at the begin of each step",
    "rk4": "the classic Runge-Kutta scheme of fourth order",
}
EXPLICIT_SCHEMES = ("explicit", "rk4")

LOSSES = {
    "rmse_log": "(1 - a) RMSE(Q) + a RMSE(log10(sqrt(Q + 1e-6) + 0.1)) on discharge, with a = loss_weight (Song et al. 2024, Eq. 35)",
    "rmse": "root mean squared error over observed days, on the scaled target where the model has one",
    "nse": "squared error weighted by 1/(sigma + 0.1)^2, with sigma the basin's standard deviation (Kratzert et al. 2019)",
}

OPTIMIZERS = {
    "adadelta": Optimizer("AdaDelta, as in both papers on differentiable HBV", ((1, 1.0),)),
    "adam": Optimizer("Adam, with the steps of Kratzert et al. (2019)", ((1, 1e-3), (11, 5e-4), (21, 1e-4))),
}

# The network of every hybrid model is shown temperature too, by default: GR4J leaves it to its parameters to make up for snow.
FORCING_SETS = {name: physics.forcing for name, physics in PHYSICS.items()} | {"daymet": ("prcp", "srad", "tmax", "tmin", "vp")}

RECIPES = {
    "feng2020": Recipe(
        "input layer, dropout on the LSTM's weights, log-transformed precipitation and target, AdaDelta",
        {
            # The adjoint paper's hybrid models; the LSTM of the global paper, with its 300 epochs of 256 basins.
            "dpl": Defaults(FORCING_SETS["hbv"], 0.5, "rmse_log", "adadelta", epochs=50, batch=100),
            "lstm": Defaults(FORCING_SETS["hbv"], 0.5, "rmse", "adadelta", epochs=300, batch=256),
        },
        logged=("prcp",),
    ),
    "kratzert2019": Recipe(
        "plain LSTM, dropout on its output, forget-gate bias, z-scored inputs and target, Adam",
        {
            "dpl": Defaults(FORCING_SETS["hbv"], 0.4, "nse", "adam", epochs=30, batch=256, gradient_norm=1.0),
            "lstm": Defaults(FORCING_SETS["daymet"], 0.4, "nse", "adam", epochs=30, batch=256, gradient_norm=1.0),
        },
    ),
}

CHECKPOINTS = {
    "last": "the weights after the last epoch, as in the papers",
    "best": "the weights of the epoch with the best validation score",
}

STATIC_FROM = {
    "last_warmup_day": "static parameters are the network's output on the last day before the test: simulations never see later weather",
    "last_test_day": "static parameters are the network's output on the last test day, as in the published adjoint program",
}

DESIGNS = {
    "full": "every level of each factor with every level of all others",
    "one_at_a_time": "a baseline, and each factor's other levels on it, one at a time",
    "leave_one_out": "a complete model, and each factor set back on it, one at a time",
    "list": "combinations that the study file lists",
}

SAMPLERS = {
    "tpe": "a tree of Parzen estimators: after a first batch by chance, mostly near what did well",
    "random": "by chance",
    "grid": "all configurations, in an order by chance",
}
SCHEDULERS = {
    "none": "every training of a search goes to its end",
    "halving": "the better half of a batch goes on at each rung",
    "wilcoxon": "those go on that are not clearly worse, basin by basin, than the best so far",
}

READERS = {
    "camels-us": "CAMELS-US as distributed: Daymet forcing, USGS discharge, attribute files",
    "caravan": "Caravan: ERA5-Land forcing, discharge and attributes of many countries, CSV or netCDF",
    "table": "a table of your own, or a folder of tables, described by a small mapping file",
    "synthetic": "virtual basins whose true parameters are known",
}

SPLITS = {
    "temporal": "the same basins in both: some years train, others test",
    "pub": "prediction in ungauged basins: basins in random folds, each held out once",
    "pur": "prediction in ungauged regions: whole groups of basins, such as continents, each held out once",
    "frozen": "lists of basins and periods from a file",
}
# Named groups of basins: the fact that they go by, and its values in each group.
BASIN_GROUPS = {
    "camels": (
        "huc_02",
        (("01", "02"), ("03", "06"), ("04", "05", "07"), ("09", "10"), ("08", "11", "12", "13"), ("14", "15", "16", "18"), ("17",)),
    ),
}
FILLS = {
    "zero": "missing precipitation is 0, other forcing is interpolated",
    "interpolate": "missing days lie on a line between their neighbours",
    "climatology": "missing days are the mean of that day of the year",
}

TARGET = "qobs"
FORCINGS = {
    "prcp": "mm/d",
    "tmin": "degC",
    "tmax": "degC",
    "tmean": "degC",
    "pet": "mm/d",
    "srad": "W/m2",
    "vp": "Pa",
    "dayl": "s",
}
# What is observed: discharge to learn from, the others to judge by. No network sees them, unless a study lists one as forcing. The value of
# a satellite's composite of 8 days stands on its first day.
OBSERVATIONS = {"et_obs": COMPOSITE, "swe_obs": "mm", TARGET: "mm/d"}

# Table A1 of Feng et al. (2024), under the names of the CAMELS files ("geol_porostiy" is spelt so there).
TABLE_A1 = """
    p_mean pet_mean p_seasonality frac_snow aridity high_prec_freq high_prec_dur low_prec_freq low_prec_dur
    elev_mean slope_mean area_gages2
    frac_forest lai_max lai_diff gvf_max gvf_diff dom_land_cover_frac dom_land_cover root_depth_50
    soil_depth_pelletier soil_depth_statsgo soil_porosity soil_conductivity max_water_content sand_frac silt_frac clay_frac
    geol_1st_class glim_1st_class_frac geol_2nd_class glim_2nd_class_frac carbonate_rocks_frac geol_porostiy geol_permeability
"""
# Computed from observed discharge over years that may be tested: to be judged against, never to be told to a network.
DISCHARGE_SIGNATURES = """
    q_mean runoff_ratio slope_fdc baseflow_index stream_elas q5 q95 high_q_freq high_q_dur low_q_freq low_q_dur zero_q_freq hfd_mean
"""
DISCHARGE_ATTRIBUTES = tuple(DISCHARGE_SIGNATURES.split())
# Derived from precipitation, temperature and PET alone, so that every data set has them: name -> (unit, meaning). Those of CAMELS are
# defined as there (Addor et al. 2017), over the basin's whole record.
CLIMATE_ATTRIBUTES = {
    "clim_p_mean": ("mm/d", "mean precipitation"),
    "clim_pet_mean": ("mm/d", "mean potential evapotranspiration"),
    "clim_aridity": ("-", "mean PET over mean precipitation"),
    "clim_p_seasonality": ("-", "seasonality of precipitation: 1 all in the warm season, -1 all in the cold one, 0 even"),
    "clim_frac_snow": ("-", "share of precipitation on days below 0 degC"),
    "clim_high_prec_freq": ("d/yr", "days with at least 5 times the mean precipitation"),
    "clim_high_prec_dur": ("d", "mean length of spells of such days"),
    "clim_low_prec_freq": ("d/yr", "days with less than 1 mm of precipitation"),
    "clim_low_prec_dur": ("d", "mean length of spells of such days"),
    "clim_t_mean": ("degC", "mean temperature"),
    "clim_t_amplitude": ("degC", "amplitude of the annual wave of temperature, half its range"),
    "clim_p_cv": ("-", "standard deviation of daily precipitation over its mean"),
    "clim_moisture": ("-", "moisture index, mean over calendar months of 1 - PET/P (wet) or P/PET - 1 (dry): -1 arid, 1 humid"),
    "clim_moisture_range": ("-", "largest less smallest monthly moisture index, 0 no season to 2"),
}
ATTRIBUTE_SETS = {"table_a1": tuple(TABLE_A1.split()), "climate": tuple(CLIMATE_ATTRIBUTES)}


def forcing_of(model: Model) -> tuple[str, ...]:
    """All forcing variables of a model: those its network sees, then those its physics needs besides."""
    physics = PHYSICS[model.physics].forcing if model.kind == "dpl" else ()
    return tuple(dict.fromkeys((*model.forcing, *physics)))


def variables(model: Model) -> tuple[str, ...]:
    """All daily variables that a trial of this model reads: its forcing, and discharge to learn from."""
    return (*forcing_of(model), TARGET)
