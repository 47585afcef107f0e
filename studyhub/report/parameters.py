"""Learned parameters of water-balance models: how they are spread, where, and how many lie near their bounds."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from studyhub.catalog import PHYSICS
from studyhub.physics.routing import ROUTE_A, ROUTE_B
from studyhub.physics.structure import Parameter
from studyhub.report import figures
from studyhub.report.beside import Later
from studyhub.report.collect import Results
from studyhub.report.page import Section
from studyhub.report.tables import Column, Table, decimals, frame, significant
from studyhub.study.arms import Arm

NEAR = 0.05  # share of a parameter's range from which a value counts as near a bound
MAPPED = ("BETA", "FC", "K2", "LP", "X1", "X2", "X3", "X4")  # of HBV those of Fig. 7 of Song et al. (2024)


def section(results: Results) -> Section:
    """Empty where no arm has learned parameters."""
    bounds = bounds_of(results)
    found = results.parameters() if bounds else pd.DataFrame()
    if found.empty:
        return Section("parameters", "Parameters")
    kept = found.loc[found["parameter"].isin(list(bounds))]
    maps = [Later(figures.parameter_map, kept, results.basins, bounds[name], results.arms) for name in MAPPED if name in bounds]
    return Section(
        "parameters",
        "Parameters",
        (near_bounds(results, kept, bounds),),
        drawings=(Later(figures.ranges, kept, bounds, results.arms, NEAR), *maps),
        folded=(spread(results, kept, bounds),),
    )


def bounds_of(results: Results) -> dict[str, Parameter]:
    """Rows of the parameter tables of all models in the study, by name."""
    models = [arm.model for arm in results.spec.arms if isinstance(arm, Arm) and arm.model.kind == "dpl"]
    found: dict[str, Parameter] = {}
    for model in models:
        physics = PHYSICS[model.physics]
        for row in (physics.capillary or physics).parameters:
            found.setdefault(row.name, row)
    routed = any(PHYSICS[model.physics].routed for model in models)
    return found | ({row.name: row for row in (ROUTE_A, ROUTE_B)} if routed else {})


def places_in_range(found: pd.DataFrame, bounds: Mapping[str, Parameter]) -> pd.DataFrame:
    """Mean, low and high of each row as places within the parameter's bounds, from 0 to 1."""
    table = pd.DataFrame({name: (row.low, row.high) for name, row in bounds.items()}).T
    low, high = table.reindex(found["parameter"].astype(object)).to_numpy("float64").T
    scaled = {name: (found[name].to_numpy("float64") - low) / (high - low) for name in ("mean", "low", "high")}
    return found.loc[:, ["arm", "basin", "parameter"]].assign(**scaled)


def near_bounds(results: Results, found: pd.DataFrame, bounds: Mapping[str, Parameter]) -> Table:
    """Share of basins in which a parameter's mean lies near a bound, by arm and parameter."""
    placed = places_in_range(found, bounds)
    near = np.where(placed["mean"].isna(), np.nan, (placed["mean"] < NEAR) | (placed["mean"] > 1 - NEAR))
    table = placed.assign(near=100 * near).pivot_table(index="arm", columns="parameter", values="near", aggfunc="mean")
    there, shares = [name for name in bounds if name in table.columns], table.to_dict("index")
    columns = (Column("arm", "arm"), *(Column(name, name, "%", decimals(0)) for name in there))
    rows = [{"arm": arm} | shares[arm] for arm in results.arms if arm in shares]
    caption = (
        f"Share of basins in which the mean of a parameter over components and days lies within {100 * NEAR:g} % of its range from either "
        "bound. Many there say that the bounds, or what the model lacks, shape the parameter."
    )
    return Table("near_bounds", "Parameters near their bounds", caption, columns, frame(rows, columns))


def spread(results: Results, found: pd.DataFrame, bounds: Mapping[str, Parameter]) -> Table:
    """Median and quartiles over basins of every parameter, and how often it comes near each bound."""
    placed = places_in_range(found, bounds)
    told = {
        "near_low": 100.0 * (placed["mean"] < NEAR),
        "near_high": 100.0 * (placed["mean"] > 1 - NEAR),
        "reaching": 100.0 * ((placed["low"] < NEAR) | (placed["high"] > 1 - NEAR)),
        "daily": found["daily"].to_numpy(dtype="bool"),
    }
    keys = ["arm", "parameter"]
    shares = placed.loc[:, keys].assign(**told).groupby(keys, sort=False).mean().to_dict("index")
    values = found.loc[:, [*keys, "mean"]].groupby(keys, sort=False)["mean"]
    quartiles = {name: values.quantile(q) for name, q in (("first", 0.25), ("median", 0.5), ("third", 0.75))}
    columns = (
        Column("arm", "arm"),
        Column("parameter", "parameter"),
        Column("unit", "unit"),
        Column("low", "lower bound", "", significant(3)),
        Column("high", "upper bound", "", significant(3)),
        Column("first", "first quartile", "", significant(3)),
        Column("median", "median", "", significant(3)),
        Column("third", "third quartile", "", significant(3)),
        Column("near_low", "near the lower bound", "%", decimals(0)),
        Column("near_high", "near the upper bound", "%", decimals(0)),
        Column("reaching", "any component or day near a bound", "%", decimals(0)),
        Column("daily", "daily"),
    )
    rows = [
        {"arm": arm, "parameter": name, "unit": row.unit.replace("degC", "°C"), "low": row.low, "high": row.high}
        | {key: of.loc[(arm, name)] for key, of in quartiles.items()}
        | shares[arm, name]
        | {"daily": "yes" if shares[arm, name]["daily"] else "no"}
        for arm in results.arms
        for name, row in bounds.items()
        if (arm, name) in shares
    ]
    caption = (
        f"Over basins, of the mean over components and days. Near: within {100 * NEAR:g} % of the range. Units of the bounds and "
        "quartiles are the parameter's. Daily: the network gives a value for each day."
    )
    return Table("parameters", "Parameters in detail", caption, columns, frame(rows, columns), most=40)
