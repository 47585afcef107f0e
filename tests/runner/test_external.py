"""Simulations from elsewhere, from the table to the scores of a study. Two basins of six years, observed with gaps."""

import json
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from studyhub import cli
from studyhub.catalog import METRICS, TARGET
from studyhub.data.record import Basin
from studyhub.data.shards import Shards, write
from studyhub.errors import DataError
from studyhub.evaluation.metrics import score
from studyhub.runner import external
from studyhub.runner.external import ABSENT, PARTIAL, pair, run, told
from studyhub.study.plan import trial_id
from studyhub.study.settings import Columns, External, Period
from studyhub.study.store import Store

START, DAYS = date(1985, 10, 1), 2191
TEST = Period(date(1990, 10, 1), date(1991, 9, 30))
BASINS = ("01", "02", "03")
STUDY = """\
question: How good is what others made?
data: {{shards: {shards}}}
split: {{train: [1986-10-01, 1988-09-30], test: [1990-10-01, 1991-09-30], warmup: 100, test_warmup: 200}}
arms:
  theirs: {{external: {table}}}
  low: {{external: {table}, columns: {{qsim: low}}}}
seeds: [1]
compare:
  - {{better: theirs, than: low, metric: nse}}
"""


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Shards:
    rng = np.random.default_rng(1)

    def basin(name: str) -> Basin:
        series = {variable: rng.random(DAYS) for variable in ("prcp", "qobs")}
        series["qobs"][-400:-300] = np.nan
        return Basin(name=name, start=START, series=series, attributes={"p_mean": 3.0}, facts={"gauge_lat": 45.0})

    folder = tmp_path_factory.mktemp("data") / "shards"
    return Shards.open(write(folder, [basin(name) for name in BASINS], source="test", settings={}))


@pytest.fixture
def simulation(shards) -> pd.DataFrame:
    """Return what another model might have made: the observations, disturbed; gaps filled."""
    record = shards.read(variables=[TARGET])
    rng = np.random.default_rng(2)
    qsim = np.nan_to_num(record.variable(TARGET), nan=0.5) * rng.uniform(0.5, 1.5, (len(BASINS), DAYS))
    rows = {"basin": np.repeat(BASINS, DAYS), "date": np.tile(record.dates, len(BASINS)), "qsim": qsim.ravel(), "low": qsim.ravel() / 3}
    return pd.DataFrame(rows)


@pytest.fixture
def table(tmp_path, simulation):
    """Return a function that saves a table, less some rows of it."""

    def save(without: pd.Series | None = None) -> Path:
        kept = simulation if without is None else simulation[~without]
        kept.to_parquet(tmp_path / "theirs.parquet", index=False)
        return tmp_path / "theirs.parquet"

    return save


def of(shards: Shards, columns: Columns = Columns(), test: Period = TEST) -> External:  # noqa: B008
    return External("0" * 16, columns, test, BASINS, shards.hash(BASINS, [TARGET]))


def files_of(store: Store, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = store.trial_folder(name) / store.result(name)["attempt"]
    assert sorted(path.name for path in folder.iterdir()) == ["scores.parquet", "signatures.parquet", "simulation.parquet"]
    return pd.read_parquet(folder / "scores.parquet"), pd.read_parquet(folder / "simulation.parquet")


# One table


def test_scores_are_those_of_the_metrics_on_observed_days(shards, simulation, table, tmp_path):
    store, what = Store(tmp_path), of(shards)
    result = run(trial_id(what), what, table(), shards, store)
    scores, days = files_of(store, trial_id(what))
    qobs = shards.read(BASINS, [TARGET], TEST).variable(TARGET)
    within = (simulation["date"] >= "1990-10-01") & (simulation["date"] <= "1991-09-30")
    qsim = simulation.loc[within, "qsim"].to_numpy().reshape(3, 365)
    expected = score(qsim, qobs)
    assert scores["basin"].tolist() == list(BASINS) and set(scores["period"]) == {"test"}
    assert list(scores.columns) == ["basin", "period", *METRICS, "days"]
    for metric, values in expected.items():
        np.testing.assert_array_equal(scores[metric], values)
    assert scores["days"].tolist() == [365 - 65] * 3
    assert 0 < scores["nse"].min() < 1
    np.testing.assert_allclose(days["qsim"].to_numpy().reshape(3, 365), qsim, rtol=1e-6)
    np.testing.assert_array_equal(days["qobs"].to_numpy().reshape(3, 365), qobs)
    assert list(days.columns) == ["basin", "date", "qobs", "qsim"]
    assert result["state"] == "finished" and result["cause"] is None
    assert (result["dropped"], result["renamed"], result["seed"]) == ({}, {}, 0)
    assert result["external"] == {"file": "theirs.parquet", "hash": "0" * 16, "columns": {"basin": "basin", "date": "date", "qsim": "qsim"}}
    assert {"commit", "packages", "host"} <= result["provenance"].keys()


def test_a_basin_without_all_observed_days_is_dropped_and_the_reason_said(shards, simulation, table, tmp_path):
    one_day = (simulation["basin"] == "02") & (simulation["date"] == "1991-03-01")
    gap = (simulation["basin"] == "01") & (simulation["date"] == "1990-10-03")  # nothing was observed then
    what = of(shards)
    assert np.isnan(shards.read(["01"], [TARGET], Period(date(1990, 10, 3), date(1990, 10, 3))).variable(TARGET)).all()
    result = run(trial_id(what), what, table(one_day | gap | (simulation["basin"] == "03")), shards, Store(tmp_path))
    assert result["dropped"] == {ABSENT: ["03"], PARTIAL: ["02"]}
    scores, days = files_of(Store(tmp_path), trial_id(what))
    assert scores["nse"].notna().tolist() == [True, False, False]
    assert scores["days"].tolist() == [300, 0, 0]
    assert days.loc[days["basin"] != "01", "qsim"].isna().all()
    assert told(result, 3) == "1 of 3 basins scored; 1 not in the table; 1 no simulated value on some observed day"


def test_a_table_that_ends_too_early_for_all_basins(shards, simulation, table):
    with pytest.raises(
        DataError, match=r"no basin can be scored in 1990-10-01\.\.1991-09-30; no simulated .* 3 basins; of basin 01, 92 obs"
    ):
        pair(of(shards), table(simulation["date"] >= "1991-07-01"), shards)


def test_nothing_observed_and_days_that_the_data_lack(shards, table):
    with pytest.raises(DataError, match="observed discharge in the test period .* is required, none of the 3 test basins has any"):
        pair(of(shards, test=Period(date(1990, 9, 1), date(1990, 9, 30))), table(), shards)
    with pytest.raises(DataError, match="the data cover"):
        pair(of(shards, test=Period(date(1990, 9, 1), date(1995, 9, 30))), table(), shards)


def test_another_launch_that_is_at_it_is_waited_for(shards, table, tmp_path, monkeypatch):
    monkeypatch.setattr(external, "WAIT_SECONDS", 0.01)
    store, what = Store(tmp_path), of(shards)
    other = store.claim(trial_id(what))

    def finish_later() -> None:
        time.sleep(0.3)
        other.finish({"state": "finished", "cause": None, "mark": "theirs"})

    thread = threading.Thread(target=finish_later)
    thread.start()
    assert run(trial_id(what), what, table(), shards, store)["mark"] == "theirs"
    thread.join()


# A whole study


@pytest.fixture
def study(shards, table, tmp_path) -> Path:
    path = tmp_path / "others.yaml"
    path.write_text(STUDY.format(shards=shards.manifest.folder, table=table()))
    return path


def test_a_study_of_external_arms_alone_runs_without_ray_and_torch(study, tmp_path):
    code = f"""
import sys
from studyhub.cli import main
code = main(["launch", {str(study)!r}, "--home", {str(tmp_path / "home")!r}])
print("loaded:", *({{"torch", "ray", "numba"}} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "theirs: 3 of 3 basins scored" in done.stderr
    assert done.stderr.endswith("\nloaded:\n")
    assert "theirs is better than low in nse" in done.stderr
    scores = pd.read_parquet(tmp_path / "home" / "studies" / "others" / "scores.parquet")
    assert scores.groupby("arm", sort=False)["nse"].median().gt(0).tolist() == [True, False]
    assert set(scores["seed"]) == {0} and len(scores) == 6


def test_a_second_launch_finds_it_done_and_status_tells(study, tmp_path, capsys):
    command = ["launch", str(study), "--home", str(tmp_path / "home")]
    assert cli.main(command) == 0
    first = capsys.readouterr()
    assert cli.main(command) == 0
    again = capsys.readouterr()
    assert "2 of 2 trials are there already" in again.err and "basins scored" not in again.err
    assert again.out == first.out
    assert cli.main(["status", "others", "--home", str(tmp_path / "home")]) == 0
    assert capsys.readouterr().out == "others: 2 finished\n"
    assert cli.main(["plan", str(study), "--json", "--home", str(tmp_path / "home")]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert [(cell["arm"], cell["seed"], cell["state"]) for cell in cells] == [("theirs", 0, "finished"), ("low", 0, "finished")]
    stored = json.loads((tmp_path / "home" / "studies" / "others" / "data.json").read_text())
    assert list(stored["basins"]) == list(BASINS)


def test_a_table_that_cannot_be_used_is_one_message_before_anything_is_trained(study, simulation, tmp_path, capsys):
    trained = "  lstm: {model: lstm, forcing: [prcp], attributes: [p_mean], epochs: 1, window: 100}\nseeds: [1]"
    study.write_text(study.read_text().replace("seeds: [1]", trained))
    simulation.assign(qsim=-1.0).to_parquet(tmp_path / "theirs.parquet", index=False)
    assert cli.main(["launch", str(study), "--home", str(tmp_path / "home")]) == 2
    said = capsys.readouterr()
    last = said.err.splitlines()[-1]
    assert (
        last.startswith("studyhub: ") and "theirs.parquet: `qsim` needs discharge of at least 0 mm/d, basin 01 on 1990-10-01 has -1" in last
    )
    assert not list((tmp_path / "home" / "store" / "trials").iterdir())
