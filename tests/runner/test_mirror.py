import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from studyhub.errors import TrackingError
from studyhub.runner import mirror as mirrored
from studyhub.runner.mirror import Counts, Mirror
from studyhub.runner.tracking import Tracking


def mirror(home, name: str = "two") -> Mirror:
    return Mirror(home.store, name, Tracking.of(home.folder))


def sync(home, name: str = "two") -> tuple[int, int, int, int]:
    """Bring up to date from a process that knows nothing yet: made, updated, unchanged, removed."""
    counts = mirror(home, name).sync()
    return counts.made, counts.updated, counts.unchanged, counts.removed


def runs(home, name: str = "two", view: int = ViewType.ACTIVE_ONLY) -> list[Any]:
    client = MlflowClient(Tracking.of(home.folder).uri)
    return client.search_runs([client.get_experiment_by_name(name).experiment_id], run_view_type=view, order_by=["attributes.run_name"])


def named(home, run: str, name: str = "two") -> Any:
    (found,) = [found for found in runs(home, name) if found.info.run_name == run]
    return found


def histories(home, name: str = "two") -> dict[str, dict[str, list[tuple[int, float, int]]]]:
    client = MlflowClient(Tracking.of(home.folder).uri)

    def history(run: Any, key: str) -> list[tuple[int, float, int]]:
        return sorted((metric.step, metric.value, metric.timestamp) for metric in client.get_metric_history(run.info.run_id, key))

    return {run.info.run_name: {key: history(run, key) for key in run.data.metrics} for run in runs(home, name)}


def facts(home) -> dict[str, tuple[Any, ...]]:
    """All that stands in MLflow, without its own ids and without when it began, which is the hour of the first look."""
    return {run.info.run_name: (run.data.params, run.data.tags, run.info.status, run.info.end_time) for run in runs(home)}


def test_each_state_of_a_trial_is_shown(home):
    finished, diverged, failed, stopped, running, pending = home.make()
    home.run(finished)
    home.run(diverged, epochs=1, state="diverged", cause={"basin": "01", "store": "SM"}, test_solve=None)
    home.begin(failed).fail({"cause": "ValueError: no"})
    home.begin(stopped).release()
    home.begin(running)
    assert sync(home) == (5, 0, 0, 0)
    shown = {(run.data.tags["state"], run.info.status, run.data.tags.get("cause")) for run in runs(home)}
    assert shown == {
        ("finished", "FINISHED", None),
        ("diverged", "FINISHED", "basin 01, store SM"),
        ("failed", "FAILED", "ValueError: no"),
        ("stopped", "KILLED", None),
        ("running", "RUNNING", None),
    }
    assert pending.trial not in {run.data.tags["trial"] for run in runs(home)}
    assert sync(home) == (0, 0, 5, 0)


def test_a_finished_trial_is_shown_with_factors_scores_files_and_provenance(home):
    cell = home.make(data={"source": "synthetic", "hash": "abc", "basins": {}})[4]
    lease = home.run(cell)
    sync(home)
    run = named(home, "hybrid, seed 1")
    levels = {"arm": "hybrid", "fold": "1", "seed": "1", "model": "dpl", "scheme": "implicit", "hidden_size": "4", "may_diverge": "true"}
    assert levels.items() <= run.data.params.items()
    assert run.data.params.items() <= run.data.tags.items(), "every factor is a tag too"
    assert run.data.metrics["test_nse"] == pytest.approx(0.2)
    assert {"test_basins": 3, "seconds": 12.5, "seconds_per_update": 0.5, "peak_memory_mib": 100}.items() <= run.data.metrics.items()
    assert run.data.metrics["test_unconverged_unit_days"] == 2
    made = {"commit": "0123abc", "dirty": "true", "device": "cpu", "dtype": "float32", "host": "node1", "backend": "cpu kernel"}
    made |= {"data_hash": "d" * 16, "manifest_hash": "abc", "package.torch": "2.13.0", "trial": cell.trial, "attempt": "1"}
    assert made.items() <= run.data.tags.items()
    assert len(run.data.tags["spec_hash"]) == 16
    artifacts = home.folder / "mlartifacts" / "two" / run.info.run_id / "artifacts"
    assert (artifacts / "scores.parquet").read_bytes() == (lease.folder / "scores.parquet").read_bytes()
    assert (artifacts / "result.json").read_bytes() == (lease.trial_folder / "result.json").read_bytes()
    assert run.info.end_time == int((lease.trial_folder / "result.json").stat().st_mtime * 1000)
    assert run.info.end_time - run.info.start_time == 12500


def test_what_means_nothing_for_an_arm_is_a_dash(home):
    for cell in home.make():
        home.run(cell)
    sync(home)
    assert named(home, "small, seed 1").data.params["scheme"] == "-"
    assert len({frozenset(run.data.params) for run in runs(home)}) == 1, "a chart of factors leaves out runs that lack one"


def test_epochs_come_as_they_happen_each_once(home, monkeypatch):
    cell = home.make()[4]
    lease, mirror_of_launch = home.begin(cell), mirror(home)
    batches = []
    log = mirrored._log
    monkeypatch.setattr(mirrored, "_log", lambda client, run, points, *rest: (batches.append(len(points)), log(client, run, points, *rest)))
    for number in (1, 2, 3):
        home.epoch(lease, number, loss=float("nan") if number == 2 else None, solve={"iterations": 1.5, "backend": "cpu kernel"})
        mirror_of_launch.sync()
        assert mirror_of_launch.sync() == Counts(unchanged=1)
    assert batches[::2] == [4, 3, 4]
    (lease.folder / "epochs" / "0004.json").write_text('{"number": 4, "los')  # it is just being written
    assert mirror_of_launch.sync() == Counts(unchanged=1)
    home.epoch(lease, 4)
    assert sync(home) == (0, 1, 0, 0), "another process finds the run and what it lacks"
    home.finish(lease, seconds=1.0)
    mirror(home).sync()
    found = histories(home)["hybrid, seed 1"]
    assert [step for step, *_ in found["epoch_seconds"]] == [1, 2, 3, 4]
    assert [(step, value) for step, value, _ in found["loss"]] == [(1, 1.0), (3, pytest.approx(1 / 3)), (4, 0.25)]
    assert [step for step, *_ in found["iterations_per_unit_day"]] == [1, 2, 3]
    assert len(runs(home, view=ViewType.ALL)) == 1


def test_the_mirror_made_anew_is_the_same(home, empty_database):
    cells = home.make()
    in_steps = mirror(home)
    in_steps.sync()
    for cell in cells[:3]:
        lease = home.begin(cell)
        in_steps.sync()
        home.epoch(lease, 1)
        in_steps.sync()
        home.epoch(lease, 2)
        home.finish(lease)
    home.begin(cells[3]).fail({"cause": "no"})
    in_steps.sync()
    before, curves = facts(home), histories(home)
    shutil.copy(empty_database, home.folder / "mlflow.db")
    shutil.rmtree(home.folder / "mlartifacts")
    assert sync(home) == (4, 0, 0, 0)
    assert histories(home) == curves
    assert facts(home) == before


def test_a_trial_that_was_killed_and_run_again_has_one_run(home):
    cell = home.make()[0]
    first = home.begin(cell)
    home.epoch(first, 1)
    sync(home)
    home.kill(first)
    assert sync(home) == (0, 1, 0, 0)
    killed = named(home, "small, seed 1")
    assert (killed.info.status, killed.data.tags["state"]) == ("KILLED", "stopped")
    second = home.begin(cell)
    home.epoch(second, 1)
    sync(home)
    assert named(home, "small, seed 1").info.status == "RUNNING"
    home.epoch(second, 2)
    home.finish(second, seconds=1.0)
    sync(home)
    (run,) = runs(home, view=ViewType.ALL)
    assert (run.info.run_id, run.info.status, run.data.tags["attempt"]) == (killed.info.run_id, "FINISHED", "2")
    assert [step for step, *_ in histories(home)["small, seed 1"]["loss"]] == [1, 2]


def test_a_trial_that_lay_still_for_hours_is_as_long_as_it_was_trained(home):
    cell = home.make()[0]
    first = home.begin(cell)
    record = json.loads((first.trial_folder / "lease-001.json").read_text())
    begun = datetime.now(UTC) - timedelta(hours=5)
    (first.trial_folder / "lease-001.json").write_text(json.dumps(record | {"begun": begun.isoformat(timespec="seconds")}))
    sync(home)
    assert named(home, "small, seed 1").info.start_time == int(begun.timestamp()) * 1000
    home.kill(first)
    sync(home)
    home.finish(home.begin(cell), seconds=600.0)
    sync(home)
    (run,) = runs(home)
    assert run.info.end_time - run.info.start_time == 600_000
    assert sync(home) == (0, 0, 1, 0)


def test_a_trial_that_goes_on_elsewhere_keeps_the_epochs_before(home):
    cell = home.make()[0]
    first = home.begin(cell)
    for number in (1, 2, 3):
        home.epoch(first, number)
    launch = mirror(home)
    launch.sync()
    home.kill(first)
    second = home.begin(cell)
    home.epoch(second, 3, loss=0.7)  # another machine, from the checkpoint of epoch 2
    home.epoch(second, 4)
    launch.sync()
    assert [(step, value) for step, value, _ in histories(home)["small, seed 1"]["loss"]] == [(1, 1.0), (2, 0.5), (3, 0.7), (4, 0.25)]


def test_a_cause_goes_when_the_trial_runs_again(home):
    cell = home.make()[0]
    home.begin(cell).fail({"cause": "out of memory"})
    launch = mirror(home)
    launch.sync()
    home.run(cell)
    launch.sync()
    (run,) = runs(home)
    assert run.info.status == "FINISHED"
    assert not {"cause", "mlflow.note.content"} & run.data.tags.keys()


def test_a_long_cause_is_cut_once_for_all(home):
    home.begin(home.make()[0]).fail({"cause": "x" * 20_000})
    assert sync(home) == (1, 0, 0, 0)
    assert sync(home) == (0, 0, 1, 0)


def test_an_attempt_that_learns_otherwise_is_shown_alone(home):
    cell = home.make()[0]
    first = home.begin(cell)
    for number in (1, 2, 3):
        home.epoch(first, number)
    launch = mirror(home)
    launch.sync()
    home.kill(first)
    launch.sync()
    second = home.begin(cell)
    home.epoch(second, 1, loss=0.7)
    launch.sync()
    assert [(step, value) for step, value, _ in histories(home)["small, seed 1"]["loss"]] == [(1, 0.7)]
    assert sync(home) == (0, 0, 1, 0)
    assert len(runs(home)) == 1


def test_a_result_that_was_damaged_and_made_again(home):
    cell = home.make()[0]
    lease = home.run(cell)
    sync(home)
    shutil.rmtree(lease.folder)
    home.kill(lease)
    again = home.begin(cell)
    sync(home)
    assert named(home, "small, seed 1").info.status == "RUNNING"
    home.finish(again, seconds=99.0)
    sync(home)
    assert [value for _, value, _ in histories(home)["small, seed 1"]["seconds"]] == [99]
    assert len(runs(home)) == 1


@pytest.mark.parametrize("call", ["create_run", "log_artifact", "log_batch", "set_terminated"])
def test_a_mirror_that_was_cut_off_is_taken_up(home, monkeypatch, call):
    home.run(home.make()[0])

    def cut_off(self: MlflowClient, *args: Any, **keys: Any) -> None:
        raise ConnectionError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, call, cut_off)
        with pytest.raises(TrackingError, match="does not answer .cut off.; nothing is lost: `studyhub mirror .*two` makes it up"):
            sync(home)
    sync(home)
    assert sync(home) == (0, 0, 1, 0)
    (run,) = runs(home, view=ViewType.ALL)
    assert run.info.status == "FINISHED"
    curves = histories(home)["small, seed 1"]
    assert {key for key, values in curves.items() if len(values) == 3} == {"loss", "epoch_seconds", "epoch_updates"}
    assert {key for key, values in curves.items() if len(values) == 1} >= {"test_nse", "seconds"}
    assert run.data.params["arm"] == "small"


def test_an_arm_with_another_name_gets_new_runs_and_one_that_left_loses_them(home):
    for cell in home.make():
        home.run(cell)
    launch = mirror(home)
    launch.sync()
    home.make("two", ("small", "tiny"))
    assert launch.sync() == Counts(made=2, updated=4, removed=2)
    assert {run.data.params["arm"] for run in runs(home)} == {"tiny", "large", "hybrid"}
    assert sync(home) == (0, 0, 6, 0)
    home.make("two", ("  hybrid: {model: dpl, scheme: implicit, may_diverge: true}\n", ""))
    assert launch.sync().made == 2
    assert sorted(run.info.run_name for run in runs(home)) == ["large, seed 1", "large, seed 2", "small, seed 1", "small, seed 2"]
    assert sync(home) == (0, 0, 4, 0), "levels that mean nothing any more are no reason to make runs again"


def test_a_trial_whose_folder_is_gone_has_no_run(home):
    lease = home.run(home.make()[0])
    sync(home)
    shutil.rmtree(lease.trial_folder)
    assert sync(home) == (0, 0, 0, 1)
    assert runs(home) == []


def test_an_added_seed_or_arm_touches_finished_runs_with_tags_alone(home, monkeypatch):
    for cell in home.make("two", ("seeds: [1, 2]", "seeds: [1]")):
        home.run(cell)
    sync(home)
    home.make()
    monkeypatch.setattr(MlflowClient, "log_artifact", lambda *_: pytest.fail("nothing is copied again"))
    assert sync(home) == (0, 3, 0, 0)
    assert len({run.data.tags["spec_hash"] for run in runs(home)}) == 1


def test_a_shared_trial_has_a_run_in_each_study(home):
    cell = home.make()[0]
    home.make("other", ("small", "base"))
    home.run(cell)
    assert (sync(home), sync(home, "other")) == ((1, 0, 0, 0), (1, 0, 0, 0))
    (ours,), (other,) = runs(home), runs(home, "other")
    assert ours.data.tags["trial"] == other.data.tags["trial"]
    assert (ours.data.params["arm"], other.data.params["arm"]) == ("small", "base")
    assert (sync(home), sync(home, "other")) == ((0, 0, 1, 0), (0, 0, 1, 0))


def test_a_second_run_of_one_trial_goes(home):
    home.run(home.make()[0])
    sync(home)
    (run,) = runs(home)
    MlflowClient(Tracking.of(home.folder).uri).create_run(run.info.experiment_id, tags={"trial": run.data.tags["trial"]})
    MlflowClient(Tracking.of(home.folder).uri).create_run(run.info.experiment_id, run_name="someone's own")
    sync(home)
    assert [found.info.run_id for found in runs(home) if "trial" in found.data.tags] == [run.info.run_id]
    assert len(runs(home)) == 2, "what the mirror has not made it leaves alone"


def test_a_study_that_was_deleted_in_the_pages_comes_back(home):
    home.run(home.make()[0])
    sync(home)
    client = MlflowClient(Tracking.of(home.folder).uri)
    client.delete_experiment(client.get_experiment_by_name("two").experiment_id)
    sync(home)
    assert len(runs(home)) == 1


def test_what_has_ended_is_not_read_again(home, monkeypatch):
    for cell in home.make():
        home.run(cell)
    launch = mirror(home)
    launch.sync()
    monkeypatch.setattr("studyhub.study.store.look", lambda *_: pytest.fail("a trial is looked at again"))
    assert launch.sync() == Counts(unchanged=6)


def test_scores_that_cannot_be_read_are_told_and_harm_no_other_trial(home):
    first, second, *_ = home.make()
    lease = home.run(first)
    (lease.folder / "scores.parquet").write_bytes(b"PAR1")
    home.run(second)
    assert sync(home) == (2, 0, 0, 0)
    assert "scores.parquet cannot be read" in named(home, "small, seed 1").data.tags["scores"]
    assert named(home, "small, seed 2").data.metrics["test_nse"] == pytest.approx(0.2)


def test_two_homes_in_one_database_leave_each_other_alone(new_home, monkeypatch):
    here, there = new_home("here"), new_home("there")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{here.folder / 'mlflow.db'}")
    here.run(here.make()[0])
    there.run(there.make()[1])
    there.run(there.make()[0])
    assert (sync(here), sync(there)) == ((1, 0, 0, 0), (2, 0, 0, 0))
    assert len(runs(here)) == 3
    assert (sync(here), sync(there)) == ((0, 0, 1, 0), (0, 0, 2, 0))


def test_a_home_whose_studies_were_removed_and_launched_again_finds_its_runs(home):
    home.run(home.make()[0])
    sync(home)
    shutil.rmtree(home.folder / "studies")
    home.make()
    assert sync(home) == (0, 1, 0, 0)
    assert len(runs(home, view=ViewType.ALL)) == 1


def test_a_home_that_was_copied_writes_nothing_where_it_came_from(home, tmp_path):
    cells = home.make()
    home.run(cells[0])
    sync(home)
    before = sorted((home.folder / "mlartifacts").rglob("*"))
    shutil.copytree(home.folder, tmp_path / "copy")
    copy = type(home)(tmp_path / "copy")
    copy.run(cells[1])
    assert sync(copy) == (2, 0, 0, 0)
    assert sorted((home.folder / "mlartifacts").rglob("*")) == before
    assert all(str(tmp_path / "copy") in run.info.artifact_uri for run in runs(copy))


def test_folders_with_any_name(new_home):
    home = new_home("a b#c=d&ü;")
    home.run(home.make()[0])
    assert sync(home) == (1, 0, 0, 0)
    (run,) = runs(home)
    assert (home.folder / "mlartifacts" / "two" / run.info.run_id / "artifacts" / "scores.parquet").is_file()
    assert sorted(path.name for path in home.folder.parent.iterdir()) == [home.folder.name]


@pytest.mark.parametrize("name", ["a?b", "a%20b"])
def test_folders_that_sqlite_cannot_name(new_home, name):
    home = new_home(name)
    home.make()
    with pytest.raises(TrackingError, match="cannot hold . or %; set MLFLOW_TRACKING_URI"):
        sync(home)
    assert [path.name for path in home.folder.parent.iterdir()] == [name]


def test_a_database_that_is_none(home):
    (home.folder / "mlflow.db").write_text("no database, but quite long enough to be taken for one" * 100)
    home.make()
    with pytest.raises(TrackingError, match="sqlite:.*mlflow.db does not answer .file is not a database."):
        sync(home)


# Searches


def objectives(home, run: str) -> list[tuple[int, float]]:
    return [(step, value) for step, value, _ in histories(home)[run].get("search_nse", [])]


def test_trials_of_a_search_come_beside_those_of_cells(home):
    (cell, *_), launch = home.make(), mirror(home)
    drawn = [
        {"learning_rate": 0.00123456789},
        {"learning_rate": 0.05, "hidden_size": "wide"},
        {"learning_rate": 0.1},
        {"learning_rate": 0.2},
    ]
    first, second, third, _ = home.search("small", drawn)
    home.rung(first, 2, nse=0.3)
    home.rung(second, 2, nse=0.1)
    home.run(third, state="diverged", cause={"basin": "01"}, test_solve=None)
    launch.sync()
    assert [run.info.run_name for run in runs(home)] == ["small, search 0", "small, search 1", "small, search 2"]
    assert objectives(home, "small, search 0") == [(2, pytest.approx(0.3))]
    home.finish(home.begin(first), epochs=3)
    home.run(cell)
    launch.sync()
    assert objectives(home, "small, search 0") == [(2, pytest.approx(0.3)), (3, pytest.approx(0.2))]
    run, left, answer = named(home, "small, search 0"), named(home, "small, search 1"), named(home, "small, seed 1")
    assert (run.info.status, run.data.tags["search"], answer.data.tags["search"]) == ("FINISHED", "true", "false")
    assert {"arm": "small", "fold": "1", "seed": "7", "learning_rate": "0.00123457", "hidden_size": "4"}.items() <= run.data.params.items()
    assert left.data.params["hidden_size"] == "wide"
    assert left.data.tags["mlflow.note.content"] == "trained to epoch 2, where its search compares"
    assert run.data.metrics["search_unconverged_unit_days"] == 2
    assert not [name for name in run.data.metrics if name.startswith("test_")], "it never saw the test"
    assert "search_nse" not in named(home, "small, search 2").data.metrics
    assert answer.data.params.keys() == run.data.params.keys()
    assert sync(home) == (0, 0, 4, 0)
    found = MlflowClient(Tracking.of(home.folder).uri).get_experiment_by_name("two")
    assert "mlflow.sharedViewState.studyhub-search" in found.tags


def test_a_search_in_a_mirror_made_anew_is_the_same(home, empty_database):
    home.make()
    launch = mirror(home)
    (first,) = home.search("small", [{"learning_rate": 0.01}])
    home.rung(first, 1, nse=0.3)
    launch.sync()
    later = home.rung(first, 2, nse=0.4)
    shutil.copy(first_attempt(home, first) / "rung-0001.parquet", later.folder)  # an attempt takes over those of the one before it
    launch.sync()
    home.finish(home.begin(first), epochs=3)
    launch.sync()
    before, curves = facts(home), histories(home)
    assert [step for step, _ in objectives(home, "small, search 0")] == [1, 2, 3]
    shutil.copy(empty_database, home.folder / "mlflow.db")
    assert sync(home) == (1, 0, 0, 0)
    assert (facts(home), histories(home)) == (before, curves)


def first_attempt(home, cell) -> Path:
    return home.store.trial_folder(cell.trial) / "attempt-001"


def test_what_a_search_has_chosen_is_shown_of_its_cells(home):
    first, *_ = home.make()
    home.run(first)
    home.search("small", [{"hidden_size": "wide"}], chosen={"hidden_size": "wide"})
    sync(home)
    assert named(home, "small, seed 1").data.params["hidden_size"] == "wide"


def test_a_search_under_way_does_not_touch_what_has_ended(home, monkeypatch):
    for cell in home.make():
        home.run(cell)
    launch = mirror(home)
    launch.sync()
    (searched,) = home.search("small", [{"learning_rate": 0.01}])
    home.run(searched, epochs=1)
    assert launch.sync() == Counts(made=1, unchanged=6)
    monkeypatch.setattr("studyhub.study.store.look", lambda *_: pytest.fail("a trial is looked at again"))
    home.search("small", [{"learning_rate": 0.01}])
    assert launch.sync() == Counts(unchanged=7)


# PostgreSQL

PASSWORD = "p@ss/word"


@pytest.fixture
def postgresql(tmp_path_factory) -> Any:
    """Address of a real server."""
    missing = [name for name in ("initdb", "pg_ctl", "postgres") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no PostgreSQL server here: {', '.join(missing)} not on PATH")
    folder = Path("/tmp") / f"studyhub-postgresql-{os.getpid()}"
    folder.mkdir(mode=0o700)
    user = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
    if user:  # the server refuses to run as root
        os.chown(folder, 65534, 65534)
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **user)

    data, options = str(folder / "data"), f"-k {folder} -c listen_addresses= -c fsync=off"
    run("initdb", "-D", data, "-U", "hydro", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync")
    run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://hydro:p%40ss%2Fword@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.mark.slow
def test_postgresql(home, postgresql, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgresql)
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")  # MLflow never closes those that it pools
    cells = home.make()
    first = home.begin(cells[0])
    home.epoch(first, 1)
    assert sync(home) == (1, 0, 0, 0)
    home.kill(first)
    sync(home)
    home.run(cells[0])
    assert sync(home) == (0, 1, 0, 0)
    assert sync(home) == (0, 0, 1, 0)
    (run,) = runs(home, view=ViewType.ALL)
    assert (run.info.status, run.data.metrics["test_nse"]) == ("FINISHED", pytest.approx(0.2))
    assert [step for step, *_ in histories(home)["small, seed 1"]["loss"]] == [1, 2, 3]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgresql.replace("p%40ss%2Fword", "wr%40ng"))
    with pytest.raises(TrackingError) as caught:
        connect_to = mirror(home)
        connect_to.sync()
    assert "authentication failed" in str(caught.value)
    assert "wr%40ng" not in str(caught.value) and "wr@ng" not in str(caught.value)
