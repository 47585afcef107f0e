"""A trial that starts from another one's weights, in a store."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from studyhub.catalog import variables
from studyhub.data.shards import Shards
from studyhub.data.synthetic import build
from studyhub.data.synthetic_settings import SyntheticSettings
from studyhub.runner.attempt import Place, attempt
from studyhub.study.ids import trial_id
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.store import Store
from studyhub.study.tasks import Task

pytestmark = pytest.mark.usefixtures("globals_as_before")

SPLIT = Split(
    train=Period(date(1985, 10, 1), date(1987, 9, 30)), test=Period(date(1987, 10, 1), date(1988, 9, 30)), warmup=60, test_warmup=180
)
MODEL = Model("dpl", ("prcp", "tmean", "pet"), ("p_mean", "aridity"), hidden_size=5, components=2)
TRAINING = Training(epochs=2, batch=3, window=40, updates_per_epoch=2, optimizer="adam", learning_rate=((1, 0.01),))
FROZEN = replace(TRAINING, learning_rate=((1, 0.0),))


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Shards:
    return build(SyntheticSettings(basins=4, years=3), tmp_path_factory.mktemp("world") / "shards")


@pytest.fixture
def home(world, tmp_path):
    return Home(tmp_path, world)


class Home:
    def __init__(self, folder, world: Shards):
        self.world, self.store = world, Store(folder)
        self.place = Place(folder, world.manifest.where, folder / "stop", 1, "cpu")

    def trial(self, model: Model = MODEL, training: Training = TRAINING, **changes) -> Trial:
        basins = self.world.basins
        return replace(Trial(model, training, SPLIT, basins, basins, 1, self.world.hash(basins, variables(model))), **changes)

    def run(self, trial: Trial, stop: bool = False) -> dict:
        said: list[dict] = []

        def report(content: dict) -> None:
            said.append(content)
            if stop:
                self.place.stop.touch()

        attempt(Task(trial_id(trial), trial), self.place, report)
        self.place.stop.unlink(missing_ok=True)
        return said[-1]

    def weights(self, trial: Trial) -> dict[str, np.ndarray]:
        with np.load(self.store.latest_attempt(trial_id(trial)) / "weights.npz") as stored:
            return {name: stored[name] for name in stored.files}


@pytest.mark.parametrize("resident", [None, 2])
@pytest.mark.parametrize("model", [MODEL, replace(MODEL, kind="lstm")], ids=lambda model: model.kind)
def test_a_child_begins_where_its_parent_ended(home, model, resident):
    loss = "rmse" if model.kind == "lstm" else "rmse_log"
    parent = home.trial(model, replace(TRAINING, loss=loss))
    child = home.trial(model, replace(FROZEN, loss=loss, resident=resident), seed=2, parent=trial_id(parent))
    alone = replace(child, parent=None)
    for trial in (parent, child, alone):
        assert home.run(trial) == {"state": "finished", "cause": None}
    theirs, ours = home.weights(parent), home.weights(child)
    assert all(np.array_equal(theirs[name], ours[name]) for name in theirs)
    assert not any(np.array_equal(theirs[name], values) for name, values in home.weights(alone).items())
    tables = [pd.read_parquet(home.store.latest_attempt(trial_id(trial)) / "scores.parquet") for trial in (parent, child)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert home.store.result(trial_id(child))["parent"] == trial_id(parent)


def test_a_child_learns_on_and_can_be_stopped(home, tmp_path):
    parent = home.trial()
    home.run(parent)
    child = home.trial(replace(MODEL, scheme="implicit", capillary_rise=True), parent=trial_id(parent))
    home.run(child)
    whole = home.weights(child)
    assert not np.array_equal(whole["network.lstm.weights"], home.weights(parent)["network.lstm.weights"])
    other = Home(tmp_path / "other", home.world)
    other.run(parent)
    assert other.run(child, stop=True)["state"] == "stopped"
    assert other.run(child)["state"] == "finished"
    assert all(np.array_equal(values, other.weights(child)[name]) for name, values in whole.items())


def test_a_parent_must_have_finished(home):
    parent = home.trial()
    child = home.trial(parent=trial_id(parent))
    told = f"it starts from the weights of trial {trial_id(parent)}, which is pending; launch the study again to train that first"
    assert home.run(child) == {"state": "failed", "cause": told, "kind": "data"}
    home.run(parent, stop=True)
    assert "which is stopped" in home.run(child)["cause"]
    home.run(parent)
    assert home.run(child)["state"] == "finished"


def test_a_parent_that_was_shown_other_numbers_is_refused(home):
    parent = home.trial()
    home.run(parent)
    child = home.trial(parent=trial_id(parent))
    path = home.store.latest_attempt(trial_id(parent)) / "scales.json"
    scales = json.loads(path.read_text())
    tmean = scales["inputs"]["forcing"].index("tmean")
    mean, std = scales["inputs"]["forcing_scale"][tmean]
    scales["inputs"]["forcing_scale"][tmean] = [mean * (1 + 1e-9), std]
    path.write_text(json.dumps(scales))
    assert home.run(child)["state"] == "finished", "the last digit of another machine"
    scales["inputs"]["forcing_scale"][tmean] = [mean + 273.15, std]
    path.write_text(json.dumps(scales))
    said = home.run(replace(child, seed=3))
    assert said["state"] == "failed" and said["kind"] == "data"
    assert said["cause"].startswith("`init_from`: the parent was shown tmean with mean ")
    assert f"this trial has mean {mean:.6g} and standard deviation {std:.6g}" in said["cause"]


def test_a_parent_whose_weights_are_damaged_is_one_message(home):
    parent = home.trial()
    home.run(parent)
    path = home.store.latest_attempt(trial_id(parent)) / "weights.npz"
    path.write_bytes(path.read_bytes()[:100])
    said = home.run(home.trial(parent=trial_id(parent)))
    assert (said["state"], said["kind"]) == ("failed", "data")
    assert said["cause"].startswith(f"{path}: not a readable file of weights")
