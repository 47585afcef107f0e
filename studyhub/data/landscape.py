"""Land of the virtual basins: attributes from a few hidden factors, and HBV parameters from attributes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from studyhub.data.weather import Climate

LAND_COVER = ("barren", "croplands", "evergreen forest", "grasslands", "mixed forest", "shrublands")
ROCKS = ("carbonate", "metamorphic", "plutonic", "siliciclastic", "unconsolidated", "volcanic")
CODES = {"dom_land_cover": LAND_COVER, "geol_1st_class": ROCKS, "geol_2nd_class": ROCKS}
FACTORS: tuple[str, ...] = ("relief", "texture", "geology", "limestone", "vegetation", "depth", "size", "share")


def land(climate: Climate, weather: Mapping[str, float], rng: np.random.Generator) -> dict[str, float]:
    """Return the 26 attributes of Table A1 that are not climate, in CAMELS' units, from eight standard normal factors and the climate.

    Parameters
    ----------
    climate : normals of the place
    weather : climate attributes of the basin
    rng : the basin's own generator
    """
    f: dict[str, float] = dict(zip(FACTORS, np.clip(rng.normal(size=len(FACTORS)), -2.5, 2.5).tolist(), strict=True))
    slope = _within(18 * np.exp(0.9 * f["relief"] + 0.25 * np.log(climate.elevation / 400)), 0.8, 260)
    soil = _soil(f, slope)
    summer = climate.warmth + climate.swing
    forest = _sigmoid(1.2 - 2.0 * np.log(weather["aridity"]) + 0.9 * f["vegetation"]) * _sigmoid((summer - 10.5) / 1.5)
    lai = 0.3 + 4.5 * forest + 0.8 * _sigmoid(f["vegetation"])
    season = _sigmoid((climate.swing - 7) / 3)
    green = 0.2 + 0.7 * _sigmoid(lai - 2)
    return {
        "elev_mean": climate.elevation * np.exp(0.15 * f["relief"]),
        "slope_mean": slope,
        "area_gages2": 500 * np.exp(0.9 * f["size"]),
        "frac_forest": forest,
        "lai_max": lai,
        "lai_diff": lai * (0.15 + 0.7 * season),
        "gvf_max": green,
        "gvf_diff": green * (0.1 + 0.5 * season),
        "dom_land_cover_frac": 0.5 + 0.5 * abs(2 * forest - 1) ** 0.5 * 0.98,
        "dom_land_cover": float(LAND_COVER.index(_cover(forest, summer, weather["aridity"], f["vegetation"]))),
        "root_depth_50": 0.12 + 0.14 * forest + 0.02 * f["depth"],
        **soil,
        **_rocks(f),
    }


def _soil(f: Mapping[str, float], slope: float) -> dict[str, float]:
    sand, silt, clay = np.exp([0.6 + 0.6 * f["texture"], 0.55 - 0.1 * f["texture"], -0.05 - 0.5 * f["texture"]])
    sand, silt, clay = (float(100 * part / (sand + silt + clay)) for part in (sand, silt, clay))
    porosity = 0.50 - 0.0014 * sand
    depth = 0.4 + 1.1 * _sigmoid(1.2 + 0.8 * f["depth"] - 0.5 * np.log(slope / 18))
    return {
        "soil_depth_pelletier": _within(6 * np.exp(0.8 * f["depth"] - 0.6 * np.log(slope / 18)), 0.3, 50),
        "soil_depth_statsgo": depth,
        "soil_porosity": porosity,
        "soil_conductivity": float(0.45 * np.exp(0.03 * sand)),
        "max_water_content": porosity * depth,
        "sand_frac": sand,
        "silt_frac": silt,
        "clay_frac": clay,
    }


def _rocks(f: Mapping[str, float]) -> dict[str, float]:
    carbonate = _sigmoid(3 * (f["limestone"] - 0.9))
    others = ("plutonic", "metamorphic", "volcanic", "siliciclastic", "unconsolidated")  # from tight to permeable
    rank = _within((f["geology"] + 1.5) / 3 * len(others), 0, len(others) - 1e-6)
    first, second = others[int(rank)], others[int((rank + 1.5) % len(others))]
    if carbonate > 0.5:
        first, second = "carbonate", first
    share = 0.5 + 0.5 * _sigmoid(1 + f["share"])
    return {
        "geol_1st_class": float(ROCKS.index(first)),
        "glim_1st_class_frac": share,
        "geol_2nd_class": float(ROCKS.index(second)),
        "glim_2nd_class_frac": (1 - share) * 0.8,
        "carbonate_rocks_frac": carbonate,
        "geol_porostiy": 0.02 + 0.24 * _sigmoid(0.9 * f["geology"]),
        "geol_permeability": -13.7 + 1.1 * f["geology"] + 0.6 * carbonate,
    }


def _cover(forest: float, summer: float, aridity: float, vegetation: float) -> str:
    if summer < 10.5:
        return "barren"
    if forest > 0.55:
        return "evergreen forest" if summer > 24 or vegetation > 0.8 else "mixed forest"
    if aridity > 2:
        return "shrublands"
    return "croplands" if vegetation < 0 else "grasslands"


# Fixed centres and widths, not those of the basins at hand: a basin's parameters do not depend on the others.
PREDICTORS = {
    "forest": lambda a: 2 * a["frac_forest"] - 1,
    "dry": lambda a: np.log(a["aridity"]),
    "snow": lambda a: 4 * (a["frac_snow"] - 0.25),
    "slope": lambda a: np.log(a["slope_mean"] / 18),
    "sand": lambda a: (a["sand_frac"] - 42) / 12,
    "clay": lambda a: (a["clay_frac"] - 22) / 8,
    "store": lambda a: (a["max_water_content"] - 0.5) / 0.1,
    "depth": lambda a: np.log(a["soil_depth_pelletier"] / 6),
    "rock": lambda a: a["geol_permeability"] + 13.5,
    "karst": lambda a: 2 * a["carbonate_rocks_frac"],
    "area": lambda a: np.log(a["area_gages2"] / 500),
    "leaf": lambda a: (a["lai_max"] - 2.5) / 1.5,
}


@dataclass(frozen=True)
class Rule:
    """logit of a parameter's place in its range = level + sum of weight * predictor; "a*b" is a product of two predictors."""

    level: float
    weights: Mapping[str, float]


RULES = {
    "BETA": Rule(-0.6, {"clay": 0.4, "forest": -0.3, "slope": -0.3, "dry": -0.7}),
    "FC": Rule(-1.1, {"store": 0.5, "forest": 0.4, "slope": -0.2, "dry": -0.4, "store*forest": 0.2}),
    "K0": Rule(-0.4, {"slope": 0.5, "clay": 0.3, "area": -0.2}),
    "K1": Rule(-1.4, {"slope": 0.5, "sand": 0.3, "slope*sand": 0.2}),
    "K2": Rule(-2.3, {"rock": -0.5, "depth": -0.3, "slope": 0.3, "karst": 0.3}),
    "LP": Rule(0.5, {"sand": -0.3, "forest": -0.4}),
    "PERC": Rule(-1.3, {"rock": 0.6, "sand": 0.3, "slope": -0.2, "karst": 0.3}),
    "UZL": Rule(-1.1, {"depth": 0.4, "forest": 0.4, "depth*forest": 0.2}),
    "TT": Rule(0.1, {"snow": -0.3, "slope": 0.2}),
    "CFMAX": Rule(-0.8, {"forest": -0.5, "slope": 0.2, "snow": 0.2}),
    "CFR": Rule(0.0, {"forest": 0.4, "snow": 0.2}),
    "CWH": Rule(-0.1, {"forest": -0.3, "slope": -0.2}),
    "BETAET": Rule(-1.3, {"leaf": -0.4, "dry": 0.3}),
    "C": Rule(-3.3, {"clay": 0.9, "slope": -0.8, "clay*slope": -0.3, "depth": 0.3}),
    "NDC": Rule(0.0, {"clay": 0.5, "forest": 0.3}),
    "route_a": Rule(-0.2, {"area": 0.3, "slope": -0.2}),
    "route_b": Rule(-1.3, {"area": 0.5, "slope": -0.4}),
}


def hidden_parameters(attributes: Mapping[str, float], ranges: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Parameters of a basin from its attributes: the smooth map that a network has to find.

    Each predictor u = 2 tanh(v / 2) is a squashed attribute v (``PREDICTORS``: logarithms, shifts and scales); a parameter lies at
    sigmoid(level + sum w u + sum w u u') of its range, with the levels and weights of ``RULES``.

    Parameters
    ----------
    attributes : by the names of Table A1
    ranges : parameter -> (low, high), in its unit
    """
    seen = {name: 2 * np.tanh(predictor(attributes) / 2) for name, predictor in PREDICTORS.items()}

    def term(name: str) -> float:
        return float(np.prod([seen[part] for part in name.split("*")]))

    places = {name: _sigmoid(rule.level + sum(w * term(key) for key, w in rule.weights.items())) for name, rule in RULES.items()}
    return {name: low + (high - low) * places[name] for name, (low, high) in ranges.items()}


def _sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def _within(x: float, low: float, high: float) -> float:
    return float(min(max(x, low), high))
