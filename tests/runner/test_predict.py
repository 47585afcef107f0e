"""A trained model simulates basins and days that it has never seen, observed or not."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch

from studyhub.catalog import TARGET, variables
from studyhub.data.record import Basin
from studyhub.data.shards import Shards, write
from studyhub.data.synthetic import VirtualBasins, build
from studyhub.data.synthetic_settings import SyntheticSettings
from studyhub.errors import DataError, StoreError
from studyhub.runner import predict as predicting
from studyhub.runner.predict import find, predict
from studyhub.runner.trial import run
from studyhub.study.cells import Cell
from studyhub.study.plan import trial_id
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.store import Store
from studyhub.study.versions import SCIENCE_VERSION

ATTRIBUTES = ("clim_p_mean", "clim_aridity")
SPLIT = Split(Period(date(1985, 10, 1), date(1987, 9, 30)), Period(date(1987, 10, 1), date(1988, 9, 30)), warmup=120, test_warmup=200)
TRAINING = Training(epochs=1, batch=3, window=90, updates_per_epoch=2)
DPL = Model("dpl", ("prcp", "tmean", "pet"), ATTRIBUTES, hidden_size=8, components=2, dynamic=("BETA",), scheme="implicit")
LSTM = Model("lstm", ("prcp", "tmean", "pet"), ATTRIBUTES, hidden_size=8)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build(SyntheticSettings(basins=5, years=3), tmp_path_factory.mktemp("world") / "shards")


@pytest.fixture(scope="module")
def unobserved(world, tmp_path_factory):
    """The same weather without any observation, and basins of other names."""
    source = VirtualBasins(SyntheticSettings(basins=5, years=3))
    record = world.read()
    names = world.attribute_names

    def basins():
        for row, basin in enumerate(source.read(source.basins)):
            series = {name: record.series[name][row] for name in ("prcp", "tmean", "pet")}
            yield Basin(f"new-{row}", basin.start, series, dict(zip(names, record.attributes[row], strict=True)), {})

    return Shards.open(write(tmp_path_factory.mktemp("unobserved") / "shards", basins(), source="test", settings={}))


@pytest.fixture(scope="module", params=[DPL, LSTM], ids=["dpl", "lstm"])
def trained(request, world, tmp_path_factory):
    torch.set_num_threads(1)
    model = request.param
    basins = world.basins[:4]
    how = replace(TRAINING, loss="rmse_log")
    trial = Trial(model, how, SPLIT, basins, basins, 1, world.hash(basins, variables(model)))
    folder = tmp_path_factory.mktemp("trained") / trial_id(trial) / "attempt-001"
    folder.mkdir(parents=True)
    assert run(trial, world.manifest.where, folder, cpus=1, device="cpu", on_epoch=lambda epoch: None).state == "finished"
    return folder, model


def test_it_gives_what_the_test_gave(trained, world, tmp_path):
    folder, model = trained
    found = predict(folder, world, tmp_path / "q.parquet", basins=world.basins[:4], period=SPLIT.test)
    done, parameters = found.basins, found.parameters
    table, test = pd.read_parquet(tmp_path / "q.parquet"), pd.read_parquet(folder / "simulation.parquet")
    assert done == 4
    columns = ["qsim", "et", "baseflow"] if model.kind == "dpl" else ["qsim"]
    pd.testing.assert_frame_equal(table[columns], test[columns], rtol=1e-5)
    assert (table["basin"].astype(str) == test["basin"].astype(str)).all() and (table["date"] == test["date"]).all()
    assert (parameters is None) == (model.kind == "lstm")
    if model.kind == "dpl":
        assert {"SP", "LQ", "SM", "UZ", "LZ"} <= set(table) and (table[["SM", "UZ", "LZ"]] > -1e-3).all(axis=None)
        key = ["parameter", "basin"]
        a, b = (pd.read_parquet(path).set_index(key).sort_index() for path in (parameters, folder / "parameters.parquet"))
        pd.testing.assert_frame_equal(a, b, rtol=1e-5)


def test_where_nothing_was_observed(trained, world, unobserved, tmp_path, monkeypatch):
    folder, model = trained
    assert TARGET not in unobserved.variables
    monkeypatch.setattr(predicting, "BASINS_AT_ONCE", 2)
    told = []
    found = predict(folder, unobserved, tmp_path / "q.csv", progress=lambda *counts: told.append(counts))
    done, parameters = found.basins, found.parameters
    assert done == 5 and told == [(2, 5), (4, 5), (5, 5)]
    table = pd.read_csv(tmp_path / "q.csv", parse_dates=["date"])
    first = date(1985, 10, 1) + (date(1986, 1, 1) - date(1985, 1, 1)) / 365 * SPLIT.test_warmup
    assert table.date.min().date() == first and table.date.max().date() == date(1988, 9, 30)
    assert list(dict.fromkeys(table.basin)) == list(unobserved.basins) and np.isfinite(table.qsim).all()
    predict(folder, world, tmp_path / "same.parquet")
    same = pd.read_parquet(tmp_path / "same.parquet")
    np.testing.assert_allclose(table.qsim, same.qsim, rtol=1e-4, atol=1e-6)
    if model.kind == "dpl":
        assert parameters == tmp_path / "q_parameters.csv"
        rows = pd.read_csv(parameters)
        assert set(rows.basin) == set(unobserved.basins) and rows["mean"].between(rows.low - 1e-6, rows.high + 1e-6).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"basins": ("syn-001", "elsewhere")}, "no basins elsewhere"),
        ({"period": Period(date(1985, 11, 1), date(1986, 1, 1))}, "needs forcing from 1985-04-15 on, basin syn-001 has 1985-10-01"),
        ({"period": Period(date(1987, 11, 1), date(1999, 1, 1))}, "choose another --period"),
    ],
)
def test_what_the_data_do_not_have(trained, world, tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        predict(trained[0], world, tmp_path / "q.parquet", **options)
    assert list(tmp_path.iterdir()) == []


def test_attributes_that_the_data_lack_are_named(trained, make_bare, tmp_path):
    with pytest.raises(DataError, match="no attributes clim_aridity, clim_p_mean"):
        predict(trained[0], make_bare, tmp_path / "q.parquet")
    assert list(tmp_path.glob("q*")) == []


def test_a_basin_named_twice_is_simulated_once(trained, world, tmp_path):
    done = predict(trained[0], world, tmp_path / "q.parquet", basins=("syn-003", "syn-001", "syn-003"), period=SPLIT.test).basins
    table = pd.read_parquet(tmp_path / "q.parquet")
    assert done == 2 and list(dict.fromkeys(table.basin)) == ["syn-003", "syn-001"] and not table.duplicated(["basin", "date"]).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": {"prcp": "mm/d", "tmean": "K", "pet": "mm/d"}}, "it learnt with tmean in degC, .* has it in K"),
        ({"codes": {"clim_p_mean": ("low", "high")}}, "the categories of clim_p_mean, .* has low, high"),
    ],
)
def test_data_that_mean_something_else(trained, world, tmp_path, change, message):
    other = replace(world, manifest=replace(world.manifest, **change))
    with pytest.raises(DataError, match=message):
        predict(trained[0], other, tmp_path / "q.parquet")
    assert list(tmp_path.iterdir()) == []


def test_basins_that_lack_attributes_are_told(trained, world, tmp_path):
    record, names = world.read(), world.attribute_names

    def some(*lost):
        for row, basin in enumerate(("whole", "part", "none")):
            series = {name: record.series[name][row] for name in ("prcp", "tmean", "pet")}
            attributes = dict(zip(names, record.attributes[row], strict=True))
            attributes |= dict.fromkeys(ATTRIBUTES[: lost[row]], float("nan"))
            yield Basin(basin, record.dates[0].item(), series, attributes, {})

    part = Shards.open(write(tmp_path / "part", some(0, 1, 1), source="test", settings={}))
    assert predict(trained[0], part, tmp_path / "q.parquet").lacking == ("part", "none")
    none = Shards.open(write(tmp_path / "none", some(0, 1, 2), source="test", settings={}))
    with pytest.raises(DataError, match="basin none has none of the attributes"):
        predict(trained[0], none, tmp_path / "r.parquet")
    assert not (tmp_path / "r.parquet").exists()


@pytest.fixture
def make_bare(tmp_path):
    days = 1000
    series = {name: np.ones(days) for name in ("prcp", "tmean", "pet")}
    return Shards.open(write(tmp_path / "bare", [Basin("a", date(2000, 1, 1), series, {"area": 1.0}, {})], source="test", settings={}))


def test_trials_are_found_by_id_and_by_place(tmp_path):
    store = Store(tmp_path)
    ids = ["ab" * 8, "ac" * 8, "dd" * 8]
    cells = [Cell("lstm", 1, 1, ids[0]), Cell("lstm", 1, 2, ids[1]), Cell("dhbv", 1, 1, ids[2])]
    store.write_study("s", "question: q\n", cells)
    for trial in ids[:2]:
        lease = store.claim(trial)
        lease.finish({"state": "finished", "cause": None})
    assert find(store, "ab") == find(store, ids[0]) == find(store, "s/lstm") == find(store, "s/lstm/1/1")
    assert find(store, "s/lstm/1/2") == store.trial_folder(ids[1]) / "attempt-001"
    for name, message in (
        ("a", "begins the ids of 2 trials"),
        ("ff", "is no trial's id"),
        ("s/gru", "s has lstm/1/1, lstm/1/2, dhbv/1/1"),
        ("s/dhbv", "a finished one is required"),
        ("t/lstm", "there is no study 't'"),
        ("", "a trial's id"),
    ):
        with pytest.raises(StoreError, match=message):
            find(store, name)


def test_a_model_whose_files_are_damaged(trained, world, tmp_path):
    import shutil

    folder = tmp_path / trained[0].parent.name / "copy"
    shutil.copytree(trained[0], folder)
    (folder / "weights.npz").write_bytes(b"nothing")
    with pytest.raises(StoreError, match="weights.npz"):
        predict(folder, world, tmp_path / "q.parquet")
    (folder / "trial.json").unlink()
    with pytest.raises(StoreError, match="trial.json: the trained model's file is required"):
        predict(folder, world, tmp_path / "q.parquet")


def test_a_model_of_an_earlier_science(trained, world, tmp_path, monkeypatch):
    monkeypatch.setitem(SCIENCE_VERSION, "physics", SCIENCE_VERSION["physics"] + 1)
    with pytest.raises(StoreError, match="trained with an earlier version of the science"):
        predict(trained[0], world, tmp_path / "q.parquet")
