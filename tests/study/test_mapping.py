import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from studyhub.errors import SpecError
from studyhub.study.mapping import SHIPPED, read, shipped
from studyhub.study.mapping_settings import AttributeTable, DailyTable, FactColumn, Mapping, Variable, Written

PLAIN = """\
daily:
  files: "*.csv"
  basin: id
  date: day
  date_format: "%d/%m/%Y"
  separator: ";"
  decimal: ","
  missing: [-999, none]
  variables:
    prcp: {column: P, unit: mm/d}
    qobs: {column: Q, unit: m3/s}
also:
  - files: et/{basin}.csv
    date: day
    variables:
      et_obs: {column: ET, unit: 0.1 mm/8d}
attributes:
  - files: a_*.txt
    basin: gauge
    separator: ";"
    columns: {elev_mean: Elevation}
    categories: [lithology]
facts:
  area_km2: {column: A, unit: ha, file: a_topo.txt}
  continent: Europe
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write the plain mapping with one piece of its text replaced."""

    def write(old: str = "", new: str = "") -> Path:
        assert not old or PLAIN.count(old) == 1, f"{old!r} must stand once in the plain mapping"
        path = tmp_path / "m.yaml"
        path.write_text(PLAIN.replace(old, new) if old else PLAIN, encoding="utf-8")
        return path

    return write


def message(path: str | Path) -> str:
    with pytest.raises(SpecError) as caught:
        read(path)
    return str(caught.value)


def test_what_is_said_is_what_is_read(written):
    path = written()
    days = DailyTable(
        (Variable("prcp", "P", "mm/d"), Variable("qobs", "Q", "m3/s")),
        "day",
        "%d/%m/%Y",
        "*.csv",
        "id",
        Written(";", ",", (-999, "none")),
    )
    also = DailyTable((Variable("et_obs", "ET", "0.1 mm/8d"),), "day", files="et/{basin}.csv")
    table = AttributeTable("a_*.txt", "gauge", (("elev_mean", "Elevation"),), categories=("lithology",), written=Written(";"))
    facts = (("area_km2", FactColumn("A", "ha", "a_topo.txt")), ("continent", "Europe"))
    assert read(path) == Mapping(str(path), days, (also,), (table,), facts)
    assert days.written.texts[-2:] == ("-999", "none")
    assert days.written.numbers == (-999.0,)
    assert [variable.name for variable in read(path).variables] == ["prcp", "qobs", "et_obs"]


def test_it_is_plain_and_frozen(written):
    mapping = read(written())
    plain = mapping.plain()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["also"][0]["files"] == "{basin}.csv", "folders are no part of it"
    assert "file" not in plain
    with pytest.raises(dataclasses.FrozenInstanceError):
        mapping.file = "other"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("name", ["camels_us_500", "france_19"])
def test_mappings_that_come_along_go_by_name(name):
    assert name in shipped()
    assert read(name) == read(SHIPPED / f"{name}.yaml")


def test_a_file_goes_before_a_name(written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written().rename(tmp_path / "france_19")
    assert read("france_19").daily.date == "day"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  basin: id", "  basins: id", "m.yaml:3: `daily.basins`: unknown key; did you mean `basin`?"),
        ("daily:", "dayly:", "m.yaml:1: `dayly`: unknown key; did you mean `daily`?"),
        (
            "{column: P, unit: mm/d}",
            "{colum: P, unit: mm/d}",
            "m.yaml:10: `daily.variables.prcp.colum`: unknown key; did you mean `column`?",
        ),
        ("column: ET, unit", "column: ET, units", "m.yaml:16: `also.0.variables.et_obs.units`: unknown key; did you mean `unit`?"),
        ("categories:", "categorys:", "m.yaml:22: `attributes.0.categorys`: unknown key; did you mean `categories`?"),
        ("file: a_topo.txt", "fil: a_topo.txt", "m.yaml:24: `facts.area_km2.fil`: unknown key; did you mean `file`?"),
        ("continent:", "latitude:", "m.yaml:25: `facts.latitude`: unknown fact; did you mean `gauge_lat`?"),
        ("  date: day\n  date_format", "  date_format", "m.yaml:1: `daily.date`: is required: the column of the day"),
        ("  - files: et/{basin}.csv\n    date", "  - date", "`also.0.files`: is required: a pattern"),
        ("unit: mm/d", "unit: furlong", "m.yaml:10: `daily.variables.prcp.unit`: unknown unit of prcp 'furlong'; known: mm/d, mm"),
        ("unit: 0.1 mm/8d", "unit: mm/d", "m.yaml:16: `also.0.variables.et_obs.unit`: unknown unit of et_obs 'mm/d'; known: mm/8d"),
        ("unit: ha", "unit: acre", "m.yaml:24: `facts.area_km2.unit`: unknown unit of an area 'acre'; known: km2, ha, m2, mi2"),
        ("unit: mm/d", "unit: 3", "`daily.variables.prcp.unit`: needs text, got 3"),
        ("{column: P, unit: mm/d}", "P mm/d", "`daily.variables.prcp`: needs a mapping of keys to values, got 'P mm/d'"),
        ("et_obs: {", "qobs: {", "m.yaml:16: `also.0.variables.qobs.unit`: unknown unit"),
        ("et_obs: {column: ET, unit: 0.1 mm/8d}", "prcp: {column: ET, unit: mm}", "`also.0.variables.prcp`: stands in `daily` too"),
        ("prcp: {", "p c: {", "m.yaml:10: `daily.variables.p c`: a name begins with a letter"),
        (
            "prcp: {",
            "date: {",
            "`daily.variables.date`: a name begins with a letter and holds letters, digits and `_` (at most 60; not basin, date)",
        ),
        ('"%d/%m/%Y"', '"%d/%m"', "`daily.date_format`: needs a format that says day, month and year"),
        ('  separator: ";"\n  decimal', '  separator: "||"\n  decimal', "`daily.separator`: needs one letter"),
        ('  separator: ";"\n  decimal', '  separator: ","\n  decimal', "`daily.decimal`: ',' cannot part both fields and decimals"),
        ('decimal: ","', 'decimal: ";"', '`daily.decimal`: needs "." or ","'),
        ("[-999, none]", "[true]", "`daily.missing`: needs marks that stand for missing values, such as [-999, NA], got [true]"),
        ("{elev_mean: Elevation}", "3", "`attributes.0.columns`: needs `numbers`, `all`, a list of columns, or {our name: column}, got 3"),
        ("[lithology]", "[lithology, lithology]", "`attributes.0.categories`: each value may stand once, 'lithology' stands more often"),
        ("continent: Europe", "continent: Eurasia", "m.yaml:25: `facts.continent`: unknown continent 'Eurasia'"),
        ("continent: Europe", "gauge_lat: 95", "`facts.gauge_lat`: needs a number from -90 to 90, got 95"),
        ("continent: Europe", "huc_02: 01", "`facts.huc_02`: needs text, got 1; put it in quotes"),
        ("continent: Europe", "name: {column: N, unit: m}", "`facts.name.unit`: only area_km2 takes a unit"),
        ("basin: id", "basin: id\n  basin: no", "m.yaml:4: `daily.basin`: written twice, on lines 3 and 4"),
        ("  basin: id", "  basin: [", "not readable as YAML"),
        ("  basin: id", "  basin: !!python/name:os.system", "plain YAML values are required"),
    ],
)
def test_a_mistake_is_named_with_its_place(written, old, new, words):
    assert words in message(written(old, new))


def test_several_mistakes_are_one_message(written):
    text = message(written("unit: mm/d}\n    qobs: {column: Q, unit: m3/s}", "unit: x}\n    qobs: {column: Q, unit: y}"))
    assert "m.yaml:10:" in text
    assert "m.yaml:11:" in text


def test_columns_of_facts_need_tables_of_attributes(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text("daily: {date: d, variables: {q: {column: Q, unit: mm}}}\nfacts: {name: {column: n}}\n")
    assert "m.yaml:2: `facts.name`: stands in a column of attribute tables, and `attributes` names none" in message(path)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("france_91", "unknown mapping 'france_91'; did you mean `france_19`?"),
        ("nowhere/m.yaml", "nowhere/m.yaml: a mapping file is required, there is none"),
        (".", "a mapping file is required, this is a folder"),
    ],
)
def test_no_mapping_is_said(tmp_path, monkeypatch, place, words):
    monkeypatch.chdir(tmp_path)
    assert words in message(place)


def test_an_empty_file_is_said(tmp_path):
    (tmp_path / "m.yaml").write_text("# nothing\n")
    assert "a mapping is required, the file is empty" in message(tmp_path / "m.yaml")


def test_a_mapping_is_read_without_the_scientific_stack():
    heavy = {"torch", "pandas", "pyarrow", "numpy", "scipy"}
    program = (
        f"import sys, studyhub.study.mapping_settings, studyhub.data.units; print(*{heavy | {'pydantic', 'ruamel'}!r} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split() == []
    program = f"import sys; from studyhub.study.mapping import read; read('france_19'); print(*{heavy - {'numpy'}!r} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split() == []
