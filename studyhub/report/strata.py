"""Scores by kind of basin: climate group, region, and thirds of the basins by an attribute such as aridity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from studyhub.catalog import METRICS
from studyhub.report import figures
from studyhub.report.beside import Later
from studyhub.report.collect import Results
from studyhub.report.contents import metric_column
from studyhub.report.drawn import Drawing
from studyhub.report.page import Section
from studyhub.report.tables import Column, Table, decimals, frame, probability, whole
from studyhub.stats.comparison import Question
from studyhub.stats.paired import Table as PairTable
from studyhub.stats.strata import by_group, terciles

REGIONS = {"continent": "continent", "huc_02": "HUC2 region", "dataset": "data set"}  # column -> its name in text
# Attributes by whose thirds basins are told apart, the first of a row that the data have: name -> (name in text, unit).
ATTRIBUTES = (
    {"aridity": ("aridity (PET/P)", "-"), "clim_aridity": ("aridity (PET/P)", "-")},
    {"frac_snow": ("share of snow in precipitation", "-"), "clim_frac_snow": ("share of snow in precipitation", "-")},
    {"baseflow_index": ("observed baseflow index", "-")},
    {"slope_mean": ("mean slope", "m/km")},
    {"area_gages2": ("area", "km²"), "area_km2": ("area", "km²")},
    {"frac_forest": ("share of forest", "-")},
)
DRAWN = ("continent", "aridity", "clim_aridity")  # strata that are drawn, beside the climate group
FEWEST, GROUPS = 3, 25  # basins of which a median is told; groups of a kind beyond which it is left out
ARMS, CLAIMS = 6, 3
MANY = 2000  # basins beyond which only the first claim is tested in each group
MOST = 80  # rows of a page; the CSV has all


@dataclass(frozen=True)
class Stratum:
    """A way to group basins: ``groups`` is basin -> its group, categories in their order; ``key`` names it in files, ``name`` in text."""

    key: str
    name: str
    groups: pd.Series


def section(results: Results, drawing: Drawing) -> Section:
    """Empty where nothing is known of the basins by which they could be told apart."""
    found = strata(results)
    if not found or drawing.flat.empty:
        return Section("strata", "By kind of basin")
    drawn: list[Later] = []
    for stratum in found:
        if stratum.key == "climate" or stratum.key in DRAWN:
            basins = pd.DataFrame({"basin": stratum.groups.index, stratum.key: stratum.groups.to_numpy()})
            basins[stratum.key] = basins[stratum.key].astype(stratum.groups.dtype)
            metrics = ("nse", "kge") if stratum.key == "climate" else ("kge",)
            drawn += [Later(figures.boxes, drawing.flat, basins, results.arms, metric, stratum.key, stratum.name) for metric in metrics]
    claimed = claims(results, drawing, found)
    return Section(
        "strata",
        "By kind of basin",
        (medians(results, drawing, found),),
        drawings=tuple(drawn),
        folded=(claimed,) if len(claimed.data) else (),
    )


def strata(results: Results) -> list[Stratum]:
    """Climate groups, and every other way to group the basins that tells at least two groups apart."""
    basins = results.basins.drop_duplicates("basin").set_index("basin")
    found = [_named("climate", "climate group", basins, least=1)]
    found += [_named(key, name, basins) for key, name in REGIONS.items()]
    attributes = results.attributes()
    if len(attributes):
        known = attributes.drop_duplicates("basin").set_index("basin")
        for row in ATTRIBUTES:
            key = next((name for name in row if name in known.columns and pd.api.types.is_numeric_dtype(known[name])), None)
            if key is not None:
                name, unit = row[key]
                found.append(_thirds(key, f"{name} ({unit})" if unit != "-" else name, known.loc[:, key]))
    return [stratum for stratum in found if stratum is not None]


def _named(key: str, name: str, basins: pd.DataFrame, least: int = 2) -> Stratum | None:
    if key not in basins.columns:
        return None
    groups = basins.loc[:, key].dropna().astype("str")
    return Stratum(key, name, groups) if least <= len(set(groups)) <= GROUPS else None


def _thirds(key: str, name: str, values: pd.Series) -> Stratum | None:
    groups = terciles(values).dropna()
    return Stratum(key, name, groups) if len(set(groups)) > 1 else None


def order(groups: pd.Series) -> list[str]:
    """Categories in their order, else by name."""
    there = set(groups)
    return [str(name) for name in (groups.cat.categories if hasattr(groups, "cat") else sorted(there)) if name in there]


def medians(results: Results, drawing: Drawing, found: Sequence[Stratum]) -> Table:
    """Medians of the leading metric by group, a column for each of the first arms."""
    metric = drawing.leading
    arms = list(dict.fromkeys([*(arm for pair in drawing.pairs for arm in pair[:2]), *results.scored_arms]))[:ARMS]
    arms = [arm for arm in results.arms if arm in arms]
    shown = metric_column(metric)
    columns = (
        Column("kind", "basins by"),
        Column("group", "group"),
        Column("basins", "basins", "", whole),
        *(Column(f"arm {arm}", arm, shown.unit, shown.show) for arm in arms),
    )
    table = drawing.flat.pivot(index="basin", columns="arm", values=metric).reindex(columns=arms)
    rows = []
    for stratum in found:
        own = stratum.groups.reindex(table.index)
        for group in order(stratum.groups):
            here = table.loc[(own == group).to_numpy()].dropna(how="all")
            if len(here) >= FEWEST:
                values = {f"arm {arm}": value for arm, value in here.median().items()}
                rows.append({"kind": stratum.name, "group": group, "basins": len(here)} | values)
    caption = f"Medians of {METRICS[metric].label} over the basins of each group; thirds by an attribute have as many basins each, unless "
    caption += "many share a value."
    if len(arms) < len(results.scored_arms):
        caption += f" Shown are {len(arms)} of {len(results.scored_arms)} arms."
    return Table("strata", f"{METRICS[metric].label} by kind of basin", caption, columns, frame(rows, columns))


def claims(results: Results, drawing: Drawing, found: Sequence[Stratum]) -> Table:
    """The first few claims in each group: exploratory, for no claim was about a group."""
    shown = decimals(3)
    columns = (
        Column("better", "arm"),
        Column("than", "against"),
        Column("label", "metric"),
        Column("kind", "basins by"),
        Column("group", "group"),
        Column("n", "basins", "", whole),
        Column("share_won", "won", "%", decimals(0)),
        Column("hodges_lehmann", "shift", "", shown),
        Column("ci_low", "95 % from", "", shown),
        Column("ci_high", "to", "", shown),
        Column("p_bh", "p (BH)", "", probability),
    )
    rows: list[dict[str, Any]] = []
    scores = PairTable(results.scores)
    for c in drawing.told[: CLAIMS if len(set(drawing.flat["basin"])) <= MANY else 1]:
        metric = METRICS[c.metric]
        asked = Question(c.better, c.than, c.metric, metric.direction, "two-sided")
        label = f"{metric.label}, {metric.unit}" if metric.unit.strip("-") else metric.label
        for stratum in found:
            of = {"better": c.better, "than": c.than, "label": label, "kind": stratum.name}
            known = by_group(scores, asked, stratum.groups).to_dict("records")
            rows += [of | row | {"share_won": None if row["share_won"] is None else 100 * row["share_won"]} for row in known if row["n"]]
    caption = (
        "Exploratory: no claim was about a group. Two-sided tests, p adjusted by Benjamini and Hochberg over the groups of each kind; "
        "shift and interval as in the table of claims. A difference that is significant in one group and not in another need not differ "
        "between them."
    )
    return Table("strata_claims", "Claims by kind of basin", caption, columns, frame(rows, columns), most=MOST)
