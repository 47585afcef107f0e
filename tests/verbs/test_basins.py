import json
import re
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from studyhub import cli
from studyhub.catalog import FORCINGS
from studyhub.data.record import Basin
from studyhub.data.writer import write

UNITS = {name: FORCINGS[name] for name in ("prcp", "tmean")} | {"qobs": "mm/d"}


def basin(number: int, days: int = 1096, observed: int | None = None, **facts) -> Basin:
    """A basin of three years from 1 January 1990, of which the first ``observed`` days have discharge."""
    rng = np.random.default_rng(number)
    series = {name: rng.uniform(1, 9, days) for name in UNITS}
    series["qobs"][days if observed is None else observed :] = np.nan
    return Basin(f"b{number}", date(1990, 1, 1), series, {"slope": 0.5}, facts)


def shards(folder, *basins, **told):
    return str(write(folder, basins, source="table", settings={"years": 5}, units=UNITS, **told))


def placed(number: int, **more) -> Basin:
    return basin(number, name=f"River {number}", gauge_lat=45.0 + number, gauge_lon=5.0, climate_group="cold", continent="Europe", **more)


def said(capsys, *arguments: str) -> str:
    assert cli.main(("data", *arguments)) == 0
    return capsys.readouterr().out


def test_what_is_there_is_printed_and_drawn(tmp_path, capsys):
    folder = shards(tmp_path / "three", placed(1), placed(2, observed=548), placed(3, observed=548))
    out = said(capsys, folder, "--out", str(tmp_path / "page"))
    assert "3 basins from table, 1990-01-01..1992-12-31" in out and "observed discharge: 1.5 to 3.0 years a basin, median 1.5" in out
    assert "continent: Europe 3" in out and "climate_group: cold 3" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["prcp", "mm/d", "0.00"] in lines and ["qobs", "mm/d", "33.33"] in lines
    assert out.splitlines()[-1] == f"map and periods: {tmp_path / 'page' / 'index.html'}"
    years = pd.read_csv(tmp_path / "page" / "figures" / "observed_by_year.csv").to_numpy().tolist()
    assert years == [[1990, 3, 3], [1991, 3, 1], [1992, 1, 1]]  # of 1991, 183 days of two basins
    spans = pd.read_csv(tmp_path / "page" / "figures" / "observed_periods.csv").to_numpy().tolist()
    assert ["b2", "1990-01-01", "1991-07-02", "most days"] in spans
    assert len(pd.read_csv(tmp_path / "page" / "figures" / "map_basins.csv")) == 3


def test_pet_of_two_kinds_is_remarked(tmp_path, capsys):
    one, two = shards(tmp_path / "one", placed(1, pet_method="oudin")), shards(tmp_path / "two", placed(2, pet_method="given"))
    out = said(capsys, one, two, "--out", str(tmp_path / "page"))
    assert "pet_method: oudin 1, given 1" in out and "PET is by Oudin in 1 basin, as two gives it in 1 basin: " in out
    assert "PET is by Oudin in 1 basin" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "PET is" not in said(capsys, one, "--out", str(tmp_path / "alone"))


def test_the_page_lies_by_default_where_reports_are(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shards(tmp_path / "shards" / "one", placed(1))
    assert "reports/data/one/index.html" in said(capsys, "shards/one")
    assert (tmp_path / "reports" / "data" / "one" / "index.html").exists()


def test_basins_of_which_nothing_is_known_have_a_page(tmp_path, capsys):
    folder = shards(tmp_path / "bare", basin(1, observed=0), basin(2, observed=0))
    assert "observed discharge: 0.0 to 0.0 years" in said(capsys, folder, "--out", str(tmp_path / "page"))
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "No discharge was observed." in page and "There is no map" in page and "No quality checks were made" in page


def test_several_folders_are_shown_as_one(tmp_path, capsys):
    folders = [shards(tmp_path / "here", placed(1)), shards(tmp_path / "there", placed(2), placed(3))]
    assert "dataset: there 2, here 1" in said(capsys, *folders, "--out", str(tmp_path / "page"))
    drawn = pd.read_csv(tmp_path / "page" / "figures" / "map_basins.csv")
    assert drawn["group"].value_counts().to_dict() == {"there": 2, "here": 1}


def test_json_is_what_is_there_and_draws_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = json.loads(said(capsys, shards(tmp_path / "one", placed(1, observed=548)), "--json"))
    assert found["basins"] == 1 and found["period"] == ["1990-01-01", "1992-12-31"] and found["attributes"] == ["slope"]
    assert found["variables"]["qobs"] == {"unit": "mm/d", "missing_percent": 50.0}
    assert not (tmp_path / "reports").exists()


def test_verify_reads_every_number_and_names_the_file_that_differs(tmp_path, capsys):
    folder = shards(tmp_path / "one", placed(1), placed(2))
    assert "every number is what was written" in said(capsys, folder, "--verify", "--out", str(tmp_path / "page"))
    (path,) = (tmp_path / "one").glob("basins-*.parquet")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    assert cli.main(("data", folder, "--verify", "--out", str(tmp_path / "page"))) == 2
    assert "basins-000.parquet" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "expected"), [("none", "none"), ("empty", "empty")])
def test_a_folder_without_shards_is_one_message(name, expected, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert cli.main(("data", str(tmp_path / name))) == 2
    error = capsys.readouterr().err
    assert error.startswith("studyhub: ") and expected in error and "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--out q.xlsx", "ends in .csv or .parquet is required"),
        ("--out q.csv --fill zzz", "needs a rule and the longest gap"),
        ("--out q.csv --fill zero:0", "at least 1 day"),
    ],
)
def test_what_a_prediction_cannot_be_asked_for(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["predict", "solvers/implicit", "--data", shards("s", placed(1)), *arguments.split()]) == 2
    assert message in " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().err).split())


def test_lists_that_cannot_be_written(tmp_path, capsys):
    study = Path(__file__).parents[2] / "search_spaces" / "pub.yaml"
    assert cli.main(["split", str(study), "--out", str(tmp_path), "--home", str(tmp_path / "h")]) == 2
    assert f"{tmp_path}: cannot be written (Is a directory); name another file with --out" in capsys.readouterr().err
