"""`studyhub launch` as a user runs it: the whole road, its exit codes, its modes, and Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from verbs.conftest import STUDY, finish

from studyhub import launch as launching
from studyhub.catalog import METRICS
from studyhub.data.manifest import Manifest
from studyhub.data.record import Basin
from studyhub.data.shards import write
from studyhub.study.plan import plan
from studyhub.study.store import Store


def one_message(err: str) -> bool:
    return err.startswith("studyhub: ") and err.count("\n") == 1 and "Traceback" not in err


# The whole road


@pytest.mark.slow
def test_a_study_is_launched_then_there_is_nothing_left_to_do(study, home):
    command = [sys.executable, "-m", "studyhub.launch", str(study), "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "making 4 virtual basins" in done.stderr
    assert "small, fold 1, seed 1: finished after" in done.stderr
    assert re.search(r"^large +test( +-?[0-9.]+){9} +4 +1 finished *$", done.stdout, re.M), done.stdout
    scores = pd.read_parquet(home / "studies" / "two" / "scores.parquet")
    assert list(scores.columns) == ["trial", "arm", "fold", "seed", "basin", "period", *METRICS, "days"]
    assert len(scores) == 8

    prepared = launching.prepare(study, home)
    assert plan(prepared.spec, Manifest.open(prepared.shards)).cells == prepared.plan.cells, "the ids change once the basins are built"

    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0
    assert "2 of 2 trials are there already" in again.stderr
    assert again.stdout == done.stdout


# Exit codes


@pytest.mark.parametrize(
    ("states", "stopped", "code"),
    [
        (("finished", "finished"), False, 0),
        (("finished", "diverged"), False, 0),  # the second arm may diverge
        (("diverged", "finished"), False, 1),
        (("finished", "failed"), False, 1),
        (("finished",), False, 1),
        (("finished", "stopped"), True, 130),
        (("finished", "finished"), True, 0),  # the signal came when all was done
    ],
)
def test_exit_codes(study, studyhub, ends, states, stopped, code):
    ends(*states, stopped=stopped)
    found, out, err = studyhub("launch", study)
    assert found == code
    assert "scores.parquet" in out
    assert ("the same command goes on" in err) == (code == 130)


def test_only_what_is_missing_is_run(study, studyhub, ends):
    ends("finished", "failed")
    studyhub("launch", study)
    ends("finished")
    assert studyhub("launch", study)[0] == 0


# Quiet, and events


def test_quiet_says_nothing_where_nothing_goes_wrong(study, studyhub, cluster):
    assert studyhub("launch", study, "--quiet") == (0, "", "")


def test_quiet_says_what_goes_wrong(study, studyhub, cluster):
    """A learning rate that no network bears: its loss is not a number, and the other arm finishes."""
    study.write_text(STUDY.replace("{hidden_size: 6, may", "{learning_rate: 1.0e+30, may"))
    code, out, err = studyhub("launch", study, "--quiet")
    assert (code, out) == (1, "")
    assert re.match(r"large, fold 1, seed 1: failed after .*: the .* is not a finite number", err), err
    assert "small" not in err and "Traceback" not in err and len(err.splitlines()) <= 2

    code, out, err = studyhub("retry", "two", "--failed", "--json")
    assert code == 1
    events = read(out)
    assert [event["arm"] for event in events if event["event"] == "started"] == ["large"], "only what had failed"
    assert events[-1]["event"] == "concluded" and events[-1]["code"] == 1


def read(out: str) -> list[dict[str, Any]]:
    """Every line as JSON, strictly."""
    return [json.loads(line, parse_constant=lambda word: pytest.fail(f"no JSON: {word}")) for line in out.splitlines()]


def test_events_tell_a_program_all_of_it(study, studyhub, home, cluster):
    code, out, err = studyhub("launch", study, "--json")
    assert code == 0
    events = read(out)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"]) for event in events)
    (begun,) = [event for event in events if event["event"] == "study"]
    assert begun["study"] == "two" and begun["trials"] == 2 and begun["finished"] == 0
    for arm in ("small", "large"):
        told = [event for event in events if event.get("arm") == arm]
        assert [event["event"] for event in told] == ["started", "epoch", "epoch", "ended"]
        assert [event["epoch"] for event in told[1:3]] == [1, 2] and all(event["seconds"] > 0 for event in told[1:3])
        assert told[-1]["state"] == "finished" and told[-1]["cause"] is None
    last = events[-1]
    assert last["event"] == "concluded" and last["code"] == 0 and last["counts"] == {"finished": 2}
    assert Path(last["scores"]).is_file() and Path(last["report"]).is_file() and last["answer"]
    assert "Medians" not in err

    again = [event for event in read(studyhub("launch", study, "--json")[1]) if event["event"] != "message"]
    assert [event["event"] for event in again] == ["study", "concluded"]
    assert (again[0]["trials"], again[0]["finished"]) == (0, 2)


@pytest.mark.parametrize("verb", ["launch", "retry --failed"])
def test_quiet_and_json_are_two_things(verb, study, studyhub, home):
    words = verb.split()
    code, out, err = studyhub(words[0], study if words[0] == "launch" else "two", *words[1:], "--quiet", "--json")
    assert (code, out) == (2, "")
    assert "one of the two is required" in err and "Traceback" not in err and not home.exists()


@pytest.mark.parametrize("option", ["--json", None])
def test_a_reader_that_stops_reading_ends_no_launch(option, study, home):
    """As `| head` does: all is written, and the exit code is the study's."""
    for cell in launching.prepare(study, home).plan.cells:
        finish(Store(home), cell.trial, "diverged")
    command = [sys.executable, "-m", "studyhub.cli", "launch", str(study), "--home", str(home), *([option] if option else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        child.stdout.close()
        err = child.stderr.read()
    assert child.returncode == 1 and "Traceback" not in err and "Broken" not in err
    assert (home / "reports" / "two" / "index.html").exists()


# Ctrl-C


class Launch:
    """A launch in a process and terminal group of its own, and what it tells."""

    def __init__(self, study: Path, home: Path):
        command = [sys.executable, "-m", "studyhub.cli", "launch", str(study), "--home", str(home), "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.events: list[dict[str, Any]] = []

    def tell(self) -> Iterator[dict[str, Any]]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            yield self.events[-1]

    def until(self, event: str, **facts: Any) -> dict[str, Any]:
        for told in self.tell():
            if told["event"] == event and facts.items() <= told.items():
                return told
        raise AssertionError(f"no {event} came; {self.process.communicate()}")

    def interrupt(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)  # as a terminal does

    def end(self) -> tuple[int, str]:
        list(self.tell())
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ctrl_c_once_ends_the_epoch_and_twice_ends_at_once_and_both_are_gone_on_with(study, home):
    study.write_text(
        STUDY.replace("epochs: 2", "epochs: 4").replace("updates_per_epoch: 2", "updates_per_epoch: 200").replace("  large: {h", "  # {h")
    )
    store = Store(home)

    once = Launch(study, home)
    trial = once.until("epoch", epoch=1)["trial"]
    once.interrupt()
    code, err = once.end()
    assert code == 130 and "Traceback" not in err
    (ended,) = [event for event in once.events if event["event"] == "ended"]
    assert ended["state"] == "stopped" and once.events[-1]["event"] == "concluded" and once.events[-1]["code"] == 130
    reached = max(event["epoch"] for event in once.events if event["event"] == "epoch")
    assert store.state(trial) == "stopped" and reached < 4

    twice = Launch(study, home)
    assert twice.until("epoch")["epoch"] == reached + 1, "it goes on from its checkpoint"
    twice.interrupt()
    twice.until("message", level="warning")  # two signals that come at once are one
    twice.interrupt()
    code, err = twice.end()
    assert code == 130 and "Traceback" not in err
    assert "concluded" not in [event["event"] for event in twice.events], "it waited for the epoch"

    last = Launch(study, home)
    code, err = last.end()
    assert code == 0, err
    epochs = [event["epoch"] for event in last.events if event["event"] == "epoch"]
    assert epochs == list(range(epochs[0], 5)) and epochs[0] > 1
    assert store.state(trial) == "finished"


@pytest.mark.slow
def test_ctrl_c_before_any_trial_has_begun(study, home):
    early = Launch(study, home)
    early.until("study")
    early.interrupt()
    code, err = early.end()
    assert code == 130 and "Traceback" not in err


# Wrong input: one message, exit code 2, nothing written


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs: 2", "epoch: 2", r"two\.yaml:5: `training\.epoch`.*`epochs`"),
        ("epochs: 2", "epochs: 2, epochs: 3", r"two\.yaml:5: .*epochs"),
        ("reader: synthetic, basins: 4, years: 6", "shards: here, basins: [01013500]", r'two\.yaml:2: .*"01013500"'),
        ("1988-09-30", "1986-09-30", r"two\.yaml:3: `split\.train`"),
    ],
)
def test_a_study_file_with_a_mistake(study, studyhub, home, old, new, message):
    assert old in STUDY
    study.write_text(STUDY.replace(old, new))
    for options in ([], ["--json"], ["--quiet"]):
        code, out, err = studyhub("launch", study, *options)
        assert (code, out) == (2, "")
        assert re.search(message, err) and one_message(err)
    assert not home.exists()


@pytest.fixture
def shards(tmp_path) -> Path:
    """Two basins of six years; the second has no observed discharge in the training years."""
    rng = np.random.default_rng(1)

    def basin(name: str, observed_from: int) -> Basin:
        series = {variable: rng.random(2191) for variable in ("prcp", "tmean", "qobs")}
        series["qobs"][:observed_from] = np.nan
        return Basin(name=name, start=pd.Timestamp("1985-10-01").date(), series=series, attributes={"p_mean": 3.0}, facts={})

    write(tmp_path / "shards", [basin("01", 0), basin("02", 1200)], source="test", settings={})
    return tmp_path / "shards"


def test_data_that_the_study_cannot_use(study, studyhub, home, shards, cluster):
    def launch(*options: str) -> str:
        code, out, err = studyhub("launch", study, "--data", shards, *options)
        assert (code, out) == (2, "")
        *_, last = err.splitlines()
        assert "Traceback" not in err
        assert not (home / "studies" / "two-shards" / "cells.json").exists()
        return last

    assert re.search(r"shards lacks what is needed by arms `small`, `large`: variable pet \(of variables, known: prcp, tmean", launch())
    forcing = ("--set", "shared.forcing=[prcp, tmean]")
    assert re.search(r"observed discharge in the training period .* basin 02 has none", launch(*forcing))
    assert re.search(r"test period .* must lie within", launch(*forcing, "--set", "split.test=[1991-10-01, 1992-09-30]"))
    (shards / "basins-000.parquet").write_bytes(b"PAR1")
    assert re.search(r"basins-000\.parquet: damaged shard", launch(*forcing))
    assert re.search(r"does not have: 09", launch(*forcing, "--set", 'data.basins=["09"]'))


def test_folders_that_cannot_be_written(study, studyhub, home):
    home.mkdir()
    (home / "studies").write_text("a file is in the way")
    code, out, err = studyhub("launch", study)
    assert (code, out) == (2, "")
    assert "--home DIR" in err and one_message(err)
    assert [path.name for path in home.iterdir()] == ["studies"]


def test_a_gpu_where_there_is_none(study, studyhub, home, cluster):
    code, out, err = studyhub("launch", study, "--set", "resources.gpus=64")
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert re.fullmatch(r"studyhub: `resources\.gpus`: 64 per trial are asked for, but this machine has \d+ CPUs and \d+ GPUs; .*", last)
    assert not list((home / "studies").glob("*/cells.json")) and not (home / "store" / "data").exists()


def test_a_cluster_that_does_not_answer(study, home):
    """In a process of its own: Ray, which other tests here have started, would be taken as it is."""
    command = [sys.executable, "-m", "studyhub.cli", "launch", str(study), "--home", str(home), "--address", "127.0.0.1:9"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        re.match(r"studyhub: no Ray cluster answers at .*127\.0\.0\.1:9", done.stderr.splitlines()[-1]) and "Traceback" not in done.stderr
    )


# Retry


@pytest.fixture
def failed(study, studyhub, ends, home) -> Path:
    ends("failed", "failed")
    assert studyhub("launch", study)[0] == 1
    return home


def test_retry_asks_for_what(studyhub, failed):
    code, out, err = studyhub("retry", "two")
    assert (code, out) == (2, "")
    assert "--failed" in err and "what is to be run again is required" in err and "Traceback" not in err


def test_retry_of_an_arm_that_is_not_there(studyhub, failed):
    code, _, err = studyhub("retry", "two", "--failed", "--arm", "smal")
    assert code == 2 and "`small`" in err and one_message(err)


def test_retry_of_one_arm_leaves_the_other_as_it_is(studyhub, failed, monkeypatch):
    asked = []
    monkeypatch.setattr(launching, "launch", lambda *given, **more: asked.append((given, more)) or 0)
    assert studyhub("retry", "two", "--failed", "--arm", "large")[0] == 0
    ((file, home, *_, name), more) = asked[0]
    (large,) = [cell.trial for cell in Store(failed).read_study("two").cells if cell.arm == "large"]
    assert (file, home, name) == (failed / "studies" / "two" / "spec.yaml", failed, "two") and tuple(more["only"]) == (large,)


def test_nothing_to_retry(study, studyhub, ends, home):
    ends("finished", "diverged")
    studyhub("launch", study)
    assert studyhub("retry", "two", "--failed") == (0, "no trial of two has failed\n", "")
    tried = [{"trial": "a", "state": "failed"}, {"trial": "b", "state": "finished"}]
    (home / "studies" / "two" / "searches.json").write_text(json.dumps([{"arm": "small", "fold": 1, "trials": tried}]))
    told = "no trial of two has failed; of searches 1 did: `studyhub launch` tries anew those that a search waits for\n"
    assert studyhub("retry", "two", "--failed") == (0, told, "")


def test_a_finished_trial_of_another_study_counts(study, studyhub, home):
    """What is there is not run again, whoever ran it; nothing is left here, so Ray is not even started."""
    for cell in launching.prepare(study, home).plan.cells:
        finish(Store(home), cell.trial)
    code, out, err = studyhub("launch", study, "--name", "again")
    assert code == 0 and "2 of 2 trials are there already" in err
