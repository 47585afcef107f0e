from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from studyhub.data.camels_attributes import CATEGORIES
from studyhub.data.camels_us import CFS, CamelsUS, find
from studyhub.data.record import UNITS, Basin
from studyhub.errors import DataError

VARIABLES = ("prcp", "tmin", "tmax", "srad", "vp", "dayl", "qobs")


def read(raw, *basins: str) -> list[Basin]:
    source = find(raw.folder)
    return list(source.read(basins or source.basins))


def test_forcing_and_discharge_in_their_units(raw):
    source = find(raw.folder)
    assert (source.reader, source.settings, source.basins) == ("camels-us", {"forcing": "daymet"}, raw.ids)
    assert source.units == {name: UNITS[name] for name in VARIABLES} and not source.incomplete
    basins = list(source.read(source.basins))
    assert [basin.name for basin in basins] == list(raw.ids)
    first = basins[1]
    assert first.start == raw.start and tuple(first.series) == VARIABLES
    assert {len(values) for values in first.series.values()} == {raw.days}
    np.testing.assert_allclose(first.series["prcp"][:3], [1, 2, 3])
    np.testing.assert_allclose(first.series["tmin"][:2], [2, 1])
    np.testing.assert_allclose(first.series["dayl"], 30_000)
    # 11 ft3/s over 2 km2: 11 * 0.0283 m3/s * 86400 s / 2e6 m2 = 0.0134565 m = 13.4565 mm
    assert first.series["qobs"][0] == pytest.approx(13.4565, rel=1e-4)


def test_missing_discharge(raw):
    rows = [(raw.day(t), 5.0, "A") for t in range(100, 300)] + [(raw.day(t), 6.0, "A:e") for t in range(310, raw.days + 30)]
    rows[:4] = [(raw.day(100), -999, "M"), (raw.day(101), 4, "M"), (raw.day(102), -999, "A"), (raw.day(103), -1, "A")]
    raw.discharge(raw.ids[0], [(raw.day(-3), 9.0, "A"), *rows])
    (basin,) = read(raw, raw.ids[0])
    q = basin.series["qobs"] / (CFS * 86_400_000 / raw.area)
    assert len(q) == raw.days
    missing = np.r_[0:104, 300:310]
    assert np.isnan(q[missing]).all() and np.isfinite(np.delete(q, missing)).all()
    np.testing.assert_allclose(q[[104, 299, 310, -1]], [5, 5, 6, 6])
    assert basin.met == {"missing_days": 10, "negative_qobs": 1}


def test_discharge_of_other_years_is_all_missing(raw):
    raw.discharge(raw.ids[0], [(date(1950, 1, 1), 5.0, "A"), (date(2030, 1, 1), 5.0, "A")])
    (basin,) = read(raw, raw.ids[0])
    assert np.isnan(basin.series["qobs"]).all() and basin.met == {}


def test_attributes_and_codes(raw):
    first, second, third = read(raw)
    assert tuple(first.attributes) == ("gauge_lat", "gauge_lon", "area_gages2", "dom_land_cover", "root_depth_50")
    # sorted over the whole file: Barren 0, Croplands 1, Mixed Forests 2; empty is missing
    assert [basin.attributes["dom_land_cover"] for basin in (first, second, third)] == [2, 1, -1]
    assert find(raw.folder).codes == {"dom_land_cover": ("Barren", "Croplands", "Mixed Forests")}
    assert np.isnan(first.attributes["root_depth_50"]) and third.attributes["root_depth_50"] == 0.3
    assert first.facts == {
        "name": "Fish River, Maine",
        "huc_02": "01",
        "gauge_lat": 45.0,
        "forcing_lat": 45.0,
        "continent": "North America",
        "area_km2": 2.0,
        "gauge_lon": -70.5,
    }
    assert third.facts["huc_02"] == "17" and third.facts["gauge_lat"] == 47 and third.facts["forcing_lat"] == 45


def test_the_latitude_of_the_forcing_stands_in_for_an_unknown_one(raw):
    raw.table("topo", "gauge_lat;gauge_lon;area_gages2", ["NaN;NA;2.0", "46;-71.5;2.0", "47;-72.5;2.0"], others="1;2;3")
    first, second, _ = read(raw)
    assert first.facts["gauge_lat"] == 45 and "gauge_lon" not in first.facts
    assert np.isnan(first.attributes["gauge_lat"]) and second.facts["gauge_lat"] == 46


@pytest.mark.parametrize("missing", ["NaN", "NA", "nan", ""])
def test_missing_attributes(raw, missing):
    raw.table("topo", "gauge_lat;gauge_lon;area_gages2", [f"{missing};-70.5;{missing}"] * 3, others="1;2;3")
    assert all(np.isnan([basin.attributes["gauge_lat"], basin.attributes["area_gages2"]]).all() for basin in read(raw))


def test_a_code_does_not_depend_on_the_basins_read(raw):
    (chosen,) = read(raw, raw.ids[1])
    assert chosen.name == raw.ids[1] and chosen.attributes["dom_land_cover"] == 1


def test_the_layout_of_the_published_archive(raw):
    inner = raw.folder / "basin_dataset_public_v1p2"
    inner.mkdir()
    for name in ("basin_mean_forcing", "usgs_streamflow"):
        (raw.folder / name).rename(inner / name)
    for path in raw.attributes.iterdir():
        path.rename(raw.folder / path.name)
    raw.attributes.rmdir()
    assert len(read(raw)) == 3


def test_files_from_windows_read_the_same(raw):
    before = read(raw)
    for path in raw.folder.rglob("*.txt"):
        content = path.read_bytes().replace(b"\n", b"\r\n").removesuffix(b"\r\n")
        path.write_bytes(b"\xef\xbb\xbf" + content if path.parent == raw.attributes else content)
    for one, other in zip(before, read(raw), strict=True):
        assert (one.facts, list(one.attributes)) == (other.facts, list(other.attributes))
        np.testing.assert_array_equal(list(one.attributes.values()), list(other.attributes.values()))
        for name, values in one.series.items():
            np.testing.assert_array_equal(values, other.series[name])


UPPER = "Year Mnth Day Hr\tDayl(s)\tPRCP(mm/day)\tSRAD(W/m2)\tSWE(mm)\tTmax(C)\tTmin(C)\tVp(Pa)"
WITHOUT_DATE = "dayl(s) prcp(mm/day) srad(W/m2) swe(mm) tmax(C) tmin(C) vp(Pa)"  # so are four of the Maurer files


def other_forcing(raw, folder: str, header: str, tmin: float = 8.5) -> CamelsUS:
    """Files of another forcing for the first two basins, of the same days; as distributed but for the numbers."""
    for i, basin in enumerate(raw.ids[:2]):
        path = raw.folder / "basin_mean_forcing" / folder / basin[:2] / f"{basin}_lump_{folder.split('_')[0]}_forcing_leap.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        weather = f"12\t34560.00\t{3 + i:.2f}\t101.25\t0.00\t8.50\t{tmin:.2f}\t812.50"
        rows = [f"{raw.day(t):%Y %m %d} {weather}" for t in range(raw.days)]
        path.write_text("\n".join(["  44.50", " 170.00", " 1000000", header, *rows]) + "\n")
    return find(raw.folder, forcing=folder)


@pytest.mark.parametrize("header", [UPPER, WITHOUT_DATE])
@pytest.mark.parametrize("folder", ["maurer_extended", "nldas_extended"])
def test_other_forcings(raw, folder, header):
    source = other_forcing(raw, folder, header, tmin=-1.5)
    assert source.settings == {"forcing": folder} and tuple(source.units) == VARIABLES
    first, second = source.read(raw.ids[:2])
    found = {name: values[-1] for name, values in second.series.items() if name != "qobs"}
    assert found == {"prcp": 4, "tmin": -1.5, "tmax": 8.5, "srad": 101.25, "vp": 812.5, "dayl": 34_560}
    assert first.facts["area_km2"] == 1 and first.facts["forcing_lat"] == 44.5
    assert first.series["qobs"][0] == pytest.approx(10 * CFS * 86_400_000 / 1e6)


@pytest.mark.parametrize("folder", ["maurer", "nldas"])
def test_the_first_releases_know_only_means(raw, folder):
    source = other_forcing(raw, folder, UPPER)
    assert tuple(source.units) == ("prcp", "tmean", "srad", "vp", "dayl", "qobs")
    (first,) = source.read(raw.ids[:1])
    assert tuple(first.series) == tuple(source.units) and (first.series["tmean"] == 8.5).all()
    assert list(source.incomplete) == [raw.ids[2]]
    with pytest.raises(DataError, match=f"no {folder} forcing file of basin 17000003"):
        list(source.read([raw.ids[2]]))


def test_an_unknown_forcing_is_named_with_those_that_are_there(raw):
    (raw.folder / "basin_mean_forcing" / "maurer").mkdir()
    with pytest.raises(DataError, match=r"basin_mean_forcing: no forcing 'nldas'; there are daymet, maurer$"):
        find(raw.folder, forcing="nldas")


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (1, "north", ":1: the latitude is required, got 'north'"),
        (1, "123", "line 1 must be a latitude"),
        (3, "0", "line 3 an area above 0"),
        (
            4,
            "Year Mnth Day Hr dayl(s) rain(mm/day) srad(W/m2) swe(mm) tmax(C) tmin(C) vp(Pa)",
            r":4: .* no prcp\(mm/day\) in",
        ),
        (4, "Mnth Year Day Hr dayl(s) prcp(mm/day) srad(W/m2) swe(mm) tmax(C) tmin(C) vp(Pa)", ":4: .* no date in 'Mnth"),
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
        read(raw, raw.ids[0])


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
        read(raw, raw.ids[0])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01 not text", b"\n\n", b"PK\x03\x04", b"\0" * 4096])
def test_a_file_of_something_else_is_named(raw, content):
    raw.discharge_path(raw.ids[0]).write_bytes(content)
    with pytest.raises(DataError, match=f"{raw.ids[0]}_streamflow_qc.txt"):
        read(raw, raw.ids[0])


def test_what_is_missing_is_named(raw):
    (raw.folder / "usgs_streamflow" / "05").mkdir()
    (raw.folder / "usgs_streamflow" / "05" / "05000000_streamflow_qc.txt").write_text("05000000 2000 01 01 1.0 A\n")
    raw.discharge_path(raw.ids[2]).unlink()
    source = find(raw.folder)
    assert source.basins == ("01000001", "01000002", "05000000", "17000003")
    assert list(source.incomplete) == ["05000000", "17000003"]
    for basin, why in [("05000000", "no daymet forcing file of basin 05000000"), ("17000003", "no discharge file of basin 17000003")]:
        assert why in source.incomplete[basin]
        with pytest.raises(DataError, match=f"{why}; complete the files or leave the basin out"):
            list(source.read([raw.ids[0], basin]))
    assert len(list(source.read(raw.ids[:2]))) == 2
    with pytest.raises(DataError, match="no basin '99999999' in the CAMELS-US files; there are 01000001"):
        list(source.read(["99999999"]))


def test_no_files_at_all(raw):
    for path in [*raw.folder.rglob("*forcing_leap.txt"), *raw.folder.rglob("*_streamflow_qc.txt")]:
        path.unlink()
    with pytest.raises(DataError, match=r"daymet: files <huc>/<basin>_\*forcing_leap.txt are required, there are none"):
        find(raw.folder)
    with pytest.raises(DataError, match="a folder basin_mean_forcing is required"):
        find(raw.folder / "elsewhere")


def test_a_basin_with_two_files_is_not_read(raw):
    again = raw.folder / "usgs_streamflow" / "02" / raw.discharge_path(raw.ids[0]).name
    again.parent.mkdir()
    again.write_bytes(raw.discharge_path(raw.ids[0]).read_bytes())
    assert list(find(raw.folder).incomplete) == [raw.ids[0]]
    with pytest.raises(DataError, match="basin 01000001 has two files, .*/01/01000001.* and .*/02/01000001.*; move one away"):
        read(raw, raw.ids[0])


def test_an_attribute_file_with_one_basin_less(raw):
    topo = raw.attributes / "camels_topo.txt"
    topo.write_text("".join(line for line in topo.read_text().splitlines(keepends=True) if not line.startswith("01000002")))
    source = find(raw.folder)
    assert list(source.incomplete) == ["01000002"] and len(list(source.read(["01000001", "17000003"]))) == 2
    with pytest.raises(DataError, match="camels_topo.txt: no line of basin 01000002; complete the files or leave the basin out"):
        list(source.read(source.basins))


def test_attribute_faults_are_named(raw):
    topo = raw.attributes / "camels_topo.txt"
    good = topo.read_text()
    for text, message in [
        (good.replace("46;", "high;"), "camels_topo.txt:3: attribute gauge_lat must be a number or NA, got 'high'"),
        (good.replace("46;", "inf;"), "camels_topo.txt:3: attribute gauge_lat must be a number or NA, got 'inf'"),
        (good.replace("46;", ""), "camels_topo.txt:3: 4 fields are required, got 3"),
        (good.replace("01000002", "01000001"), "camels_topo.txt:3: basin 01000001 comes twice"),
        (good.replace("gauge_id", "id"), "camels_topo.txt:1: a header that begins with gauge_id is required"),
        (good.replace("gauge_lat", "root_depth_50"), "camels_vege.txt:1: attribute root_depth_50 stands in camels_topo.txt too"),
        (good[: good.index("46;") + 4], "camels_topo.txt:3: 4 fields are required, got 3"),
        ("", "camels_topo.txt:1: a header that begins with gauge_id is required"),
    ]:
        topo.write_text(text)
        with pytest.raises(DataError, match=message):
            find(raw.folder)
    for path in raw.attributes.iterdir():
        path.unlink()
    with pytest.raises(DataError, match="attribute files .* are required, there are none"):
        find(raw.folder)


def test_cut_files(raw):
    """A file cut behind a line is a shorter file."""
    path = raw.forcing_path(raw.ids[0])
    whole = path.read_bytes()
    line = whole.index(b"2000 05 01")
    for cut, message in [(line + 12, ":128: 11 fields are required, got 4"), (line + 4, ":128: 11 fields"), (10, ":3: the area in m2")]:
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=f"{raw.ids[0]}_lump_cida_forcing_leap.txt{message}"):
            read(raw, raw.ids[0])
    path.write_bytes(whole[:line])
    (basin,) = read(raw, raw.ids[0])
    assert len(basin.series["qobs"]) == 123
    path.write_bytes(whole[: whole.index(b"1999")])
    with pytest.raises(DataError, match="forcing_leap.txt: at least one day is required, the file holds none"):
        read(raw, raw.ids[0])


def test_a_leap_day_missing(raw):
    forcing, discharge = raw.forcing_path(raw.ids[0]), raw.discharge_path(raw.ids[0])
    lines = discharge.read_text().splitlines(keepends=True)
    discharge.write_text("".join(line for line in lines if " 2000 02 29 " not in line))
    (basin,) = read(raw, raw.ids[0])
    assert np.flatnonzero(np.isnan(basin.series["qobs"])).tolist() == [61] and basin.met == {"missing_days": 1}
    lines = forcing.read_text().splitlines(keepends=True)
    forcing.write_text("".join(line for line in lines if not line.startswith("2000 02 29")))
    with pytest.raises(DataError, match="forcing_leap.txt:66: the day after that of the line before is required, got 2000-03-01"):
        read(raw, raw.ids[0])


def test_unsorted_days(raw):
    for path in (raw.discharge_path(raw.ids[0]), raw.forcing_path(raw.ids[0])):
        lines = path.read_text().splitlines(keepends=True)
        lines[9], lines[10] = lines[10], lines[9]
        path.write_text("".join(lines))
    with pytest.raises(DataError, match="forcing_leap.txt:10: the day after that of the line before is required, got 2000-01-05"):
        read(raw, raw.ids[0])
    raw.forcing(raw.ids[0])
    with pytest.raises(DataError, match="streamflow_qc.txt:11: a later day is required"):
        read(raw, raw.ids[0])


def test_a_file_that_cannot_be_opened_is_named(raw):
    source = find(raw.folder)
    raw.discharge_path(raw.ids[0]).unlink()
    raw.forcing_path(raw.ids[1]).unlink()
    for basin, name in [(raw.ids[0], "streamflow_qc"), (raw.ids[1], "forcing_leap")]:
        with pytest.raises(DataError, match=f"{name}.txt: cannot be read .No such file"):
            list(source.read([basin]))


@pytest.fixture(scope="module")
def real(real_camels):
    return find(real_camels)


def test_the_real_files(real):
    assert len(real.basins) == 49 and not real.incomplete
    basins = list(real.read(real.basins))
    assert {basin.start for basin in basins} == {date(1980, 1, 1)}
    assert {len(values) for basin in basins for values in basin.series.values()} == {12_784}
    assert all(np.isfinite(basin.series[name]).all() for basin in basins for name in VARIABLES if name != "qobs")
    one, late = basins[real.basins.index("01030500")], basins[real.basins.index("01594950")]
    # the file's first line: 2600 ft3/s, area 3671033258 m2
    assert one.series["qobs"][0] == pytest.approx(2600 * 0.028316846592 * 86_400_000 / 3671033258, rel=1e-12)
    assert one.series["vp"][0] == 217.8
    observed = np.flatnonzero(np.isfinite(late.series["qobs"]))
    assert date(1980, 1, 1) + timedelta(days=int(observed[0])) == date(1986, 10, 1) and late.met == {}
    assert basins[-1].facts["huc_02"] == "17" and basins[-1].facts["forcing_lat"] == 45.52


def test_the_real_attributes(real):
    assert set(real.codes) == set(CATEGORIES)
    assert len(real.codes["dom_land_cover"]) == 12 and "Evergreen Broadleaf Forest" in real.codes["dom_land_cover"]
    basin = next(real.read(["01031500"]))
    assert len(basin.attributes) == 57 and 0 < basin.attributes["baseflow_index"] < 1
    assert basin.attributes["dom_land_cover"] == real.codes["dom_land_cover"].index("Mixed Forests")
    assert 2.5 < basin.attributes["p_mean"] < 4


def test_agrees_with_a_published_table_of_the_same_basins(real, real_camels):
    """The 500 complete basins were derived from the same files by other hands."""
    table = real_camels.parent / "camels_us_500" / "camels_us_500_1980-2010.parquet"
    if not table.is_file():
        pytest.skip(f"{table} is missing")
    theirs = pd.read_parquet(table, filters=[("gauge_id", "in", list(real.basins))])
    basins = sorted(theirs["gauge_id"].unique())[:5]
    assert basins
    for basin in real.read(basins):
        part = theirs[theirs["gauge_id"] == basin.name].sort_values("date")
        first = (part["date"].iloc[0] - basin.start).days
        days = slice(first, first + len(part))
        np.testing.assert_allclose(basin.series["qobs"][days], part["qobs_mm_day"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(basin.series["prcp"][days], part["prcp_mm_day"], rtol=1e-4, atol=1e-4)
