import json
import signal
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from studyhub import cli
from studyhub.data.record import Basin
from studyhub.data.shards import write
from studyhub.runner import mirroring as module
from studyhub.runner.mirror import Mirror
from studyhub.runner.mirroring import Writer, mirroring
from studyhub.study.store import Store

CLOSED = "127.0.0.1:1"  # nobody listens there


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(module, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(module, "RETRY_EVERY", 0.02)


def runs(home: Path, view: int = ViewType.ACTIVE_ONLY) -> list[tuple[str, str]]:
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    found = client.search_runs([client.get_experiment_by_name("two").experiment_id], run_view_type=view)
    return sorted((run.info.run_name, run.info.status) for run in found)


def epochs(home: Path) -> int:
    """Epochs of the trial that runs, as MLflow has them."""
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("two").experiment_id
    (run,) = client.search_runs([experiment], filter_string="attributes.status = 'RUNNING'")
    return len(client.get_metric_history(run.info.run_id, "loss"))


def wait_for(true, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def test_runs_are_there_while_a_study_runs_and_in_the_end(home, quick):
    said, (first, second, *_) = [], home.make()
    with mirroring(home.store, "two", said.append):
        home.run(first)
        lease = home.begin(second)
        wait_for(lambda: MlflowClient(f"sqlite:///{home.folder / 'mlflow.db'}").get_experiment_by_name("two"), 20)
        wait_for(lambda: ("small, seed 2", "RUNNING") in runs(home.folder), 20)
        home.epoch(lease, 1)
        wait_for(lambda: epochs(home.folder) == 1, 20)
        home.finish(lease)
    assert runs(home.folder) == [("small, seed 1", "FINISHED"), ("small, seed 2", "FINISHED")]
    assert said == []


@pytest.mark.parametrize(
    ("uri", "cause"),
    [
        (f"http://hydro:secret@{CLOSED}", "refused"),
        (f"postgresql://hydro:secret@{CLOSED}/mlflow", "refused"),
        ("sqlite:////proc/none/mlflow.db", "unable to open database file"),
        ("nonsense://secret", "."),
    ],
)
def test_an_mlflow_that_is_away_is_told_once_and_harms_nothing(home, quick, monkeypatch, capfd, uri, cause):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    home.make()
    said, begun = [], time.monotonic()
    with mirroring(home.store, "two", said.append):
        wait_for(lambda: said, 20)
        time.sleep(0.2)
    (message,) = said
    assert cause in message and "nothing is lost: `studyhub mirror " in message and "\n" not in message
    assert message.startswith(f"MLflow at {uri.replace(':secret@', ':***@')} does not answer (")
    assert ":secret" not in message
    assert time.monotonic() - begun < 20
    assert capfd.readouterr() == ("", "")


def test_a_fault_in_the_mirror_is_told_and_harms_nothing(home, quick, monkeypatch, capfd):
    home.make()
    monkeypatch.setattr(Mirror, "sync", lambda *_: {}["bug"])
    said = []
    with mirroring(home.store, "two", said.append):
        wait_for(lambda: said, 20)
    assert len(said) == 1
    assert said[0].startswith("MLflow was not brought up to date (KeyError: 'bug'); nothing is lost")
    assert capfd.readouterr() == ("", "")


def test_an_mlflow_that_comes_back_gets_all(home, quick, monkeypatch):
    home.run(home.make()[0])
    searched = home.search("small", [{"hidden_size": "wide"}, {"hidden_size": "narrow"}])
    home.rung(searched[0], 1, nse=0.1)
    away = home.folder / "away"
    (home.folder / "mlflow.db").rename(away)
    (home.folder / "mlflow.db").mkdir()
    said = []
    with mirroring(home.store, "two", said.append):
        wait_for(lambda: said, 20)
        home.run(searched[1])
        (home.folder / "mlflow.db").rmdir()
        away.rename(home.folder / "mlflow.db")
    assert len(said) == 1
    assert runs(home.folder) == [("small, search 0", "KILLED"), ("small, search 1", "FINISHED"), ("small, seed 1", "FINISHED")]
    assert Writer(home.store, "two").current()
    home.run(searched[0])
    assert not Writer(home.store, "two").current()


def test_a_slow_mlflow_does_not_hold_up_the_end(home, quick, monkeypatch):
    home.make()
    entered, release = threading.Event(), threading.Event()
    monkeypatch.setattr(Mirror, "sync", lambda *_: (entered.set(), release.wait(30)))
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    said, begun = [], time.monotonic()
    with mirroring(home.store, "two", said.append):
        entered.wait(20)
    release.set()
    assert time.monotonic() - begun < 20
    assert len(said) == 1 and "is slow; `studyhub mirror " in said[0]


def test_an_interrupt_is_not_held_up(home, quick, monkeypatch):
    home.make()
    entered, left = threading.Event(), threading.Event()

    def sync(self: Mirror, abandoned) -> None:
        assert not entered.is_set(), "there is no last look"
        entered.set()
        wait_for(abandoned, 20)
        left.set()

    monkeypatch.setattr(Mirror, "sync", sync)
    said, begun = [], time.monotonic()
    with pytest.raises(KeyboardInterrupt), mirroring(home.store, "two", said.append):
        entered.wait(20)
        raise KeyboardInterrupt
    assert left.wait(20) and time.monotonic() - begun < 20
    assert said == []
    assert not (home.folder / "studies" / "two" / "mirror.json").exists()


def test_what_is_there_already_costs_no_look_at_mlflow(home, quick, monkeypatch):
    cells = home.make()
    home.run(cells[0])
    with mirroring(home.store, "two", pytest.fail):
        pass
    with monkeypatch.context() as patch:
        patch.setattr(Mirror, "sync", lambda *_: pytest.fail("MLflow is asked"))
        with mirroring(home.store, "two", pytest.fail):
            time.sleep(0.1)
    assert Writer(home.store, "two").current()
    lease = home.begin(cells[1])
    with mirroring(home.store, "two", pytest.fail):
        pass
    assert Writer(home.store, "two").marked()
    assert not Writer(home.store, "two").current(), "a trial that runs has new epochs"
    home.finish(lease)
    assert not Writer(home.store, "two").current()
    with mirroring(home.store, "two", pytest.fail):
        pass
    assert len(runs(home.folder)) == 2
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    assert not Writer(home.store, "two").current()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (home.folder / "mlflow.db").unlink()
    assert not Writer(home.store, "two").current()


def test_one_process_writes_and_does_not_forget_what_another_left_to_it(home, quick):
    cells = home.make()
    mine = Writer(home.store, "two")
    assert mine.take() and mine.take()
    other = Writer(home.store, "two")
    assert not other.take()
    with mirroring(home.store, "two", pytest.fail):  # another launch, which ends while this one holds the right
        home.run(cells[0])
    mine.give_back()
    assert not mine.marked()
    assert other.take()
    other.give_back()

    outer = Writer(home.store, "two")
    looked = []

    def last_look(abandoned, *, mark):
        looked.append(mark)
        counts = sync(abandoned, mark=mark)
        if len(looked) == 1:  # another launch ends its trial just after this one has looked
            home.run(cells[1])
        return counts

    sync, outer.sync = outer.sync, last_look
    background = module._Background(outer, pytest.fail)
    background.ended.set()
    background.run()
    assert looked == [True, True]
    assert runs(home.folder) == [("small, seed 1", "FINISHED"), ("small, seed 2", "FINISHED")]


# The verb


def test_the_verb_makes_runs_and_brings_them_up_to_date(home, capsys):
    home.run(home.make()[0])
    assert cli.main(["mirror", "two", "--home", str(home.folder)]) == 0
    database = f"sqlite:///{home.folder / 'mlflow.db'}"
    assert capsys.readouterr().out == f"two: 1 made, 0 updated, 0 unchanged, 0 removed runs in {database}\n"
    assert cli.main(["mirror", str(home.folder / "studies" / "two"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"study": "two", "mlflow": database, "made": 0, "updated": 0, "unchanged": 1, "removed": 0}


def test_the_verb_says_in_one_line_why_it_cannot(home, capsys, monkeypatch):
    def said(*arguments: str) -> tuple[int, str]:
        code = cli.main(["mirror", *arguments, "--home", str(home.folder)])
        out = capsys.readouterr()
        assert out.out == "" and out.err.count("\n") == 1
        return code, out.err

    code, message = said("two")
    assert code == 2 and "there is no study 'two'" in message
    assert not (home.folder / "studies").exists()
    home.make()
    writer = Writer(home.store, "two")
    assert writer.take()
    code, message = said("two")
    assert code == 0 and "left to it" in message
    writer.give_back()
    with monkeypatch.context() as patch:
        patch.setattr(module, "LOCK", "lock-in-the-way")
        (home.folder / "studies" / "two" / "lock-in-the-way").mkdir()
        code, message = said("two")
        assert code == 2 and "lock-in-the-way: cannot be written" in message
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://hydro:secret@{CLOSED}")
    code, message = said("two")
    assert code == 2 and message.startswith(f"studyhub: MLflow at http://hydro:***@{CLOSED} does not answer (")
    assert "secret" not in message


# The whole road


@pytest.fixture
def shards(tmp_path) -> Path:
    """Two basins of six years with random numbers: virtual ones take longer to make than to train on."""
    rng = np.random.default_rng(1)
    days = [{variable: rng.random(2191) for variable in ("prcp", "tmean", "pet", "qobs")} for _ in range(2)]
    basins = [
        Basin(name=f"0{n}", start=date(1985, 10, 1), series=series, attributes={"p_mean": 3.0}, facts={}) for n, series in enumerate(days)
    ]
    write(tmp_path / "shards", basins, source="test", settings={})
    return tmp_path / "shards"


@pytest.mark.slow
def test_a_study_that_was_killed_and_launched_again_has_one_run_per_trial(home, shards):
    text = home.text.replace("  hybrid: {model: dpl, scheme: implicit, may_diverge: true}\n", "")
    path = home.folder / "two.yaml"
    path.write_text(text.replace("epochs: 3", "epochs: 30").replace("updates_per_epoch: 2", "updates_per_epoch: 20"))
    command = [sys.executable, "-m", "studyhub.launch", str(path), "--name", "two", "--data", str(shards), "--home", str(home.folder)]
    store = Store(home.folder)

    def states() -> list[str]:
        return [store.state(cell.trial) for cell in store.read_study("two").cells] if "two" in store.studies() else []

    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as launch:
        wait_for(lambda: "finished" in states() or launch.poll() is not None, 120)
        assert launch.poll() is None
        launch.send_signal(signal.SIGKILL)
    wait_for(lambda: "running" not in states(), 60)
    assert len(set(states())) > 1, "it was killed too late"
    assert cli.main(["mirror", "two", "--home", str(home.folder)]) == 0
    assert {status for _, status in runs(home.folder)} <= {"FINISHED", "KILLED"}
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "MLflow" not in done.stderr and "Traceback" not in done.stderr
    expected = [(f"{arm}, seed {seed}", "FINISHED") for arm in ("large", "small") for seed in (1, 2)]
    assert runs(home.folder) == expected
