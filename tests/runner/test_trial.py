"""One trial on a small synthetic world: what it writes, that it repeats bitwise, and what it says when something goes wrong."""

import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
import torch

from studyhub.catalog import variables
from studyhub.data.record import Record
from studyhub.data.synthetic import build
from studyhub.data.synthetic_settings import SyntheticSettings
from studyhub.errors import DataError
from studyhub.evaluation.metrics import score
from studyhub.models.simulation import Simulation
from studyhub.runner import outputs
from studyhub.runner.judged import Observed
from studyhub.runner.trial import run
from studyhub.study.settings import Model, Period, Split, Training, Trial

ATTRIBUTES = ("p_mean", "aridity", "frac_snow", "soil_porosity")
SPLIT = Split(
    train=Period(date(1985, 10, 1), date(1987, 9, 30)), test=Period(date(1987, 10, 1), date(1988, 9, 30)), warmup=120, test_warmup=200
)
TRAINING = Training(epochs=2, batch=3, window=90, updates_per_epoch=3, loss="rmse_log")
DPL = Model("dpl", ("prcp", "tmean", "pet"), ATTRIBUTES, hidden_size=8, components=2, dynamic=("BETA",), capillary_rise=True)
LSTM = replace(DPL, kind="lstm", dynamic=(), capillary_rise=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build(SyntheticSettings(basins=4, years=3), tmp_path_factory.mktemp("world") / "shards")


@pytest.fixture
def trial(world):
    def make(model=DPL, training=TRAINING, split=SPLIT, seed=1):
        return Trial(model, training, split, world.basins, world.basins, seed, world.hash(world.basins, variables(model)))

    return make


def finished(trial, world, folder, **options):
    torch.set_num_threads(1)
    folder.mkdir()
    seen = []
    outcome = run(trial, world.manifest.where, folder, cpus=1, device="cpu", on_epoch=options.get("on_epoch") or seen.append)
    return outcome, seen


@pytest.mark.parametrize(
    "model", [DPL, replace(DPL, scheme="implicit", warmup_gradients=True), LSTM, replace(LSTM, recipe="kratzert2019")], ids=lambda m: m.kind
)
def test_a_trial_leaves_scores_that_follow_from_its_simulation(trial, world, tmp_path, model):
    training = replace(TRAINING, loss="rmse" if model.kind == "lstm" else "rmse_log")
    outcome, epochs = finished(trial(model, training), world, tmp_path / "run")
    assert outcome.state == "finished"
    assert [e.number for e in epochs] == [1, 2]
    assert outcome.result["updates"] == 6
    assert len(list((tmp_path / "run" / "epochs").iterdir())) == 2
    json.dumps(outcome.result, allow_nan=False)
    scores = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    simulation = pd.read_parquet(tmp_path / "run" / "simulation.parquet")
    assert set(scores.basin) == set(world.basins)
    assert simulation.date.min().date() == SPLIT.test.start
    assert simulation.date.max().date() == SPLIT.test.end
    wide = {name: simulation.pivot(index="basin", columns="date", values=name).loc[scores.basin].to_numpy() for name in ("qsim", "qobs")}
    again = score(wide["qsim"], wide["qobs"])
    for metric in ("nse", "kge", "low_rmse", "days"):
        np.testing.assert_allclose(scores[metric], again[metric], rtol=1e-4)
    assert ("et" in simulation) == (model.kind == "dpl")
    if model.kind == "dpl":
        parameters = pd.read_parquet(tmp_path / "run" / "parameters.parquet").set_index(["parameter", "basin"])
        assert parameters.loc["BETA"].daily.all()
        assert not parameters.loc["FC"].daily.any()
        assert (parameters.low <= parameters["mean"] * (1 + 1e-9)).all()


def test_another_physics_is_trained_and_leaves_its_own_parameters(trial, world, tmp_path):
    model = replace(DPL, physics="gr4j", dynamic=("X2",), capillary_rise=False)
    training = replace(TRAINING, epochs=4, optimizer="adam", learning_rate=((1, 0.02),))
    outcome, epochs = finished(trial(model, training), world, tmp_path / "run")
    assert outcome.state == "finished"
    assert epochs[-1].loss < epochs[0].loss
    parameters = pd.read_parquet(tmp_path / "run" / "parameters.parquet")
    assert parameters.groupby("parameter").daily.all().to_dict() == {"X1": False, "X2": True, "X3": False, "X4": False}
    simulation = pd.read_parquet(tmp_path / "run" / "simulation.parquet")
    assert (simulation.qsim - simulation.baseflow).min() > -1e-4
    assert (simulation.et > 0).mean() > 0.9


@pytest.mark.parametrize("model", [DPL, replace(DPL, scheme="implicit"), LSTM], ids=["sequential", "implicit", "lstm"])
def test_the_same_seed_gives_bitwise_the_same_scores(trial, world, tmp_path, model):
    tables = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(len(tables))  # a global generator must not matter
        finished(trial(model, seed=seed), world, tmp_path / name)
        tables.append(pd.read_parquet(tmp_path / name / "scores.parquet"))
    pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)
    assert not tables[0].nse.equals(tables[2].nse)


def test_test_observations_do_not_reach_the_weights(trial, world, tmp_path, monkeypatch):
    from studyhub.data.shards import Shards

    finished(trial(), world, tmp_path / "plain")
    read = Shards.read

    def altered(self, *arguments, **options):
        record = read(self, *arguments, **options)
        if "qobs" in record.series:
            record.series["qobs"][:, record.dates >= np.datetime64(SPLIT.test.start)] *= 3
        return record

    monkeypatch.setattr(Shards, "read", altered)
    finished(trial(), world, tmp_path / "altered")
    weights = [np.load(tmp_path / name / "weights.npz") for name in ("plain", "altered")]
    assert all(np.array_equal(weights[0][key], weights[1][key]) for key in weights[0].files)
    scores = [pd.read_parquet(tmp_path / name / "scores.parquet") for name in ("plain", "altered")]
    assert not scores[0].nse.equals(scores[1].nse)


def test_divergence_is_a_result_with_basin_store_and_day(trial, world, tmp_path):
    model = replace(DPL, scheme="explicit", raw_stores=True, dynamic=(), fixed=(("K0", 0.9), ("K1", 2.5), ("UZL", 0.5)))
    outcome, _ = finished(trial(model), world, tmp_path / "run")
    assert outcome.state == "diverged"
    cause = outcome.result["cause"]
    assert cause["during"] == "training"
    assert cause["basin"] in world.basins
    assert cause["store"] in {"UZ", "SM", "LZ"}
    assert SPLIT.train.start <= date.fromisoformat(cause["day"]) <= SPLIT.train.end
    assert not (tmp_path / "run" / "scores.parquet").exists()


def test_a_divergence_in_training_is_placed_by_the_window_it_was_in(trial, world, tmp_path, monkeypatch):
    from studyhub.data.windows import Sampler
    from studyhub.models.dpl import DifferentiableModel
    from studyhub.solvers.march import Diverged

    draw, drawn = Sampler.draw, []
    monkeypatch.setattr(Sampler, "draw", lambda self: drawn.append(draw(self)) or drawn[-1])
    monkeypatch.setattr(DifferentiableModel, "forward", lambda *_, **__: (_ for _ in ()).throw(Diverged(2, "SM", 7)))
    outcome, _ = finished(trial(), world, tmp_path / "run")
    day = str(SPLIT.train.start + timedelta(days=int(drawn[0].begin[2]) + 7))
    assert int(drawn[0].begin[2]) > 0
    assert outcome.result["cause"] == {
        "during": "training", "epoch": 1, "basin": world.basins[int(drawn[0].basin[2])], "store": "SM", "day": day
    }  # fmt: skip


def test_gaps_are_filled_as_the_trial_says(trial, world, tmp_path, monkeypatch):
    from studyhub.data.shards import Shards

    seen, given = [], Shards.open.__func__
    monkeypatch.setattr(Shards, "open", classmethod(lambda cls, where, fill=None, **o: seen.append(fill) or given(cls, where, fill, **o)))
    finished(replace(trial(LSTM), fill="interpolate:3"), world, tmp_path / "run")
    assert seen == ["interpolate:3"]


@pytest.mark.parametrize(("validation", "during"), [(SPLIT.test, "validation"), (None, "test")])
def test_divergence_beside_training_is_placed_too(trial, world, tmp_path, monkeypatch, validation, during):
    from studyhub.models.dpl import DifferentiableModel
    from studyhub.solvers.march import Diverged

    forward = DifferentiableModel.forward

    def breaks(self, x, attributes, forcing, warmup, **wanted):
        if warmup == SPLIT.test_warmup and (during == "test" or len(list((tmp_path / "run" / "epochs").iterdir())) == 1):
            raise Diverged(2, "SM", 200)
        return forward(self, x, attributes, forcing, warmup, **wanted)

    monkeypatch.setattr(DifferentiableModel, "forward", breaks)
    outcome, _ = finished(trial(split=replace(SPLIT, validation=validation)), world, tmp_path / "run")
    day = str(SPLIT.test.start)  # the 200 days of warm-up come before it
    assert outcome.result["cause"] == {"during": during, "epoch": 2, "basin": world.basins[2], "store": "SM", "day": day}


def test_data_that_changed_after_planning_are_refused(trial, world, tmp_path):
    with pytest.raises(DataError, match="the data have changed since the study was planned"):
        finished(replace(trial(), data="0" * 16), world, tmp_path / "run")


def test_parameters_of_more_basins_than_days(tmp_path):
    """A static parameter [basin, component] is not mistaken for a daily one, however many basins there are."""
    days, basins = 3, 5
    fc, beta = torch.arange(basins * 2.0).view(basins, 2), torch.arange(days * basins * 2.0).view(days, basins, 2)
    parts = [
        Simulation(
            torch.ones(days, stop - start), parameters={"FC": fc[start:stop], "BETA": beta[:, start:stop], "route_a": fc[start:stop, 0]}
        )
        for start, stop in ((0, 2), (2, 5))
    ]
    names = tuple("abcde")
    record = Record(
        names, np.arange("2000-01-01", "2000-01-04", dtype="datetime64[D]"), {"qobs": np.ones((basins, days))}, np.empty((5, 0)), ()
    )
    with outputs.Outputs(tmp_path, names) as files:
        for some, part in zip((names[:2], names[2:]), parts, strict=True):
            files.add(record.select(some), part, Observed())
    table = pd.read_parquet(tmp_path / "parameters.parquet").set_index(["parameter", "basin"])
    assert table.loc["FC", "mean"].tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert table.loc["BETA", "low"].tolist() == beta.amin((0, 2)).tolist()
    assert table.loc["route_a", "high"].tolist() == fc[:, 0].tolist()
    assert table.daily.groupby("parameter").first().to_dict() == {"BETA": True, "FC": False, "route_a": False}


def test_stopping_after_an_epoch(trial, world, tmp_path):
    outcome, _ = finished(trial(), world, tmp_path / "run", on_epoch=lambda epoch: True)
    assert outcome.state == "stopped"
    assert not (tmp_path / "run" / "scores.parquet").exists()


def test_best_checkpoint_is_chosen_on_the_validation_period(trial, world, tmp_path):
    split = replace(SPLIT, validation=Period(date(1987, 4, 1), date(1987, 9, 30)), train=Period(date(1985, 10, 1), date(1987, 3, 31)))
    outcome, epochs = finished(trial(training=replace(TRAINING, checkpoint="best", epochs=3), split=split), world, tmp_path / "run")
    assert outcome.result["kept_epoch"] == 1 + int(np.argmax([e.validation for e in epochs]))


def test_a_loss_that_is_not_a_number_names_basin_and_day(trial, world, tmp_path, monkeypatch):
    from studyhub.models.lstm import StreamflowLSTM

    forward = StreamflowLSTM.forward

    def broken(self, x, attributes, forcing, warmup):
        simulation = forward(self, x, attributes, forcing, warmup)
        return replace(simulation, target=simulation.target.index_fill(1, torch.tensor([1]), float("nan")))

    monkeypatch.setattr(StreamflowLSTM, "forward", broken)
    short = replace(SPLIT, train=Period(SPLIT.train.start, SPLIT.train.start + timedelta(days=209)))  # one window of 120 + 90 days
    with pytest.raises(DataError, match="target is not a finite number in basin .* on 1986-01-29 "):
        finished(trial(LSTM, replace(TRAINING, loss="rmse"), short), world, tmp_path / "short")
    with pytest.raises(
        DataError,
        match=r"target is not a finite number in basin syn-00\d on 198\d-\d\d-\d\d "
        r"\(its most unusual input: (prcp|tmean|pet) on 198\d-\d\d-\d\d, \d+\.\d standard deviations from the mean\), in epoch 1",
    ):
        finished(trial(LSTM, replace(TRAINING, loss="rmse")), world, tmp_path / "run")


@pytest.mark.parametrize("model", [DPL, replace(LSTM, recipe="kratzert2019")], ids=["dpl", "lstm"])
def test_basins_that_do_not_stay_in_memory_train_with_the_same_scales(trial, world, tmp_path, model):
    training = replace(TRAINING, loss="nse", batch=2, updates_per_epoch=4)
    some = replace(training, resident=2)
    for name, how in (("all", training), ("some", some), ("again", some), ("enough", replace(training, resident=4))):
        outcome, _ = finished(trial(model, how), world, tmp_path / name)
        assert outcome.state == "finished" and outcome.result["updates"] == 8
    scales = {name: json.loads((tmp_path / name / "scales.json").read_text()) for name in ("all", "some")}
    assert scales["all"] == scales["some"]
    weights = {name: (tmp_path / name / "weights.npz").read_bytes() for name in ("all", "some", "again", "enough")}
    assert weights["some"] == weights["again"] and weights["all"] == weights["enough"] != weights["some"]
