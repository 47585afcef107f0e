import hashlib
import json
import os
import shutil
import stat
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studyhub.errors import SpecError, StoreError
from studyhub.study import restore as restoring
from studyhub.study.archive import export, restore
from studyhub.study.cells import Cell
from studyhub.study.epochs import read_epochs
from studyhub.study.leases import Lease
from studyhub.study.status import status
from studyhub.study.store import Store

SPEC = "# resolved from somewhere\nquestion: which?\n"
FINISHED, DIVERGED, FAILED, STOPPED, RUNNING, PENDING, SEARCHED, RUNG = (f"{number:016x}" for number in range(1, 9))
CELLS = [Cell("a", 1, seed, trial) for seed, trial in enumerate((FINISHED, DIVERGED, FAILED, STOPPED, RUNNING, PENDING), 1)]
LONG_AGO = 1_600_000_000 * 10**9


def begin(store: Store, trial: str, epochs: int = 2) -> Lease:
    lease = store.claim(trial)
    assert lease is not None
    (lease.folder / "epochs").mkdir()
    for number in range(1, epochs + 1):
        said = {"number": number, "of": 2, "loss": 1 / number, "validation": None, "seconds": 1.0, "updates": 3, "solve": None}
        path = lease.folder / "epochs" / f"{number:04}.json"
        path.write_text(json.dumps(said))
        os.utime(path, ns=(LONG_AGO + number, LONG_AGO + number))
    (lease.folder / "log.txt").write_text(f"{lease.attempt}\n")
    (lease.folder / "checkpoint.npz").write_bytes(b"state")
    return lease


def finish(store: Store, trial: str, weights: bytes = b"weights", state: str = "finished") -> Lease:
    lease = begin(store, trial)
    for name, content in (("weights.npz", weights), ("scores.parquet", b"scores"), ("simulation.parquet", b"days"), ("trial.json", b"{}")):
        (lease.folder / name).write_bytes(content)
    assert lease.finish({"state": state, "cause": None, "seconds": 5.0, "kind": "f" * 16, "epochs": 2, "provenance": {"commit": "abc"}})
    os.utime(lease.trial_folder / "result.json", ns=(LONG_AGO, LONG_AGO))
    return lease


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """A home with the study ``two``, whose trials are in every state. Nothing is changed in it."""
    store = Store(tmp_path_factory.mktemp("here"))
    store.write_study("two", SPEC, CELLS, {"source": "synthetic"})
    begin(store, FINISHED, epochs=1).release()
    finish(store, FINISHED)
    finish(store, DIVERGED, state="diverged")
    begin(store, FAILED).fail({"cause": "no memory", "kind": "memory", "traceback": ["x"]})
    begin(store, STOPPED).release()
    begin(store, RUNNING)
    finish(store, SEARCHED)
    rung = begin(store, RUNG)
    (rung.folder / "rung-0001.parquet").write_bytes(b"rung")
    rung.release({"rung": 1})
    folder = store.study_folder("two")
    trials = [{"number": number, "trial": trial} for number, trial in enumerate((SEARCHED, RUNG))]
    (folder / "searches.json").write_text(json.dumps([{"arm": "a", "fold": 1, "done": False, "chosen": None, "trials": trials}]))
    (folder / "scores.parquet").write_bytes(b"all scores")
    for name in ("launch.json", "launch.log", "mirror.lock", "mirror.json", ".scores.parquet.123"):
        (folder / name).touch()
    return store


@pytest.fixture
def there(tmp_path: Path) -> Store:
    return Store(tmp_path / "there")


@pytest.fixture(scope="module")
def exported(store: Store, tmp_path_factory) -> Path:
    return export(store, "two", tmp_path_factory.mktemp("exported") / "two.zip").path


@pytest.fixture
def archive(exported: Path, tmp_path: Path) -> Path:
    """A copy of the archive of ``two``, for each test."""
    return Path(shutil.copy(exported, tmp_path))


def test_an_archive_holds_the_study_and_what_has_ended(store, tmp_path):
    seen = []
    done = export(store, "two", tmp_path / "out" / "two.zip", progress=lambda *now: seen.append(now))
    assert (done.states, done.open, done.bytes) == ({"finished": 2, "diverged": 1, "failed": 1, "stopped": 1}, 3, done.path.stat().st_size)
    assert seen[-1] == (5, 5) and str(done.path) in str(done) and "--simulations" in str(done)
    with zipfile.ZipFile(done.path) as opened:
        assert opened.testzip() is None
        names, manifest = set(opened.namelist()), json.loads(opened.read("archive.json"))
        assert {name for name in names if name.startswith("study/")} == {
            f"study/{name}" for name in ("spec.yaml", "cells.json", "data.json", "searches.json", "scores.parquet")
        }
        one = {name.rpartition("/")[2] for name in names if FINISHED in name}
        assert one == {"epochs.json", "log.txt", "result.json", "scores.parquet", "trial.json", "weights.npz"}
        assert not any(trial in name for name in names for trial in (STOPPED, RUNNING, PENDING))
        assert f"trials/{RUNG}/rung-0001.parquet" in names
        assert (manifest["format"], manifest["study"]) == (1, "two") and "numpy" in manifest["made_with"]["packages"]
        assert manifest["files"].keys() == names - {"archive.json"}
        for name, said in manifest["files"].items():
            assert hashlib.sha256(opened.read(name)).hexdigest() == said["sha256"]
    assert list((tmp_path / "out").iterdir()) == [done.path]


def test_simulated_days_are_in_it_on_request(store, there, tmp_path):
    done = export(store, "two", tmp_path / "two.zip", simulations=True)
    assert "--simulations" not in str(done)
    restore(done.path, there)
    assert (there.latest_attempt(FINISHED) / "simulation.parquet").read_bytes() == b"days"


def test_a_study_comes_out_as_it_went_in(store, there, archive):
    done = restore(archive, there)
    assert (done.study, len(done.taken), done.equal, done.other, done.left) == ("two", 5, (), (), ())
    assert there.read_study("two") == store.read_study("two")
    assert there.searches("two") == store.searches("two")
    states = [there.state(trial) for trial in (FINISHED, DIVERGED, FAILED, STOPPED, RUNNING, PENDING, SEARCHED, RUNG)]
    assert states == ["finished", "diverged", "failed", "pending", "pending", "pending", "finished", "stopped"]
    assert there.result(FINISHED) == store.result(FINISHED) | {"attempt": "attempt-001"}
    assert there.failure(FAILED) == store.failure(FAILED)
    assert json.loads((there.latest_attempt(RUNG) / "stopped.json").read_text()) == {"rung": 1}
    assert (there.latest_attempt(RUNG) / "rung-0001.parquet").read_bytes() == b"rung"
    assert read_epochs(there.trial_folder(FINISHED), 1) == read_epochs(store.trial_folder(FINISHED), 2)
    assert (there.trial_folder(FINISHED) / "result.json").stat().st_mtime_ns == LONG_AGO
    kept, were = content(there.latest_attempt(FINISHED)), content(store.latest_attempt(FINISHED))
    assert {name: were[name] for name in kept} == kept and were.keys() - kept.keys() == {"checkpoint.npz", "simulation.parquet"}
    found = status(there, "two")
    assert found.counts == {"pending": 3, "finished": 1, "diverged": 1, "failed": 1} and found.pace.ended == 0
    assert found.failures[0].lines == ("attempt-001",)


def test_what_comes_out_goes_in_again(there, archive, tmp_path):
    restore(archive, there)
    again = export(there, "two", tmp_path / "again.zip")
    with zipfile.ZipFile(archive) as first, zipfile.ZipFile(again.path) as second:
        files = [json.loads(opened.read("archive.json"))["files"] for opened in (first, second)]
    changed = {name for name in files[0] if files[0][name]["sha256"] != files[1][name]["sha256"]}
    assert files[0].keys() == files[1].keys() and changed == {f"trials/{FINISHED}/result.json"}, "its attempt has another number"


def test_a_second_restore_changes_nothing(there, archive):
    restore(archive, there)
    before = content(there.home)
    done = restore(archive, there)
    assert (done.taken, len(done.equal), done.other, done.left) == ((), 3, (), (FAILED, RUNG))
    assert content(there.home) == before


def test_results_that_are_there_stay_and_are_told_apart(store, there, archive):
    finish(there, FINISHED, b"weights")
    finish(there, SEARCHED, b"other weights")
    begin(there, DIVERGED)  # a launch is at it
    begin(there, FAILED).release()
    done = restore(archive, there)
    assert (done.taken, done.equal, done.other, done.left) == ((RUNG,), (FINISHED,), (SEARCHED,), (DIVERGED, FAILED))
    assert (there.latest_attempt(SEARCHED) / "weights.npz").read_bytes() == b"other weights"
    assert f"1 have other results here, which stay: {SEARCHED}" in str(done)


def test_a_result_takes_the_place_of_an_attempt_that_gave_none(there, archive):
    for trial in (FINISHED, DIVERGED):
        begin(there, trial, epochs=1).release()
    done = restore(archive, there)
    assert {FINISHED, DIVERGED} <= set(done.taken)
    assert there.result(FINISHED)["attempt"] == "attempt-002"
    assert len(read_epochs(there.trial_folder(FINISHED), 2)) == 2


def test_another_study_of_that_name_is_not_replaced(there, archive):
    there.write_study("two", "question: another?\n", CELLS)
    before = content(there.home)
    with pytest.raises(StoreError, match="studies/two: another study of this name is here; give the archive's another with --name NAME"):
        restore(archive, there)
    assert content(there.home) == before
    assert restore(archive, there, "theirs").study == "theirs"
    assert there.read_study("theirs").spec_text == SPEC
    assert there.read_study("two").spec_text == "question: another?\n"
    with pytest.raises(SpecError, match="--name: a study's name begins with"):
        restore(archive, there, "../theirs")


def test_a_restore_that_was_cut_off_is_made_up_later(there, archive, monkeypatch):
    written = []
    write = restoring._write

    def failing(path: Path, *rest: Any) -> None:
        written.append(path)
        if len(written) == 4:
            raise StoreError("the disk is full")
        write(path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(restoring, "_write", failing)
        with pytest.raises(StoreError, match="the disk is full"):
            restore(archive, there)
    assert there.studies() == ()
    assert [there.state(trial) for trial in (FINISHED, DIVERGED)] == ["stopped", "pending"]
    restore(archive, there)
    assert there.state(FINISHED) == "finished" and there.studies() == ("two",)


def test_a_file_is_not_written_over(store, archive):
    before = archive.read_bytes()
    with pytest.raises(StoreError, match="two.zip: is there already, and is not written over; name another file with --out"):
        export(store, "two", archive)
    assert archive.read_bytes() == before


def test_a_file_that_cannot_be_written_and_a_study_that_is_not_there(store, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written .*name another file with --out"):
        export(store, "two", tmp_path / "file" / "two.zip")
    with pytest.raises(StoreError, match="there is no study 'three'"):
        export(store, "three", tmp_path / "three.zip")
    assert not (tmp_path / "three.zip").exists()


def test_an_export_that_fails_leaves_no_file(store, tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device.*--out"):
        export(store, "two", tmp_path / "out" / "two.zip")
    assert list((tmp_path / "out").iterdir()) == []


# Archives from elsewhere


def changed(archive: Path, change: Callable[[dict[str, bytes], dict[str, Any]], None], honest: bool = True) -> Path:
    """An archive with other files or another manifest; hashes are those of the new files if it is honest."""
    with zipfile.ZipFile(archive) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    manifest = json.loads(files.pop("archive.json"))
    change(files, manifest)
    if honest:
        manifest["files"] = {name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "at": 1} for name, data in files.items()}
    path = archive.with_name("changed.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
        out.writestr("archive.json", json.dumps(manifest))
    return path


def refused(path: Path, there: Store, why: str) -> None:
    with pytest.raises(StoreError, match=why) as error:
        restore(path, there)
    assert str(error.value).count("\n") == 0 and path.name in str(error.value)
    assert not there.home.exists(), "nothing is written before all is checked"


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        "study/../../evil",
        f"trials/{FINISHED}/../evil",
        f"trials/{FINISHED}/sub/evil",
        "trials/../evil",
        "study\\..\\evil",
        "C:evil",
        "study/.hidden",
        "study/",
        "evil",
        "study/a\nb",
    ],
)
def test_names_that_lead_elsewhere_are_refused(there, archive, name):
    refused(changed(archive, lambda files, _: files.update({name: b"evil"})), there, "is no name of a file in an archive")


def test_links_are_refused(there, archive):
    path = changed(archive, lambda files, _: None)
    shutil.copy(path, path.with_name("linked.zip"))
    with zipfile.ZipFile(path.with_name("linked.zip"), "a") as out:
        info = zipfile.ZipInfo(f"trials/{FINISHED}/link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        out.writestr(info, "/etc/passwd")
    refused(path.with_name("linked.zip"), there, "link is no plain file")


def test_a_name_that_comes_twice_is_refused(there, archive):
    with zipfile.ZipFile(archive, "a") as out, pytest.warns(UserWarning, match="Duplicate name"):
        out.writestr("study/spec.yaml", "another")
    refused(archive, there, "holds study/spec.yaml twice")


def test_what_would_fill_the_disk_is_refused(there, archive):
    refused(changed(archive, lambda files, _: files.update({"study/zeros": bytes(30 << 20)})), there, "study/zeros would grow from")


def test_what_does_not_fit_on_the_disk_is_refused(there, archive, monkeypatch):
    monkeypatch.setattr(restoring.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(StoreError, match="are required, 10 B are free; make room, or choose another with --home DIR"):
        restore(archive, there)
    assert there.studies() == ()


def test_a_newer_format_is_refused(there, archive):
    path = changed(archive, lambda _, manifest: manifest.update(format=2, made_with={"packages": {"studyhub": "9.9"}}))
    refused(path, there, "an archive of format 2, written by studyhub 9.9; this one knows formats up to 1; update studyhub")


def dishonest(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    files[f"trials/{FINISHED}/weights.npz"] = b"WEIGHTS"


def without(name: str) -> Callable[[dict[str, bytes], dict[str, Any]], None]:
    return lambda files, _: files.pop(name) and None


def with_text(name: str, text: str) -> Callable[[dict[str, bytes], dict[str, Any]], None]:
    return lambda files, _: files.update({name: text.encode()})


@pytest.mark.parametrize(
    ("change", "honest", "why"),
    [
        (dishonest, False, "weights.npz is not what was written"),
        (without(f"trials/{FINISHED}/log.txt"), False, "its files are not those of its archive.json"),
        (with_text("study/more", "x"), False, "its files are not those of its archive.json"),
        (without("study/cells.json"), True, "it holds no cells.json"),
        (with_text("study/cells.json", "[{}]"), True, "its spec.yaml and cells.json are no study's"),
        (with_text("study/cells.json", '[{"arm": "a", "fold": 1, "seed": 1, "trial": "../x"}]'), True, "are no study's"),
        (lambda _, manifest: manifest.update(study="../two"), True, "names no study"),
        (lambda _, manifest: manifest.update(format="1"), True, "says no format"),
        (lambda _, manifest: manifest.update(files=[]), False, "its files are not those"),
        (lambda _, manifest: manifest["files"]["study/spec.yaml"].update(size=1), False, "does not say what study/spec.yaml is"),
        (lambda _, manifest: manifest["files"]["study/spec.yaml"].update(at=-1), False, "does not say what study/spec.yaml is"),
    ],
)
def test_damaged_archives_are_refused(there, archive, change, honest, why):
    refused(changed(archive, change, honest), there, why)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (with_text(f"trials/{FINISHED}/result.json", '{"state": "running"}'), "result.json is incomplete"),
        (with_text(f"trials/{FINISHED}/result.json", "[1"), "result.json holds no JSON"),
        (with_text(f"trials/{FINISHED}/epochs.json", "[[1, 2]]"), "epochs.json holds no epochs"),
        (with_text(f"trials/{FINISHED}/epochs.json", '[["../../x", 2, {}]]'), "epochs.json holds no epochs"),
        (without(f"trials/{FAILED}/failure.json"), f"trial {FAILED} has no result.json"),
    ],
)
def test_a_trial_that_is_none_is_refused_and_nothing_of_it_counts(there, archive, change, why):
    with pytest.raises(StoreError, match=why):
        restore(changed(archive, change), there)
    assert there.studies() == ()
    assert there.state(FAILED if FAILED in why else FINISHED) in ("pending", "stopped")


@pytest.mark.parametrize("text", [b"", b"PK\x03\x04 half", b"no archive", bytes(100)])
def test_what_is_no_archive_is_refused(there, tmp_path, text):
    (tmp_path / "two.zip").write_bytes(text)
    refused(tmp_path / "two.zip", there, "not an archive of a study, or a damaged one")


def test_a_cut_off_archive_and_one_with_a_flipped_bit_are_refused(there, archive):
    whole = archive.read_bytes()
    for size in range(0, len(whole), len(whole) // 12):
        archive.write_bytes(whole[:size])
        refused(archive, there, "not an archive of a study, or a damaged one")
    for place in range(10, len(whole), len(whole) // 40):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            restore(archive, there)
        except StoreError:
            assert not there.home.exists()
            continue
        # The bit is one that nothing depends on, such as a time in the zip file's own directory.
        assert there.result(FINISHED)["provenance"] == {"commit": "abc"}
        shutil.rmtree(there.home)


def test_a_missing_file_is_a_message(there, tmp_path):
    with pytest.raises(StoreError, match="no.zip: no such file; a file that `studyhub export` has written is required"):
        restore(tmp_path / "no.zip", there)
    with pytest.raises(StoreError, match="not an archive"):
        restore(tmp_path, there)


def test_two_restores_at_once_take_each_trial_once(there, archive):
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(restore(archive, there))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [trial for done in outcomes for trial in done.taken]
    assert len(outcomes) == 3 and len(taken) == len(set(taken)) == 5
    assert there.state(FINISHED) == "finished" and there.read_study("two").cells == tuple(CELLS)
