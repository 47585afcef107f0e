"""The page about a data set: where its basins are, when they were observed, what is missing and what quality checks found."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from studyhub.report import figures
from studyhub.report.answer import Answer
from studyhub.report.figures import Figure, Observed
from studyhub.report.files import write as write_page
from studyhub.report.page import Page, Section
from studyhub.report.tables import Column, Table, decimals, frame, whole
from studyhub.study.wording import listed

BARS = 150  # basins up to which each has a bar of its days
SETS = 3  # data sets that a heading names
LONG = 25  # rows from which a table of groups is folded
MOST = 200  # rows of a table that the page shows
NAMES = {
    "continent": "continent",
    "climate_group": "climate group",
    "dataset": "data set",
    "country": "country",
    "huc_02": "HUC2 region",
    "pet_method": "PET method",
}
CLIMATES = ("tropical", "arid", "temperate", "cold", "polar")
UNKNOWN = ("unknown",)

Row = Mapping[str, Any]


def write(facts: Mapping[str, Any], rows: Sequence[Row], folder: Path, meanings: Mapping[str, str] | None = None) -> Path:
    """Write the page about a data set, with its tables and figures, into ``folder`` and return the page's path.

    Parameters
    ----------
    facts : folders, source, settings, basins (their number), period, megabytes, variables (name -> unit, missing_percent), attributes,
        groups (fact -> value -> basins), quality (check -> flagged, passed, not checked: basins), left_out (basin -> why), remark (on the
        variables; may be empty)
    rows : for each basin, None where a thing is not known: basin, name, gauge_lat, gauge_lon (degrees), area_km2, continent, climate_group,
        dataset, start, end, first_observed, last_observed (days), observed_years, observed (year -> days with discharge), flagged (checks)
    meanings : check -> what it measures

    Raises
    ------
    StoreError
        ``folder`` cannot be written, or holds files of the same names that are not of such a page.
    """
    return write_page(compose(facts, rows, meanings or {}), folder)


def compose(facts: Mapping[str, Any], rows: Sequence[Row], meanings: Mapping[str, str]) -> Page:
    """Put what is known of a data set into sections."""
    names = [str(where).rstrip("/").rpartition("/")[2] for where in facts["folders"]]
    sections = (
        _map(facts, rows),
        _periods(rows),
        _variables(facts),
        _quality(facts, rows, meanings),
        _groups(facts),
        _left_out(facts),
        Section("basins", "Basins", files=(_basins(rows),), notes=("Of each basin: place, area, groups, days and what was flagged.",)),
        _source(facts),
    )
    return Page(
        kind="data",
        name=" + ".join(names),
        title=f"{_counted(facts['basins'], 'basin')} of {' + '.join(names) if len(names) <= SETS else f'{len(names)} data sets'}",
        answer=Answer(_lead(facts, rows), (), f"{facts['megabytes']:.1f} MB by reader {facts['source']}"),
        sections=tuple(section for section in sections if not section.empty),
    )


def _lead(facts: Mapping[str, Any], rows: Sequence[Row]) -> str:
    start, end = facts["period"]
    years = [row["observed_years"] for row in rows if row["observed"]]
    flagged = sum(bool(row["flagged"]) for row in rows)
    said = f"{_counted(facts['basins'], 'basin')} with days from {start} to {end}, {_counted(len(facts['variables']), 'variable')} and "
    said += f"{_counted(len(facts['attributes']), 'attribute')}. "
    if years:
        of = "all" if len(years) == len(rows) else str(len(years))
        reach = f"{min(years):.1f} to {max(years):.1f} years, median {np.median(years):.1f}" if len(years) > 1 else f"{years[0]:.1f} years"
        said += f"Discharge was observed in {of} of them, for {reach}. "
    else:
        said += "No discharge was observed. "
    if facts["quality"]:
        said += f"Flagged by a quality check: {_counted(flagged, 'basin') if flagged else 'none'}."
    return said.strip()


def _map(facts: Mapping[str, Any], rows: Sequence[Row]) -> Section:
    by = "dataset" if len({row["dataset"] for row in rows}) > 1 else "climate_group"
    groups = [str(row[by] or UNKNOWN[0]) for row in rows]
    keys = figures.looks(_order(groups), UNKNOWN)
    place = pd.DataFrame(
        {
            "basin": [row["basin"] for row in rows],
            "lat": pd.to_numeric(pd.Series([row["gauge_lat"] for row in rows]), errors="coerce"),
            "lon": pd.to_numeric(pd.Series([row["gauge_lon"] for row in rows]), errors="coerce"),
            "group": groups,
            "told": [f"basin {row['basin']}{_named(row)}: {group}" for row, group in zip(rows, groups, strict=True)],
        }
    )
    drawn = figures.group_map(place, keys, "map_basins", f"Basins by {NAMES[by]}", f"Gauges, coloured by {NAMES[by]}")
    notes = () if drawn else (f"There is no map: coordinates are known of none of the {_counted(facts['basins'], 'basin')}.",)
    return Section("map", "Map", figures=(drawn,) if drawn else (), notes=notes)


def _order(groups: Sequence[str]) -> list[str]:
    """Groups with the largest first, but climates from warm to cold, and last what is not known."""
    counted = [group for group, _ in Counter(groups).most_common()]
    known = [group for group in counted if group not in UNKNOWN]
    if set(known) <= set(CLIMATES):
        known.sort(key=CLIMATES.index)
    return [*known, *(group for group in counted if group in UNKNOWN)]


def _named(row: Row) -> str:
    return f", {row['name']}" if row["name"] else ""


def _periods(rows: Sequence[Row]) -> Section:
    observed = [_observed(row) for row in rows if row["observed"]]
    if not observed:
        return Section("periods", "Periods", notes=("No day of discharge was observed in any basin.",))
    drawn: list[Figure] = []
    if len(observed) > 1:
        drawn.append(figures.years_observed(observed))
        drawn.append(figures.lengths([row["observed_years"] for row in rows if row["observed"]]))
    if len(observed) <= BARS:
        drawn.append(figures.spans(observed))
    without = len(rows) - len(observed)
    notes = (f"Without any observed discharge: {_counted(without, 'basin')}.",) if without else ()
    return Section("periods", "Periods", figures=tuple(drawn), notes=notes)


def _observed(row: Row) -> Observed:
    start, end, first, last = (_day(row[key]) for key in ("start", "end", "first_observed", "last_observed"))
    return Observed(row["basin"], start, end, first, last, row["observed"])


def _day(value: str | date) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def _variables(facts: Mapping[str, Any]) -> Section:
    columns = (Column("variable", "variable"), Column("unit", "unit"), Column("missing_percent", "missing", "% of days", decimals(2)))
    found = [{"variable": name} | dict(about) for name, about in facts["variables"].items()]
    caption = "Missing: share of the days of all basins without a value. Sums over several days (mm/8d) have one on their first day only."
    table = Table("variables", "Variables", caption, columns, frame(found, columns))
    names = facts["attributes"]
    title = f"Attributes ({len(names)})" if names else ""
    notes = (facts["remark"],) if facts["remark"] else ()
    return Section("variables", "Variables", (table,), notes=notes, text_title=title, text="\n".join(names))


def _quality(facts: Mapping[str, Any], rows: Sequence[Row], meanings: Mapping[str, str]) -> Section:
    if not facts["quality"]:
        return Section("quality", "Quality", notes=("No quality checks were made of these data.",))
    verdicts = ("flagged", "passed", "not checked")
    columns = (
        Column("check", "check"),
        *(Column(verdict.replace(" ", "_"), verdict, "basins", whole) for verdict in verdicts),
        Column("meaning", "what is measured"),
    )
    found = [
        {"check": check, "meaning": meanings.get(check)} | {verdict.replace(" ", "_"): counts.get(verdict, 0) for verdict in verdicts}
        for check, counts in facts["quality"].items()
    ]
    caption = (
        "Nothing was dropped or mended. Values and thresholds are in quality.parquet; a study leaves flagged basins out by `data.without`."
    )
    checks = Table("quality", "Quality checks", caption, columns, frame(found, columns))
    flagged = [{"basin": row["basin"], "name": row["name"], "checks": ", ".join(row["flagged"])} for row in rows if row["flagged"]]
    told = (Column("basin", "basin"), Column("name", "name"), Column("checks", "flagged by"))
    title = f"Flagged basins ({len(flagged)})"
    folded = (Table("flagged", title, "Flagged in at least one variable.", told, frame(flagged, told), most=MOST),) if flagged else ()
    return Section("quality", "Quality", (checks,), folded=folded)


def _groups(facts: Mapping[str, Any]) -> Section:
    counts = (Column("basins", "basins", "", whole), Column("share", "share", "%", decimals(1)))
    columns = (Column("fact", "fact"), Column("value", "value"), *counts)
    found = [
        {"fact": NAMES.get(key, key), "value": value, "basins": count, "share": 100 * count / facts["basins"]}
        for key, values in facts["groups"].items()
        if key != "dataset" or len(values) > 1
        for value, count in values.items()
    ]
    if not found:
        return Section("groups", "Groups")
    table = Table("groups", "Groups of basins", "By each fact that is known of basins.", columns, frame(found, columns), most=MOST)
    shown = len(found) <= LONG
    return Section("groups", "Groups", (table,) if shown else (), folded=() if shown else (table,))


def _left_out(facts: Mapping[str, Any]) -> Section:
    by_reason: dict[str, list[str]] = {}
    for basin, why in facts["left_out"].items():
        by_reason.setdefault(why, []).append(basin)
    if not by_reason:
        return Section("left-out", "Left out")
    columns = (Column("reason", "why"), Column("count", "basins", "", whole), Column("basins", "which"))
    found = [{"reason": why, "count": len(basins), "basins": listed(basins, most=8)} for why, basins in by_reason.items()]
    caption = "They were found, but are not among these data."
    table = Table("left_out", "Basins left out", caption, columns, frame(found, columns), most=MOST)
    single = (Column("basin", "basin"), Column("reason", "why"))
    every = [{"basin": basin, "reason": why} for basin, why in facts["left_out"].items()]
    file = Table("left_out_basins", "Every basin left out", "", single, frame(every, single), most=MOST)
    return Section("left-out", "Left out", (table,), files=(file,))


def _basins(rows: Sequence[Row]) -> Table:
    units = {"gauge_lat": "degrees", "gauge_lon": "degrees", "area_km2": "km2", "observed_years": "yr"}
    keys = ("basin", "name", "gauge_lat", "gauge_lon", "area_km2", "continent", "climate_group", "dataset", "start", "end")
    keys = (*keys, "first_observed", "last_observed", "observed_years", "flagged")
    columns = tuple(Column(key, key, units.get(key, "")) for key in keys)
    found = [dict(row) | {"flagged": " ".join(row["flagged"])} for row in rows]
    return Table("basins", "Basins", "What is known of each basin.", columns, frame(found, columns), most=MOST)


def _source(facts: Mapping[str, Any]) -> Section:
    folders = "; ".join(map(str, facts["folders"]))
    settings = json.dumps(facts["settings"], indent=1, default=str, ensure_ascii=False) if facts["settings"] else ""
    note = f"Shards: {folders}. Reader: {facts['source']}."
    return Section("source", "Source", notes=(note,), text_title="Settings of the reader", text=settings)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
