"""From a source to shards: chosen, cut, completed, and gone on with after whatever has stopped it."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from servers import s3

from studyhub.catalog import ATTRIBUTE_SETS
from studyhub.data import ingest as ingesting
from studyhub.data.ingest import Choice, ingest
from studyhub.data.record import Basin
from studyhub.data.shards import Shards
from studyhub.errors import DataError
from studyhub.study.settings import Period

UNITS = {"prcp": "mm/d", "tmin": "degC", "tmax": "degC", "ndvi": "-", "qobs": "mm/d"}
START, DAYS = date(2000, 1, 1), 900


@dataclass
class Fields:
    """A source of virtual weather; ``pause`` seconds a basin, ``broken`` basins cannot be read."""

    basins: tuple[str, ...] = tuple(f"b{i:02d}" for i in range(10))
    pause: float = 0.0
    broken: tuple[str, ...] = ()
    incomplete: dict[str, str] = field(default_factory=dict)
    settings: dict = field(default_factory=lambda: {"version": 1})
    reader: str = "fields"
    units: dict = field(default_factory=lambda: dict(UNITS))
    codes: dict = field(default_factory=dict)

    def read(self, basins):
        for name in basins:
            time.sleep(self.pause)
            if name in self.broken:
                raise DataError(f"{name}.txt:7: a number is required, got '?'")
            yield self.basin(name)

    def basin(self, name):
        rng = np.random.default_rng(self.basins.index(name))
        cold = 10 + 8 * np.sin(np.arange(DAYS) / 58) + rng.normal(size=DAYS)
        weather = {"prcp": rng.gamma(0.5, 4, DAYS), "tmin": cold - 4, "tmax": cold + 5, "ndvi": rng.random(DAYS)}
        series = weather | {"qobs": np.where(rng.random(DAYS) < 0.1, np.nan, rng.random(DAYS))}
        facts = {"gauge_lat": 48.0, "gauge_lon": 8.0, "name": f"River {name}"}
        return Basin(name, START, series, {"slope": float(len(name))}, facts)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(ingesting, "BASINS_PER_FILE", 3)


def content(shards):
    """Everything that studies see."""
    record = shards.read()
    return (
        {basin: {k: v for k, v in facts.items() if k != "dataset"} for basin, facts in shards.manifest.metadata.items()},
        shards.hash(shards.basins, shards.variables),
        {name: values.tobytes() for name, values in record.series.items()},
        record.attributes.tobytes(),
        shards.findings().to_pylist(),
    )


def test_shards_are_complete(tmp_path):
    told = []
    shards = ingest(Fields(), tmp_path / "s", progress=lambda done, of: told.append((done, of)))
    assert told == [(done, 10) for done in range(11)]
    assert shards.basins == Fields().basins
    assert shards.variables == ("prcp", "tmin", "tmax", "tmean", "pet", "ndvi", "qobs")
    assert shards.manifest.units["ndvi"] == "-" and shards.manifest.units["pet"] == "mm/d"
    assert shards.attribute_names == ("slope", *ATTRIBUTE_SETS["climate"])
    facts = shards.manifest.metadata["b03"]
    assert (facts["continent"], facts["climate_group"], facts["dataset"]) == ("Europe", "temperate", "s")
    assert "short_record" in facts["flagged"]
    assert shards.manifest.quality["short_record"]["flagged"] == 10
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [
        "attributes.parquet",
        *(f"basins-00{i}.parquet" for i in range(4)),
        "manifest.json",
        "quality.parquet",
    ]
    tmin, tmean = (shards.read(variables=(name,)).series[name] for name in ("tmin", "tmean"))
    np.testing.assert_allclose(tmean, tmin + 4.5, atol=1e-5)


def test_processes_write_what_one_process_writes(tmp_path):
    assert content(ingest(Fields(), tmp_path / "one")) == content(ingest(Fields(), tmp_path / "two", processes=2))


def test_basins_and_days_are_chosen(tmp_path):
    period = Period(date(2001, 1, 1), date(2001, 12, 31))
    shards = ingest(Fields(), tmp_path / "s", Choice(basins=("b04", "b02", "b01"), without=("b02",), period=period, years=0.5))
    assert shards.basins == ("b01", "b04") and shards.period == period
    assert "short_record" not in shards.manifest.metadata["b01"]["flagged"]
    whole = ingest(Fields(), tmp_path / "whole")
    np.testing.assert_array_equal(shards.read(attributes=()).series["qobs"], whole.read(("b01", "b04"), period=period).series["qobs"])
    cut = Choice(climate=period)
    assert content(ingest(Fields(), tmp_path / "c", cut))[2] == content(whole)[2]
    np.testing.assert_array_equal(Shards.open(tmp_path / "c").read(("b01",)).attributes[:, 1:], shards.read(("b01",)).attributes[:, 1:])


def test_a_basin_without_a_day_in_the_period_is_told(tmp_path):
    @dataclass
    class Late(Fields):
        def basin(self, name):
            basin = super().basin(name)
            return replace(basin, start=date(2010, 1, 1)) if name == "b05" else basin

    shards = ingest(Late(), tmp_path / "s", Choice(period=Period(START, date(2002, 1, 1))))
    assert "b05" not in shards.basins and len(shards.basins) == 9
    assert shards.manifest.left_out == {"b05": "no day in 2000-01-01..2002-01-01"}


def test_basins_that_are_not_complete_are_never_lost_in_silence(tmp_path):
    source = Fields(incomplete={"b01": "topo.txt: no line of basin b01"})
    with pytest.raises(DataError, match="1 of 10 basins are not complete: b01. The first: topo.txt: no line .* --complete-only"):
        ingest(source, tmp_path / "s")
    shards = ingest(source, tmp_path / "s", Choice(complete_only=True))
    assert "b01" not in shards.basins and shards.manifest.left_out == {"b01": "topo.txt: no line of basin b01"}


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(basins=("b01", "x")), "basins to take must be there, there is no x"),
        (Choice(without=("y",)), "basins to leave out must be there, there is no y"),
        (Choice(basins=("b01",), without=("b01",)), "none is left"),
    ],
)
def test_a_choice_that_cannot_be(tmp_path, choice, message):
    with pytest.raises(DataError, match=message):
        ingest(Fields(), tmp_path / "s", choice)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_fault_keeps_what_was_written_and_the_next_run_goes_on(tmp_path, processes):
    with pytest.raises(DataError, match="b07.txt:7"):
        ingest(Fields(broken=("b07",)), tmp_path / "s", processes=processes)
    with pytest.raises(DataError, match="an ingest that has not ended"):
        Shards.open(tmp_path / "s")
    written = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "s").glob("basins-*.parquet")}
    assert "basins-002.parquet" not in written and written
    shards = ingest(Fields(), tmp_path / "s")
    assert all((tmp_path / "s" / name).stat().st_mtime_ns == stamp for name, stamp in written.items())
    assert content(shards) == content(ingest(Fields(), tmp_path / "whole"))


def test_a_period_without_a_day_of_any_basin_is_told_and_leaves_nothing(tmp_path):
    choice = Choice(period=Period(date(2050, 1, 1), date(2051, 1, 1)))
    with pytest.raises(DataError, match="none of the 10 basins has a day in 2050-01-01..2051-01-01"):
        ingest(Fields(), tmp_path / "s", choice)
    assert [*(tmp_path / "s").iterdir()] == []
    ingest(Fields(), tmp_path / "s")


def test_a_command_that_wrote_no_basin_can_be_corrected(tmp_path):
    with pytest.raises(DataError, match="b00.txt:7"):
        ingest(Fields(broken=("b00",)), tmp_path / "s")
    assert len(ingest(Fields(), tmp_path / "s", Choice(without=("b00",))).basins) == 9


@pytest.mark.parametrize(
    "name", ["a\nb", "a\tb", "a\x01", " a", "a ", "a\u202eb", "a,b", "a;b", "#a", "'a'", 'a"b', "=1+1", "@a", "+a", "", "x" * 201]
)
def test_ids_that_no_list_can_hold_are_refused(tmp_path, name):
    with pytest.raises(DataError, match=r"id of a basin .* got .*; rename it"):
        ingest(Fields(basins=("b00", name)), tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("name", ["01013500", "Rhône à L'Isle", "a/b", "..", "-5", "x" * 200, "<b>", "{basin}"])
def test_ids_of_any_language_are_kept(tmp_path, name):
    assert ingest(Fields(basins=(name,)), tmp_path / "s").basins == (name,)


def test_a_climate_of_days_that_are_not_kept(tmp_path):
    choice = Choice(period=Period(date(2000, 1, 1), date(2000, 12, 31)), climate=Period(date(2001, 1, 1), date(2001, 12, 31)))
    with pytest.raises(DataError, match="2001-01-01..2001-12-31, of which no day is kept, 2000-01-01..2000-12-31"):
        ingest(Fields(), tmp_path / "s", choice)
    assert not (tmp_path / "s").exists()


def test_what_another_ingest_began_is_not_gone_on_with(tmp_path):
    with pytest.raises(DataError):
        ingest(Fields(broken=("b07",)), tmp_path / "s")
    with pytest.raises(DataError, match="another ingest began here"):
        ingest(Fields(settings={"version": 2}), tmp_path / "s")
    with pytest.raises(DataError, match="another ingest began here"):
        ingest(Fields(), tmp_path / "s", Choice(without=("b01",)))
    ingest(Fields(), tmp_path / "s")
    with pytest.raises(DataError, match="does not exist yet is required"):
        ingest(Fields(), tmp_path / "s")


SCRIPT = """
import sys
sys.path[:0] = {paths}
from test_ingest import Fields, ingesting, ingest
ingesting.BASINS_PER_FILE = 3
if __name__ == "__main__":
    ingest(Fields(pause=0.15), {out!r})
"""


@pytest.mark.parametrize("where", ["disk", "s3"])
def test_killed_in_mid_write_and_gone_on_with(tmp_path, monkeypatch, where):
    with s3(monkeypatch) as bucket:
        out = str(tmp_path / "s") if where == "disk" else f"{bucket}/s"
        script = tmp_path / "script.py"
        script.write_text(SCRIPT.format(paths=[str(Path(__file__).parent), str(Path(__file__).parents[1])], out=out))
        for blocks in (1, 3):
            child = subprocess.Popen([sys.executable, script], env=dict(os.environ))
            until = time.monotonic() + 60
            while len(names(out, "block-")) < blocks and time.monotonic() < until:
                time.sleep(0.02)
            child.send_signal(signal.SIGKILL)
            child.wait()
            assert blocks <= len(names(out, "block-")) < 4
            with pytest.raises(DataError, match="has not ended"):
                Shards.open(out)
        shards = ingest(Fields(), out)
        assert names(out, "block-") == [] and names(out, "ingest") == []
        shards.require_unaltered()
        assert content(shards) == content(ingest(Fields(), tmp_path / "whole"))


def names(where, begin):
    from studyhub.storage import folder

    return [name for name in folder(where).names() if name.startswith(begin)]


def test_shards_in_an_object_store(tmp_path, monkeypatch):
    with s3(monkeypatch) as bucket:
        far = ingest(Fields(), f"{bucket}/deep/s", processes=2)
        near = ingest(Fields(), tmp_path / "s")
        assert content(far) == content(near)
        assert far.manifest.where == (f"{bucket}/deep/s",) and far.manifest.metadata["b01"]["dataset"] == "s"
        place = ingesting.folder(f"{bucket}/deep/s")
        whole = place.read("basins-001.parquet")
        place.write("basins-001.parquet", whole[:-9])
        assert Shards.open(f"{bucket}/deep/s").read(("b01",)).basins == ("b01",)
        with pytest.raises(DataError, match=r"s3://basins/deep/s/basins-001.parquet: damaged shard \(it has \d+ bytes"):
            Shards.open(f"{bucket}/deep/s").require_unaltered()
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 4
        place.write("basins-001.parquet", bytes(flipped))
        with pytest.raises(DataError, match="basins-001.parquet: damaged shard"):
            Shards.open(f"{bucket}/deep/s").require_unaltered()


def test_several_folders_read_as_one(tmp_path):
    ingest(Fields(basins=("a1", "a2")), tmp_path / "a")
    other = Fields(basins=("c1",), units={name: unit for name, unit in UNITS.items() if name != "ndvi"})
    other.basin = lambda name: _without_ndvi(Fields(basins=("c1",)).basin(name))
    ingest(other, tmp_path / "c")
    both = Shards.open((tmp_path / "a", tmp_path / "c"))
    assert both.basins == ("a1", "a2", "c1") and "ndvi" not in both.variables
    assert [facts["dataset"] for facts in both.manifest.metadata.values()] == ["a", "a", "c"]
    record = both.read(("c1", "a2"))
    np.testing.assert_array_equal(record.series["prcp"][0], Shards.open(tmp_path / "c").read(variables=("prcp",)).series["prcp"][0])
    np.testing.assert_array_equal(record.attributes[1], Shards.open(tmp_path / "a").read(("a2",)).attributes[0])
    assert both.hash(("c1",), ("prcp",)) == Shards.open(tmp_path / "c").hash(("c1",), ("prcp",))
    with pytest.raises(DataError, match="basins of different names are required, both have a1, a2"):
        Shards.open((tmp_path / "a", tmp_path / "a"))
    manifest = tmp_path / "c" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"prcp": "mm/d"', '"prcp": "m/d"'))
    with pytest.raises(DataError, match="prcp is in mm/d in .*a and in m/d in .*c"):
        Shards.open((tmp_path / "a", tmp_path / "c"))


def _without_ndvi(basin):
    return replace(basin, series={name: values for name, values in basin.series.items() if name != "ndvi"})


def test_a_kill_between_the_manifest_and_the_clean_up(tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    def kill(self, name):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("studyhub.storage.LocalFolder.remove", kill)
        with pytest.raises(Killed):
            ingest(Fields(), tmp_path / "s")
    assert names(tmp_path / "s", "block-") and names(tmp_path / "s", "ingest")
    before = content(Shards.open(tmp_path / "s"))
    assert content(ingest(Fields(), tmp_path / "s")) == before
    assert names(tmp_path / "s", "block-") == names(tmp_path / "s", "ingest") == []
