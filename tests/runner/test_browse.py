import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from functools import partial
from pathlib import Path

import pytest
from mlflow import MlflowClient

from studyhub import cli
from studyhub.runner import browse as module
from studyhub.runner.browse import browse


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def said(capsys, *arguments: str) -> tuple[int, str]:
    code = cli.main(["ui", *arguments])
    out = capsys.readouterr()
    assert out.out == "" and out.err.count("\n") == 1 and "Traceback" not in out.err
    return code, out.err


def test_no_study_yet(tmp_path, capsys):
    code, message = said(capsys, "--home", str(tmp_path))
    assert code == 2 and "there is no study in" in message and "`studyhub launch STUDY.yaml` starts one" in message
    code, message = said(capsys, "solvers", "--home", str(tmp_path))
    assert code == 2 and "there is no study 'solvers'" in message
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken(home, capsys):
    home.make()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code, message = said(capsys, "two", "--home", str(home.folder), "--port", str(port))
    assert code == 2 and f"port {port} cannot be used here (Address already in use); choose another with --port N" in message


def test_a_server_that_does_not_start(home, monkeypatch):
    home.make()
    monkeypatch.setattr(module, "LIGHT", {"MLFLOW_WORKERS": "1", "PYTHONHOME": "/none"})
    lines = []
    with pytest.raises(module.TrackingError, match="MLflow's server for sqlite:.* did not start .*"):
        browse(home.store, [], free_port(), lines.append, lines.append)


def test_ctrl_c_is_heard_whatever_runs_at_that_moment(home):
    """In a destructor, where Python lets an exception go, and before the server is up."""

    class Interrupted:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)

    def say(line):
        if line.startswith("starting"):
            Interrupted()

    home.make()
    browse(home.store, [], free_port(), say, pytest.fail)
    shown = []

    def show(line):
        shown.append(line)
        Interrupted()

    port = free_port()
    browse(home.store, [], port, lambda line: None, show)
    assert shown and not answers(port)


@pytest.mark.slow
def test_pages_are_served_until_ctrl_c_and_a_server_that_runs_gets_links_only(home, capsys, monkeypatch):
    home.run(home.make()[0])
    port = free_port()
    command = [sys.executable, "-m", "studyhub.cli", "ui", str(home.folder / "studies" / "two"), "--port", str(port)]
    # A suite that runs in the background is told to ignore Ctrl-C, and hands that on.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0, preexec_fn=heard) as ui:
        try:
            lines = [ui.stdout.readline() for _ in range(5)]
            assert lines[0] == "two\n"
            links = re.findall(rf"^  (\w+) +(http://127\.0\.0\.1:{port}/#/experiments/\d+/runs\?\S+)$", "".join(lines), re.M)
            assert [name for name, _ in links] == ["runs", "charts", "arms", "factors"]
            assert b"mlflow" in urllib.request.urlopen(f"http://127.0.0.1:{port}/").read().lower()
            client = MlflowClient(f"http://127.0.0.1:{port}")
            found = client.get_experiment_by_name("two")
            assert found.experiment_id in links[0][1]
            for _, link in links:
                assert f"mlflow.sharedViewState.{link.rpartition('=')[2]}" in found.tags
            # The same pages by their address: no second server is started, and no run made twice.
            monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{port}")
            assert cli.main(["ui", "two", "--home", str(home.folder)]) == 0
            out = capsys.readouterr()
            assert out.out.splitlines()[1:] == [line.rstrip("\n") for line in lines[1:]]
            assert "secret" not in out.out + out.err
            assert len(client.search_runs([found.experiment_id])) == 1
        finally:
            os.kill(ui.pid, signal.SIGINT)
        try:
            assert ui.wait(20) == 0
        finally:
            ui.kill()
        assert ui.stderr.read().splitlines()[-1] == "Ctrl-C ends it"
    assert not answers(port)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_server_does_not_outlive_a_command_that_is_killed(tmp_path):
    code = """
import os, signal, subprocess
from studyhub.runner.browse import _end_with_parent
print(subprocess.Popen(["sleep", "60"], start_new_session=True, stdout=subprocess.DEVNULL, preexec_fn=_end_with_parent).pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    sleeper = Path(f"/proc/{int(done.stdout)}/stat")
    end = time.monotonic() + 10
    while sleeper.exists() and sleeper.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end
        time.sleep(0.05)
