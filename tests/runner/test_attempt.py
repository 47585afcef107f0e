import os
import re
import subprocess
import sys
import textwrap
import time
from datetime import date
from types import SimpleNamespace

import pytest

from studyhub.errors import DataError
from studyhub.runner.attempt import Place, attempt, ending
from studyhub.runner.failures import one_line
from studyhub.study.settings import Model, Period, Split, Training, Trial
from studyhub.study.store import Store
from studyhub.study.tasks import Task

pytestmark = pytest.mark.usefixtures("globals_as_before")

SPLIT = Split(Period(date(2000, 1, 1), date(2001, 12, 31)), Period(date(2003, 1, 1), date(2004, 12, 31)))
TRIAL = Trial(Model("lstm", ("prcp",), ()), Training(epochs=3), SPLIT, ("1",), ("1",), 5, "data")

ID = "0123456789abcdef"
TASK = Task(ID, TRIAL)


def epochs(outcome_of_stop="stopped", n=3):
    def run(trial, shards, folder, *, device, on_epoch, **_):
        for number in range(1, n + 1):
            if on_epoch(SimpleNamespace(number=number, of=n, loss=1 / number, validation=None, seconds=0.5)):
                return SimpleNamespace(state=outcome_of_stop, result={})
        return SimpleNamespace(state="finished", result={"cause": None, "epochs": n, "device": device})

    return run


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path, tmp_path, tmp_path / "stop", 1, "cpu")


def reports(place, runner) -> list[dict]:
    said = []
    attempt(TASK, place, said.append, runner)
    return said


def test_a_trial_that_ends_is_reported_and_recorded(place):
    said = reports(place, epochs())
    assert [report.get("epoch") for report in said] == [1, 2, 3, None]
    assert said[-1] == {"state": "finished", "cause": None}
    result = Store(place.home).result(ID)
    assert (result["state"], result["epochs"], result["device"]) == ("finished", 3, "cpu")


def test_divergence_is_a_result_with_its_cause_in_words(place):
    def diverges(trial, shards, folder, **_):
        return SimpleNamespace(state="diverged", result={"cause": {"basin": "7", "store": "SM", "day": "2003-05-01"}})

    assert reports(place, diverges) == [{"state": "diverged", "cause": "basin 7, store SM, day 2003-05-01"}]
    assert Store(place.home).state(ID) == "diverged"


def test_a_failing_trial_leaves_its_cause_and_runs_again(place):
    def fails(trial, shards, folder, **_):
        raise ValueError("no\ngood")

    assert reports(place, fails) == [{"state": "failed", "cause": "ValueError: no good", "kind": "code"}]
    store = Store(place.home)
    assert store.state(ID) == "failed"
    assert store.failure(ID)["cause"] == "ValueError: no good"
    assert "raise ValueError" in "\n".join(store.failure(ID)["traceback"])
    assert reports(place, epochs())[-1]["state"] == "finished"


def test_what_is_finished_is_not_run_again(place):
    reports(place, epochs())

    def must_not_run(*_, **__):
        raise AssertionError

    assert reports(place, must_not_run) == [{"state": "finished", "cause": None}]


def test_a_stop_ends_after_the_epoch_and_frees_the_trial(place):
    place.stop.touch()
    assert reports(place, epochs()) == [{"state": "stopped", "cause": None}]

    place.stop.unlink()
    said = []

    def report(content):
        said.append(content)
        if content.get("epoch") == 2:
            place.stop.touch()

    attempt(TASK, place, report, epochs())
    assert [report["state"] for report in said] == ["running", "running", "stopped"]
    assert Store(place.home).state(ID) == "stopped"
    assert Store(place.home).claim(ID) is not None


def test_a_trial_that_another_launch_is_at_is_left_to_it(place):
    lease = Store(place.home).claim(ID)
    assert reports(place, epochs()) == [{"state": "waiting", "cause": None}]
    lease.finish({"state": "finished", "cause": None})
    assert reports(place, epochs()) == [{"state": "finished", "cause": None}]


def test_an_attempt_that_another_launch_has_taken_over_stops(place):
    said = []

    def report(content):
        said.append(content)
        if content.get("epoch") == 1:  # it was silent for too long
            trial = Store(place.home).trial_folder(ID)
            (trial / "lease-002.json").write_text((trial / "lease-001.json").read_text())

    attempt(TASK, place, report, epochs())
    assert said[1:] == [{"state": "stopped", "cause": "silent for too long: another launch has taken it over"}]
    assert Store(place.home).result(ID) is None
    log = (Store(place.home).trial_folder(ID) / "attempt-001" / "log.txt").read_text().splitlines()
    assert log[-1].endswith(" stopped: silent for too long: another launch has taken it over")


def test_what_goes_wrong_once_another_launch_has_taken_over_is_no_failure_of_the_trial(place):
    """The other one may have ended it, and deleted a checkpoint that was just being written here."""

    def is_overtaken(trial, shards, folder, **_):
        (folder.parent / "lease-001.json").write_text("{}")
        os.utime(folder.parent / "lease-001.json", (0, 0))
        assert Store(place.home).claim(ID).finish({"state": "finished", "cause": None})
        raise FileNotFoundError("checkpoint.npz")

    assert reports(place, is_overtaken) == [{"state": "stopped", "cause": "silent for too long: another launch has taken it over"}]
    assert Store(place.home).state(ID) == "finished"
    log = (place.home / "store" / "trials" / ID / "attempt-001" / "log.txt").read_text()
    assert "FileNotFoundError: checkpoint.npz" in log


def test_a_failure_is_told_and_kept_with_its_kind_and_logged(place):
    def fails(trial, shards, folder, **_):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    assert reports(place, fails)[-1]["kind"] == "memory"
    failure = Store(place.home).failure(ID)
    assert failure["kind"] == "memory" and failure["cause"].startswith("RuntimeError: CUDA out of memory")
    log = (Store(place.home).trial_folder(ID) / "attempt-001" / "log.txt").read_text().splitlines()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ attempt-001 on \S+, process \d+, cpu, 1 CPUs", log[0])
    assert log[-1].endswith(f" failed (memory): {failure['cause']}")
    assert any("in fails" in line for line in log)


def test_a_process_whose_parent_has_died_ends_and_frees_its_trial(place):
    child = textwrap.dedent(f"""
        import time, sys
        from pathlib import Path
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_attempt import TASK, Place, attempt
        def endless(trial, shards, folder, **_):
            Path(shards, "running").touch()
            time.sleep(60)
        home = Path({str(place.home)!r})
        attempt(TASK, Place(home, home, home / "stop", 1, "cpu"), lambda report: None, endless)
    """)
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", parent])
    wait_for(lambda: (place.home / "running").exists(), 60)
    assert Store(place.home).claim(ID) is None
    process.kill()
    process.wait()
    wait_for(lambda: Store(place.home).claim(ID) is not None, 5)


def wait_for(true, seconds):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


def test_words():
    assert one_line(DataError("basin 1: no discharge")) == "basin 1: no discharge"
    assert one_line(KeyError()) == "KeyError"
    assert ending({"state": "finished"}) == {"state": "finished", "cause": None}
