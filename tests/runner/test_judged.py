"""What a trial on virtual basins is judged by beside discharge."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch

from studyhub.catalog import METRICS, SIGNATURES, variables
from studyhub.data import composites
from studyhub.data.synthetic import build
from studyhub.data.synthetic_settings import SyntheticSettings
from studyhub.evaluation import metrics, signatures
from studyhub.evaluation.baseflow import baseflow_index
from studyhub.physics.structure import Physics
from studyhub.runner.judged import Observed, Simulated, scores_of, signatures_of
from studyhub.runner.trial import run
from studyhub.study.settings import Model, Period, Split, Training, Trial

SPLIT = Split(Period(date(1985, 10, 1), date(1987, 9, 30)), Period(date(1987, 10, 1), date(1988, 9, 30)), warmup=120, test_warmup=200)
TRAINING = Training(epochs=1, batch=3, window=90, updates_per_epoch=2, loss="rmse_log")
HBV = Model("dpl", ("prcp", "tmean", "pet"), ("p_mean", "aridity"), hidden_size=8, components=2)
MODELS = {"hbv": HBV, "gr4j": replace(HBV, physics="gr4j"), "lstm": replace(HBV, kind="lstm")}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build(SyntheticSettings(basins=4, years=3), tmp_path_factory.mktemp("world") / "shards")


@pytest.fixture(scope="module")
def left(world, tmp_path_factory):
    """Folder that a trial of each model has left."""
    torch.set_num_threads(1)
    folders = {}
    for name, model in MODELS.items():
        training = replace(TRAINING, loss="rmse") if name == "lstm" else TRAINING
        trial = Trial(model, training, SPLIT, world.basins, world.basins, 1, world.hash(world.basins, variables(model)))
        folders[name] = tmp_path_factory.mktemp(name)
        assert run(trial, world.manifest.where, folders[name], cpus=1, device="cpu", on_epoch=lambda epoch: None).state == "finished"
    return folders


def wide(folder, column, basins):
    days = pd.read_parquet(folder / "simulation.parquet")
    return days.pivot(index="basin", columns="date", values=column).loc[list(basins)].to_numpy()


def test_all_models_have_all_columns_and_those_values_that_they_can_have(left):
    for name, folder in left.items():
        table = pd.read_parquet(folder / "scores.parquet")
        assert list(table.columns) == ["basin", "period", *METRICS, "days"]
        there = {
            of: table[[m for m, metric in METRICS.items() if metric.of == of]].notna().any().any() for of in ("discharge", "et", "swe")
        }
        assert there == {"discharge": True, "et": name != "lstm", "swe": name == "hbv"}


def test_evapotranspiration_is_summed_over_composites_and_judged(left, world):
    table = pd.read_parquet(left["hbv"] / "scores.parquet").set_index("basin")
    record = world.read(variables=("et_obs",), period=SPLIT.test)
    simulated, seen = wide(left["hbv"], "et", world.basins), record.variable("et_obs")
    for row, basin in enumerate(world.basins):
        pairs = []
        for day in np.flatnonzero(np.isfinite(seen[row])):
            length = 8 if str(record.dates[day])[5:] not in ("12-26", "12-27") else 365 + (str(record.dates[day])[:4] == "1988") - 360
            if day + length <= len(record.dates):
                pairs.append((simulated[row, day : day + length].sum(), seen[row, day]))
        sim, obs = np.array(pairs).T[:, None]
        assert len(pairs) > 30
        assert table.loc[basin, "et_nse"] == pytest.approx(metrics.nse(sim, obs)[0], rel=1e-4)
        assert table.loc[basin, "et_rmse"] == pytest.approx(metrics.rmse(sim, obs)[0], rel=1e-4)


def test_snow_is_the_sum_of_its_stores(left, world):
    table = pd.read_parquet(left["hbv"] / "scores.parquet")
    seen = world.read(variables=("swe_obs",), period=SPLIT.test).variable("swe_obs")
    snowy = np.nanmax(seen, axis=1) > 1
    assert snowy.any() and np.isfinite(table["swe_nse"][snowy]).all()
    assert (table["swe_rmse"][snowy] < 3 * np.nanstd(seen[snowy], axis=1) + 50).all()


def test_snow_of_stores_that_do_not_exist_is_refused():
    from studyhub.catalog import PHYSICS

    hbv = PHYSICS["hbv"]
    with pytest.raises(AssertionError, match="not all stores"):
        replace(hbv, snow=("SP", "ICE"))
    assert isinstance(hbv, Physics) and hbv.variant(capillary_rise=True).snow == ("SP", "LQ")


def test_signatures_are_of_the_same_days_and_the_simulated_baseflow(left, world):
    record = world.read(period=SPLIT.test, variables=("qobs", "prcp"))
    qobs = record.variable("qobs").astype(np.float64)
    for name, folder in left.items():
        table = pd.read_parquet(folder / "signatures.parquet")
        assert list(table.columns) == ["basin", *(f"{s}{kind}" for s in SIGNATURES for kind in ("", "_obs"))]
        expected = signatures.signatures(qobs, record.variable("prcp"))
        for signature, values in expected.items():
            np.testing.assert_allclose(table[f"{signature}_obs"], values, rtol=1e-6, equal_nan=True)
        gap = np.where(np.isnan(qobs), np.nan, wide(folder, "qsim", world.basins))
        np.testing.assert_allclose(table["q_mean"], np.nanmean(gap, axis=1), rtol=1e-5)
        if name == "lstm":
            np.testing.assert_allclose(table["bfi"], baseflow_index(gap), rtol=1e-4)
        assert table["bfi"].between(0, 1.001).all() and table["et_mean"].notna().all() == (name != "lstm")
    slow, all_of_it = (wide(left["hbv"], column, world.basins).sum(axis=1) for column in ("baseflow", "qsim"))
    found = pd.read_parquet(left["hbv"] / "signatures.parquet")["bfi"]
    np.testing.assert_allclose(found, slow / all_of_it, rtol=0.05)  # routed discharge: what is under way at both ends differs


def test_baseflow_index_is_that_of_the_attribute_where_there_is_one():
    rng = np.random.default_rng(1)
    q, days = rng.gamma(2, 1, (3, 400)), np.arange("2001-01-01", "2002-02-05", dtype="datetime64[D]")
    simulated = Simulated(q * 1.1, baseflow=q * 0.3, runoff=q * 0.6)
    found = signatures_of(simulated, q, days, Observed(baseflow_index=np.array([0.4, np.nan, 0.8])))
    np.testing.assert_allclose(found["bfi"], 0.5)
    np.testing.assert_allclose(found["bfi_obs"], [0.4, baseflow_index(q)[1], 0.8])
    assert np.isnan(found["runoff_ratio"]).all() and np.isnan(found["et_mean_obs"]).all()


def test_a_perfect_simulation_of_everything_has_perfect_scores():
    rng = np.random.default_rng(2)
    days = np.arange("2001-01-01", "2003-01-01", dtype="datetime64[D]")
    q, e, s = rng.gamma(2, 1, (3, 2, len(days)))
    seen = Observed(et=composites.sums(e, days), swe=s)
    found = scores_of(Simulated(q, et=e, swe=s), q, days, seen)
    for name, metric in METRICS.items():
        ideal = {"larger": 1, "one": 1}.get(metric.direction, 0)
        np.testing.assert_allclose(found[name], ideal, atol=1e-9)


def test_benchmarks_are_of_the_training_period(left, world):
    table = pd.read_parquet(left["lstm"] / "benchmarks.parquet")
    assert table.groupby("benchmark").size().to_dict() == {"climatology": 4, "mean": 4}
    trained, tested = (world.read(variables=("qobs",), period=period).variable("qobs") for period in (SPLIT.train, SPLIT.test))
    expected = metrics.score(np.repeat(np.nanmean(trained, axis=1, dtype=np.float64)[:, None], tested.shape[1], axis=1), tested)
    mean = table.loc[table["benchmark"] == "mean"]
    np.testing.assert_allclose(mean["nse"], expected["nse"], rtol=1e-6)
    np.testing.assert_allclose(mean["kge"], 1 - np.sqrt(2 + (expected["kge_beta"] - 1) ** 2), rtol=1e-9)
    assert (mean["nse"].to_numpy() <= 0).all()
    for name in ("hbv", "gr4j"):
        pd.testing.assert_frame_equal(pd.read_parquet(left[name] / "benchmarks.parquet"), table)
