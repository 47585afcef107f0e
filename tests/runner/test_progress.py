import io

import pytest
from rich.console import Console

from studyhub.runner.progress import Progress, Row, duration


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def rows(n: int = 3) -> list[Row]:
    return [Row(f"id{i}", ("implicit", "sequential")[i % 2], "all", i) for i in range(n)]


def console(terminal: bool, height: int = 40) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=120, height=height, color_system=None)


def shown(progress: Progress) -> str:
    text = console(terminal=False)
    text.print(progress.table())
    return text.file.getvalue()


def test_without_a_terminal_one_line_per_ended_trial(clock):
    out = console(terminal=False)
    with Progress(rows(), out, clock) as progress:
        progress.started("id0")
        clock.now = 10
        progress.epoch("id0", 1, 2, 0.5, None)
        progress.ended("id0", "finished")
        progress.started("id1")
        progress.ended("id1", "failed", "ValueError: no")
    assert out.file.getvalue().splitlines() == [
        "implicit, fold all, seed 0: finished after 10 s",
        "sequential, fold all, seed 1: failed after 0 s: ValueError: no",
    ]


def test_without_a_terminal_totals_at_most_every_30_seconds(clock):
    out = console(terminal=False)
    with Progress(rows(1), out, clock) as progress:
        progress.started("id0")
        for epoch in range(1, 101):
            clock.now = float(epoch)
            progress.epoch("id0", epoch, 100, 0.5, None)
    lines = out.file.getvalue().splitlines()
    assert lines == [f"0 of 1 trials ended, 1 running, about {left} left" for left in ("1 min 10 s", "40 s", "10 s")]


def test_a_terminal_shows_the_table_and_causes_only(clock):
    out = console(terminal=True)
    with Progress(rows(), out, clock) as progress:
        progress.started("id0")
        progress.ended("id0", "finished")
        progress.ended("id1", "failed", "ValueError: no")
    text = out.file.getvalue()
    assert "fold all, seed 0: finished" not in text
    assert "sequential, fold all, seed 1: failed: ValueError: no" in text
    assert "2 of 3 trials ended" in text


def test_table_names_what_a_row_is_at(clock):
    progress = Progress(rows(), console(terminal=False), clock)
    progress.started("id0")
    clock.now = 60
    progress.epoch("id0", 2, 10, 0.123456, 0.7512)
    row = next(line for line in shown(progress).splitlines() if line.startswith("implicit"))
    assert row.split() == ["implicit", "all", "0", "2/10", "0.1235", "0.751", "running", "4", "min", "0", "s"]


def test_time_left_counts_pending_trials_at_the_pace_of_their_arm(clock):
    progress = Progress(rows(4), console(terminal=False), clock)
    progress.started("id0")
    progress.started("id1")
    clock.now = 10
    progress.epoch("id0", 1, 5, 1.0, None)  # implicit: 10 s an epoch
    clock.now = 20
    progress.epoch("id1", 5, 5, 1.0, None)
    progress.ended("id1", "finished")  # sequential: 4 s an epoch
    # 4 epochs of 10 s less the 10 s since the first; then 5 of 10 s for the pending implicit trial and 5 of 4 s for the sequential one.
    assert progress.left() == pytest.approx(30 + 50 + 20)


def test_no_time_left_before_the_first_epoch(clock):
    progress = Progress(rows(), console(terminal=False), clock)
    progress.started("id0")
    assert progress.left() is None
    assert progress.totals() == "0 of 3 trials ended, 1 running"


def test_says_that_workers_start_until_one_does(clock):
    progress = Progress(rows(), console(terminal=False), clock)
    assert progress.totals() == "0 of 3 trials ended, workers are starting"
    progress.started("id0")
    assert progress.totals() == "0 of 3 trials ended, 1 running"
    progress.correct("id0", "pending")
    assert progress.rows["id0"].state == "pending"


def test_a_low_terminal_shows_running_trials_first(clock):
    progress = Progress(rows(100), console(terminal=False, height=8), clock)
    progress.started("id90")
    text = shown(progress)
    assert "running" in text
    assert "... and 97 more" in text
    assert len(text.splitlines()) <= 8


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (59.6, "1 min 0 s"), (130, "2 min 10 s"), (3900, "1 h 5 min")])
def test_duration(seconds, text):
    assert duration(seconds) == text
