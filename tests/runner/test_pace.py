"""Time left, on scripted studies whose truth is known."""

import heapq
import io
import itertools
from dataclasses import dataclass

import pytest
from rich.console import Console

from studyhub.runner.pace import Row, left
from studyhub.runner.progress import Progress
from studyhub.runner.show import Show


@dataclass(frozen=True)
class Script:
    """What a trial takes: seconds of start-up and loading, of each epoch, and of its judging."""

    loading: float
    epoch: float
    judging: float = 0.0


class Study:
    """Plays rows by their scripts, ``slots`` at once, and keeps what was estimated when."""

    def __init__(self, rows: list[Row], scripts: dict[str, Script], slots: int, resumed: dict[str, int] | None = None):
        self.now, self.scripts, self.resumed = 0.0, scripts, resumed or {}
        self.progress = Progress(rows, Show(Console(file=io.StringIO())), lambda: self.now)
        self.estimates: list[tuple[float, float | None]] = []
        self.waiting, self.queue, self.order = list(rows), [], itertools.count()
        for _ in range(slots):
            self.next()
        while self.queue:
            self.now, _, what = heapq.heappop(self.queue)
            what()
        self.end = self.now

    def at(self, seconds: float, what) -> None:
        heapq.heappush(self.queue, (self.now + seconds, next(self.order), what))

    def next(self) -> None:
        if self.waiting:
            row = self.waiting.pop(0)
            self.progress.started(row.trial)
            self.epoch(row, self.resumed.get(row.trial, 0) + 1, self.scripts[row.arm].loading)

    def epoch(self, row: Row, number: int, loading: float = 0.0) -> None:
        script, of = self.scripts[row.arm], 20

        def done() -> None:
            self.progress.epoch(row.trial, number, of, 0.5, None, script.epoch)
            self.estimates.append((self.now, self.progress.left()))
            if number < of:
                self.epoch(row, number + 1)
            else:
                self.at(script.judging, lambda: self.over(row))

        self.at(loading + script.epoch, done)

    def over(self, row: Row) -> None:
        self.progress.ended(row.trial, "finished")
        self.next()


def rows(arms: list[str]) -> list[Row]:
    return [Row(f"{arm}{n}", arm, "1", n, of=20) for n, arm in enumerate(arms)]


@pytest.mark.parametrize(
    ("arms", "scripts", "slots"),
    [
        (["a"], {"a": Script(20, 10)}, 1),
        (["a"] * 8, {"a": Script(20, 10)}, 2),
        (["a"] * 3, {"a": Script(20, 10)}, 2),  # the last one runs alone
        (["a"] * 2, {"a": Script(20, 10)}, 8),
        (["fast", "slow"], {"fast": Script(20, 1), "slow": Script(20, 10)}, 2),
    ],
)
def test_after_the_first_epoch_of_each_kind_the_estimate_is_within_a_fifth_of_the_truth(arms, scripts, slots):
    study = Study(rows(arms), scripts, slots)
    seen = max(scripts[arm].loading + scripts[arm].epoch for arm in set(arms))
    later = [(now, guess) for now, guess in study.estimates if now >= seen]
    for now, guess in later[: max(len(later) // 2, 1)]:
        assert guess == pytest.approx(study.end - now, rel=0.2)


def test_arms_have_paces_of_their_own():
    """One slow trial is known when the fast one is at its second; what is still to come of both is counted at its own pace."""
    some = rows(["fast", "slow", "fast", "slow"])
    for row, pace in ((some[0], 1.0), (some[1], 30.0)):
        row.begin(0.0)
        row.advance(20, 20, pace, 20.0)
        row.state, row.ended = "finished", 20.0
    assert left(some, 40.0) == pytest.approx(20 * 1 + 20 * 30)


def test_kinds_tell_trials_of_a_search_apart():
    some = [Row("small", "lstm", "1", 1, of=10, kind="s"), Row("large", "lstm", "1", 1, of=10, kind="l"), *rows(["gru"])]
    some[0].begin(0.0)
    some[0].advance(10, 10, 2.0, 20.0)
    some[0].state = "finished"
    assert left(some[:2], 50.0) == pytest.approx(20), "of another kind, the arm's pace is the best guess"
    some[1].begin(20.0)
    some[1].advance(1, 10, 8.0, 50.0)
    assert left(some[:2], 50.0) == pytest.approx(72)


def test_of_resumed_trials_the_remaining_epochs_count():
    study = Study(rows(["a", "a"]), {"a": Script(20, 10)}, 2, resumed={"a0": 15, "a1": 10})
    now, guess = study.estimates[1]
    assert guess == pytest.approx(study.end - now) == pytest.approx(90)


def test_judging_counts_once_it_is_known():
    study = Study(rows(["a"] * 4), {"a": Script(0, 1, judging=40)}, 1)
    now, guess = study.estimates[21]
    assert guess == pytest.approx(study.end - now, rel=0.01)


def test_at_the_change_from_one_trial_to_the_next_the_estimate_does_not_jump():
    some = rows(["a"] * 6)
    for row in some[:2]:
        row.begin(0.0)
        row.advance(1, 20, 1.0, 1.0)
    before = left(some, 1.0)
    some[0].state, some[0].ended = "finished", 1.0
    assert before == pytest.approx(59) and left(some, 1.0) == pytest.approx(59, abs=20)
    assert left(some, 60.0) > 60, "if nothing takes its place, one trial runs at once"


def test_a_child_begins_after_its_parent_and_not_without_it():
    some = rows(["a", "b", "c"])
    some[1].parent = "a0"
    some[0].begin(0.0)
    some[0].advance(1, 20, 1.0, 1.0)
    some[2].begin(0.0)
    some[2].advance(10, 20, 1.0, 1.0)
    assert left(some, 1.0) == pytest.approx(19 + 20)
    some[0].state, some[1].state = "failed", "blocked"
    assert left(some, 1.0) == pytest.approx(10), "what can never begin takes no time"


def test_nothing_is_estimated_before_the_first_epoch():
    some = rows(["a"])
    some[0].begin(0.0)
    assert left(some, 100.0) is None
    some[0].advance(1, 20, None, 100.0)
    assert left(some, 100.0) is None, "the first epoch without its own seconds is mixed with loading"
    some[0].advance(2, 20, None, 103.0)
    assert left(some, 103.0) == pytest.approx(18 * 3)


def test_validation_counts_from_the_second_epoch_on():
    some = rows(["a"])
    some[0].begin(0.0)
    some[0].advance(1, 20, 1.0, 30.0)
    some[0].advance(2, 20, 1.0, 35.0)
    assert some[0].pace == pytest.approx(3.0)


def test_ten_thousand_trials_are_estimated_at_once():
    import time

    some = rows(["a", "b"] * 5000)
    for row in some[:100]:
        row.begin(0.0)
        row.advance(1, 20, 1.0, 1.0)
    begun = time.perf_counter()
    assert left(some, 1.0) == pytest.approx(19 + 99 * 20)
    assert time.perf_counter() - begun < 0.5
