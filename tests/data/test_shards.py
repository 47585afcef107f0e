from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studyhub.data.record import Basin
from studyhub.data.shards import Shards, write
from studyhub.errors import DataError
from studyhub.study.settings import Period


def saved(folder, basins, **options):
    return Shards.open(write(folder, basins, source="test", settings={}, **options))


@pytest.fixture
def shards(tmp_path, make_basin):
    return saved(tmp_path / "shards", [make_basin(name, seed=i) for i, name in enumerate("abcde")], basins_per_file=2)


def test_what_was_written_is_read(shards, make_basin):
    record = shards.read()
    assert record.basins == tuple("abcde") and record.attribute_names == ("area", "slope")
    for i, name in enumerate("abcde"):
        for variable, values in make_basin(name, seed=i).series.items():
            np.testing.assert_array_equal(record.series[variable][i], values.astype(np.float32))
    np.testing.assert_array_equal(record.attributes, [[10.0 + i, np.nan] for i in range(5)])
    assert record.series["prcp"].dtype == np.float32 and str(record.period) == str(shards.period)


def test_a_part_in_the_order_asked_for(shards):
    whole = shards.read()
    period = Period(date(2000, 2, 28), date(2000, 3, 1))
    part = shards.read(("d", "a"), ("qobs", "prcp"), period, ("slope",))
    assert (part.basins, list(part.series), part.attribute_names) == (("d", "a"), ["qobs", "prcp"], ("slope",))
    assert [str(d) for d in part.dates] == ["2000-02-28", "2000-02-29", "2000-03-01"]
    np.testing.assert_array_equal(part.series["qobs"], whole.series["qobs"][[3, 0], 58:61])


def test_files_hold_a_row_group_per_basin(shards):
    file = pq.ParquetFile(Path(shards.manifest.folder) / "basins-001.parquet")
    assert file.num_row_groups == 2
    table = file.read_row_group(1)
    assert table.column_names == ["basin", "date", "prcp", "tmean", "pet", "qobs"]
    assert set(table["basin"].to_pylist()) == {"d"} and table["date"][59].as_py() == date(2000, 2, 29)


def test_records_of_different_length_meet_in_one(tmp_path, make_basin):
    early, late = make_basin("early", days=100), make_basin("late", start=date(2000, 3, 1), days=100, seed=1)
    shards = saved(tmp_path / "shards", [early, late])
    record = shards.read()
    assert str(record.period) == "2000-01-01..2000-06-08"
    np.testing.assert_array_equal(np.isnan(record.series["prcp"]), [np.arange(160) >= 100, np.arange(160) < 60])
    assert np.isnan(shards.read(("early",), period=Period(date(2000, 5, 1), date(2000, 5, 9))).series["prcp"]).all()
    np.testing.assert_array_equal(record.series["prcp"][1, 60:], late.series["prcp"].astype(np.float32))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.floats(width=32), min_size=1, max_size=40), attribute=st.floats(allow_infinity=False))
def test_any_numbers_survive(tmp_path_factory, values, attribute):
    basin = Basin("x", date(1999, 12, 31), {"qobs": np.array(values)}, {"slope": attribute}, {})
    record = saved(tmp_path_factory.mktemp("any") / "shards", [basin]).read()
    np.testing.assert_array_equal(record.series["qobs"][0], np.array(values, dtype=np.float32))
    np.testing.assert_array_equal(record.attributes, [[attribute]])


def changed(make_basin, change):
    basin = make_basin()
    change(basin)
    return basin


@pytest.mark.parametrize(
    ("change", "others"),
    [
        (lambda b: b.series["prcp"].__setitem__(17, b.series["prcp"][17] + 0.01), ["pet", "qobs"]),
        (lambda b: b.series["prcp"].__setitem__(899, np.nan), ["pet", "qobs"]),
        (lambda b: b.attributes.__setitem__("slope", 1.0), []),
        (lambda b: b.attributes.__setitem__("area", 10.0000001), []),
    ],
)
def test_hash_changes_when_one_value_changes(tmp_path, make_basin, change, others):
    first = saved(tmp_path / "one", [make_basin()])
    other = saved(tmp_path / "two", [changed(make_basin, change)])
    assert first.hash(["a"], ["prcp"]) != other.hash(["a"], ["prcp"])
    if others:
        assert first.hash(["a"], others) == other.hash(["a"], others)


def test_hash_knows_one_kind_of_missing(tmp_path, make_basin):
    basins = [make_basin(), make_basin()]
    for basin, bits in zip(basins, (0x7FF8000000000000, 0xFFFFFFFF12345678), strict=True):
        basin.series["qobs"][5] = np.array([bits], dtype=np.uint64).view(np.float64)[0]
    first, other = (saved(tmp_path / name, [basin]) for name, basin in zip("xy", basins, strict=True))
    assert first.hash(["a"], ["qobs"]) == other.hash(["a"], ["qobs"])


def test_hash_stays_with_the_content_and_changes_with_its_days(tmp_path, make_basin):
    first = saved(tmp_path / "one", [make_basin(), make_basin("b", seed=1)])
    again = saved(tmp_path / "two", [make_basin("b", seed=1), make_basin("c"), make_basin()], basins_per_file=1)
    later = saved(tmp_path / "three", [make_basin(start=date(2000, 1, 2))])
    assert first.hash(["a"], ["prcp"]) == again.hash(["a"], ["prcp"]) != later.hash(["a"], ["prcp"])


def test_basins_asked_for_in_any_order_and_twice(shards):
    whole, basins = shards.read(), ("e", "a", "d", "a", "b", "e")
    part = replace(shards, verify=True).read(basins)
    rows = ["abcde".index(name) for name in basins]
    assert part.basins == basins
    np.testing.assert_array_equal(part.attributes, whole.attributes[rows])
    for name, values in whole.series.items():
        np.testing.assert_array_equal(part.series[name], values[rows])


def test_gaps_are_filled_by_the_days_of_the_whole_record_and_discharge_never_is(tmp_path, make_basin):
    basin = make_basin(days=1500)
    season = np.arange(1500) % 366.0
    basin.series.update(pet=season.copy(), qobs=season.copy())
    for name in ("pet", "qobs"):
        basin.series[name][[50, 51, 1200]] = np.nan
    shards = replace(saved(tmp_path / "shards", [basin]), fill="climatology:2")
    part = shards.read(period=Period(date(2000, 2, 20), date(2000, 2, 21)))
    np.testing.assert_allclose(part.series["pet"], [[50, 51]], atol=2)
    np.testing.assert_array_equal(part.series["pet"], shards.read().series["pet"][:, 50:52])
    assert np.isnan(part.series["qobs"]).all() and int(np.isnan(shards.read().series["qobs"]).sum()) == 3


def test_what_is_not_there_is_named(shards):
    with pytest.raises(DataError, match="no basins x, y; there are a, b, c, d, e"):
        shards.read(("a", "y", "x"))
    with pytest.raises(DataError, match="no variables swe"):
        shards.read(variables=("swe",))
    with pytest.raises(DataError, match="no attributes sand"):
        shards.read(attributes=("sand",))
    with pytest.raises(DataError, match=r"cover 2000-01-01\.\.2002-06-18, asked for 1999"):
        shards.read(period=Period(date(1999, 1, 1), date(2000, 1, 1)))
    with pytest.raises(DataError, match="at least one day"):
        shards.read(period=Period(date(2001, 1, 2), date(2001, 1, 1)))
    with pytest.raises(DataError, match="known of synthetic basins only, these come from test"):
        shards.truth()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-50])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(bytes(content))


def wipe(path):
    path.write_bytes(b"\0" * path.stat().st_size)


@pytest.mark.parametrize("damage", [truncate, flip, wipe, lambda path: path.unlink()])
@pytest.mark.parametrize("name", ["basins-001.parquet", "attributes.parquet"])
def test_a_damaged_file_is_named(shards, damage, name):
    damage(Path(shards.manifest.folder) / name)
    with pytest.raises(DataError, match=f"{name}: damaged shard .*ingest again"):
        replace(shards, verify=True).read(("c", "d"))
    with pytest.raises(DataError, match=f"{name}: damaged shard .*ingest again"):
        Shards.open(shards.manifest.folder).require_unaltered()


def test_only_the_damaged_file_is_refused(shards):
    truncate(Path(shards.manifest.folder) / "basins-001.parquet")
    assert shards.read(("a", "b", "e")).basins == ("a", "b", "e")


def test_a_file_rewritten_with_another_value_is_named(tmp_path, make_basin):
    shards = saved(tmp_path / "one", [make_basin(days=50)])
    other = saved(tmp_path / "two", [changed(lambda: make_basin(days=50), lambda b: b.series["qobs"].__setitem__(3, 0.5))])
    (Path(shards.manifest.folder) / "basins-000.parquet").write_bytes((Path(other.manifest.folder) / "basins-000.parquet").read_bytes())
    path = f"{shards.manifest.folder}/basins-000.parquet"
    shards.manifest.sizes[path] = Path(path).stat().st_size
    assert shards.read(variables=("prcp",)).basins == ("a",)
    with pytest.raises(DataError, match=r"basins-000.parquet: damaged shard \(qobs of basin a is not what was written\)"):
        replace(shards, verify=True).read()


def test_whole_files_of_another_world_are_named_without_a_look_at_their_numbers(tmp_path, make_basin):
    shards = saved(tmp_path / "one", [make_basin(days=50)])
    other = saved(tmp_path / "two", [make_basin(days=60, attributes={"area": 11.0, "slope": float("nan")})])
    for name in ("basins-000.parquet", "attributes.parquet"):
        (Path(shards.manifest.folder) / name).write_bytes((Path(other.manifest.folder) / name).read_bytes())
    with pytest.raises(DataError, match=r"basins-000.parquet: damaged shard \(it has \d+ bytes, \d+ were written\)"):
        shards.read(attributes=())
    for path in shards.manifest.sizes:
        shards.manifest.sizes[path] = Path(path).stat().st_size
    with pytest.raises(DataError, match=r"basins-000.parquet: damaged shard \(it has 60 days of 1 basins, 50 were written\)"):
        shards.read(attributes=())
    assert shards.read(variables=()).attributes[0, 0] == 11.0
    with pytest.raises(DataError, match=r"attributes.parquet: damaged shard \(the attributes of basin a are not what was written\)"):
        replace(shards, verify=True).read(variables=())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, DataError])
def test_an_interrupted_write_leaves_nothing(tmp_path, make_basin, error):
    def basins():
        yield make_basin()
        raise error

    with pytest.raises(error):
        write(tmp_path / "made" / "shards", basins(), source="test", settings={})
    assert list((tmp_path / "made").iterdir()) == []


def test_nothing_is_overwritten(shards, make_basin):
    before = sorted((path.name, path.read_bytes()) for path in Path(shards.manifest.folder).iterdir())
    with pytest.raises(DataError, match="does not exist yet is required"):
        write(shards.manifest.folder, [make_basin()], source="test", settings={})
    assert before == sorted((path.name, path.read_bytes()) for path in Path(shards.manifest.folder).iterdir())


def test_a_place_that_cannot_be_written(tmp_path, make_basin):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write(tmp_path / "file" / "shards", [make_basin()], source="test", settings={})


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"name": "a"}, "basin a comes twice"),
        ({"attributes": {"area": 1.0}}, "the attributes of the first basin"),
        ({"series": {"prcp": np.ones(3)}}, "the variables of the first basin"),
        ({"series": {"prcp": np.ones(3), "tmean": np.ones(2), "pet": np.ones(3), "qobs": np.ones(3)}}, "variables of one length"),
    ],
)
def test_basins_must_be_alike(tmp_path, make_basin, second, message):
    with pytest.raises(DataError, match=message):
        write(tmp_path / "shards", [make_basin(), make_basin(**({"name": "b"} | second))], source="test", settings={})
    assert list(tmp_path.iterdir()) == []


def test_no_basin_and_no_unit(tmp_path, make_basin):
    with pytest.raises(DataError, match="at least one basin is required"):
        write(tmp_path / "shards", [], source="test", settings={})
    with pytest.raises(DataError, match="no unit is known of swe"):
        write(tmp_path / "shards", [make_basin(series={"swe": np.ones(3)})], source="test", settings={})
