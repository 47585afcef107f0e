import io
import json

import pytest
from rich.console import Console

from studyhub.runner.events import Events
from studyhub.runner.pace import Row
from studyhub.runner.progress import Progress
from studyhub.runner.show import Mode, Show
from studyhub.study.wording import shortened


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def rows(n: int = 3) -> list[Row]:
    return [Row(f"id{i}", ("implicit", "sequential")[i % 2], "1", i) for i in range(n)]


def show(terminal: bool = False, height: int = 40, width: int = 120, mode: Mode | None = None) -> Show:
    return Show(Console(file=io.StringIO(), force_terminal=terminal, width=width, height=height, color_system=None), mode)


def said(progress: Progress) -> list[str]:
    return progress.show.console.file.getvalue().splitlines()


def shown(progress: Progress) -> str:
    console = progress.show.console
    text = Console(file=io.StringIO(), width=console.width, color_system=None)
    text.print(progress.table())
    return text.file.getvalue()


def play(progress: Progress, clock: Clock) -> None:
    """One trial finishes, one diverges as it may, one fails."""
    with progress:
        for name, state, cause in (
            ("id0", "finished", None),
            ("id1", "diverged", "basin 01, store SM"),
            ("id2", "failed", "ValueError: no"),
        ):
            progress.started(name)
            clock.now += 10
            progress.epoch(name, 1, 1, 0.5, None, 8)
            progress.ended(name, state, cause)


# Ways to be shown


def test_lines_tell_of_every_trial(clock):
    progress = Progress(rows(), show(), clock)
    play(progress, clock)
    assert said(progress) == [
        "implicit, fold 1, seed 0: finished after 10 s",
        "sequential, fold 1, seed 1: diverged after 10 s: basin 01, store SM",
        "implicit, fold 1, seed 2: failed after 10 s: ValueError: no",
    ]


@pytest.mark.parametrize("mode", [Mode.QUIET, Mode.JSON])
@pytest.mark.parametrize("may_diverge", [True, False])
def test_quiet_tells_of_what_goes_wrong_only(mode, may_diverge, clock):
    some = rows()
    some[1].may_diverge = may_diverge
    progress = Progress(some, show(terminal=True, mode=mode), clock)
    play(progress, clock)
    if mode is Mode.QUIET:
        progress.say("compiling")
    progress.warn("MLflow is away")
    assert [line.partition(":")[0] for line in said(progress)] == [
        *([] if may_diverge else ["sequential, fold 1, seed 1"]),
        "implicit, fold 1, seed 2",
        "MLflow is away",
    ]


def test_lines_tell_totals_at_most_every_30_seconds(clock):
    progress = Progress(rows(1), show(), clock)
    with progress:
        progress.started("id0")
        for epoch in range(1, 101):
            clock.now = float(epoch)
            progress.epoch("id0", epoch, 100, 0.5, None, 1.0)
    assert said(progress) == [f"0 of 1 trials ended, 1 running, about {left} left" for left in ("1 min 10 s", "40 s", "10 s")]


def test_a_terminal_shows_the_table_and_causes_only(clock):
    progress = Progress(rows(), show(terminal=True), clock)
    with progress:
        progress.started("id0")
        progress.ended("id0", "finished")
        progress.ended("id1", "failed", "ValueError: no")
    text = progress.show.console.file.getvalue()
    assert "seed 0: finished" not in text
    assert "sequential, fold 1, seed 1: failed: ValueError: no" in text
    assert "2 of 3 trials ended" in text


# The table


def test_table_names_what_a_row_is_at(clock):
    progress = Progress([*rows(), Row("id9", "implicit", "2", 0)], show(), clock)
    progress.started("id0")
    clock.now = 60
    progress.epoch("id0", 2, 10, 0.123456, 0.7512, 30)
    row = next(line for line in shown(progress).splitlines() if line.startswith("implicit"))
    assert row.split() == ["implicit", "1", "0", "2/10", "0.1235", "0.751", "running", "4", "min", "0", "s"]


def test_columns_that_say_nothing_are_left_out(clock):
    progress = Progress(rows(), show(), clock)
    assert shown(progress).split("\n")[0].split() == ["arm", "seed", "state"]
    progress.started("id0")
    progress.epoch("id0", 1, 2, 0.5, None, 1)
    assert shown(progress).split("\n")[0].split() == ["arm", "seed", "epoch", "loss", "state", "time", "left"]


def test_long_arms_keep_their_ends_and_every_trial_its_line(clock):
    names = [f"implicit+components={n}+steps_per_day=6+dynamic=BETA+forcing=daymet" for n in (1, 4)]
    progress = Progress([Row(name, name, "1", seed, of=50) for seed, name in enumerate(names)], show(width=80), clock)
    progress.started(names[0])
    progress.epoch(names[0], 10, 50, 0.5, 0.7, 1.0)
    lines = shown(progress).splitlines()
    assert len(lines) == 4 and max(map(len, lines)) <= 80
    assert lines[1].startswith("implici") and lines[1].split()[0] != lines[2].split()[0]


def test_a_low_terminal_shows_running_trials_first(clock):
    progress = Progress(rows(100), show(height=8), clock)
    progress.started("id90")
    text = shown(progress)
    assert "running" in text
    assert "... and 97 more" in text
    assert len(text.splitlines()) <= 8


# Trials that come later, and what is counted


def test_a_trial_that_is_chosen_later_takes_its_placeholder_s_place(clock):
    progress = Progress([Row("open", "lstm", "1", 1), Row("other", "lstm", "1", 2)], show(), clock)
    progress.add([Row("chosen", "lstm", "1", 1), Row("search0", "lstm", "1", 1, number=0)])
    assert set(progress.rows) == {"chosen", "other", "search0"}
    assert progress.rows["search0"].name == "lstm, fold 1, search 0"
    progress.started("other")
    progress.add([Row("another", "lstm", "1", 2)])
    assert {"other", "another"} <= set(progress.rows), "what has begun stays"


def test_a_trial_that_has_begun_stays_when_it_is_told_of_again(clock):
    progress = Progress(rows(1), show(), clock)
    progress.started("id0")
    clock.now = 5.0
    progress.add(rows(1))
    progress.ended("id0", "finished")
    assert said(progress)[-1].endswith("finished after 5 s")


def test_what_will_not_come_is_left_out_and_what_has_begun_is_not(clock):
    progress = Progress(rows(3), show(), clock)
    progress.started("id0")
    progress.forget(["id0", "id1", "unknown"])
    assert list(progress.rows) == ["id0", "id2"]


def test_says_that_workers_start_until_one_does(clock):
    progress = Progress(rows(), show(), clock)
    progress.blocked("id2")
    assert progress.totals() == "0 of 3 trials ended, 1 blocked, workers are starting"
    progress.started("id0")
    assert progress.totals() == "0 of 3 trials ended, 1 running, 1 blocked"
    progress.correct("id0", "pending")
    assert progress.rows["id0"].state == "pending"


# Events


def test_events_tell_all_of_it_to_a_program(clock):
    stream = io.StringIO()
    told = Show(Console(file=io.StringIO()), Mode.JSON, events=Events(stream))
    progress = Progress(rows(), told, clock)
    play(progress, clock)
    progress.say("compiling")
    events = [json.loads(line, parse_constant=pytest.fail) for line in stream.getvalue().splitlines()]
    trial = {"trial": "id0", "arm": "implicit", "fold": "1", "seed": 0, "number": None}
    kept = [{key: value for key, value in event.items() if key != "time"} for event in events]
    assert kept[:4] == [
        {"event": "started", **trial},
        {"event": "epoch", **trial, "epoch": 1, "of": 1, "loss": 0.5, "validation": None, "seconds": 8},
        {"event": "ended", **trial, "state": "finished", "cause": None, "seconds": 10},
        {"event": "totals", "trials": 3, "counts": {"finished": 1, "pending": 2}, "seconds_left": 16},
    ]
    assert [event["state"] for event in events if event["event"] == "ended"] == ["finished", "diverged", "failed"]
    assert kept[-1] == {"event": "message", "level": "note", "text": "compiling"}


@pytest.mark.parametrize("width", range(2, 60))
def test_names_are_shortened_to_any_width(width):
    names = ["sequential", "implicit+components=16+steps_per_day=6+dynamic=BETA"]
    short = shortened(names, width)
    assert short == names if width >= 51 else max(map(len, short)) <= width


def test_levels_tell_arms_apart_where_there_is_little_room():
    names = [f"lstm+hidden_size={size}+dropout={rate}+recipe={recipe}" for size in (4, 8) for rate in (0.0, 0.5) for recipe in ("f", "kr")]
    assert shortened(names, 33)[:2] == ["lstm+hidde=4+dropo=0.0+recip=f", "lstm+hidde=4+dropo=0.0+recip=kr"]
    assert len(set(shortened(names, 24))) == len(names)
