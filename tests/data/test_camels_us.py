from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from studyhub.data.camels_attributes import CATEGORIES
from studyhub.data.camels_us import CFS, VARIABLES, ingest, read
from studyhub.data.pet import hargreaves
from studyhub.data.record import UNITS, day_of_year
from studyhub.errors import DataError


def test_forcing_and_discharge_in_their_units(raw):
    basins = list(read(raw.folder))
    assert [basin.name for basin in basins] == list(raw.ids)
    first = basins[1]
    assert first.start == raw.start and tuple(first.series) == VARIABLES
    assert {len(values) for values in first.series.values()} == {raw.days}
    np.testing.assert_allclose(first.series["prcp"][:3], [1, 2, 3])
    np.testing.assert_allclose(first.series["tmean"][:2], [(12 + 2) / 2, (13 + 1) / 2])
    np.testing.assert_allclose(first.series["dayl"], 30_000)
    # 11 ft3/s over 2 km2: 11 * 0.0283 m3/s * 86400 s / 2e6 m2 = 0.0134565 m = 13.4565 mm
    assert first.series["qobs"][0] == pytest.approx(13.4565, rel=1e-4)


def test_pet_takes_the_latitude_of_the_header_and_knows_leap_days(raw):
    raw.latitude = -33.0
    raw.forcing(raw.ids[0])
    basin = next(read(raw.folder))
    dates = np.datetime64(raw.start) + np.arange(raw.days)
    due = hargreaves(basin.series["tmin"], basin.series["tmax"], -33.0, day_of_year(dates))
    np.testing.assert_allclose(basin.series["pet"], due)
    assert str(dates[61]) == "2000-02-29" and day_of_year(dates)[61] == 60


def test_missing_discharge(raw):
    rows = [(raw.day(t), 5.0, "A") for t in range(100, 300)] + [(raw.day(t), 6.0, "A:e") for t in range(310, raw.days + 30)]
    rows[0], rows[1], rows[2] = (raw.day(100), -999.0, "M"), (raw.day(101), 4.0, "M"), (raw.day(102), -999.0, "A")
    raw.discharge(raw.ids[0], [(raw.day(-3), 9.0, "A"), *rows])
    q = next(read(raw.folder)).series["qobs"] / (CFS * 86_400_000 / raw.area)
    assert len(q) == raw.days
    missing = np.r_[0:103, 300:310]
    assert np.isnan(q[missing]).all() and np.isfinite(np.delete(q, missing)).all()
    np.testing.assert_allclose(q[[103, 299, 310, -1]], [5, 5, 6, 6])


def test_attributes_and_codes(raw):
    first, second, third = read(raw.folder)
    assert tuple(first.attributes) == ("gauge_lat", "gauge_lon", "area_gages2", "dom_land_cover", "root_depth_50")
    # sorted over the whole file: Barren 0, Croplands 1, Mixed Forests 2; empty is missing
    assert [basin.attributes["dom_land_cover"] for basin in (first, second, third)] == [2, 1, -1]
    assert np.isnan(first.attributes["root_depth_50"]) and third.attributes["root_depth_50"] == 0.3
    assert first.facts["name"] == "Fish River, Maine" and first.facts["huc_02"] == "01" and third.facts["huc_02"] == "17"
    assert (first.facts["gauge_lat"], first.facts["gauge_lon"], first.facts["area_km2"]) == (45, -70.5, 2.0)
    assert first.facts["continent"] == "North America" and first.facts["climate_group"] == "polar"  # 7 degC all year


def test_a_code_does_not_depend_on_the_basins_read(raw):
    chosen = list(read(raw.folder, basins=[raw.ids[1]]))
    assert [basin.name for basin in chosen] == [raw.ids[1]]
    assert chosen[0].attributes["dom_land_cover"] == 1
    assert [basin.name for basin in read(raw.folder, without=raw.ids[:2])] == [raw.ids[2]]


def test_ingest_writes_shards_and_reports(raw, tmp_path):
    told = []
    shards = ingest(raw.folder, tmp_path / "shards", progress=lambda *args: told.append(args))
    assert told == [(i + 1, 3, name) for i, name in enumerate(raw.ids)]
    assert shards.basins == raw.ids and shards.manifest.units == UNITS
    assert shards.manifest.codes == {"dom_land_cover": ("Barren", "Croplands", "Mixed Forests")}
    assert (shards.manifest.source, shards.manifest.settings) == ("camels-us", {"forcing": "daymet"})
    assert shards.manifest.metadata["01000001"]["observed_days"] == raw.days
    np.testing.assert_allclose(shards.read(("01000002",)).series["prcp"][0, :3], [1, 2, 3])


def test_the_layout_of_the_published_archive(raw):
    inner = raw.folder / "basin_dataset_public_v1p2"
    inner.mkdir()
    for name in ("basin_mean_forcing", "usgs_streamflow"):
        (raw.folder / name).rename(inner / name)
    for path in raw.attributes.iterdir():
        path.rename(raw.folder / path.name)
    raw.attributes.rmdir()
    assert len(list(read(raw.folder))) == 3


def test_an_interrupted_ingest_leaves_nothing(raw, tmp_path):
    raw.replace_line(raw.forcing_path("17000003"), 50, "2000 xx 14 12 1 2 3 4 5 6 7")
    with pytest.raises(DataError, match="17000003_lump_cida_forcing_leap.txt:50"):
        ingest(raw.folder, tmp_path / "out" / "shards")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (1, "north", ":1: the latitude is required, got 'north'"),
        (1, "123", "line 1 must be a latitude"),
        (3, "0", "line 3 an area above 0"),
        (4, "Year Mnth Day Hr dayl(s) rain(mm/day) srad(W/m2) swe(mm) tmax(C) tmin(C) vp(Pa)", r":4: no column prcp\(mm/day\)"),
        (20, "2000 01 14 12 30000 1.0", ":20: 11 fields are required, got 6"),
        (20, "2000 01 14 12 30000 1.0 170 0 12 2 217 9", ":20: 11 fields are required, got 12"),
        (20, "2000 01 14 12 30000 much 170 0 12 2 217", ":20: a number is required in field 6, got 'much'"),
        (20, "2000 01 14 12 30000 nan 170 0 12 2 217", ":20: a number is required in field 6"),
        (20, "2000 13 14 12 30000 1.0 170 0 12 2 217", ":20: a date is required, got 2000 13 14"),
        (20, "2000 01 15 12 30000 1.0 170 0 12 2 217", ":20: the day after that of the line before is required, got 2000-01-15"),
        (5, "", ":5: 11 fields are required, got 0"),
    ],
)
def test_a_malformed_forcing_line_is_named(raw, line, text, message):
    raw.replace_line(raw.forcing_path(raw.ids[0]), line, text)
    with pytest.raises(DataError, match=f"{raw.ids[0]}_lump_cida_forcing_leap.txt.*{message}"):
        next(read(raw.folder))


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (3, "01000001 2000 01 01", ":3: 6 fields are required, got 4"),
        (3, "01000001 2000 01 01 1.0 A e", ":3: 6 fields are required, got 7"),
        (3, "01000001 2000 01 01 low A", ":3: a number is required in field 5, got 'low'"),
        (3, "01000001 2000 02 30 1.0 A", ":3: a date is required, got 2000 2 30"),
        (3, "01000002 2000 01 01 1.0 A", ":3: basin 01000001 is required"),
        (3, "01000001 1999 12 31 1.0 A", ":3: a later day is required"),
    ],
)
def test_a_malformed_discharge_line_is_named(raw, line, text, message):
    raw.replace_line(raw.discharge_path(raw.ids[0]), line, text)
    with pytest.raises(DataError, match=f"{raw.ids[0]}_streamflow_qc.txt{message}"):
        next(read(raw.folder))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01 not text", b"\n\n"])
def test_a_file_of_something_else_is_named(raw, content):
    raw.discharge_path(raw.ids[0]).write_bytes(content)
    with pytest.raises(DataError, match=f"{raw.ids[0]}_streamflow_qc.txt"):
        next(read(raw.folder))


def test_what_is_missing_is_named(raw):
    with pytest.raises(DataError, match="no daymet forcing file of basin 05000000"):
        read(raw.folder, basins=[raw.ids[0], "05000000"])
    with pytest.raises(DataError, match="no nldas forcing file of basin 01000001"):
        read(raw.folder, forcing="nldas", basins=raw.ids)
    with pytest.raises(DataError, match="at least one basin is required, none is left"):
        read(raw.folder, without=raw.ids)
    raw.discharge_path(raw.ids[2]).unlink()
    with pytest.raises(DataError, match="no discharge file of basin 17000003; complete the files or leave the basin out"):
        read(raw.folder)
    assert len(list(read(raw.folder, without=[raw.ids[2]]))) == 2
    with pytest.raises(DataError, match="a folder basin_mean_forcing is required"):
        read(raw.folder / "elsewhere")


def test_attribute_faults_are_named(raw):
    topo = raw.attributes / "camels_topo.txt"
    good = topo.read_text()
    for text, message in [
        (good.replace("01000002", "01999999"), "camels_topo.txt: no line of basin 01000002"),
        (good.replace("46;", "high;"), "camels_topo.txt:3: attribute gauge_lat must be a number or NA, got 'high'"),
        (good.replace("46;", ""), "camels_topo.txt:3: 4 fields are required, got 3"),
        (good.replace("01000002", "01000001"), "camels_topo.txt:3: basin 01000001 comes twice"),
        (good.replace("gauge_id", "id"), "camels_topo.txt:1: a header that begins with gauge_id is required"),
        (good.replace("gauge_lat", "root_depth_50"), "camels_vege.txt:1: attribute root_depth_50 stands in camels_topo.txt too"),
    ]:
        topo.write_text(text)
        with pytest.raises(DataError, match=message):
            read(raw.folder)
    for path in raw.attributes.iterdir():
        path.unlink()
    with pytest.raises(DataError, match="attribute files .* are required, there are none"):
        read(raw.folder)


@pytest.fixture(scope="module")
def real(real_camels, tmp_path_factory):
    return ingest(real_camels, tmp_path_factory.mktemp("real") / "shards")


def test_the_real_files(real):
    assert len(real.basins) == 49 and str(real.period) == "1980-01-01..2014-12-31"
    record = real.read(("01030500", "02011400"))
    # the file's first line: 2600 ft3/s, area 3671033258 m2
    assert record.series["qobs"][0, 0] == pytest.approx(2600 * 0.028316846592 * 86_400_000 / 3671033258, rel=1e-6)
    assert record.series["vp"][0, 0] == pytest.approx(217.8)
    assert np.isfinite(np.stack([record.series[name] for name in VARIABLES if name != "qobs"])).all()
    assert record.dates[-1] - record.dates[0] == np.timedelta64(12_783, "D")
    facts = real.manifest.metadata
    assert facts["01594950"]["observed_days"] < 12_784 and facts["01594950"]["first_observed"] == "1986-10-01"
    assert {fact["climate_group"] for fact in facts.values()} == {"cold", "temperate"}
    assert facts["13331500"]["huc_02"] == "17"


def test_the_real_attributes(real):
    assert len(real.attribute_names) == 57 and set(real.manifest.codes) == set(CATEGORIES)
    assert len(real.manifest.codes["dom_land_cover"]) == 12 and "Evergreen Broadleaf Forest" in real.manifest.codes["dom_land_cover"]
    record = real.read(attributes=("dom_land_cover", "p_mean"), variables=())
    forest = real.manifest.codes["dom_land_cover"].index("Mixed Forests")
    assert record.attributes[record.basins.index("01031500"), 0] == forest
    assert 2.5 < np.nanmean(record.attributes[:, 1]) < 4


def test_agrees_with_a_published_table_of_the_same_basins(real, real_camels):
    """The 500 complete basins were derived from the same files by other hands."""
    table = real_camels.parent / "camels_us_500" / "camels_us_500_1980-2010.parquet"
    if not table.is_file():
        pytest.skip(f"{table} is missing")
    theirs = pd.read_parquet(table, filters=[("gauge_id", "in", list(real.basins))])
    basins = sorted(theirs["gauge_id"].unique())[:5]
    assert basins
    for basin in basins:
        part = theirs[theirs["gauge_id"] == basin].sort_values("date")
        record = real.read((basin,), ("prcp", "qobs"))
        first = int((np.datetime64(part["date"].iloc[0]) - record.dates[0]) / np.timedelta64(1, "D"))
        days = slice(first, first + len(part))
        np.testing.assert_allclose(record.series["qobs"][0, days], part["qobs_mm_day"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(record.series["prcp"][0, days], part["prcp_mm_day"], rtol=1e-4, atol=1e-4)


def test_the_real_files_have_whole_days_only(real):
    days = (real.period.end - real.period.start) + timedelta(days=1)
    assert all(entry.days == days.days for entry in real.manifest.entries.values())


def test_a_basin_to_leave_out_must_be_there(raw, tmp_path):
    with pytest.raises(DataError, match="there is no 99999999"):
        ingest(raw.folder, tmp_path / "out", without=("99999999",))
    assert not (tmp_path / "out").exists()
