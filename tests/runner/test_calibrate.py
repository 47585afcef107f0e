"""What a trial will take, by a shortened form of it."""

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from studyhub.catalog import variables
from studyhub.data.synthetic import build
from studyhub.data.synthetic_settings import SyntheticSettings
from studyhub.errors import DataError
from studyhub.runner import calibrate as calibrating
from studyhub.runner.calibrate import Run, calibrate, calibrate_unknown, extrapolated, measure, shortened
from studyhub.runner.trial import run
from studyhub.study.cells import Cell
from studyhub.study.estimate import estimate
from studyhub.study.ids import kind_of, trial_id
from studyhub.study.plan import Plan
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.shape import Resources
from studyhub.study.store import Store

SPLIT = Split(Period(date(1985, 10, 1), date(1987, 9, 30)), Period(date(1987, 10, 1), date(1988, 9, 30)), warmup=120, test_warmup=200)
TRAINING = Training(epochs=3, batch=3, window=90, updates_per_epoch=12, loss="rmse")
MODEL = Model("lstm", ("prcp", "tmean", "pet"), ("clim_p_mean", "clim_aridity"), hidden_size=8)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build(SyntheticSettings(basins=4, years=3), tmp_path_factory.mktemp("world") / "shards")


@pytest.fixture
def trial(world) -> Trial:
    return Trial(MODEL, TRAINING, SPLIT, world.basins, world.basins, 1, world.hash(world.basins, variables(MODEL)))


@pytest.fixture
def few_tested(monkeypatch) -> None:
    monkeypatch.setattr(calibrating, "TESTED", 2)


def test_a_shortened_trial_tells_what_the_whole_takes(trial, world, tmp_path, few_tested):
    torch.set_num_threads(1)
    found = measure(trial, world.manifest.where, 1, "cpu")
    whole = found["setup"] + 3 * (12 * found["update"] + found["validation"]) + found["test"]
    assert found["seconds"] == pytest.approx(whole) and found["updates_per_epoch"] == 12
    assert found["seconds_per_epoch"] == pytest.approx(12 * found["update"] + found["validation"])
    assert all(found[part] > 0 for part in ("setup", "update", "test")) and (found["cpus"], found["device"]) == (1, "cpu")
    assert run(trial, world.manifest.where, tmp_path, cpus=1, device="cpu", on_epoch=lambda epoch: None).state == "finished"
    true = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file() and path.name != "checkpoint.npz")
    assert found["bytes"] == pytest.approx(true, rel=0.5)


def test_basins_that_do_not_stay_in_memory_are_read_in_each_epoch(trial, world):
    streamed = replace(trial, training=replace(TRAINING, resident=1), train_basins=world.basins)
    short = shortened(streamed, world)
    assert (len(short.train_basins), short.training.resident, short.training.epochs) == (1, None, 2)
    timed = Run(short, 0.0, 20.0, (9.0, 14.0), (2.0, 4.0), (5, 5), {})
    found = extrapolated(streamed, timed)
    # Of one basin: 6 s to load, 0.8 s an update, 1 s of validation, 6 s of test of all four basins.
    assert (found["setup"], found["update"], found["validation"], found["test"]) == (24, 0.8, 4, 6)
    assert found["seconds_per_epoch"] == max(12 * 0.8, 4 * 6) + 4
    assert extrapolated(trial, replace(timed, trial=shortened(trial, world)))["seconds_per_epoch"] == pytest.approx(12 * 0.8 + 1)


def test_the_papers_number_of_updates_is_reckoned_with(trial, world):
    free = replace(trial, training=replace(TRAINING, updates_per_epoch=None, batch=1, window=30))
    timed = Run(shortened(free, world), 0.0, 20.0, (9.0, 14.0), (2.0, 4.0), (5, 5), {Path("epochs/0001.json"): 10, Path("weights.npz"): 7})
    found = extrapolated(free, timed)
    assert found["updates_per_epoch"] > 50
    assert found["bytes"] == 3 / 2 * 10 + 7


def test_kinds_that_nothing_is_known_of_are_measured_once_and_then_estimated(trial, world, tmp_path, monkeypatch):
    other = replace(trial, model=replace(MODEL, hidden_size=16))
    trials = {trial_id(one): one for like in (trial, other) for seed in (1, 2) if (one := replace(like, seed=seed))}
    plan = Plan(tuple(Cell(f"arm {one.model.hidden_size}", 1, one.seed, name) for name, one in trials.items()), trials)
    store, said = Store(tmp_path), []

    def fails(one: Trial, *rest: object) -> dict[str, object]:
        if one.model.hidden_size == 16:
            raise DataError("it has diverged within its first updates")
        return calibrate(one, *rest)

    monkeypatch.setattr(calibrating, "calibrate", fails)
    there = {"shards": world.manifest.where, "device": "cpu", "say": said.append}
    resources = Resources(cpus=1, gpus=0)
    assert calibrate_unknown(store, plan, resources, **there) == 1
    assert said[0] == "calibrating 1 of 2: arm 8"
    assert said[-1] == "this one cannot be measured: it has diverged within its first updates"
    kept = json.loads((store.home / "store" / "calibration" / f"{kind_of(trial)}.json").read_text())
    found = estimate(store, plan, resources)
    assert (found.unknown, found.kinds[0].source, found.kinds[0].seconds) == (2, "calibration", kept["seconds"])
    del said[:]
    assert calibrate_unknown(store, plan, resources, **there) == 0
    assert said[0] == "calibrating 1 of 1: arm 16"


def test_what_keeps_a_trial_from_running_is_told_in_one_line(trial, world, monkeypatch, capsys):
    lacking = replace(trial, model=replace(MODEL, forcing=("prcp", "swe")))
    given = pickle.dumps((lacking, world.manifest.where, 1, "cpu"))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=BytesIO(given)))
    assert calibrating.main() == 1
    out, err = capsys.readouterr()
    assert out == "" and "swe" in err and err.count("\n") == 1


def test_a_process_that_ends_with_an_error_is_a_message(trial, monkeypatch):
    monkeypatch.setattr(calibrating, "MODULE", "studyhub.nothing")
    with pytest.raises(DataError, match="No module named studyhub.nothing$"):
        calibrate(trial, "shards", 1, "cpu")


def test_torch_is_not_loaded_by_who_plans():
    program = "import sys, studyhub.runner.calibrate; print({'torch', 'ray', 'numba', 'pandas'} & set(sys.modules) or '')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
