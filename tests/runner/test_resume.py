"""A trial that was stopped, killed or out of disk goes on, and ends as if nothing had happened: bit for bit."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from studyhub.catalog import METRICS, variables
from studyhub.data.shards import Shards
from studyhub.data.synthetic import build
from studyhub.data.synthetic_settings import SyntheticSettings
from studyhub.errors import StoreError
from studyhub.evaluation.metrics import score
from studyhub.runner import resume
from studyhub.runner.attempt import Place, attempt
from studyhub.runner.trial import Outcome, run
from studyhub.study.ids import kind_of, trial_id
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.store import Store
from studyhub.study.tasks import Task
from studyhub.training import checkpoint

pytestmark = pytest.mark.usefixtures("globals_as_before")

EPOCHS = 4
SPLIT = Split(
    train=Period(date(1985, 10, 1), date(1987, 3, 31)),
    test=Period(date(1987, 10, 1), date(1988, 9, 30)),
    validation=Period(date(1987, 4, 1), date(1987, 9, 30)),
    warmup=60,
    test_warmup=180,
)
LAST = replace(SPLIT, validation=None)
MODEL = Model("lstm", ("prcp", "tmean", "pet"), ("p_mean", "aridity", "frac_snow"), hidden_size=6)
DPL = replace(MODEL, kind="dpl", components=2, dynamic=("BETA",))
ADADELTA = Training(epochs=EPOCHS, batch=3, window=40, updates_per_epoch=2)
ADAM = replace(ADADELTA, optimizer="adam", learning_rate=((1, 0.02), (3, 0.005)), gradient_norm=1.0)
CASES = {
    "lstm": (MODEL, replace(ADAM, loss="rmse"), LAST),
    "lstm kratzert best some": (replace(MODEL, recipe="kratzert2019"), replace(ADADELTA, loss="nse", checkpoint="best", resident=2), SPLIT),
    "sequential best one": (DPL, replace(ADADELTA, checkpoint="best", resident=1), SPLIT),
    "implicit": (replace(DPL, scheme="implicit", dynamic=()), ADAM, LAST),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Shards:
    return build(SyntheticSettings(basins=4, years=3), tmp_path_factory.mktemp("world") / "shards")


def a_trial(world: Shards, case: str = "lstm", **changes) -> Trial:
    model, training, split = CASES[case]
    trial = Trial(model, training, split, world.basins, world.basins, 1, world.hash(world.basins, variables(model)))
    return replace(trial, **changes)


@pytest.fixture
def home(world, tmp_path):
    return Home(tmp_path / "home", world)


class Home:
    """A store, and what becomes of one trial in it."""

    def __init__(self, folder: Path, world: Shards):
        self.folder, self.world, self.store = folder, world, Store(folder)
        self.place = Place(folder, world.manifest.where, folder / "stop", 1, "cpu")
        self.said: list[dict] = []

    def attempt(self, trial: Trial, stop_after: int | None = None, until: int | None = None, runner=None) -> dict:
        """One attempt, which is told to stop in the epoch ``stop_after``; its last report."""
        self.place.stop.unlink(missing_ok=True)
        self.said = []

        def report(said: dict) -> None:
            self.said.append(said)
            if said.get("epoch") == stop_after is not None:
                self.place.stop.touch()

        attempt(Task(trial_id(trial), trial, until), self.place, report, runner)
        return self.said[-1]

    def latest(self, trial: Trial) -> Path:
        return self.store.latest_attempt(trial_id(trial))

    def log(self, trial: Trial) -> str:
        return (self.latest(trial) / "log.txt").read_text()

    def checkpoints(self, trial: Trial) -> list[str]:
        return sorted(path.parent.name for path in self.store.trial_folder(trial_id(trial)).glob("*/checkpoint.npz"))


def left(folder: Path) -> dict[str, object]:
    """All that a finished attempt leaves, as far as it is the same each time."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".parquet":
            found[name] = pd.read_parquet(path).to_dict("list")
        elif path.parent.name == "epochs":
            found[name] = json.loads(path.read_text()) | {"seconds": None}
        elif path.is_file() and name != "log.txt":
            found[name] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    known: dict[str, tuple[dict, dict]] = {}

    def of(case: str) -> tuple[dict, dict]:
        if case not in known:
            home, trial = Home(tmp_path_factory.mktemp("undisturbed"), world), a_trial(world, case)
            assert home.attempt(trial)["state"] == "finished"
            known[case] = left(home.latest(trial)), home.store.result(trial_id(trial))
        return known[case]

    return of


def alike(home: Home, trial: Trial, whole: tuple[dict, dict]) -> None:
    files, result = whole
    again = left(home.latest(trial))
    assert again.keys() == files.keys()
    for name, content in files.items():
        # As text: NaN is NaN.
        assert content == again[name] or str(content) == str(again[name]), name
    told = home.store.result(trial_id(trial))
    assert told.keys() == result.keys()
    for key in ("state", "epochs", "updates", "kept_epoch", "test_solve", "cause", "parameters", "kind", "parent"):
        assert told.get(key) == result.get(key), key


@pytest.mark.parametrize("case", CASES)
def test_stopping_after_every_epoch_changes_nothing(home, world, undisturbed, case):
    trial = a_trial(world, case)
    for number in range(1, EPOCHS):
        assert home.attempt(trial, stop_after=number) == {"state": "stopped", "cause": None}
        assert [said["epoch"] for said in home.said[:-1]] == [number]
        assert home.store.state(trial_id(trial)) == "stopped"
        assert home.checkpoints(trial)[-1] == f"attempt-{number:03}" and len(home.checkpoints(trial)) <= 2
    assert home.attempt(trial)["state"] == "finished"
    alike(home, trial, undisturbed(case))
    assert home.checkpoints(trial) == []
    assert "goes on from epoch 3 of attempt-003" in home.log(trial)


def test_a_result_says_what_it_took_and_where_it_comes_from(home, world):
    trial = a_trial(world)
    home.attempt(trial, stop_after=1)
    spent = resume.read(home.latest(trial), trial).seconds
    time.sleep(1.1)
    assert home.attempt(trial)["state"] == "finished"
    result, folder = home.store.result(trial_id(trial)), home.latest(trial)
    assert result["kind"] == kind_of(trial) and result["parent"] is None
    assert result["seconds"] > spent > 0
    epochs = [json.loads(path.read_text()) for path in sorted((folder / "epochs").iterdir())]
    assert result["seconds_per_update"] == pytest.approx(sum(epoch["seconds"] for epoch in epochs) / 8)
    first = json.loads((folder.parent / "lease-001.json").read_text())["begun"]
    assert result["begun"] == first < json.loads((folder.parent / "lease-002.json").read_text())["begun"]
    sizes = {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.name != "log.txt"}
    assert 0 <= result["bytes"] - sum(sizes.values()) < 1000  # the log has got its last line since
    assert {"simulation.parquet", "weights.npz", "0004.json"} <= sizes.keys()


KILLED = """
    import sys, time
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    import test_resume as t
    from studyhub.data.shards import Shards
    from studyhub.data.windows import Sampler
    from studyhub.runner import resume

    resume.SHARE = 1.0  # each epoch is kept, however short it is
    world = Shards.open({world!r})
    home, trial = t.Home(Path({home!r}), world), t.a_trial(world, {case!r})
    draw, drawn = Sampler.draw, []

    def slow(self):
        drawn.append(1)
        if len(drawn) == {updates}:
            Path({home!r}, "amid").touch()
            time.sleep(100)
        return draw(self)

    Sampler.draw = slow
    print(home.attempt(trial))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("case", "updates"), [("lstm kratzert best some", 6), ("implicit", 4)])
def test_a_process_killed_amid_an_epoch_is_followed_by_another(home, world, undisturbed, case, updates):
    trial = a_trial(world, case)
    known = {"tests": os.path.dirname(__file__), "world": world.manifest.folder, "home": str(home.folder), "case": case}
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(KILLED.format(**known, updates=updates))])
    end = time.monotonic() + 100
    while not (home.folder / "amid").exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert home.checkpoints(trial) == ["attempt-001"]
    (home.latest(trial) / ".checkpoint.npz.part").write_bytes(b"killed amid writing")
    assert home.attempt(trial)["state"] == "finished"
    assert not list(home.store.trial_folder(trial_id(trial)).rglob("*.part"))
    alike(home, trial, undisturbed(case))
    assert re.search("goes on from epoch [12] of attempt-001", home.log(trial))


def test_a_fault_of_the_test_costs_no_training(home, world, undisturbed, monkeypatch):
    from studyhub.runner.outputs import Outputs

    trial = a_trial(world)
    with monkeypatch.context() as patch:
        patch.setattr(Outputs, "add", lambda *_: (_ for _ in ()).throw(ValueError("a fault")))
        assert home.attempt(trial) == {"state": "failed", "cause": "ValueError: a fault", "kind": "code"}
    assert home.attempt(trial)["state"] == "finished"
    assert len(home.said) == 1, "it has trained again"
    alike(home, trial, undisturbed("lstm"))


def damaged(path: Path, how: str, world: Shards) -> None:
    content = path.read_bytes()
    if how == "foreign":
        state = resume.read(path.parent, a_trial(world)).state
        checkpoint.save(path, state.arrays(), {"trial": "0" * 16, "seconds": 1.0, **state.plain()})
    elif how == "weights":
        checkpoint.save(path, checkpoint.load(path))
    elif how == "another format":
        checkpoint.save(
            path, {"a": torch.ones(2)}, {"trial": trial_id(a_trial(world)), "seconds": 1.0, "epochs": [], "sampler": {}, "kept": 0}
        )
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes({"empty": b"", "cut": content[:-100], "flipped": flipped, "text": b"{}"}[how])


@pytest.mark.parametrize("how", ["empty", "cut", "flipped", "text", "foreign", "weights", "another format"])
def test_a_checkpoint_that_cannot_be_used_is_said_and_ignored(home, world, undisturbed, how):
    trial = a_trial(world)
    home.attempt(trial, stop_after=1)
    damaged(home.latest(trial) / "checkpoint.npz", how, world)
    assert home.attempt(trial)["state"] == "finished"
    assert len(home.said) == EPOCHS + 1
    assert "attempt-001/checkpoint.npz" in home.log(trial) and "begins anew" in home.log(trial)
    alike(home, trial, undisturbed("lstm"))


def test_an_older_checkpoint_serves_where_the_newest_is_damaged(home, world, undisturbed):
    trial = a_trial(world)
    home.attempt(trial, stop_after=1)
    home.attempt(trial, stop_after=2)
    damaged(home.latest(trial) / "checkpoint.npz", "cut", world)
    assert home.attempt(trial)["state"] == "finished"
    assert [said.get("epoch") for said in home.said] == [2, 3, 4, None]
    alike(home, trial, undisturbed("lstm"))


def test_a_rung_is_scored_and_left_and_changes_nothing(home, world, undisturbed):
    case = "sequential best one"
    trial = a_trial(world, case)
    assert home.attempt(trial, until=2) == {"state": "stopped", "cause": None, "rung": 2}
    first = home.latest(trial)
    assert json.loads((first / "stopped.json").read_text()) == {"rung": 2}
    table = pd.read_parquet(first / "rung-0002.parquet")
    assert list(table.basin) == list(world.basins) and {"nse", "kge", "days"} <= set(table)
    assert not (first / "scores.parquet").exists()
    # What a training of two epochs would be scored with.
    short = a_trial(world, case, training=replace(CASES[case][1], epochs=2))
    home.attempt(short)
    scores = pd.read_parquet(home.latest(short) / "scores.parquet")
    assert {metric.name for metric in METRICS.values() if metric.of == "discharge"} <= set(table), "what a search may go by"
    pd.testing.assert_frame_equal(table, scores[list(table)], check_exact=True)

    assert home.attempt(trial, until=2) == {"state": "stopped", "cause": None, "rung": 2}
    assert len(home.said) == 1, "it has trained again"
    assert home.attempt(trial, until=3)["rung"] == 3
    assert [said.get("epoch") for said in home.said] == [3, None]
    assert home.attempt(trial, until=EPOCHS)["state"] == "finished"
    rungs = {path.name for path in home.latest(trial).glob("rung-*")}
    assert rungs == {"rung-0002.parquet", "rung-0003.parquet"}
    for name in rungs:
        (home.latest(trial) / name).unlink()
    alike(home, trial, undisturbed(case))


def test_a_rung_that_was_passed_is_reached_again_from_before_it(home, world, undisturbed):
    trial = a_trial(world)
    home.attempt(trial, stop_after=3)
    assert home.attempt(trial, until=2)["rung"] == 2
    assert [said.get("epoch") for said in home.said] == [1, 2, None]
    assert home.checkpoints(trial) == ["attempt-001", "attempt-002"]
    assert home.attempt(trial)["state"] == "finished"
    assert [said.get("epoch") for said in home.said] == [4, None], "the farthest checkpoint is the one to go on from"
    alike(home, trial, undisturbed("lstm"))


def test_a_model_that_diverges_when_a_rung_is_scored_has_no_score_there_and_goes_on(home, world, monkeypatch):
    from studyhub.models.lstm import StreamflowLSTM
    from studyhub.solvers.march import Diverged

    trial, forward = a_trial(world), StreamflowLSTM.forward
    with monkeypatch.context() as patch:
        patch.setattr(
            StreamflowLSTM, "forward", lambda self, *a: forward(self, *a) if self.training else (_ for _ in ()).throw(Diverged(0, "SM", 1))
        )
        assert home.attempt(trial, until=2)["rung"] == 2
    table = pd.read_parquet(home.latest(trial) / "rung-0002.parquet")
    assert list(table.basin) == list(world.basins) and table.nse.isna().all() and (table.days == 0).all()
    assert set(table) == {"basin", "period", *score(np.ones((1, 2)), np.ones((1, 2)))}
    assert home.attempt(trial)["state"] == "finished"


@contextmanager
def files_up_to(limit: int):
    """Let the system refuse larger files to this process, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(("limit", "epochs_left"), [(4000, [2, 3, 4]), (32_000, [])], ids=["checkpoint", "test"])
def test_a_full_disk_is_one_message_and_the_trial_goes_on_later(home, world, undisturbed, limit, epochs_left):
    case = "sequential best one"
    trial = a_trial(world, case)
    home.attempt(trial, stop_after=1)
    with files_up_to(limit):
        said = home.attempt(trial)
    assert (said["state"], said["kind"]) == ("failed", "disk")
    assert said["cause"].startswith(f"{home.folder}: the disk is full or a limit is reached (") and "--home DIR" in said["cause"]
    assert home.store.state(trial_id(trial)) == "failed"
    for path in home.latest(trial).rglob("*"):
        assert ".part" not in path.name and path.suffix != ".parquet"
        if path.parent.name == "epochs":
            json.loads(path.read_text())
        if path.suffix == ".npz":
            checkpoint.load(path)
    assert home.attempt(trial)["state"] == "finished"
    assert [said.get("epoch") for said in home.said] == [*epochs_left, None]
    alike(home, trial, undisturbed(case))


def test_writing_checkpoints_takes_a_fiftieth_of_the_time_at_most(world, tmp_path, monkeypatch):
    now, written = [0.0], []

    def save(path, tensors, plain):
        now[0] += 1.0
        written.append(len(plain["epochs"]))

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(checkpoint, "save", save)
    trial = a_trial(world)
    keep = resume.Keeper(tmp_path, trial, 100.0)
    for number in range(1, 31):
        now[0] += 10.0
        state = resume.State((None,) * number, {}, {}, (), {})
        monkeypatch.setattr(resume.State, "plain", lambda self: {"epochs": self.epochs})
        keep(state, number == 30)
    assert written == [1, 5, 10, 15, 20, 25, 30]
    assert keep.seconds == 100 + 300 + 7


def test_a_runner_of_its_own_is_told_of_earlier_attempts(home, world):
    trial, told = a_trial(world), []

    def runner(trial, shards, folder, **how):
        told.append(how)
        return Outcome("stopped")

    home.attempt(trial, stop_after=1)
    home.attempt(trial, runner=runner, until=3)
    how = told[0]
    assert how["before"].name == "attempt-001" and how["parent"] is None and how["until"] == 3
    assert (how["cpus"], how["device"]) == (1, "cpu")


def test_a_checkpoint_that_is_asked_for_must_be_readable(world, tmp_path):
    with pytest.raises(StoreError, match="checkpoint.npz"):
        run(a_trial(world), world.manifest.where, tmp_path, cpus=1, device="cpu", on_epoch=print, before=tmp_path)
