"""Events as a program reads them: strict JSON, a line each, whoever tells and whoever stops to listen."""

import io
import json
import os
import re
import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from studyhub.runner import events as module
from studyhub.runner.events import Events
from studyhub.runner.show import Mode, Show


def lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line, parse_constant=lambda word: pytest.fail(f"no JSON: {word}")) for line in stream.getvalue().splitlines()]


def test_an_event_is_a_line_with_its_time():
    stream = io.StringIO()
    Events(stream, lambda: datetime(2026, 1, 31, 12, 0, 0, 5000, UTC))("ended", state="finished", scores=Path("a/b"))
    assert stream.getvalue() == '{"event": "ended", "time": "2026-01-31T12:00:00.005Z", "state": "finished", "scores": "a/b"}\n'


def test_what_json_cannot_say_is_null_or_plain():
    stream = io.StringIO()
    Events(stream)("epoch", loss=float("nan"), validation=np.float32("inf"), counts={1: np.int64(3)}, text="a\nb\u2028")
    (event,) = lines(stream)
    assert event["loss"] is None and event["validation"] is None and event["counts"] == {"1": 3} and event["text"] == "a\nb\u2028"
    assert len(stream.getvalue().splitlines()) == 1


def test_threads_do_not_mix_their_lines():
    stream = io.StringIO()
    told = Events(stream)
    threads = [threading.Thread(target=lambda: [told("message", text="x" * 200) for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(stream)) == 800


def test_a_reader_that_has_gone_does_not_end_the_study():
    reading, writing = os.pipe()
    with open(writing, "w") as stream:
        told = Events(stream)
        told("study")
        os.close(reading)
        told("epoch")
        told("epoch")


def test_messages_are_events_and_for_people_too():
    stream, console = io.StringIO(), Console(file=io.StringIO(), width=40)
    show = Show(console, Mode.JSON, events=Events(stream))
    show.say("making [4] virtual basins, which takes longer than one line of this terminal")
    show.warn("MLflow is away")
    with show.busy("compiling") as update:
        update("half")
    show.out.print("scores")
    assert [(event["level"], event["text"][:8]) for event in lines(stream)] == [("note", "making ["), ("warning", "MLflow i")]
    assert console.file.getvalue().splitlines() == [
        "making [4] virtual basins, which takes longer than one line of this terminal",
        "MLflow is away",
    ]


@pytest.mark.parametrize(("quiet", "as_json"), [(False, False), (True, False), (False, True)])
def test_results_go_to_stdout_unless_something_else_is_asked_for(quiet, as_json, capsys):
    show = Show.of(quiet=quiet, as_json=as_json)
    show.say("a note")
    show.out.print("the scores")
    show.event("concluded", code=0)
    out, err = capsys.readouterr()
    assert err == ("" if quiet else "a note\n")
    assert out.strip() == "" if quiet else bool(json.loads(out.splitlines()[-1])) if as_json else out == "the scores\n"


def test_every_event_that_is_told_is_described():
    """The docstring is the schema: its table names each event."""
    described = set(re.findall(r"^    (\w+)  +\S", module.__doc__, re.M))
    rooms = [Path(module.__file__).parent, Path(module.__file__).parent.parent / "launch.py"]
    sources = [path for room in rooms for path in ([room] if room.is_file() else room.rglob("*.py"))]
    told = {name for path in sources for name in re.findall(r"\.(?:_event|event)\(\s*\"(\w+)\"", path.read_text())}
    assert told <= described and {"started", "ended", "totals", "message"} <= told
