"""`studyhub status`, once and until the study has ended."""

import io
import json
import os
import pty
import re
import subprocess
import sys
import threading
import time
from contextlib import nullcontext, suppress

import pytest
from rich.console import Console
from verbs.conftest import finish

from studyhub import launch as launching
from studyhub.runner.show import Mode, Show
from studyhub.study.launches import launching as living
from studyhub.study.store import Store
from studyhub.verbs import status as module


def test_status_counts_and_names_causes(study, studyhub, ends):
    assert "no study in" in studyhub("status")[1]
    ends("diverged", "failed")
    studyhub("launch", study)
    code, out, err = studyhub("status", "two")
    assert (code, err) == (0, "")
    assert out.startswith("two: 1 diverged, 1 failed\n")
    assert "basin syn-001, store SM" in out and "ValueError: no good" in out and "`studyhub retry two --failed`" in out
    assert studyhub("status")[1] == out
    (found,) = json.loads(studyhub("status", "--json")[1])
    assert found["counts"] == {"diverged": 1, "failed": 1}
    assert found["troubles"][1]["cause"] == "ValueError: no good"


def test_a_study_is_named_by_its_folder_too(study, studyhub, ends, home):
    ends("finished", "finished")
    studyhub("launch", study)
    assert studyhub("status", home / "studies" / "two") == studyhub("status", "two")
    code, _, err = studyhub("status", home / "two")
    assert code == 2 and "by its name or by its folder studies/NAME" in err


@pytest.fixture
def going(study, studyhub, ends, home, monkeypatch):
    """A study of which one trial has finished, with a launch that lives until the other has ended; yields how to start that."""
    ends("finished")
    studyhub("launch", study)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    store = Store(home)

    def go(state: str | None) -> threading.Thread:
        begun = threading.Event()

        def launch() -> None:
            with living(store.study_folder("two")):
                begun.set()
                time.sleep(0.5)
                if state is not None:
                    finish(store, store.read_study("two").cells[1].trial, state)
                time.sleep(0.2)

        thread = threading.Thread(target=launch)
        thread.start()
        begun.wait()
        return thread

    return go


@pytest.mark.parametrize(
    ("state", "code", "last"), [("finished", 0, "2 finished"), ("failed", 1, "1 finished, 1 failed"), (None, 1, "1 finished, 1 pending")]
)
def test_follow_ends_with_the_launch_and_with_its_code(going, studyhub, state, code, last):
    thread = going(state)
    found, out, err = studyhub("status", "two", "--follow")
    thread.join()
    assert (found, err) == (code, "")
    lines = out.splitlines()
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  two: 1 finished, 1 pending", lines[0])
    assert f"two: {last}" in out and len([line for line in lines if re.match(r"\d{4}-", line)]) <= 3, "a line per change"
    assert ("no launch of two runs" in out) == (state is None)


def test_follow_waits_for_a_launch_that_was_sent_into_the_background(study, studyhub, ends, home, monkeypatch):
    """It is told of before the study's files are there, and before it says that it lives."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    folder = home / "studies" / "two"
    folder.mkdir(parents=True)
    (folder / "launch.json").write_text('{"id": "1", "words": "tail -F launch.log"}')
    ends("finished")

    def launch() -> None:
        time.sleep(0.3)
        assert launching.launch(study, home, show=Show(Console(quiet=True), Mode.QUIET)) == 1
        time.sleep(0.3)
        with living(folder):
            time.sleep(0.3)

    thread = threading.Thread(target=launch)
    monkeypatch.setattr(launching, "interruptible", nullcontext)  # signals are the main thread's
    thread.start()
    code, out, err = studyhub("status", "two", "--follow")
    thread.join()
    assert (code, err) == (1, "") and "launched on" not in out.splitlines()[-1]
    assert out.splitlines()[-1].endswith("; what the last one said: tail -F launch.log")


def test_a_divergence_that_may_be_is_as_expected(going, studyhub):
    thread = going("diverged")
    assert studyhub("status", "two", "--follow")[0] == 0
    thread.join()


def test_follow_as_json_is_a_line_per_change(going, studyhub):
    thread = going("finished")
    code, out, _ = studyhub("status", "two", "--follow", "--json")
    thread.join()
    counts = [json.loads(line)["counts"] for line in out.splitlines()]
    assert code == 0 and counts[0] == {"pending": 1, "finished": 1} and counts[-1] == {"finished": 2} and len(counts) <= 3


def test_follow_needs_a_study(studyhub):
    code, out, err = studyhub("status", "--follow")
    assert (code, out) == (2, "") and "the name of the study to follow is required" in err


def test_on_a_terminal_one_picture_changes(going, home):
    """The text is drawn over itself: the terminal gets control sequences, and the last state once."""
    thread = going("finished")
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "studyhub.cli", "status", "two", "--follow", "--home", str(home)]
    process = subprocess.Popen(command, stdout=child, stderr=subprocess.PIPE, env=os.environ | {"TERM": "xterm", "COLUMNS": "80"})
    os.close(child)
    shown = io.BytesIO()
    with suppress(OSError):
        while part := os.read(parent, 4096):
            shown.write(part)
    os.close(parent)
    thread.join()
    assert process.wait(60) == 0, process.stderr.read()
    assert b"two: 2 finished" in shown.getvalue() and b"\x1b[" in shown.getvalue()
