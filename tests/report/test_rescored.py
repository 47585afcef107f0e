"""Trials that were scored before there were as many metrics."""

import numpy as np
import pandas as pd
import pytest

from studyhub.catalog import METRICS
from studyhub.evaluation.metrics import score
from studyhub.report import rescored
from studyhub.report.collect import COLUMNS, SCORES, SIMULATION, collect
from studyhub.report.rescored import completed

OLD = ["basin", "period", *list(METRICS)[:9], "days"]


@pytest.fixture
def trial(tmp_path):
    """Days of five basins as a trial leaves them, and what it would have been scored by before."""
    rng = np.random.default_rng(1)
    obs = rng.gamma(1, 2, (5, 300)).astype(np.float32)
    sim = (obs * rng.lognormal(0, 0.3, obs.shape)).astype(np.float32)
    obs[2, 50:60] = np.nan
    basins, dates = [f"0{i}" for i in range(5)], pd.date_range("2000-01-01", periods=300)
    days = pd.DataFrame({"basin": pd.Categorical(np.repeat(basins, 300)), "date": np.tile(dates, 5)})
    days.assign(qobs=obs.ravel(), qsim=sim.ravel(), et=1.0).to_parquet(tmp_path / SIMULATION, index=False)
    scores = pd.DataFrame({"basin": basins, "period": "test"} | score(sim, obs))
    return scores, tmp_path / SIMULATION


@pytest.mark.parametrize("at_once", [2, 64])
def test_lacking_metrics_come_from_the_simulated_days(trial, monkeypatch, at_once):
    monkeypatch.setattr(rescored, "BASINS_AT_ONCE", at_once)
    scores, path = trial
    found = completed(scores[OLD].sample(frac=1, random_state=1), path).sort_index()
    for name, metric in METRICS.items():
        if metric.of == "discharge":
            np.testing.assert_array_equal(found[name], scores[name])
        else:
            assert found[name].isna().all()


def test_what_was_scored_stays_as_it_was(trial):
    scores, path = trial
    old = scores[OLD].assign(nse=0.125)
    assert (completed(old, path)["nse"] == 0.125).all()
    assert completed(scores.assign(**dict.fromkeys(set(METRICS) - set(scores), 1.0)), path)["et_nse"].eq(1).all()


def test_without_simulated_days_they_are_unknown(trial, tmp_path):
    scores, _ = trial
    found = completed(scores[OLD], tmp_path / "gone.parquet")
    assert set(METRICS) <= set(found) and found["log_nse"].isna().all() and found["nse"].notna().all()


def test_a_study_of_an_earlier_version_is_collected_with_all_columns(toy):
    toy.write(seeds=(1,)).end()
    for cell in toy.cells:
        path = toy.store.latest_attempt(cell.trial) / SCORES
        pd.read_parquet(path)[OLD].to_parquet(path, index=False)
    (toy.store.latest_attempt(toy.cells[1].trial) / SIMULATION).unlink()
    found = collect(toy.store, "toy").scores
    assert list(found.columns) == list(COLUMNS)
    bias = found.groupby("arm")["bias"].agg(["min", "max", "count"])
    assert bias.loc["sequential"].tolist() == pytest.approx([-10, -10, 12]) and bias.loc["implicit", "count"] == 0
