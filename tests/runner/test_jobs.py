"""Launches in the background, for real: a process of its own, and a job of a Ray cluster that is begun here."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from studyhub.data.record import Basin
from studyhub.data.shards import write
from studyhub.errors import ResourceError, StoreError
from studyhub.runner.workers import jobs
from studyhub.study.launches import launching
from studyhub.study.store import Store

DAYS = "split: {train: [1986-10-01, 1987-09-30], test: [1987-10-01, 1988-09-30], warmup: 100, test_warmup: 100}"
THEIRS = f"""\
question: How good is what others made?
data: {{shards: SHARDS}}
{DAYS}
arms: {{theirs: {{external: SHARDS.parquet}}}}
seeds: [1]
"""
OURS = f"""\
question: How good is what takes hours?
data: {{basins: 2, years: 3}}
{DAYS}
shared: {{model: lstm, hidden_size: 2, forcing: [prcp], attributes: [p_mean]}}
training: {{epochs: 100000, batch: 2, window: 100, updates_per_epoch: 1}}
arms: {{ours: {{}}}}
seeds: [1]
"""


def wait_for(true: Callable[[], Any], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.1)


@pytest.fixture
def theirs(tmp_path) -> Path:
    """A study that is scored at once: nothing is trained."""
    days, rng = pd.date_range("1985-10-01", "1988-09-30"), np.random.default_rng(1)
    series = {name: rng.random(len(days)) for name in ("prcp", "qobs")}
    write(tmp_path / "shards", [Basin("01", date(1985, 10, 1), series, {"p_mean": 3.0}, {})], source="test", settings={})
    table = pd.DataFrame({"basin": "01", "date": days, "qsim": rng.random(len(days))})
    table.to_parquet(tmp_path / "shards.parquet", index=False)
    (tmp_path / "theirs.yaml").write_text(THEIRS.replace("SHARDS", str(tmp_path / "shards")))
    return tmp_path / "theirs.yaml"


@pytest.mark.timeout(120)
def test_a_launch_goes_on_without_its_terminal(theirs, tmp_path):
    home = tmp_path / "home"
    job = jobs.submit([str(theirs), "--home", str(home)], None, home / "studies" / "theirs")
    assert os.getsid(int(job.id)) == int(job.id)
    os.waitpid(int(job.id), 0)
    record = json.loads((home / "studies" / "theirs" / "launch.json").read_text())
    assert (record["id"], record["address"], record["host"]) == (job.id, None, socket.gethostname())
    assert record["stop"] == f"kill -INT {job.id}" and record["words"] == f"tail -F {job.log}"
    assert "theirs: 1 of 1 basins scored" in Path(str(job.log)).read_text()
    assert (home / "studies" / "theirs" / "scores.parquet").exists()


def test_an_interrupt_reaches_it_though_the_shell_ignores_them(tmp_path, monkeypatch):
    (tmp_path / "program").write_text(f"#!{sys.executable}\nimport time\nprint('on', flush=True)\ntime.sleep(60)\n")
    (tmp_path / "program").chmod(0o755)
    monkeypatch.setattr(jobs.sys, "executable", str(tmp_path / "program"))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        job = jobs.submit([], None, tmp_path / "studies" / "s")
    finally:
        signal.signal(signal.SIGINT, before)
    wait_for(lambda: "on" in Path(str(job.log)).read_text(), 20)
    subprocess.run(job.stop, shell=True, check=True)
    _, status = os.waitpid(int(job.id), 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGINT and "KeyboardInterrupt" in Path(str(job.log)).read_text()


def test_a_study_that_is_being_launched_is_not_launched_again(tmp_path):
    folder = tmp_path / "studies" / "s"
    with launching(folder), pytest.raises(StoreError, match=f"s is being launched already, by process {os.getpid()} on"):
        jobs.submit(["s.yaml"], None, folder)
    assert not (folder / "launch.json").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "http://127.0.0.1:1"])
def test_where_no_cluster_answers_it_is_said_at_once(address, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "")
    begun = time.monotonic()
    with pytest.raises(ResourceError, match=f"no job server of a Ray cluster answers at {address} .* forward port 8265"):
        jobs.submit(["s.yaml"], address, tmp_path)
    assert time.monotonic() - begun < 10


@pytest.fixture
def head(tmp_path, monkeypatch):
    """The http:// address of a Ray that runs meanwhile, with its job server."""
    with socket.socket() as one, socket.socket() as two, socket.socket() as three:
        for listening in (one, two, three):
            listening.bind(("127.0.0.1", 0))
        gcs, server, client = (listening.getsockname()[1] for listening in (one, two, three))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    (tmp_path / "token").write_text("0123456789abcdef" * 4)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("RAY_ADDRESS", "")
    ports = [f"--port={gcs}", f"--dashboard-port={server}", f"--ray-client-server-port={client}", "--dashboard-agent-listen-port=0"]
    # Ray's sockets need a short path.
    folder = Path("/tmp") / f"ray-{os.getpid()}"
    options = ["--head", "--block", *ports, "--num-cpus=2", "--include-dashboard=true", f"--temp-dir={folder}", "--disable-usage-stats"]
    command = [Path(sys.executable).with_name("ray"), "start", *options]
    with (tmp_path / "head.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: answers(server), 120)
        yield f"http://127.0.0.1:{server}"
    finally:
        process.terminate()
        process.wait(60)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


# Ray reads once in a process how it is to show its token.
SUBMIT = """
import sys
from pathlib import Path
from studyhub.errors import ResourceError
from studyhub.runner.workers.jobs import submit
study, home, address = sys.argv[1:]
try:
    submit([study, "--home", home], address, Path(home, "studies", Path(study).stem))
except ResourceError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cluster_takes_a_launch_as_a_job_and_stops_it_after_an_epoch(head, tmp_path):
    home, study = tmp_path / "home", tmp_path / "ours.yaml"
    study.write_text(OURS)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(command: list[str]) -> str:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = run([sys.executable, "-c", SUBMIT, str(tmp_path / "nowhere.yaml"), str(home), head])
    assert f"the cluster at {head} cannot run the launch (" in said and "nowhere.yaml: a study file is required" in said
    assert not (home / "studies" / "nowhere" / "launch.json").exists()

    assert run([sys.executable, "-c", SUBMIT, str(study), str(home), head]) == ""
    record = json.loads((home / "studies" / "ours" / "launch.json").read_text())
    wait_for(lambda: list(home.glob("store/trials/*/attempt-001/checkpoint.npz")), 300)
    (trial,) = (path.name for path in home.glob("store/trials/*"))
    assert Store(home).state(trial) == "running"
    run(shlex.split(record["stop"]))
    assert Store(home).state(trial) == "stopped"
    assert list(home.glob("store/trials/*/attempt-001/checkpoint.npz"))
    assert "stopping: running trials end their epoch" in run(shlex.split(record["words"].replace("--follow ", "")))
