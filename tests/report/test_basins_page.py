import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from drawings import basin_row as row
from drawings import data_facts as facts

from studyhub.errors import StoreError
from studyhub.report.basins import compose, write


def page(rows, tmp_path, meanings=None, **known):
    path = write(facts(rows, **known), rows, tmp_path / "out", meanings)
    return path.parent, path.read_text(encoding="utf-8")


def names(folder, kind):
    return {path.name for path in (folder / kind).iterdir()}


def test_what_is_drawn_and_listed_lies_beside_the_page_as_data(tmp_path):
    rows = [row(i) for i in range(12)]
    folder, text = page(rows, tmp_path)
    figures = ("map_basins", "observed_by_year", "observed_years", "observed_periods")
    assert names(folder, "figures") == {f"{name}.{kind}" for name in figures for kind in ("svg", "csv")}
    assert {f"{name}.csv" for name in ("variables", "quality", "groups", "basins")} <= names(folder, "tables")
    for name in figures:
        ElementTree.parse(folder / "figures" / f"{name}.svg")
        assert len(pd.read_csv(folder / "figures" / f"{name}.csv")) > 0
    listed = pd.read_csv(folder / "tables" / "basins.csv", dtype={"basin": str})
    assert listed["basin"].tolist() == [row["basin"] for row in rows] and "area_km2 [km2]" in listed
    assert "12 basins with days from 1980-10-01 to 1990-09-30, 2 variables and 2 attributes" in text
    assert "Discharge was observed in all of them, for 9.2 to 9.2 years, median 9.2." in text


def test_the_page_needs_nothing_else_and_shows_every_name_as_text(tmp_path):
    hostile = "<script>alert(1)</script>"
    rows = [row(i, basin=f"{hostile}{i}", name=hostile, climate_group=hostile, flagged=[hostile]) for i in range(3)]
    known = {"folders": [f"/x/{hostile[:-9]}"], "left_out": {hostile: hostile}, "groups": {"country": {hostile: 3}}}
    _, text = page(rows, tmp_path, quality={hostile: {"flagged": 3}}, meanings={hostile: hostile}, **known)
    assert hostile not in text and "&lt;script&gt;" in text
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', text.replace("xlink:href", "href")) == []
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_a_remark_on_the_variables_stands_there(tmp_path):
    rows = [row(0)]
    (found,) = [section for section in compose(facts(rows, remark="PET is two"), rows, {}).sections if section.name == "variables"]
    assert found.notes == ("PET is two",)


def test_the_same_data_give_the_same_bytes(tmp_path):
    rows = [row(i) for i in range(3)]
    (one, _), (two, _) = page(rows, tmp_path / "one"), page(rows, tmp_path / "two")
    files = [{path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()} for folder in (one, two)]
    assert files[0] == files[1] and len(files[0]) > 5


def test_one_basin_has_a_page(tmp_path):
    folder, text = page([row(0)], tmp_path)
    assert "1 basin of us" in text and "for 9.2 years." in text
    assert names(folder, "figures") == {f"{name}.{kind}" for name in ("map_basins", "observed_periods") for kind in ("svg", "csv")}


def test_without_coordinates_and_discharge_the_page_says_so(tmp_path):
    nothing = {"first_observed": None, "last_observed": None, "observed": {}, "observed_years": 0.0}
    nothing |= dict.fromkeys(("name", "gauge_lat", "gauge_lon", "area_km2", "continent", "climate_group"))
    folder, text = page([row(i, **nothing) for i in range(3)], tmp_path, quality={}, groups={}, attributes=[], settings={})
    assert "coordinates are known of none of the 3 basins" in text
    assert "No discharge was observed." in text and "No quality checks were made" in text
    assert names(folder, "figures") == set()


def test_basins_that_nobody_observed_are_counted_beside_the_others(tmp_path):
    nobody = row(9, first_observed=None, last_observed=None, observed={}, observed_years=0.0, gauge_lat=None)
    _, text = page([row(0), row(1), nobody], tmp_path)
    assert "Discharge was observed in 2 of them" in text and "Without any observed discharge: 1 basin." in text
    assert "2 basins. Without coordinates: 1 basin." in text


def test_several_data_sets_are_told_apart_on_the_map(tmp_path):
    rows = [row(i, dataset="us" if i < 3 else "france") for i in range(8)]
    folder, text = page(rows, tmp_path, folders=["/data/us", "s3://bucket/france"])
    assert "8 basins of us + france" in text and "Basins by data set" in text
    assert pd.read_csv(folder / "figures" / "map_basins.csv")["group"].value_counts().to_dict() == {"france": 5, "us": 3}


def test_climates_stand_from_warm_to_cold_and_the_unknown_last(tmp_path):
    _, text = page([row(i) for i in range(8)], tmp_path)
    places = [text.index(f">{group} (2)<") for group in ("arid", "temperate", "cold", "unknown")]
    assert places == sorted(places)


def test_quality_and_what_was_left_out(tmp_path):
    rows = [row(0, flagged=["spikes", "hot"]), row(1), row(2)]
    out = {"a": "no area", "b": "no area", "c": "no forcing file"}
    sections = {section.name: section for section in compose(facts(rows, left_out=out), rows, {"spikes": "single days"}).sections}
    (checks,), (flagged,) = sections["quality"].tables, sections["quality"].folded
    assert checks.rows() == [["spikes", "1", "2", "0", "single days"]]
    assert flagged.rows() == [["00000000", "River 0", "spikes, hot"]]
    (left,), (every,) = sections["left-out"].tables, sections["left-out"].files
    assert left.rows() == [["no area", "2", "a, b"], ["no forcing file", "1", "c"]] and len(every.data) == 3


def test_the_worlds_basins_make_a_page_of_bounded_size(tmp_path):
    rng = np.random.default_rng(0)
    rows = [row(i, gauge_lat=rng.uniform(-50, 70), gauge_lon=rng.uniform(-170, 170), flagged=["spikes"]) for i in range(6830)]
    folder, text = page(rows, tmp_path)
    assert (folder / "figures" / "map_basins.svg").stat().st_size < 1e6 and len(text) < 6e6
    assert "observed_periods.svg" not in names(folder, "figures")
    assert len(pd.read_csv(folder / "tables" / "flagged.csv")) == 6830 and "Shown are the first 200 of 6830 rows" in text


def test_files_that_are_not_of_such_a_page_are_never_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.html").write_text("mine")
    with pytest.raises(StoreError, match="not of a report"):
        page([row(0)], tmp_path)
    assert (tmp_path / "out" / "index.html").read_text() == "mine"
