import math
import os
import pickle
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conformance import ReaderCase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studyhub.data.derived import all_units, completed
from studyhub.data.record import Basin
from studyhub.data.table import Table, find
from studyhub.errors import DataError
from studyhub.study.mapping import read as read_mapping
from studyhub.study.mapping_settings import AttributeTable, DailyTable, FactColumn, Mapping, Variable, Written

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data"
BASINS = ("01", "02", "13331500")
DAYS = 40
VARIABLES = (Variable("prcp", "P", "mm/d"), Variable("tmean", "T", "degC"), Variable("qobs", "Q", "m3/s"))
ATTRIBUTES = AttributeTable("stations.csv", "id", "all", without=("name", "lat", "lon"))
FACTS = (
    ("name", FactColumn("name")),
    ("gauge_lat", FactColumn("lat")),
    ("gauge_lon", FactColumn("lon")),
    ("area_km2", FactColumn("km2")),
    ("continent", "Europe"),
)
STATIONS = """\
id,name,lat,lon,km2,rock,slope
01,A brook,45.5,7.25,864,chalk,0.5
02,B beck,46,7.5,86.4,basalt,NA
13331500,C creek,47,8,8640,,2
99,D without days,48,9,1,gneiss,1
"""


def frame(basins: tuple[str, ...] = BASINS, days: int = DAYS, start: str = "2000-02-10") -> pd.DataFrame:
    """Numbers that tests know: discharge is 10 times the basin's position plus the day's number."""
    t = np.arange(days)
    parts = [
        {"gauge": basin, "day": pd.date_range(start, periods=days), "P": (t % 7).astype(float), "T": t / 4 - 3.0, "Q": 10.0 * i + t}
        for i, basin in enumerate(basins)
    ]
    return pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)


def saved(path: Path, table: pd.DataFrame, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, **options) if path.suffix == ".csv" else table.to_parquet(path, index=False, **options)
    return path


def mapped(**changes: Any) -> Mapping:
    """A mapping of the plain table; keywords change the table of days, and ``also``, ``attributes`` and ``facts`` the rest."""
    rest = {name: changes.pop(name) for name in ("also", "attributes", "facts") if name in changes}
    days = {"variables": VARIABLES, "date": "day", "files": "days.*", "basin": "gauge"} | changes
    return Mapping("m.yaml", DailyTable(**days), **({"attributes": (ATTRIBUTES,), "facts": FACTS} | rest))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stations.csv").write_text(STATIONS)
    saved(tmp_path / "days.csv", frame())
    return tmp_path


def one(table: Table, basin: str = "01") -> Basin:
    (found,) = table.read([basin])
    return found


def message(ask: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        ask()
    return str(caught.value)


# The contract


class TestCsv(ReaderCase):
    @pytest.fixture
    def source(self, folder):
        return find(folder, mapped())


class TestParquet(ReaderCase):
    @pytest.fixture
    def source(self, tmp_path):
        (tmp_path / "stations.csv").write_text(STATIONS)
        saved(tmp_path / "days.parquet", frame().sample(frac=1, random_state=np.random.RandomState(1)), row_group_size=7)
        return find(tmp_path / "days.parquet", mapped(files=None))


class TestFolder(ReaderCase):
    @pytest.fixture
    def source(self, tmp_path):
        (tmp_path / "stations.csv").write_text(STATIONS)
        for basin, table in frame().groupby("gauge"):
            saved(tmp_path / "series" / f"q_{basin}_daily.csv", table.drop(columns="gauge"))
        sparse = saved(tmp_path / "et" / "01.csv", pd.DataFrame({"d": ["2000-02-18", "2000-02-26"], "et": [12.5, 32767]}))
        assert sparse.is_file()
        also = DailyTable((Variable("et_obs", "et", "0.1 mm/8d"),), "d", files="et/*.csv")
        return find(tmp_path, mapped(files="series/q_{basin}_*.csv", basin=None, also=(also,)))


# What is read


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_values_are_in_canonical_units(tmp_path, suffix):
    (tmp_path / "stations.csv").write_text(STATIONS)
    saved(tmp_path / f"days.{suffix}", frame())
    table = find(tmp_path, mapped())
    assert table.basins == BASINS
    assert dict(table.units) == {"prcp": "mm/d", "tmean": "degC", "qobs": "mm/d"}
    for i, basin in enumerate(table.read(BASINS)):
        assert basin.start == date(2000, 2, 10)
        np.testing.assert_array_equal(basin.series["tmean"], np.arange(DAYS) / 4 - 3)
        # Over 864 km2, 1 m3/s is 0.1 mm/d.
        np.testing.assert_allclose(basin.series["qobs"], (10 * i + np.arange(DAYS)) * (0.1, 1, 0.01)[i], rtol=1e-15)
        assert basin.met == {}


def test_attributes_categories_and_facts(folder):
    table = find(folder, mapped())
    assert table.codes == {"rock": ("basalt", "chalk", "gneiss")}, "codes are those of the whole file"
    assert one(table).attributes == {"km2": 864.0, "rock": 1.0, "slope": 0.5}
    assert one(table).facts == {"name": "A brook", "gauge_lat": 45.5, "gauge_lon": 7.25, "area_km2": 864.0, "continent": "Europe"}
    assert math.isnan(one(table, "02").attributes["slope"])
    assert one(table, "13331500").attributes["rock"] == -1
    assert table.incomplete == {}


def test_the_area_may_have_another_unit_and_file(folder):
    (folder / "area.csv").write_text("basin;ha\n1;86400\n2;8640\n13331500;864000\n")
    area = AttributeTable("area.csv", "basin", (), written=Written(";"))
    facts = (("area_km2", FactColumn("ha", "ha")),)
    assert one(find(folder, mapped(attributes=(area,), facts=facts))).facts == {"area_km2": 864.0}


@pytest.mark.parametrize(
    ("columns", "attributes"),
    [
        ("numbers", ["lat", "lon", "km2", "slope"]),
        ((("elevation", "lat"), ("geology", "rock")), ["elevation", "geology"]),
        ((), []),
    ],
)
def test_columns_that_are_attributes(folder, columns, attributes):
    assert list(one(find(folder, mapped(attributes=(AttributeTable("stations.csv", "id", columns),)))).attributes) == attributes


def test_a_category_may_look_like_a_number(folder):
    table = find(folder, mapped(attributes=(AttributeTable("stations.csv", "id", (("zone", "lat"),), categories=("lat",)),)))
    assert table.codes == {"zone": ("45.5", "46", "47", "48")}


def test_attributes_in_parquet(folder):
    saved(folder / "stations.parquet", pd.DataFrame({"id": [1, 2, 13331500], "km2": [864.0, 86.4, 8640.0], "slope": [0.5, np.nan, 2]}))
    attributes = (AttributeTable("stations.parquet", "id"),)
    found = one(find(folder, mapped(attributes=attributes, facts=(("area_km2", FactColumn("km2")),))), "02")
    assert found.attributes["km2"] == 86.4
    assert math.isnan(found.attributes["slope"])


def test_attribute_files_may_lie_elsewhere(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("attributes")
    (folder / "stations.csv").rename(elsewhere / "stations.csv")
    mapping = mapped(attributes=(AttributeTable("far/away/stations.csv", "id"),))
    assert one(find(folder, mapping, attributes=elsewhere)).facts["name"] == "A brook"
    text = message(lambda: find(folder, mapping))
    assert "no file far/away/stations.csv" in text
    assert "`--attributes DIR` names the folder" in text
    assert "has none of them" in message(lambda: find(folder, mapping, attributes=folder / "nowhere"))


def test_text_as_it_is_written_elsewhere(tmp_path):
    path = tmp_path / "days.csv"
    lines = ["\ufeffgauge; day ;P;T;Q", "01;31/12/1999;1,5;-2,25;-", "01;01/01/2000;-999;0;1.234,5"]
    path.write_text("\n".join(lines[:2] + ["01;01/01/2000;-999,0;0;2,5"]) + "\n", encoding="utf-8")
    variables = (*VARIABLES[:2], Variable("qobs", "Q", "mm/d"))
    mapping = mapped(variables=variables, date_format="%d/%m/%Y", written=Written(";", ",", (-999, "-")), attributes=(), facts=())
    basin = one(find(path, mapping))
    assert basin.start == date(1999, 12, 31)
    np.testing.assert_array_equal(basin.series["prcp"], [1.5, np.nan])
    np.testing.assert_array_equal(basin.series["tmean"], [-2.25, 0])
    np.testing.assert_array_equal(basin.series["qobs"], [np.nan, 2.5])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert "days.csv:3: a number is required in column `Q`, got '1.234,5'" in message(lambda: list(find(path, mapping).read(["01"])))


@pytest.mark.parametrize("kind", ["timestamps", "dates", "texts", "numbers", "categories"])
def test_days_may_be_stored_in_several_ways(tmp_path, kind):
    table = frame(("01",))
    match kind:
        case "dates":
            table["day"] = table["day"].dt.date
        case "texts":
            table["day"] = table["day"].dt.strftime("%Y-%m-%d")
        case "numbers":
            table["day"] = table["day"].dt.strftime("%Y%m%d").astype(int)
        case "categories":
            table["day"] = table["day"].dt.strftime("%Y-%m-%d").astype("category")
    path = saved(tmp_path / "days.parquet", table)
    basin = one(find(path, mapped(attributes=(), facts=(("area_km2", 864.0),))))
    assert (basin.start, len(basin.series["qobs"])) == (date(2000, 2, 10), DAYS)


def test_further_variables_ride_along_on_sparser_days(folder):
    composites = pd.DataFrame({"gauge": [1, 1, 1, 99], "first": ["2000-02-02", "2000-02-18", "2000-02-26", "2000-02-18"]})
    saved(folder / "et.csv", composites.assign(ET=[100, 125, 32762, 5], swe=[1.0, 2.0, np.nan, 4.0]))
    variables = (Variable("et_obs", "ET", "0.1 mm/8d"), Variable("snow_depth", "swe", "cm"))
    table = find(folder, mapped(also=(DailyTable(variables, "first", files="et.csv", basin="gauge"),)))
    assert dict(table.units)["snow_depth"] == "cm"
    first, second = table.read(["01", "02"])
    assert np.flatnonzero(np.isfinite(first.series["et_obs"])).tolist() == [8]
    assert first.series["et_obs"][8] == 12.5
    assert first.series["snow_depth"][8] == 2.0
    assert first.met == {"days_outside": 1}, "sparse days are no missing days"
    assert np.isnan(second.series["et_obs"]).all()
    assert second.met == {}


def test_many_files_of_many_basins(tmp_path):
    table = frame()
    (tmp_path / "stations.csv").write_text(STATIONS)
    saved(tmp_path / "days.b.parquet", table[table["day"] < "2000-03-01"])
    saved(tmp_path / "days.a.csv", table[table["day"] >= "2000-03-01"])
    basin = one(find(tmp_path, mapped()), "02")
    np.testing.assert_allclose(basin.series["qobs"], 10.0 + np.arange(DAYS), rtol=1e-15)
    assert basin.met == {"unsorted_days": 20}


def test_it_reads_more_basins_than_fit_at_once(tmp_path):
    basins = tuple(f"b{i:03d}" for i in range(150))
    saved(tmp_path / "days.parquet", frame(basins, days=3), row_group_size=50)
    table = find(tmp_path, mapped(attributes=(), facts=(("area_km2", 86.4),)))
    assert [basin.series["qobs"][0] for basin in table.read(table.basins)] == [10.0 * i for i in range(150)]


# Ids


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_ids_that_lost_their_zeros_get_them_back(tmp_path, suffix):
    (tmp_path / "stations.csv").write_text(STATIONS)
    saved(tmp_path / f"days.{suffix}", frame().astype({"gauge": "int64"}))
    table = pickle.loads(pickle.dumps(find(tmp_path, mapped())))
    assert table.basins == BASINS
    assert [basin.facts["name"] for basin in table.read(BASINS)] == ["A brook", "B beck", "C creek"]


def test_ids_that_lost_their_zeros_in_the_attributes_are_found(folder):
    (folder / "stations.csv").write_text(STATIONS.replace("\n0", "\n"))
    table = find(folder, mapped())
    assert table.basins == BASINS
    assert table.incomplete == {}


def test_an_id_that_may_be_two_is_refused(folder):
    (folder / "stations.csv").write_text(STATIONS.replace("\n01,", "\n0001,").replace("\n02,", "\n001,"))
    text = message(lambda: find(folder, mapped()))
    assert "basin 01 may be any of 0001, 001; write the ids as text, with their leading zeros" in text


def test_two_ids_that_are_one_basin_are_refused(folder):
    saved(folder / "days.csv", frame(("1", "01", "02")))
    (folder / "stations.csv").write_text(STATIONS.replace("\n01,", "\n001,"))
    assert "are both basin 001" in message(lambda: find(folder, mapped()))


def test_ids_in_a_dictionary_column(tmp_path):
    saved(tmp_path / "days.parquet", frame().astype({"gauge": "category"}), row_group_size=9)
    table = find(tmp_path, mapped(attributes=(), facts=(("area_km2", 86.4),)))
    assert one(table, "02").series["qobs"][0] == 10.0


# What is met and mended


def test_rows_may_stand_in_any_order_and_twice(folder):
    table = frame()
    swapped = table.iloc[[1, 0, *range(2, len(table))]]
    saved(folder / "days.csv", pd.concat([swapped, table.iloc[[5]], table.iloc[[50]]]))
    first, second, third = find(folder, mapped()).read(BASINS)
    np.testing.assert_allclose(first.series["qobs"], 0.1 * np.arange(DAYS), rtol=1e-12)
    assert first.met == {"unsorted_days": 2, "doubled_days": 1}
    assert second.met == {"unsorted_days": 1, "doubled_days": 1}
    assert third.met == {}


@pytest.mark.parametrize("other", [7.5, np.nan])
def test_a_day_twice_with_other_values_is_refused(folder, other):
    table = frame()
    saved(folder / "days.csv", pd.concat([table, table.iloc[[45]].assign(Q=other)]))
    text = message(lambda: list(find(folder, mapped()).read(BASINS)))
    assert "days.csv: one row per basin and day is required, basin 02 has two of 2000-02-15, with qobs 15 and" in text
    assert ("7.5" if other == 7.5 else "nothing") in text


def test_a_leap_day_left_out_is_a_missing_day(folder):
    table = frame()
    saved(folder / "days.csv", table[table["day"] != "2000-02-29"])
    basin = one(find(folder, mapped()))
    assert len(basin.series["prcp"]) == DAYS
    assert np.flatnonzero(np.isnan(basin.series["prcp"])).tolist() == [19]
    assert basin.met == {"missing_days": 1}


def test_marks_are_missing_and_discharge_below_zero_too(folder):
    table = frame()
    table.loc[3, ["P", "T", "Q"]] = -999
    table.loc[4, "Q"] = -0.5
    saved(folder / "days.csv", table)
    basin = one(find(folder, mapped(written=Written(missing=(-999,)))))
    assert np.isnan(basin.series["prcp"]).nonzero()[0].tolist() == [3]
    assert np.isnan(basin.series["qobs"]).nonzero()[0].tolist() == [3, 4]
    assert basin.met == {"negative_qobs": 1}


def test_a_mark_in_single_precision_is_found(tmp_path):
    table = frame(("01",)).astype({"P": "float32"})
    table.loc[3, "P"] = np.float32(-999.9)
    path = saved(tmp_path / "days.parquet", table)
    basin = one(find(path, mapped(written=Written(missing=(-999.9,)), attributes=(), facts=(("area_km2", 1.0),))))
    assert np.isnan(basin.series["prcp"]).nonzero()[0].tolist() == [3]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("P", -999, "basin 01 on 2000-02-13: prcp cannot be -999 mm/d (column `P`); if that stands for missing, add it to `daily.missing`"),
        ("T", -999, "basin 01 on 2000-02-13: tmean cannot be -999 degC"),
        ("Q", np.inf, "basin 01 on 2000-02-13: qobs cannot be inf m3/s"),
    ],
)
def test_values_that_cannot_be_are_refused(folder, column, value, words):
    table = frame()
    table.loc[3, column] = value
    saved(folder / "days.csv", table)
    assert words in message(lambda: one(find(folder, mapped())))


def test_dew_is_no_evapotranspiration(folder):
    table = frame()
    table.loc[3, "P"] = -0.25
    saved(folder / "days.csv", table)
    basin = one(find(folder, mapped(variables=(Variable("pet", "P", "mm/d"),))))
    assert basin.series["pet"][3] == 0
    assert basin.met == {"negative_pet": 1}


def test_a_mistyped_year_is_named(folder):
    saved(folder / "days.csv", frame().assign(day=lambda t: t["day"].dt.strftime("%Y-%m-%d").mask(t.index == 4, "1000-02-14")))
    assert "basin 01 has days from 1000-02-14 to 2000-03-20" in message(lambda: one(find(folder, mapped())))


# What is missing or wrong


def test_a_basin_without_attributes_is_incomplete(folder):
    (folder / "stations.csv").write_text(STATIONS.replace("02,B beck,46,7.5,86.4,basalt,NA\n", ""))
    table = find(folder, mapped())
    assert table.basins == BASINS
    assert list(table.incomplete) == ["02"]
    assert "stations.csv: no row of basin 02; complete the file or leave the basin out" in table.incomplete["02"]
    assert message(lambda: list(table.read(["01", "02"]))) == table.incomplete["02"]


def test_volumes_need_an_area(folder):
    text = message(lambda: find(folder, mapped(facts=())))
    assert (
        "m.yaml: qobs in m3/s becomes mm/d by the basin's area, which no fact gives; add `facts.area_km2: {column: ..., unit: km2}`" in text
    )
    (folder / "stations.csv").write_text(STATIONS.replace("7.25,864,", "7.25,NA,"))
    assert "basin 01: qobs in m3/s becomes mm/d by the basin's area, which is missing" in find(folder, mapped()).incomplete["01"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("\n02,", "\n01,", "stations.csv:3: basin 01 comes twice, first on line 2; keep one row"),
        ("0.5\n", "0.5,\n", "stations.csv:2: 7 fields are required, as in the header, got 8; fields stand apart by ','"),
        (
            ",2\n",
            ",two\n",
            "stations.csv:4: column `slope` holds numbers, but 'two' of basin 13331500 is none; add it to `attributes.0.missing`",
        ),
        (",0.5\n", ",inf\n", "stations.csv:2: a finite number is required in column `slope` of basin 01, got 'inf'"),
        ("id,", "code,", "stations.csv: no column `id`, which the mapping's `attributes.0.basin` names; known: code"),
        (",lat,", ",latt,", "stations.csv: no column `lat`, which the mapping's `attributes.0` names; did you mean `latt`?"),
        (",km2,", ",m2,", "`facts.area_km2` of the mapping names column `km2`, which no attribute file has"),
        (",45.5,", ",145.5,", "stations.csv: gauge_lat of basin 01 must lie from -90 to 90, got 145.5 (column `lat`)"),
        (",864,", ",0,", "stations.csv: area_km2 of basin 01 must lie from"),
        (",slope", ",km2", "stations.csv:1: each column may stand once, km2 stands more often"),
        (",slope", ",clim_p", "attribute clim_p needs another name"),
        (STATIONS, "", "stations.csv: a first line with the names of the columns is required, the file is empty"),
        ("99,", ",", "stations.csv:5: every row needs a basin in `id`"),
    ],
)
def test_wrong_attributes(folder, old, new, words):
    assert STATIONS.count(old) == 1
    (folder / "stations.csv").write_text(STATIONS.replace(old, new))
    assert words in message(lambda: find(folder, mapped()))


def test_an_attribute_in_two_files_is_refused(folder):
    (folder / "more.csv").write_text("id,slope\n01,3\n02,3\n13331500,3\n")
    text = message(lambda: find(folder, mapped(attributes=(ATTRIBUTES, AttributeTable("more.csv", "id")))))
    assert "more.csv: attribute slope stands in" in text
    two = (ATTRIBUTES, AttributeTable("more.csv", "id", ()))
    assert "add `file:` with the name of one" in message(
        lambda: find(folder, mapped(attributes=two, facts=(*FACTS, ("s", FactColumn("slope")))))
    )
    table = find(folder, mapped(attributes=two, facts=(*FACTS, ("s", FactColumn("slope", file="more.csv")))))
    assert one(table).facts["s"] == "3"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("gauge", "no column `gauge`, which the mapping's `daily.basin` names"),
        ("day", "no column `day`, which the mapping's `daily.date` names; did you mean `days`?"),
        ("Q", "no column `Q`, which the mapping's `daily.variables.qobs.column` names"),
    ],
)
def test_a_column_left_out(tmp_path, suffix, column, words):
    saved(tmp_path / f"days.{suffix}", frame().rename(columns={column: f"{column}s"}))
    assert words in message(lambda: find(tmp_path, mapped(attributes=(), facts=(("area_km2", 1.0),))))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("01,2000-02-30,1,1,1", "days.csv:122: `day` needs a day such as 2000-01-31, got '2000-02-30'; `daily.date_format` of the mapping"),
        ("01,2001-01-01 06:00,1,1,1", "days.csv:122: `day` needs days, one row for each, got 2001-01-01 06:00:00; sum or average"),
        ("01,2001-01-01T00:00Z,1,1,1", "days.csv:122: `day` needs days, one row for each"),
        ("01,,1,1,1", "days.csv:122: `day` needs a day such as 2000-01-31, got ''"),
        (
            "01,2001-01-01,x,1,1",
            "days.csv:122: a number is required in column `P`, got 'x'; if it stands for missing, add it to `daily.missing`",
        ),
        ("01,2001-01-01,1,1", "days.csv:122: 5 fields are required, as in the header, got 4"),
        (",2001-01-01,1,1,1", "days.csv: every row needs a basin in `gauge`, some have none"),
    ],
)
def test_a_wrong_line_is_named(folder, row, words):
    with (folder / "days.csv").open("a") as file:
        file.write(row + "\n")
    assert words in message(lambda: list(find(folder, mapped()).read(["01"])))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({"gauge": "float64"}, "column `gauge` must hold basin ids as text or whole numbers, it holds double"),
        ({"day": "float64"}, "column `day` must hold days, it holds double"),
        ({"P": "str"}, "column `P` must hold numbers, it holds"),
    ],
)
def test_columns_of_another_type(tmp_path, kind, words):
    table = frame(("1",)).assign(day=lambda t: t["day"].dt.strftime("%Y%m%d").astype(int)).astype(kind)
    path = saved(tmp_path / "days.parquet", table)
    assert words in message(lambda: find(path, mapped(attributes=(), facts=(("area_km2", 1.0),))))


def test_days_with_hours_in_parquet_are_refused(tmp_path):
    path = saved(tmp_path / "days.parquet", frame().assign(day=lambda t: t["day"] + pd.Timedelta("6h")))
    text = message(lambda: one(find(path, mapped(attributes=(), facts=(("area_km2", 1.0),)))))
    assert "`day` needs days, one row for each, got 2000-02-10 06:00:00" in text


def test_no_files_are_said(folder):
    assert "no file *.dat, which the mapping's `daily.files` requires" in message(lambda: find(folder, mapped(files="*.dat")))
    assert '`daily.files: "*.csv"`' in message(lambda: find(folder, mapped(files=None)))
    assert "a table or a folder of tables is required, there is none" in message(lambda: find(folder / "nowhere", mapped()))


def test_two_files_of_one_basin_are_refused(folder):
    for name in ("01_a.csv", "01_b.csv"):
        saved(folder / "s" / name, frame(("01",)))
    assert "is basin 01, as" in message(lambda: find(folder, mapped(basin=None, files="s/{basin}_*.csv")))


def test_a_file_without_a_row_is_named(folder):
    (folder / "days.csv").write_text("gauge,day,P,T,Q\n")
    assert "at least one basin is required" in message(lambda: find(folder, mapped()))
    assert "basin days: at least one day is required" in message(
        lambda: one(find(folder, mapped(basin=None, attributes=(), facts=(("area_km2", 1.0),))), "days")
    )


# Damage


PLAIN = {"attributes": (), "facts": (("area_km2", 864.0),)}


def everything(path: Path) -> list[Basin]:
    table = find(path, mapped(**PLAIN))
    return list(table.read(table.basins))


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "days.parquet"
    pq.write_table(pa.Table.from_pandas(frame(days=300), preserve_index=False), path, row_group_size=200, write_page_checksum=True)
    assert len(everything(path)) == 3
    return path


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_cut_file_is_named(whole, share):
    content = whole.read_bytes()
    whole.write_bytes(content[: int(share * len(content))])
    assert str(whole) in message(lambda: everything(whole))


def test_a_wrong_magic_is_named(whole):
    whole.write_bytes(b"PAR2" + whole.read_bytes()[4:])
    assert "a Parquet file begins with PAR1, this one with b'PAR2'" in message(lambda: everything(whole))


@pytest.mark.parametrize("seed", range(12))
def test_a_flipped_bit_among_the_values_is_named(whole, seed):
    content = bytearray(whole.read_bytes())
    place = int(np.random.default_rng(seed).integers(4, 0.8 * len(content)))
    content[place] ^= 1 << (seed % 8)
    whole.write_bytes(bytes(content))
    assert str(whole) in message(lambda: everything(whole))


def test_text_that_is_none_is_named(folder):
    path = folder / "days.csv"
    path.write_bytes(path.read_bytes() + b"\xff\xfe\x00" * 50 + b"\n")
    assert "days.csv" in message(lambda: list(find(folder, mapped()).read(BASINS)))
    path.write_bytes(os.urandom(64).replace(b"\n", b"") + b"\xff")
    assert "days.csv" in message(lambda: find(folder, mapped()))


# Laws


VALUES = st.one_of(st.just(math.nan), st.floats(0, 1e4, width=32))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(data=st.data(), suffix=st.sampled_from(["csv", "parquet"]), split=st.booleans())
def test_a_table_in_any_order_is_read_back(tmp_path_factory, data, suffix, split):
    basins = sorted(data.draw(st.sets(st.text("ab01", min_size=1, max_size=3), min_size=1, max_size=4)))
    truth: dict[str, tuple[int, np.ndarray]] = {}
    rows = []
    for basin in basins:
        start = data.draw(st.integers(0, 1000))
        values = np.array(data.draw(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=12)))
        truth[basin] = (start, values)
        rows += [(basin, np.datetime64("1999-01-01") + start + t, *pair) for t, pair in enumerate(values)]
    table = pd.DataFrame(data.draw(st.permutations(rows)), columns=["gauge", "day", "P", "Q"])
    folder = tmp_path_factory.mktemp("t")
    variables = (Variable("prcp", "P", "mm/d"), Variable("flow", "Q", "bananas"))
    if split:
        for basin, part in table.groupby("gauge"):
            saved(folder / f"{basin}.{suffix}", part)
        mapping = mapped(variables=variables, files="*", basin=None, attributes=(), facts=())
    else:
        saved(folder / f"days.{suffix}", table)
        mapping = mapped(variables=variables, attributes=(), facts=())
    source = find(folder, mapping)
    assert list(source.basins) == basins
    for basin in source.read(basins):
        start, values = truth[basin.name]
        assert (basin.start - date(1999, 1, 1)).days == start
        np.testing.assert_array_equal(np.column_stack([basin.series["prcp"], basin.series["flow"]]), values)
        assert basin.met.keys() <= {"unsorted_days"}


# Real basins


def real(name: str) -> Table:
    if not (REAL / name).is_dir():
        pytest.skip(f"the real basins are not in {REAL / name}")
    return find(REAL / name, read_mapping(name))


@pytest.fixture(scope="module")
def france() -> Table:
    return real("france_19")


class TestFrance(ReaderCase):
    @pytest.fixture
    def source(self, france):
        return france

    @pytest.fixture
    def basins(self, source):
        return source.basins[:4]


def test_discharge_of_france_is_what_its_own_column_says(france):
    for basin in france.read(france.basins):
        theirs = pd.read_csv(REAL / "france_19" / f"{basin.name}.csv")["Qmmd"].to_numpy()
        np.testing.assert_allclose(basin.series["qobs"], theirs, atol=0.00051, rtol=0)
        assert basin.start == date(1999, 1, 1)
        assert len(theirs) == 7305


def test_pet_of_france_is_ours_by_oudin(france):
    """Its PET is by Oudin with the radiation of Morton (1983), ours with that of FAO-56: 2 % apart."""
    for basin in france.read(france.basins):
        theirs = basin.series["pet"]
        ours = completed(basin, all_units(france.units, "oudin"), pet="oudin").series["pet"]
        known = np.isfinite(theirs) & np.isfinite(ours)
        assert known.mean() > 0.99
        assert np.corrcoef(theirs[known], ours[known])[0, 1] > 0.999
        assert theirs[known].sum() / ours[known].sum() == pytest.approx(1.02, abs=0.015)


@pytest.fixture(scope="module")
def camels() -> Table:
    return real("camels_us_500")


class TestCamels(ReaderCase):
    @pytest.fixture
    def source(self, camels):
        return camels

    @pytest.fixture
    def basins(self, source):
        return source.basins[9:11]


def test_camels_has_its_attributes_and_facts(camels):
    assert len(camels.basins) == 500
    assert camels.incomplete == {}
    assert set(camels.codes) == {"dom_land_cover", "geol_1st_class", "geol_2nd_class", "high_prec_timing", "low_prec_timing"}
    basin = one(camels, "01013500")
    assert basin.facts["huc_02"] == "01"
    assert basin.facts["area_km2"] == 2260.093113
    assert basin.attributes["elev_mean"] == 250.31
    assert basin.met == {}


def test_camels_is_what_the_raw_files_say(camels, real_camels):
    forcing = {path.name[:8]: path for path in real_camels.glob("**/daymet/*/*_forcing_leap.txt")}
    flow = {path.name[:8]: path for path in real_camels.glob("**/*_streamflow_qc.txt")}
    common = sorted(set(camels.basins) & set(forcing) & set(flow))[:3]
    assert common
    for basin in camels.read(common):
        lines = forcing[basin.name].read_text().splitlines()
        area = float(lines[2])
        days = pd.read_csv(forcing[basin.name], sep=r"\s+", skiprows=4, header=None)
        first = pd.to_datetime(days[[0, 1, 2]].set_axis(["year", "month", "day"], axis=1)).tolist().index(pd.Timestamp(basin.start))
        raw = days.iloc[first : first + len(basin.series["prcp"])].to_numpy(dtype=float)
        for name, column in {"dayl": 4, "prcp": 5, "srad": 6, "tmax": 8, "tmin": 9, "vp": 10}.items():
            np.testing.assert_allclose(basin.series[name], raw[:, column], rtol=1e-6, atol=1e-4)
        table = pd.read_csv(flow[basin.name], sep=r"\s+", header=None)
        when = pd.to_datetime(table[[1, 2, 3]].set_axis(["year", "month", "day"], axis=1))
        cfs = table[4][(when >= pd.Timestamp(basin.start))][: len(raw)].to_numpy(dtype=float)
        np.testing.assert_allclose(basin.series["qobs"], cfs * 0.028316846592 * 86_400 / area * 1000, rtol=1e-6)
