import csv
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import pytest
from conformance import ReaderCase, require_same
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from studyhub.data.caravan import CANONICAL, ERA5_PET, FAO_PET, OLD_PET, find
from studyhub.data.caravan_series import read_series
from studyhub.errors import DataError

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "caravan"
SNOW = "snow_depth_water_equivalent_mean"
COLUMNS = (*CANONICAL.values(), OLD_PET, SNOW)
START = np.datetime64("1999-12-30")
IDS = ("us_01", "us_02", "de_7")


@dataclass
class Raw:
    """A folder in the distributed layout."""

    folder: Path
    kind: str = "csv"

    def path(self, basin: str, kind: str = "") -> Path:
        kind = kind or self.kind
        path = self.folder / "timeseries" / kind / basin.split("_")[0] / f"{basin}.{'csv' if kind == 'csv' else 'nc'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def series(self, basin: str, dates: np.ndarray, columns: dict[str, np.ndarray], kind: str = "") -> Path:
        path = self.path(basin, kind)
        (write_csv if path.suffix == ".csv" else write_netcdf)(path, dates, columns)
        return path

    def attributes(self, family: str, subdataset: str, header: str, *lines: str) -> Path:
        path = self.folder / "attributes" / subdataset / f"attributes_{family}_{subdataset}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return path

    def places(self) -> None:
        """Write attribute files of three basins in two sub-datasets, the second without the family hydroatlas."""
        self.attributes("caravan", "us", "gauge_id,p_mean", "us_01,3.5", "us_02,", "us_99,1")
        self.attributes("hydroatlas", "us", "gauge_id,clz_cl_smj,ele_mt_sav", "us_01,5,300.5", "us_02,10,20", "us_99,1,1")
        other = "gauge_id,gauge_lat,gauge_lon,gauge_name,country,area"
        lines = ('us_01,45.5,-70.25,"Fish River, Maine",US,10', "us_02,46,-71,,US,", "us_99,47,-72,Elsewhere,US,3")
        self.attributes("other", "us", other, *lines)
        self.attributes("caravan", "de", "gauge_id,p_mean", "de_7,2.5")
        self.attributes("other", "de", f"{other},geology", "de_7,50,10,Rhein,DE,77,chalk", "de_8,50,10,Aa,DE,77,basalt")


def write_csv(path: Path, dates: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    rows = zip(dates, *columns.values(), strict=True)
    lines = [f"date,{','.join(columns)}"] + [",".join([str(day), *("" if x != x else str(x) for x in values)]) for day, *values in rows]
    path.write_text("\n".join(lines) + "\n")


def write_netcdf(path: Path, dates: np.ndarray, columns: dict[str, np.ndarray], units: str = "", **attributes: object) -> None:
    """Write what xarray makes of a table of float32 with an index ``date``."""
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"date": len(dates)}
        first = dates[0] if len(dates) else START
        days = file.create_variable("date", ("date",), "i8", data=(dates - first).astype(np.int64))
        days.attrs["units"] = units or f"days since {first} 00:00:00"
        days.attrs["calendar"] = "proleptic_gregorian"
        for name, values in columns.items():
            variable = file.create_variable(name, ("date",), values.dtype, data=values, fillvalue=np.array(np.nan).astype(values.dtype)[()])
            for key, value in attributes.items():
                variable.attrs[key] = value


def columns(days: int, seed: int = 0, names: tuple[str, ...] = COLUMNS) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: np.round(rng.gamma(1, 3, days), 2).astype(np.float32) for name in names}


def days(count: int) -> np.ndarray:
    return START + np.arange(count)


@pytest.fixture(params=["csv", "netcdf"])
def raw(request, tmp_path) -> Raw:
    raw = Raw(tmp_path / "caravan", request.param)
    for seed, basin in enumerate(IDS):
        raw.series(basin, days(430), columns(430, seed))
    raw.places()
    return raw


def one(raw: Raw, basin: str = "us_01", **options):
    (read,) = find(raw.folder, **options).read([basin])
    return read


class TestCaravan(ReaderCase):
    other_facts = ("subdataset",)

    @pytest.fixture
    def source(self, raw):
        return find(raw.folder)


class TestRealSample(ReaderCase):
    other_facts = ("subdataset",)

    @pytest.fixture
    def source(self):
        return real_sample()

    def test_numbers_of_the_files(self, source):
        swiss, luxembourgish = source.read(["camelsch_4001", "camelslx_054"])
        # The first lines of the files, to two decimals.
        assert str(swiss.start) == "1981-01-01" and len(swiss.series["prcp"]) == 14_610
        first = {name: round(float(values[0]), 2) for name, values in swiss.series.items()}
        assert (first["prcp"], first["tmin"], first["tmean"], first["tmax"], first["pet"]) == (6.02, -1.71, -0.36, 1.62, 0.76)
        assert np.isnan(swiss.series["qobs"]).sum() == 2363 and np.isfinite(swiss.series["prcp"]).all()
        assert str(luxembourgish.start) == "2000-01-02" and luxembourgish.met == {"negative_pet": 91}
        assert swiss.facts["name"] == "Tegernau" and swiss.facts["country"] == "DE" and swiss.facts["subdataset"] == "camelsch"
        assert swiss.facts["area_km2"] == pytest.approx(69.757, rel=1e-5)
        assert "p_mean" in swiss.attributes and "ele_mt_sav" in swiss.attributes and len(swiss.attributes) == 209

    def test_what_was_found(self, source):
        assert source.settings["pet"] == "potential_evaporation_sum" and source.settings["left_out"] == ["eobs"]
        assert source.incomplete == {} and source.units["surface_pressure_mean"] == "kPa" and len(source.units) == 39

    def test_netcdf_of_the_same_numbers(self, source, tmp_path):
        """The real CSV, written as NetCDF by another library, is the same basin."""
        basin = "camelslx_054"
        path = source.files[basin]
        with path.open(newline="") as file:
            names = next(csv.reader(file))
        dates, values = read_series(path, names[1:])
        copy = tmp_path / f"{basin}.nc"
        write_netcdf(copy, dates, dict(zip(names[1:], values, strict=True)))
        again = replace(source, files={basin: copy})
        require_same(next(source.read([basin])), next(again.read([basin])))


def real_sample():
    if not (REAL / "timeseries").is_dir():
        pytest.skip(f"the real sample of Caravan is not in {REAL}")
    return find(REAL)


def test_columns_become_variables(raw):
    basin = one(raw)
    written = columns(430, 0)
    due = CANONICAL | {"pet": OLD_PET, SNOW: SNOW}
    assert list(basin.series) == ["prcp", "tmin", "tmax", "tmean", "pet", "qobs", SNOW]
    for name, values in basin.series.items():
        np.testing.assert_array_equal(values, written[due[name]])
    assert basin.start == START.item() and basin.met == {}


@given(
    numbers=arrays(np.float32, (len(COLUMNS), 12), elements=st.floats(-1000, 1000, width=32) | st.just(float("nan"))),
    kept=st.lists(st.booleans(), min_size=12, max_size=12).filter(any),
    order=st.permutations(range(12)),
    again=st.integers(0, 11),
)
@settings(max_examples=30, deadline=None)
def test_csv_and_netcdf_of_the_same_numbers_are_the_same_basin(numbers, kept, order, again):
    rows = [row for row in order if kept[row]]
    rows += rows[again : again + 1]
    table = {name: values[rows] for name, values in zip(COLUMNS, numbers, strict=True)}
    with tempfile.TemporaryDirectory() as folder:
        raw = Raw(Path(folder))
        raw.places()
        for kind in ("csv", "netcdf"):
            raw.series("us_01", days(12)[rows], table, kind)
        by_csv, by_netcdf = one(raw), one(raw, format="netcdf")
    require_same(by_csv, by_netcdf)
    assert len(by_csv.series["qobs"]) == np.ptp(rows) + 1
    assert by_csv.met.get("doubled_days", 0) == len(rows) - len(set(rows))


def test_where_both_are_there_csv_is_read_unless_netcdf_is_asked_for(tmp_path):
    raw = Raw(tmp_path)
    raw.places()
    for kind, seed in (("csv", 1), ("netcdf", 2)):
        raw.series("us_01", days(20), columns(20, seed), kind)
    raw.series("us_02", days(20), columns(20, 3), "netcdf")
    for options, seed in (({}, 1), ({"format": "netcdf"}, 2)):
        np.testing.assert_array_equal(one(raw, **options).series["prcp"], columns(20, seed)["total_precipitation_sum"])
        np.testing.assert_array_equal(one(raw, "us_02", **options).series["prcp"], columns(20, 3)["total_precipitation_sum"])
    assert find(tmp_path).settings["format"] == ["csv", "netcdf"] and find(tmp_path, format="netcdf").settings["format"] == ["netcdf"]


def test_attributes_of_all_families_and_sub_datasets(raw):
    source = find(raw.folder)
    german, first, second = source.read(["de_7", "us_01", "us_02"])
    assert first.attributes["p_mean"] == 3.5 and np.isnan(second.attributes["p_mean"]) and german.attributes["p_mean"] == 2.5
    assert first.attributes["ele_mt_sav"] == 300.5 and np.isnan(german.attributes["ele_mt_sav"])
    # basalt 0, chalk 1: a basin without time series counts too
    assert source.codes == {"geology": ("basalt", "chalk")}
    assert [basin.attributes["geology"] for basin in (german, first)] == [1, -1]
    assert first.facts == {
        "name": "Fish River, Maine",
        "country": "US",
        "gauge_lat": 45.5,
        "gauge_lon": -70.25,
        "area_km2": 10.0,
        "subdataset": "us",
    }
    assert "name" not in second.facts and "area_km2" not in second.facts and "us_99" not in source.basins


def test_a_code_does_not_depend_on_the_basins_there(raw):
    raw.path("us_01").unlink()
    raw.path("us_02").unlink()
    assert one(raw, "de_7").attributes["geology"] == 1


def test_a_column_that_is_text_in_one_file_is_text_in_all(raw):
    raw.attributes("extra", "us", "gauge_id,geology", "us_01,7", "us_02,")
    source = find(raw.folder)
    assert source.codes == {"geology": ("7", "basalt", "chalk")}
    assert [basin.attributes["geology"] for basin in source.read(["us_01", "us_02", "de_7"])] == [0, -1, 2]


def test_a_name_in_two_families_keeps_the_first_value(raw):
    raw.attributes("hydroatlas", "us", "gauge_id,p_mean", "us_01,4.5", "us_02,9")
    source = find(raw.folder)
    assert source.settings["differing_attributes"] == ["p_mean"]
    assert [basin.attributes["p_mean"] for basin in source.read(["us_01", "us_02"])] == [3.5, 9]


def test_incomplete_basins_are_named_and_refused(raw):
    raw.attributes("hydroatlas", "us", "gauge_id,ele_mt_sav", "us_01,300.5")
    raw.attributes("other", "de", "gauge_id,gauge_lat,gauge_lon", "de_7,95,10")
    source = find(raw.folder)
    assert source.basins == ("de_7", "us_01", "us_02") and set(source.incomplete) == {"de_7", "us_02"}
    with pytest.raises(DataError, match=r"attributes_hydroatlas_us\.csv: no line of basin us_02"):
        list(source.read(["us_01", "us_02"]))
    with pytest.raises(DataError, match="basin de_7: gauge_lat in degrees is required"):
        list(source.read(["de_7"]))


@pytest.mark.parametrize(
    ("given", "pet", "due"),
    [
        ({OLD_PET}, "auto", OLD_PET),
        ({ERA5_PET}, "auto", ERA5_PET),
        ({ERA5_PET, FAO_PET}, "auto", FAO_PET),
        ({ERA5_PET, FAO_PET}, "era5", ERA5_PET),
        ({OLD_PET, FAO_PET}, "fao", FAO_PET),
        ({ERA5_PET, FAO_PET}, "hargreaves", None),
        (set(), "hargreaves", None),
        ({FAO_PET}, "oudin", None),
    ],
)
def test_potential_evaporation(raw, given, pet, due):
    names = tuple(sorted({*COLUMNS, *given} - ({OLD_PET} - given)))
    for seed, basin in enumerate(IDS):
        raw.series(basin, days(9), columns(9, seed, names))
    source = find(raw.folder, pet=pet)
    assert source.settings["pet"] == (due or pet)
    basin, written = one(raw, pet=pet), columns(9, 0, names)
    if due is None:
        assert "pet" not in source.units
    else:
        np.testing.assert_array_equal(basin.series["pet"], written[due])
    # What is not taken rides along, under its name in version 1.5.
    riding = {ERA5_PET if name == OLD_PET else name: name for name in given - {due}}
    assert set(source.units) == {*CANONICAL, SNOW, *riding} | ({"pet"} if due else set())
    for name, column in riding.items():
        np.testing.assert_array_equal(basin.series[name], written[column])


def test_one_potential_evaporation_for_all(raw):
    """Extensions of version 1.5 beside basins of an earlier one."""
    raw.series("de_7", days(9), columns(9, 0, (*CANONICAL.values(), ERA5_PET, FAO_PET)))
    source = find(raw.folder)
    assert source.settings["pet"] == f"{OLD_PET}, {ERA5_PET}"
    assert np.isnan(one(raw).series[FAO_PET]).all() and np.isfinite(one(raw, "de_7").series[FAO_PET]).all()
    raw.series("de_7", days(9), columns(9, 0, (*CANONICAL.values(), FAO_PET)))
    with pytest.raises(DataError, match=f"us_0. has no {FAO_PET}, de_7 no {ERA5_PET}; ask for pet hargreaves or oudin"):
        find(raw.folder)
    assert len(list(find(raw.folder, pet="hargreaves").read(IDS))) == 3
    with pytest.raises(DataError, match=f"us_01.*no column {FAO_PET}"):
        one(raw, pet="fao")


def test_other_columns(raw):
    table = columns(9, 0) | {"eobs": np.ones(9, np.float32), "efas": np.ones(9, np.float32)}
    raw.series("us_01", days(9), table)
    assert find(raw.folder).settings["left_out"] == ["efas", "eobs"]
    assert SNOW not in find(raw.folder, others=()).units
    with pytest.raises(DataError, match="others: one of snow_depth.* is required, got 'eobs'"):
        find(raw.folder, others=["eobs"])
    with pytest.raises(DataError, match="pet: one of auto, fao, era5, hargreaves, oudin is required, got 'priestley'"):
        find(raw.folder, pet="priestley")
    with pytest.raises(DataError, match="format: one of csv, netcdf is required, got 'zarr'"):
        find(raw.folder, format="zarr")


def test_what_no_measurement_can_be(raw):
    table = columns(12)
    table["streamflow"][[2, 5]] = -999, -0.01
    table["total_precipitation_sum"][[1, 2, 3]] = -0.01, -999, -5
    table[OLD_PET][[0, 1]] = -0.88, -999
    table["temperature_2m_min"][[4, 5]] = -9999, -40
    table[SNOW][0] = np.inf
    raw.series("us_01", days(12), table)
    basin = one(raw)
    assert basin.met == {
        "negative_qobs": 2,
        "impossible_prcp": 2,
        "negative_prcp": 1,
        "impossible_pet": 1,
        "negative_pet": 1,
        "impossible_tmin": 1,
        f"impossible_{SNOW}": 1,
    }
    assert np.flatnonzero(np.isnan(basin.series["qobs"])).tolist() == [2, 5]
    assert basin.series["prcp"][1] == 0 and np.flatnonzero(np.isnan(basin.series["prcp"])).tolist() == [2, 3]
    assert basin.series["pet"][0] == 0 and np.isnan(basin.series["pet"][1])
    assert basin.series["tmin"][5] == -40 and np.isnan(basin.series["tmin"][4])


def test_a_missing_leap_day_is_a_day_without_values(raw):
    kept = np.delete(np.arange(430), [62 - 1, 100, 101])
    assert str(days(430)[61]) == "2000-02-29"
    raw.series("us_01", days(430)[kept], {name: values[kept] for name, values in columns(430).items()})
    basin = one(raw)
    assert basin.met == {"missing_days": 3} and len(basin.series["prcp"]) == 430
    for name, values in basin.series.items():
        assert np.flatnonzero(np.isnan(values)).tolist() == [61, 100, 101], name


def test_unsorted_and_doubled_days_are_mended(raw):
    rows = [*range(10), 4, 12, 11, 10, *range(13, 20), 4]
    raw.series("us_01", days(20)[rows], {name: values[rows] for name, values in columns(20).items()})
    basin = one(raw)
    assert basin.met == {"unsorted_days": 4, "doubled_days": 2}
    for name, column in CANONICAL.items():
        np.testing.assert_array_equal(basin.series[name], columns(20)[column])


def test_two_rows_of_a_day_that_differ_are_refused(raw):
    table = {name: values[[0, 1, 2, 2, 3]] for name, values in columns(9).items()}
    table["streamflow"][3] += 1
    path = raw.series("us_01", days(9)[[0, 1, 2, 2, 3]], table)
    with pytest.raises(DataError, match=f"{path.name}: basin us_01 has two rows of 2000-01-01 that differ"):
        one(raw)


def test_a_missing_column_is_named(raw):
    for column in (*CANONICAL.values(), OLD_PET):
        path = raw.series("us_01", days(9), {name: values for name, values in columns(9).items() if name != column})
        with pytest.raises(DataError, match=f"{path.name}: no column {column}"):
            one(raw)
    assert len(list(find(raw.folder).read(["us_02", "de_7"]))) == 2


def test_a_file_without_dates_or_rows_is_named(raw):
    path = raw.series("us_01", days(0), columns(0))
    with pytest.raises(DataError, match=f"{path.name}: at least one day is required"):
        one(raw)
    raw.series("us_01", np.array(["0981-01-01"], "M8[D]"), columns(1))
    with pytest.raises(DataError, match=f"{path.name}: dates from 1850-01-01 to 2149-12-31 are required, got 0981-01-01 in row 1"):
        one(raw)


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (3, "1999-12-31,much,1,2,3,4,5,6", ":3: a number is required in column total_precipitation_sum, got 'much' on 1999-12-31"),
        (3, "1999-12-32,1,1,2,3,4,5,6", ":3: a date such as 1981-01-31 is required, got '1999-12-32'"),
        (3, ",1,1,2,3,4,5,6", ":3: a date such as 1981-01-31 is required, got ''"),
        (3, "31.12.1999,1,1,2,3,4,5,6", ":3: a date such as 1981-01-31 is required"),
        (3, "1999-12-31,1,1,2,3,4,5", ":3: 8 fields are required, got 7"),
        (3, "1999-12-31,1,1,2,3,4,5,6,7", ":3: 8 fields are required, got 9"),
        (3, "1999-12-31,1,1,2,3,4,\0,6", ":3: a number is required in column"),
        (3, "1999-12-31,1,1_0,2,3,4,5,6", ": cannot be read"),
        (1, "day,a,b,c,d,e,f,g", ": a column date or time is required; there are day, a"),
        (1, "date,a,b,c,a,e,f,g", ":1: column names are required, a comes twice"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, text, message):
    raw = Raw(tmp_path)
    raw.places()
    raw.series("us_02", days(9), columns(9))
    path = raw.series("us_01", days(9), columns(9))
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=f"us_01.csv{message}"):
        one(raw)
    assert one(raw, "us_02").name == "us_02"


def test_a_cut_file_is_named(raw):
    path = raw.path("us_01")
    content = path.read_bytes()
    for share in (0, 0.001, 0.3, 0.6, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(DataError, match=path.name):
            one(raw)
    path.write_bytes(content[:-1] if raw.kind == "netcdf" else content[:-2])
    with pytest.raises(DataError, match=path.name):
        one(raw)


def test_a_file_of_another_kind_is_named(raw):
    path = raw.path("us_01")
    for content in (b"PK\x03\x04 a zip archive", b"CDF\x01\x00\x00\x00\x00", b"\xff\xfe\x00\x01", b"\n\n"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=path.name):
            one(raw)
    if raw.kind == "netcdf":
        path.write_bytes(b"CDF\x01\x00\x00\x00\x00")
        with pytest.raises(DataError, match="NetCDF-4 file is required, this is a NetCDF-3 file"):
            one(raw)


def test_flipped_bits_never_end_in_a_traceback(raw):
    path, rng = raw.path("us_01"), np.random.default_rng(0)
    raw.series("us_01", days(20), columns(20))
    content = path.read_bytes()
    refused = 0
    for place in rng.integers(0, len(content), 150):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            one(raw)
        except DataError as error:
            refused += 1
            assert "us_01" in str(error)
    assert refused > 5


def test_a_damaged_length_does_not_make_hdf5_read_for_ever(tmp_path):
    raw = Raw(tmp_path, "netcdf")
    raw.places()
    path = raw.series("us_01", days(20), columns(20))
    content = path.read_bytes()
    heap = content.index(b"GCOL")
    for place in range(heap + 120, heap + 180):
        damaged = bytearray(content)
        damaged[place] ^= 8
        path.write_bytes(damaged)
        with suppress(DataError):
            one(raw)


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ("hours since 2000-01-01", "dates in units 'days since YYYY-MM-DD' .* got units 'hours since 2000-01-01'"),
        ("days since yesterday", ".*got units 'days since yesterday'"),
        ("mm", ".*got units 'mm'"),
    ],
)
def test_dates_of_netcdf_in_other_units_are_named(tmp_path, units, message):
    raw = Raw(tmp_path, "netcdf")
    raw.places()
    write_netcdf(raw.path("us_01"), days(9), columns(9), units)
    with pytest.raises(DataError, match=f"us_01.nc: {message}"):
        one(raw)


def test_netcdf_with_fill_values_and_packed_numbers(tmp_path):
    raw = Raw(tmp_path, "netcdf")
    raw.places()
    path = raw.path("us_01")
    write_netcdf(path, days(9), {name: np.arange(9, dtype=np.float32) for name in COLUMNS}, missing_value=np.float32(3))
    assert np.flatnonzero(np.isnan(one(raw).series["tmax"])).tolist() == [3]
    with h5py.File(path, "a") as file:
        file["streamflow"].attrs["scale_factor"] = 0.5
        file["streamflow"].attrs["add_offset"] = 1.0
    np.testing.assert_array_equal(one(raw).series["qobs"], [1, 1.5, 2, np.nan, 3, 3.5, 4, 4.5, 5])


def test_netcdf_with_variables_of_another_shape_is_named(tmp_path):
    raw = Raw(tmp_path, "netcdf")
    raw.places()
    path = raw.series("us_01", days(9), columns(9))
    with h5py.File(path, "a") as file:
        del file["streamflow"]
        file["streamflow"] = np.zeros((9, 2))
    with pytest.raises(DataError, match="us_01.nc: variable streamflow must be 9 numbers, one a day; it is float64 of shape"):
        one(raw)
    with h5py.File(path, "a") as file:
        del file["streamflow"]
        file.create_group("streamflow")
    with pytest.raises(DataError, match="us_01.nc: a whole NetCDF-4 file is required, its variable streamflow cannot be read"):
        one(raw)


@pytest.mark.parametrize(
    ("family", "lines", "message"),
    [
        ("caravan", ("gauge_id,p_mean", "us_01,wet", "us_02,1"), ":2: attribute p_mean must be a number or empty, got 'wet'"),
        ("caravan", ("gauge_id,p_mean", "us_01,inf", "us_02,1"), ":2: attribute p_mean must be a number or empty, got 'inf'"),
        ("other", ("gauge_id,gauge_lat,gauge_lon", "us_02,1,2", "us_01,north,2"), ":3: attribute gauge_lat must be a number"),
        ("other", ("gauge_id,gauge_lat,gauge_lon", "us_02,1,2", "us_01,1"), ":3: 3 fields are required, got 2"),
        ("other", ("gauge_id,gauge_lat,gauge_lon", "us_02,1,2", "us_02,1,2"), ":3: basin us_02 comes twice"),
        ("other", ("id,gauge_lat,gauge_lon", "us_02,1,2"), ":1: a header that begins with gauge_id is required"),
        ("other", ("gauge_id,gauge_lat,gauge_lat", "us_02,1,2"), ":1: a header that begins with gauge_id is required, with each name once"),
    ],
)
def test_attribute_faults_are_named(raw, family, lines, message):
    raw.attributes(family, "us", *lines)
    with pytest.raises(DataError, match=rf"attributes_{family}_us\.csv{message}"):
        find(raw.folder)


def test_what_is_missing_is_named(raw):
    with pytest.raises(DataError, match="time series .* are required .*, there are none"):
        find(raw.folder / "elsewhere")
    twin = raw.folder / "timeseries" / "csv" / "de" / "us_01.csv"
    twin.parent.mkdir(parents=True, exist_ok=True)
    twin.write_text("date\n")
    with pytest.raises(DataError, match="basin us_01 is in sub-dataset .* too"):
        find(raw.folder)
    twin.unlink()
    for path in raw.folder.glob("attributes/*/*.csv"):
        path.unlink()
    with pytest.raises(DataError, match="attribute files .* are required, there are none"):
        find(raw.folder)
