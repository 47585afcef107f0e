import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from studyhub.errors import SpecError, StoreError
from studyhub.study.cells import Cell
from studyhub.study.files import write_texts
from studyhub.study.store import STATES, Store, StoredStudy

TRIAL = "0123456789abcdef"
CELLS = (Cell("a", 1, 1, TRIAL), Cell("b", 1, 1, "f" * 16))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may enter, other than pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def read_only(*folders: Path) -> Iterator[None]:
    """Let this process write nothing in the folders, even when root runs the tests."""
    root = os.geteuid() == 0
    for folder in folders:
        folder.chmod(0o555)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for folder in folders:
            folder.chmod(0o755)


def test_states_of_a_trial(store):
    seen = [store.state(TRIAL)]
    lease = store.claim(TRIAL)
    seen.append(store.state(TRIAL))
    lease.release()
    seen.append(store.state(TRIAL))
    store.claim(TRIAL).fail({"cause": "out of memory"})
    seen.append(store.state(TRIAL))
    assert store.failure(TRIAL) == {"cause": "out of memory"}
    lease = store.claim(TRIAL)
    assert (store.state(TRIAL), store.failure(TRIAL)) == ("running", None)
    assert lease.finish({"state": "finished", "epochs": 3})
    seen.append(store.state(TRIAL))
    assert seen == ["pending", "running", "stopped", "failed", "finished"]
    assert set(seen) | {"diverged", "blocked"} == set(STATES)
    assert lease.attempt == "attempt-003"


def test_a_finished_trial_is_never_claimed_again(store):
    store.claim(TRIAL).finish({"state": "diverged", "cause": {"basin": "01013500", "store": "SM", "day": "1990-01-01"}})
    assert store.claim(TRIAL) is None
    assert store.state(TRIAL) == "diverged"
    assert store.result(TRIAL)["cause"]["basin"] == "01013500"
    assert store.failure(TRIAL) is None


def test_a_trial_that_finishes_while_it_is_claimed_is_left_alone(store, monkeypatch):
    looked = []
    look = Store.result

    def late(self: Store, trial: str):
        if not looked:
            looked.append(trial)
            store.claim(trial).finish({"state": "finished"})
            (store.trial_folder(trial) / "attempt-001" / "stopped.json").write_text("{}")
            return None
        return look(self, trial)

    monkeypatch.setattr(Store, "result", late)
    assert Store(store.home).claim(TRIAL) is None
    assert store.state(TRIAL) == "finished"


def test_results_hold_what_json_can(store):
    result = {"state": "finished", "loss": float("nan"), "score": np.float32(0.5), "path": Path("a"), "pair": (1, float("inf")), 3: None}
    store.claim(TRIAL).finish(result)
    text = (store.trial_folder(TRIAL) / "result.json").read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert store.result(TRIAL) == {
        "state": "finished",
        "loss": None,
        "score": 0.5,
        "path": "a",
        "pair": [1, None],
        "3": None,
        "attempt": "attempt-001",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"state": "finished", "attem',
        "[]",
        "null",
        '{"state": "finished"}',
        '{"state": "running", "attempt": "attempt-001"}',
        '{"state": "finished", "attempt": "../../other"}',
        "\0\0\0\0",
        "\udcff",
    ],
)
def test_a_damaged_result_is_reported_and_counts_as_none(store, text):
    lease = store.claim(TRIAL)
    lease.release()
    assert store.damage(TRIAL) is None
    path = lease.trial_folder / "result.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert store.result(TRIAL) is None
    assert store.state(TRIAL) == "stopped"
    assert store.damage(TRIAL) == f"{path}: incomplete or damaged; the trial counts as not finished and will run again"
    again = store.claim(TRIAL)
    assert again.finish({"state": "finished"})
    assert store.damage(TRIAL) is None
    assert store.result(TRIAL)["attempt"] == again.attempt


def test_a_result_whose_files_are_gone_is_damaged(store):
    lease = store.claim(TRIAL)
    lease.finish({"state": "finished"})
    lease.folder.rmdir()
    assert store.result(TRIAL) is None
    assert "attempt-001: missing, though result.json names it" in store.damage(TRIAL)


def test_a_failure_that_cannot_be_read_is_still_a_failure(store):
    lease = store.claim(TRIAL)
    lease.fail({"cause": "x"})
    (lease.folder / "failure.json").write_text("{")
    assert store.state(TRIAL) == "failed"
    assert "incomplete or damaged" in store.failure(TRIAL)["cause"]


def test_a_failure_that_a_full_disk_kept_from_being_told_is_one_of_the_disk(store):
    lease = store.claim(TRIAL)
    (lease.folder / "failure.json").touch()
    assert store.failure(TRIAL) == {"cause": "there was no room on the disk to say why", "kind": "disk"}


def test_a_claim_that_a_full_disk_does_not_take_leaves_no_lease(store, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(json, "dump", full)
        with pytest.raises(StoreError, match="cannot be written .No space left on device"):
            store.claim(TRIAL)
    assert store.state(TRIAL) == "pending"
    assert store.claim(TRIAL).attempt == "attempt-001"


def test_a_result_is_there_in_full_or_not_at_all(store, monkeypatch):
    lease = store.claim(TRIAL)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="cannot be written .No space left on device.; make the folder writable"):
        lease.finish({"state": "finished"})
    assert sorted(path.name for path in lease.trial_folder.iterdir()) == ["attempt-001", "lease-001.json"]
    assert store.damage(TRIAL) is None


@pytest.mark.parametrize("trial", ["../../etc", "0123", "0123456789ABCDEF", "0123456789abcdef/x", ""])
def test_a_trial_is_named_by_its_id(store, trial):
    with pytest.raises(StoreError, match="16 hexadecimal digits"):
        store.trial_folder(trial)


def test_a_store_says_its_format_and_one_of_a_newer_version_is_refused(store):
    path = store.home / "store" / "format.json"
    store.check_writable()
    assert json.loads(path.read_text()) == {"format": 1}
    Store(store.home).check_writable()
    path.write_text('{"format": 2, "more": true}')
    with pytest.raises(
        StoreError, match="format.json: written by a newer studyhub in format 2, this one knows formats up to 1; update studyhub, or"
    ):
        Store(store.home)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "1"}', '{"format": 0}', '{"format": true}', "{}"])
def test_a_format_that_cannot_be_read_is_a_message(store, text):
    store.check_writable()
    (store.home / "store" / "format.json").write_text(text)
    with pytest.raises(StoreError, match='format.json.* {"format": 1} is required; write that into it'):
        Store(store.home)


def test_many_trials_are_looked_at_at_once_as_each_alone(store):
    trials = [f"{number:016x}" for number in range(6)]
    store.claim(trials[0]).finish({"state": "finished", "loss": 1})
    store.claim(trials[1]).fail({"cause": "x", "kind": "data"})
    store.claim(trials[2]).release({"rung": 4})
    store.claim(trials[3])
    store.claim(trials[4]).finish({"state": "diverged", "cause": "y"})
    (store.trial_folder(trials[4]) / "result.json").write_text("{")
    found = store.look_at(trials)
    assert list(found) == trials
    assert found == {trial: store.look(trial) for trial in trials}
    assert [found[trial].state for trial in trials] == ["finished", "failed", "stopped", "running", "running", "pending"]
    assert (found[trials[0]].result["loss"], found[trials[1]].failure["kind"]) == (1, "data")
    assert "incomplete or damaged" in found[trials[4]].damage
    assert json.loads((store.latest_attempt(trials[2]) / "stopped.json").read_text()) == {"rung": 4}


def test_a_trial_that_ends_between_two_looks_is_not_taken_for_stopped(store, monkeypatch):
    lease = store.claim(TRIAL)

    def dies(folder: Path, number: int, now: object) -> bool:
        lease.finish({"state": "finished"})
        return False

    monkeypatch.setattr("studyhub.study.standing.is_live", dies)
    assert store.state(TRIAL) == "finished"


def test_a_study_is_kept_and_replaced(store):
    assert store.studies() == ()
    store.write_study("second", "question: b\n", CELLS)
    folder = store.write_study("first", "question: α\n", CELLS[:1])
    assert folder == store.home / "studies" / "first"
    assert store.studies() == ("first", "second")
    assert store.read_study("first") == StoredStudy("first", "question: α\n", CELLS[:1])
    store.write_study("first", "question: c\n", CELLS)
    assert store.read_study("first") == StoredStudy("first", "question: c\n", CELLS)
    assert sorted(path.name for path in folder.iterdir()) == ["cells.json", "spec.yaml"]


def test_a_study_that_is_not_there_or_damaged(store):
    store.write_study("solvers", "", CELLS)
    with pytest.raises(StoreError, match="there is no study 'models' in .*studies; there are: solvers"):
        store.read_study("models")
    (store.home / "studies" / "solvers" / "cells.json").write_text('[{"arm": 1')
    with pytest.raises(StoreError, match="launch the study again to write it anew"):
        store.read_study("solvers")


@pytest.mark.parametrize("name", ["../x", "", ".", "a/b"])
def test_a_study_never_lies_outside_the_studies_folder(tmp_path, name):
    with pytest.raises(SpecError, match="a study's name begins with"):
        Store(tmp_path / "home").write_study(name, "", CELLS)
    assert list(tmp_path.iterdir()) == []


def test_read_only_folders_are_refused_before_any_work_and_nothing_is_left(public):
    store = Store(public)
    advice = "cannot be written .Permission denied.; make the folder writable, or choose another with --home DIR or STUDYHUB_HOME"
    with read_only(public):
        for act in (store.check_writable, lambda: store.write_study("a", "", CELLS), lambda: store.claim(TRIAL)):
            with pytest.raises(StoreError, match=advice):
                act()
        assert list(public.iterdir()) == []
        assert (store.studies(), store.state(TRIAL)) == ((), "pending")


def test_a_file_in_the_way_is_refused(store):
    (store.home / "studies").write_text("")
    with pytest.raises(StoreError, match="studies: cannot be written"):
        store.check_writable()


def test_states_can_be_read_where_nothing_can_be_written(public):
    store = Store(public)
    lease = store.claim(TRIAL)
    with read_only(lease.trial_folder):
        assert store.state(TRIAL) == "running"
        with pytest.raises(StoreError, match="cannot be written"):
            lease.finish({"state": "finished"})


def test_files_are_written_together_or_not(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(StoreError):
        write_texts({tmp_path / "a": "new", tmp_path / "missing" / "b": "new"})
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
