import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from studyhub.errors import StoreError
from studyhub.study.cells import Cell
from studyhub.study.launches import launches, launching
from studyhub.study.leases import Lease
from studyhub.study.status import cell_states, failed_trials, status
from studyhub.study.status_text import lines
from studyhub.study.store import Store

CELLS = [Cell(arm, 1, seed, f"{place}{seed:015}") for place, arm in enumerate(("small", "large"), 1) for seed in (1, 2, 3)]


class Study:
    """A study of two arms and three seeds, ``two``, whose trials end as they are told to."""

    def __init__(self, home: Path, cells: list[Cell] = CELLS):
        self.store, self.cells = Store(home), cells
        self.store.write_study("two", "question: which?\n", cells)

    def begin(self, trial: str | int, epochs: int = 0, seconds: float = 2.0) -> Lease:
        lease = self.store.claim(trial if isinstance(trial, str) else self.cells[trial].trial, device="cuda:0")
        assert lease is not None
        (lease.folder / "epochs").mkdir()
        for number in range(1, epochs + 1):
            said = {"number": number, "of": 10, "loss": 1.0, "validation": None, "seconds": seconds, "updates": 1, "solve": None}
            (lease.folder / "epochs" / f"{number:04}.json").write_text(json.dumps(said))
        return lease

    def finish(self, trial: str | int, seconds: float = 100.0, state: str = "finished", ago: float = 0.0, **result: Any) -> None:
        lease = self.begin(trial)
        assert lease.finish({"state": state, "seconds": seconds, "cause": None} | result)
        path = lease.trial_folder / "result.json"
        os.utime(path, (time.time() - ago,) * 2)

    def fail(self, trial: str | int, cause: str, kind: str | None, log: str = "") -> Lease:
        lease = self.begin(trial)
        if log:
            (lease.folder / "log.txt").write_text(log)
        lease.fail({"cause": cause, "kind": kind, "traceback": []})
        return lease

    def begun_ago(self, lease: Lease, seconds: float) -> None:
        path = lease.trial_folder / f"lease-{lease.number:03}.json"
        said = json.loads(path.read_text()) | {"begun": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))}
        path.write_text(json.dumps(said))

    def searches(self, *entries: dict[str, Any]) -> None:
        (self.store.study_folder("two") / "searches.json").write_text(json.dumps(entries))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def test_cells_are_counted_by_state(study):
    study.finish(0)
    study.finish(1, state="diverged", cause={"store": "SM"})
    study.begin(2)
    study.begin(3).release()
    study.fail(4, "no", "code")
    found = status(study.store, "two")
    assert found.counts == {"pending": 1, "running": 1, "finished": 1, "diverged": 1, "failed": 1, "stopped": 1}
    assert list(found.counts) == ["pending", "running", "finished", "diverged", "failed", "stopped"]
    assert found.open == 3
    assert json.loads(json.dumps(asdict(found)))["counts"]["failed"] == 1


def test_a_cell_is_blocked_until_its_parent_has_finished(tmp_path):
    parent, child, orphan = (f"{number:016}" for number in (1, 2, 3))
    placeholder = "f" * 16
    cells = [Cell("a", 1, 1, parent), Cell("b", 1, 1, child, parent), Cell("c", 1, 1, orphan, placeholder)]
    study = Study(tmp_path, cells)
    assert cell_states(study.store, cells) == ["pending", "blocked", "blocked"]
    study.begin(0).release()
    assert cell_states(study.store, cells) == ["stopped", "blocked", "blocked"]
    study.finish(0, state="diverged")
    assert cell_states(study.store, cells) == ["diverged", "blocked", "blocked"]
    result = study.store.trial_folder(parent) / "result.json"
    result.write_text(result.read_text().replace("diverged", "finished"))
    assert cell_states(study.store, cells) == ["finished", "pending", "blocked"]
    study.begin(1).release()
    assert status(study.store, "two").counts == {"blocked": 1, "finished": 1, "stopped": 1}


def test_what_runs_says_where_and_how_far_it_is(study):
    lease = study.begin(1, epochs=4)
    study.begun_ago(lease, 60)
    (found,) = status(study.store, "two").running
    assert (found.arm, found.seed, found.epoch, found.of, found.seconds_per_epoch) == ("small", 2, 4, 10, 2.0)
    assert (found.pid, found.device) == (os.getpid(), "cuda:0")
    assert found.host and found.begun and found.begun.endswith("Z")
    assert any("small, fold 1, seed 2: epoch 4 of 10, 2 s each" in line for line in lines(status(study.store, "two")))


def test_a_trial_that_has_just_begun_is_told_without_epochs(study):
    study.begin(0)
    found = status(study.store, "two")
    assert (found.running[0].epoch, found.running[0].of, found.seconds_left) == (0, None, None)
    assert any("starting, on" in line for line in lines(found))


def test_the_pace_is_that_of_the_last_hour_or_since_the_work_began(study):
    study.finish(0, seconds=900, ago=7200)  # too long ago
    study.finish(1, seconds=600, ago=600)
    study.finish(2, seconds=600, ago=0)
    study.begun_ago(study.begin(3, epochs=3, seconds=4), 300)
    found = status(study.store, "two").pace
    assert found.ended == 2
    assert found.hours == pytest.approx(1200 / 3600, rel=0.02)
    assert found.trials_per_hour == pytest.approx(6, rel=0.02)
    assert found.seconds_per_epoch == {"large": 4.0}


def test_the_time_left_is_shared_by_those_that_run(study):
    study.finish(0, seconds=100)
    for trial in (1, 3):
        study.begin(trial, epochs=6, seconds=5)
    # Left: seeds 2 of both arms 4 epochs of 5 s each; seed 3 of small 100 s as seed 1, two seeds of large 10 epochs of 5 s.
    assert status(study.store, "two").seconds_left == pytest.approx((20 + 20 + 100 + 50 + 50) / 2)


def test_the_time_left_is_at_least_that_of_what_runs(study):
    for trial in (0, 1, 2, 3, 4):
        study.finish(trial, seconds=10)
    study.begin(5, epochs=1, seconds=50)
    assert status(study.store, "two").seconds_left == 9 * 50


def test_failures_are_grouped_by_kind_with_the_end_of_a_log(study):
    log = "".join(f"line {number}\n     ^^^^^\n" for number in range(50))
    study.fail(0, "CUDA out of memory (A)", "memory", log="other\n")
    for trial in (1, 2):
        study.fail(trial, "CUDA out of memory (B)", "memory", log=log)
    study.fail(3, "KeyError: 'x'", "KeyError")
    study.finish(4, state="diverged", cause={"basin": "01", "store": "SM"})
    memory, code, diverged = status(study.store, "two").failures
    assert (memory.kind, memory.count) == ("memory", 3)
    assert memory.causes == (("CUDA out of memory (B)", 2), ("CUDA out of memory (A)", 1))
    assert (memory.example.seed, memory.lines[-1], len(memory.lines)) == (2, "line 49", 8)
    assert (code.kind, code.called, code.causes[0][0]) == ("code", "code", "KeyError: 'x'")
    assert (diverged.kind, diverged.causes) == ("diverged", (("basin 01, store SM", 1),))
    told = lines(status(study.store, "two"))
    assert "  out of memory: 3 trials" in told and "      line 49" in told
    assert "  `studyhub retry two --failed` runs those again that failed" in told


def test_the_log_of_a_killed_worker_is_that_of_the_attempt_before(study):
    lease = study.begin(0)
    (lease.folder / "log.txt").write_text("epoch 3\n")
    lease.release()
    study.fail(0, "the worker process died", "worker")
    (group,) = status(study.store, "two").failures
    assert (group.called, group.lines) == ("killed or lost", ("epoch 3",))


def test_searches_tell_their_progress_and_count_for_the_time_left(study):
    tried = [f"{9}{number:015}" for number in range(3)]
    trials = [{"number": number, "trial": trial, "params": {}, "values": None} for number, trial in enumerate(tried)]
    study.searches(
        {"arm": "small", "fold": 1, "done": False, "budget": 5, "chosen": None, "trials": trials},
        {"arm": "large", "fold": 1, "done": True, "budget": 5, "chosen": {"learning_rate": 0.0123456, "hidden_size": "16"}, "trials": []},
        {"arm": "other", "fold": 2, "done": True, "budget": 2, "chosen": None, "trials": [], "note": "all diverged"},
    )
    study.finish(tried[0], seconds=30)
    study.fail(tried[1], "no", "code")
    study.begin(tried[2], epochs=5, seconds=3)
    found = status(study.store, "two")
    assert [(one.done, one.ended, one.budget) for one in found.searches] == [(False, 2, 5), (True, 0, 5), (True, 0, 2)]
    assert (found.running[0].number, found.running[0].seed) == (2, None)
    assert found.troubles[0].number == 1
    assert found.failures[0].count == 1
    # 5 epochs of 3 s; of the search the other two, and all six cells, 30 s each.
    assert found.seconds_left == pytest.approx(15 + 2 * 30 + 6 * 30)
    told = lines(found)
    assert "  search   small, fold 1: 2 of 5 trained; chooses when all have ended" in told
    assert "  search   large, fold 1: 0 of 5 trained; chose learning_rate 0.01235, hidden_size 16" in told
    assert "  search   other, fold 2: 0 of 2 trained; none of them can be chosen (all diverged)" in told
    assert any("small, fold 1, search 2" in line for line in told)


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[1]", '[{"arm": "small", "fold": 1, "done": false, "chosen": null, "trials": [{"trial": "../x"}]}]']
)
def test_searches_that_cannot_be_read_are_left_out(study, text):
    (study.store.study_folder("two") / "searches.json").write_text(text)
    assert status(study.store, "two").counts == {"pending": 6}


def test_a_launch_is_seen_while_it_lives(study):
    folder = study.store.study_folder("two")
    with launching(folder):
        (found,) = status(study.store, "two").launches
        assert found.pid == os.getpid()
        assert any(f"process {os.getpid()}" in line for line in lines(status(study.store, "two")))
        (path,) = (folder / "launches").iterdir()
        os.utime(path, (time.time() - 100,) * 2)
        assert launches(folder) == ()
    assert list((folder / "launches").iterdir()) == []


def test_a_killed_launch_is_not_taken_for_one_that_lives(study):
    folder = study.store.study_folder("two")
    with launching(folder):
        (path,) = (folder / "launches").iterdir()
        path.write_text(json.dumps(json.loads(path.read_text()) | {"started": "1"}))
        assert launches(folder) == ()


def test_failed_trials_are_those_to_be_tried_again(study):
    study.fail(0, "no", "code")
    study.finish(1, state="diverged")
    study.begin(2).release()
    study.fail(4, "no", "memory")
    failed = CELLS[0].trial, CELLS[4].trial
    assert failed_trials(study.store, "two") == failed
    assert failed_trials(study.store, "two", "large") == failed[1:]
    study.begin(0)
    assert failed_trials(study.store, "two") == failed[1:]
    with pytest.raises(StoreError, match="no arm 'lage'; did you mean `large`"):
        failed_trials(study.store, "two", "lage")
    with pytest.raises(StoreError, match="there is no study 'one'"):
        failed_trials(study.store, "one")
