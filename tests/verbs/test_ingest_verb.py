"""`studyhub ingest` as a user gives it: every reader, right and wrong."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from studyhub import cli
from studyhub.data.shards import Shards

MAPPING = """
daily:
  files: "[A-Z]*.csv"
  date: day
  variables:
    prcp: {column: rain, unit: mm/d}
    tmean: {column: warmth, unit: degC}
    pet: {column: evap, unit: mm/d}
    qobs: {column: flow, unit: l/s}
attributes:
  - files: stations.csv
    basin: id
facts:
  gauge_lat: {column: lat}
  gauge_lon: {column: lon}
  area_km2: {column: km2, unit: km2}
"""


@pytest.fixture
def tables(tmp_path) -> Path:
    """Two basins of three years as CSV, 10 l/s over 1 km2 = 0.864 mm/d."""
    folder = tmp_path / "tables"
    folder.mkdir()
    days = np.datetime64("2001-01-01") + np.arange(1095)
    rain = np.random.default_rng(0).gamma(0.5, 4, len(days)).round(1)
    for name in ("A1", "B2"):
        rows = [f"{day},{r},{10 + i % 7},{1.5},10" for i, (day, r) in enumerate(zip(days, rain, strict=True))]
        (folder / f"{name}.csv").write_text("\n".join(["day,rain,warmth,evap,flow", *rows]) + "\n")
    (folder / "stations.csv").write_text("id,lat,lon,km2\nA1,48,8,1\nB2,-23,-46,1\n")
    (tmp_path / "mine.yaml").write_text(MAPPING)
    return folder


def test_a_table_of_ones_own(tables, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(shlex.split("ingest table tables --mapping mine.yaml --out shards/mine")) == 0
    said = capsys.readouterr()
    assert "shards/mine: 2 basins, 2001-01-01..2003-12-31, 4 variables" in said.out
    assert "quality: stuck_discharge 2, short_record 2" in said.out or "short_record 2" in said.out
    shards = Shards.open("shards/mine")
    np.testing.assert_allclose(shards.read(variables=("qobs",)).series["qobs"], 0.864, rtol=1e-6)
    assert [facts["continent"] for facts in shards.manifest.metadata.values()] == ["Europe", "South America"]


def test_pet_is_computed_where_it_is_asked_for(tables, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(shlex.split("ingest table tables --mapping mine.yaml --out given")) == 0
    assert cli.main(shlex.split("ingest table tables --mapping mine.yaml --out computed --pet oudin")) == 0
    given, computed = Shards.open("given"), Shards.open("computed")
    assert (given.read(variables=("pet",)).series["pet"] == 1.5).all()
    pet = computed.read(variables=("pet",)).series["pet"]
    assert pet.std() > 0.5 and pet[0, :59].mean() < pet[1, :59].mean()  # winter in the north, summer in the south
    assert {facts["pet_method"] for facts in computed.manifest.metadata.values()} == {"oudin"}
    assert computed.manifest.settings["ingest"]["pet"] == "oudin"


def test_basins_and_days_are_chosen(tables, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.txt").write_text("gauge_id\nB2  # the southern one\n")
    command = "ingest table tables --mapping mine.yaml --out s --basins some.txt --period 2002-01-01:2002-12-31 --years 1 --processes 1"
    assert cli.main(shlex.split(command)) == 0
    shards = Shards.open("s")
    assert shards.basins == ("B2",) and str(shards.period) == "2002-01-01..2002-12-31"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--period 2002-01-01", "a first and a last day such as 1980-10-01:2010-09-30 are required"),
        ("--period 2003-01-01:2002-01-01", "swap them"),
        ("--basins none.txt", "none.txt: this list of basins is required, there is none"),
        ("--without C3", "basins to leave out must be there, there is no C3"),
        ("--processes 0", "--processes"),
        ("--mapping nothing", "nothing"),
        ("--out ftp://x/y", "begins with s3:// or gs://"),
        ("--out tables", "a folder that does not exist yet is required"),
        ("--out ''", "the name of a folder to make is required"),
        ("--pet hargreaves", "PET by Hargreaves needs tmin and tmax, the data have prcp, tmean, pet, qobs; choose another --pet"),
        ("--period 2001-01-01:2001-12-31 --climate 2002-01-01:2002-12-31", "of which no day is kept"),
    ],
)
def test_what_makes_no_sense_is_one_message(tables, tmp_path, capsys, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(shlex.split(f"ingest table tables --mapping mine.yaml --out s {options}")) == 2
    said = " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().err).split())
    assert message in said and "Traceback" not in said
    assert sorted(tmp_path.rglob("*")) == before


def test_basins_without_a_climate_are_counted(tables, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(shlex.split("ingest table tables --mapping mine.yaml --out s --climate 2001-01-01:2001-03-31")) == 0
    assert "without climate attributes: 2 basins" in capsys.readouterr().out


def test_discharge_by_another_name_is_told(tables, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(MAPPING.replace("qobs:", "q_obs:"))
    assert cli.main(shlex.split("ingest table tables --mapping mine.yaml --out s")) == 0
    assert "no observed discharge (the variable qobs)" in capsys.readouterr().out


def test_a_value_that_cannot_be_names_its_file(tables, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tables / "B2.csv"
    path.write_text(re.sub("2002-03-05,[^,]*", "2002-03-05,-999", path.read_text()))
    assert cli.main(shlex.split("ingest table tables --mapping mine.yaml --out s")) == 2
    assert "tables/B2.csv: basin B2 on 2002-03-05: prcp cannot be -999 mm/d" in capsys.readouterr().err


def test_a_fault_in_the_data_names_the_file_and_what_was_done_is_kept(tables, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tables / "B2.csv"
    path.write_text(path.read_text().replace("2002-03-05,", "2002-03-05,x", 1))
    assert cli.main(shlex.split("ingest table tables --mapping mine.yaml --out s")) == 2
    assert "B2.csv" in capsys.readouterr().err
    assert cli.main(shlex.split("data s")) == 2
    assert "has not ended" in capsys.readouterr().err
    path.write_text(path.read_text().replace("2002-03-05,x", "2002-03-05,"))
    assert cli.main(shlex.split("ingest table tables --mapping mine.yaml --out s")) == 0


def test_virtual_basins(tmp_path, capsys):
    assert cli.main(["ingest", "synthetic", "--basins", "2", "--record", "2", "--out", str(tmp_path / "s"), "--processes", "1"]) == 0
    assert "2 basins, 1985-10-01..1987-09-30" in capsys.readouterr().out
    assert set(Shards.open(tmp_path / "s").truth().series) == {"q_true", "et_true", "baseflow_true"}


@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_interrupt_can_be_gone_on_with(tmp_path, processes):
    out = tmp_path / "s"
    command = [sys.executable, "-m", "studyhub.cli", "ingest", "synthetic", "--basins", "200", "--record", "5", "--out", str(out)]
    child = subprocess.Popen([*command, "--processes", processes], stderr=subprocess.PIPE, text=True, preexec_fn=_take_interrupts)
    while not (out / "ingest.json").exists():
        assert child.poll() is None
        time.sleep(0.01)
    time.sleep(2)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does
    _, err = child.communicate(timeout=120)
    assert child.returncode == 130 and "Traceback" not in err
    assert (out / "ingest.json").exists() and not (out / "manifest.json").exists()


def _take_interrupts() -> None:
    """A process that was started in the background ignores Ctrl-C; this one must not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setpgrp()
