"""A study in an object store: killed on one machine, gone on with on another, read on a third."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import numpy as np
import pandas as pd
import pytest
from servers import s3

from studyhub import cli
from studyhub.launch import prepare
from studyhub.runner.attempt import Place, attempt
from studyhub.study.store import Store

STUDY = """\
question: Is it the same wherever it runs?
data: {reader: synthetic, basins: 4, years: 6}
split: {train: [1986-10-01, 1988-09-30], test: [1990-10-01, 1991-09-30], warmup: 100, test_warmup: 200}
shared: {model: lstm, hidden_size: 4, forcing: [prcp, tmean, pet], attributes: [p_mean]}
training: {epochs: 40, batch: 4, window: 100, updates_per_epoch: 2}
arms: {quick: {}, long: {hidden_size: 5}}
seeds: [1]
"""

# What `studyhub launch` does, without Ray: checkpoints go to the store at once, and there is time to look on.
WORK = """
import sys, time
from pathlib import Path
from studyhub.launch import prepare
from studyhub.runner.attempt import Place, attempt
from studyhub.study import remote
from studyhub.study.remote import at_work, launch
from studyhub.study.tasks import Task

at_work.STEP = remote.STEP = 0.5
at_work.FILES_EVERY = launch.FILES_EVERY = 0.0
home = remote.locate(sys.argv[2])
prepared = prepare(Path(sys.argv[1]), home)
with remote.launching(home, prepared.spec.name):
    prepared.data(print)
    prepared.write()
    for arm in ("quick", "long"):
        (cell,) = (cell for cell in prepared.plan.cells if cell.arm == arm)
        task = Task(cell.trial, prepared.plan.trials[cell.trial])
        pause = time.sleep if arm == "long" else abs
        attempt(task, Place(remote.origin(home), prepared.shards, home / "stop", 1, "cpu"), lambda report: pause(0.7))
"""


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path / "study.yaml"


def objects():
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    return {item["Key"]: item["ETag"] for item in client.list_objects_v2(Bucket="basins").get("Contents", ())}


def wait_for(true, process):
    end = time.monotonic() + 200
    while not true():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.5)


def undisturbed(study, folder):
    """The same trials, one after the other, in a folder of this machine."""
    from studyhub.study.tasks import Task

    prepared = prepare(study, folder)
    prepared.data(print)
    prepared.write()
    for name, trial in prepared.plan.trials.items():
        attempt(Task(name, trial), Place(folder, prepared.shards, folder / "stop", 1, "cpu"), lambda _: None)
    return prepared


@pytest.mark.slow
def test_killed_here_gone_on_with_there_and_read_elsewhere(study, tmp_path, monkeypatch, capfd):
    expected = undisturbed(study, tmp_path / "folder")
    arms = {cell.arm: cell.trial for cell in expected.plan.cells}
    with s3(monkeypatch) as bucket:
        home = f"{bucket}/home"
        monkeypatch.setenv("STUDYHUB_HOME", home)

        def on(machine):
            monkeypatch.setenv("STUDYHUB_CACHE", str(tmp_path / machine))

        on("one")
        first = subprocess.Popen([sys.executable, "-c", WORK, str(study), home], start_new_session=True)
        wait_for(lambda: any(arms["long"] in name and name.endswith("checkpoint.npz") for name in objects()), first)
        on("two")
        assert cli.main(["launch", str(study)]) == 2
        assert f"study is being launched already ({os.uname().nodename}, process {first.pid}, since" in capfd.readouterr().err
        on("three")
        assert cli.main(["status", "study", "--json"]) == 0
        (told,) = json.loads(capfd.readouterr().out)
        assert told["counts"] == {"running": 1, "finished": 1} and told["launches"][0]["pid"] == first.pid
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        before = objects()

        on("two")
        second = subprocess.run([sys.executable, "-m", "studyhub.launch", str(study)], capture_output=True, text=True, timeout=250)
        assert second.returncode == 0, second.stderr
        assert "1 of 2 trials are there already" in second.stderr
        after = objects()
        quick = [name for name in before if arms["quick"] in name]
        assert quick and {name: after[name] for name in quick} == {name: before[name] for name in quick}  # not run again
        assert not any(name.endswith("checkpoint.npz") or "/launches/" in name and name.endswith(".json") for name in after)
        assert "home/reports/study/index.html" in after and (tmp_path / "reports" / "study" / "index.html").is_file()

        on("three")
        assert cli.main(["status", "study"]) == 0
        assert "2 finished" in capfd.readouterr().out
        assert cli.main(["report", f"{home}/studies/study", "--out", str(tmp_path / "page")]) == 0
        assert cli.main(["export", "study", "--out", str(tmp_path / "study.zip")]) == 0
        assert (tmp_path / "study.zip").stat().st_size > 1000
        there = f"{home}/store/data/{Path(expected.shards[0]).name}"
        assert cli.main(["predict", "study/long", "--data", there, "--out", str(tmp_path / "simulated.csv")]) == 0
        (copy,) = (tmp_path / "three" / "homes").iterdir()
        for trial in arms.values():
            ours, theirs = (Store(where).latest_attempt(trial) for where in (copy, tmp_path / "folder"))
            pd.testing.assert_frame_equal(pd.read_parquet(ours / "scores.parquet"), pd.read_parquet(theirs / "scores.parquet"))
            with np.load(ours / "weights.npz") as mine, np.load(theirs / "weights.npz") as undivided:
                assert mine.files == undivided.files and all(np.array_equal(mine[name], undivided[name]) for name in mine.files)
        assert "goes on from epoch" in (Store(copy).latest_attempt(arms["long"]) / "log.txt").read_text()
        assert Store(copy).result(arms["long"])["attempt"] == "attempt-002"
