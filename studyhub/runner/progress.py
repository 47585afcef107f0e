"""What a running study shows: one live table on a terminal; elsewhere a line per ended trial and, at most every 30 s, one of totals."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

QUIET_SECONDS = 30.0
COLOURS = {"running": "cyan", "finished": "green", "diverged": "yellow", "failed": "red", "stopped": "magenta"}
ENDED = ("finished", "diverged", "failed", "stopped")
# Where a terminal is too low for all trials, what happens now is shown first, then what ended last, then what is still to come.
SHOWN_FIRST = ("running", "waiting", "failed", "diverged", "stopped", "finished", "pending")


@dataclass
class Row:
    """One trial as its cell names it. ``begun``, ``reached`` (end of the last epoch) and ``ended`` are readings of `Progress`'s clock."""

    trial: str
    arm: str
    fold: str
    seed: int
    state: str = "pending"
    epoch: int = 0
    of: int | None = None
    loss: float | None = None
    validation: float | None = None
    begun: float | None = None
    reached: float | None = None
    ended: float | None = None

    @property
    def name(self) -> str:
        return f"{self.arm}, fold {self.fold}, seed {self.seed}"

    @property
    def pace(self) -> float | None:
        """Seconds per epoch so far."""
        return None if self.begun is None or self.reached is None else (self.reached - self.begun) / self.epoch

    def left(self, now: float, pace: float, of: int) -> float:
        """Seconds to the end of ``of`` epochs at ``pace`` seconds per epoch."""
        return max((of - self.epoch) * pace - (0.0 if self.reached is None else now - self.reached), 0.0)


class Progress:
    """Told of every trial's steps by the driver, from one thread.

    Parameters
    ----------
    rows : the trials to run
    console : where to show them; a live table only where it is a terminal
    clock : seconds that only grow
    """

    def __init__(self, rows: Iterable[Row], console: Console, clock: Callable[[], float] = time.monotonic):
        self.rows = {row.trial: row for row in rows}
        self.console, self.clock = console, clock
        self._said = clock()
        self._live = Live(get_renderable=self.table, console=console, refresh_per_second=2) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def started(self, trial: str) -> None:
        row = self.rows[trial]
        row.state, row.begun = "running", self.clock()

    def waiting(self, trial: str) -> None:
        """Another launch is at this trial."""
        self.rows[trial].state = "waiting"

    def epoch(self, trial: str, number: int, of: int, loss: float, validation: float | None) -> None:
        """An epoch has ended; ``validation`` is None where there is no validation."""
        row = self.rows[trial]
        row.state, row.epoch, row.of, row.loss, row.validation = "running", number, of, loss, validation
        row.reached = self.clock()
        if self._live is None and self.clock() - self._said >= QUIET_SECONDS:
            self.say(self.totals())

    def ended(self, trial: str, state: str, cause: str | None = None) -> None:
        """A trial has ended as ``state``; ``cause`` is one line that says why, where it did not finish."""
        row = self.rows[trial]
        row.state, row.ended = state, self.clock()
        if cause is not None or self._live is None:
            took = "" if row.begun is None else f" after {duration(row.ended - row.begun)}"
            self.say(f"{row.name}: {state}{took}" + (f": {cause}" if cause else ""))

    def correct(self, trial: str, state: str) -> None:
        """Set the state of a trial that was given up without a word."""
        self.rows[trial].state = state

    def say(self, message: str) -> None:
        """One line, above the table where there is one."""
        self._said = self.clock()
        self.console.print(Text(message), soft_wrap=True)

    def totals(self) -> str:
        """Counts by state, and the time left where a first epoch allows to tell."""
        counts = Counter(row.state for row in self.rows.values())
        done = sum(counts[state] for state in ENDED)
        parts = [f"{done} of {len(self.rows)} trials ended"]
        parts += [f"{counts[state]} {state}" for state in (*ENDED[1:], "running", "waiting") if counts[state]]
        if counts["pending"] == len(self.rows):
            parts.append("workers are starting")
        left = self.left()
        return ", ".join(parts) + ("" if not left else f", about {duration(left)} left")

    def left(self) -> float | None:
        """Seconds to the end of all trials, at the pace so far and with as many trials at once as now; None before the first epoch."""
        paced = [(row, row.pace, row.of) for row in self.rows.values() if row.pace is not None and row.of is not None]
        if not paced:
            return None
        left = 0.0
        for row in self.rows.values():
            if row.state not in ENDED:
                like = [(pace, of) for other, pace, of in paced if other.arm == row.arm] or [(pace, of) for _, pace, of in paced]
                left += row.left(self.clock(), sum(pace for pace, _ in like) / len(like), max(of for _, of in like))
        return left / max(sum(row.state == "running" for row in self.rows.values()), 1)

    def table(self) -> RenderableType:
        """The live table: as many trials as fit the terminal, and one line of totals."""
        columns = ("arm", "fold", "seed", "epoch", "loss", "validation", "state", "time left")
        table = Table(*columns, box=None, header_style="bold", pad_edge=False)
        rows = sorted(self.rows.values(), key=lambda row: SHOWN_FIRST.index(row.state))
        room = max(self.console.height - 5, 3)
        shown = {row.trial for row in (rows if len(rows) <= room else rows[:room])}
        for row in self.rows.values():
            if row.trial in shown:
                table.add_row(*self._cells(row))
        more = [Text(f"... and {len(rows) - len(shown)} more", style="dim")] if len(shown) < len(rows) else []
        return Group(table, *more, Text(self.totals(), style="bold"))

    def _cells(self, row: Row) -> list[str | Text]:
        return [
            row.arm,
            row.fold,
            str(row.seed),
            f"{row.epoch}/{row.of}" if row.of else "",
            "" if row.loss is None else f"{row.loss:.4g}",
            "" if row.validation is None else f"{row.validation:.3f}",
            Text(row.state, style=COLOURS.get(row.state, "dim")),
            self._left(row),
        ]

    def _left(self, row: Row) -> str:
        if row.state != "running" or row.pace is None or row.of is None:
            return ""
        return duration(row.left(self.clock(), row.pace, row.of))


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(7.4), duration(130), duration(3900)
    ('7 s', '2 min 10 s', '1 h 5 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
