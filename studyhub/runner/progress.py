"""What becomes of the trials of a launch: a live table, lines, troubles only, or events, as its `Show` says."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from studyhub.runner.pace import AT_WORK, ENDED, Costs, Row, left
from studyhub.runner.show import Mode, Show
from studyhub.study.wording import duration, shortened

QUIET_SECONDS = 30.0
TO_COME = ("pending", "blocked")
COLOURS = {"running": "cyan", "finished": "green", "diverged": "yellow", "failed": "red", "stopped": "magenta"}
# Where a terminal is too low for all trials, what happens now is shown first, then what ended last, then what is still to come.
SHOWN_FIRST = ("running", "waiting", "failed", "diverged", "stopped", "finished", "pending", "blocked")
# Where it is too narrow for all columns and this many characters of an arm's name.
ARM_WIDTH = 32
DROPPED_FIRST = ("loss", "validation", "fold", "epoch")


class Progress:
    """Told of every trial's steps by the driver, from one thread.

    Parameters
    ----------
    rows : the trials to run
    show : where and how they are shown
    clock : seconds that only grow
    """

    def __init__(self, rows: Iterable[Row], show: Show, clock: Callable[[], float] = time.monotonic):
        self.rows: dict[str, Row] = {}
        self.show, self.clock = show, clock
        self._told = clock()
        self._live = (
            Live(get_renderable=self.table, console=show.console, refresh_per_second=2, vertical_overflow="crop")
            if show.mode is Mode.LIVE
            else None
        )
        self.add(rows)

    def __enter__(self) -> Self:
        if self._live is not None:
            self.show.console.print()
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()
        self._totals_event()

    def add(self, rows: Iterable[Row]) -> None:
        """Take in trials that were not known before. One takes the place of whatever was to come under the same name."""
        coming = {row.cell: name for name, row in self.rows.items() if row.state in TO_COME}
        for row in rows:
            if row.trial in self.rows and self.rows[row.trial].state not in TO_COME:
                continue  # it has begun meanwhile
            before = coming.get(row.cell)
            if before is not None and before != row.trial:
                del self.rows[before]
            self.rows[row.trial] = row

    def forget(self, trials: Iterable[str]) -> None:
        """Leave out trials that were to come, and will not."""
        for trial in trials:
            if trial in self.rows and self.rows[trial].state in TO_COME:
                del self.rows[trial]

    def started(self, trial: str) -> None:
        self.rows[trial].begin(self.clock())
        self._event("started", trial)

    def waiting(self, trial: str) -> None:
        """Another launch is at this trial."""
        self.rows[trial].state = "waiting"
        self._event("waiting", trial)

    def blocked(self, trial: str) -> None:
        """The trial that this one starts from has not finished."""
        self.rows[trial].state = "blocked"
        self._event("blocked", trial)

    def epoch(self, trial: str, number: int, of: int, loss: float, validation: float | None, seconds: float | None = None) -> None:
        """An epoch has ended after ``seconds`` of its own; ``validation`` is None where there is no validation."""
        row = self.rows[trial]
        row.loss, row.validation = loss, validation
        row.advance(number, of, seconds, self.clock())
        self._event("epoch", trial, epoch=number, of=of, loss=loss, validation=validation, seconds=seconds)
        if self.clock() - self._told >= QUIET_SECONDS:
            self._tell_totals()

    def ended(self, trial: str, state: str, cause: str | None = None) -> None:
        """A trial has ended as ``state``; ``cause`` is one line that says why, where it did not finish."""
        row = self.rows[trial]
        row.state, row.ended = state, self.clock()
        seconds = None if row.begun is None else row.ended - row.begun
        self._event("ended", trial, state=state, cause=cause, seconds=seconds)
        took = "" if seconds is None else f" after {duration(seconds)}"
        line = f"{row.name}: {state}{took}" + (f": {cause}" if cause else "")
        trouble = state == "failed" or (state == "diverged" and not row.may_diverge)
        if trouble or self.show.mode is Mode.LINES or (self.show.mode is Mode.LIVE and cause is not None):
            self.show.print(line)
            self._told = row.ended
        self._totals_event()

    def correct(self, trial: str, state: str) -> None:
        """Set the state of a trial that was given up without a word."""
        self.rows[trial].state = state

    def say(self, message: str) -> None:
        """One line, above the table where there is one."""
        self._told = self.clock()
        self.show.say(message)

    def warn(self, message: str) -> None:
        """One line that is shown even where quiet is asked for."""
        self._told = self.clock()
        self.show.warn(message)

    def totals(self) -> str:
        """Counts by state, and the time left where a first epoch allows to tell."""
        counts = self.counts()
        done = sum(counts.get(state, 0) for state in ENDED)
        parts = [f"{done} of {len(self.rows)} trials ended"]
        parts += [f"{counts[state]} {state}" for state in (*ENDED[1:], *AT_WORK, "blocked") if state in counts]
        if self.rows and counts.get("pending", 0) + counts.get("blocked", 0) == len(self.rows):
            parts.append("workers are starting")
        left = self.left()
        return ", ".join(parts) + ("" if not left else f", about {duration(left)} left")

    def counts(self) -> dict[str, int]:
        return dict(Counter(row.state for row in self.rows.values()))

    def left(self) -> float | None:
        """Seconds to the end of all trials, at the pace so far and with as many trials at once as now; None before the first epoch."""
        return left(list(self.rows.values()), self.clock())

    def table(self) -> RenderableType:
        """The live table: as many trials as fit the terminal, and one line of totals."""
        rows = sorted(self.rows.values(), key=lambda row: SHOWN_FIRST.index(row.state))
        room = max(self.show.console.height - 5, 3)
        chosen = {row.trial for row in (rows if len(rows) <= room else rows[:room])}
        shown = [row for row in self.rows.values() if row.trial in chosen]
        more = [Text(f"... and {len(rows) - len(shown)} more", style="dim")] if len(shown) < len(rows) else []
        costs, now = Costs(rows), self.clock()
        cells = [self._cells(row, duration(costs.left(row, now)) if costs.known and row.state == "running" else "") for row in shown]
        return Group(self._grid(cells), *more, Text(self.totals(), style="bold"))

    def _cells(self, row: Row, left: str) -> dict[str, str | Text]:
        return {
            "arm": row.arm,
            "fold": row.fold,
            "seed": str(row.seed) if row.number is None else f"search {row.number}",
            "epoch": f"{row.epoch}/{row.of}" if row.epoch else "",
            "loss": "" if row.loss is None else f"{row.loss:.4g}",
            "validation": "" if row.validation is None else f"{row.validation:.3f}",
            "state": Text(row.state, style=COLOURS.get(row.state, "dim")),
            "time left": left,
        }

    def _grid(self, rows: list[dict[str, str | Text]]) -> Table:
        """Columns that say something, as many as fit; of long names the middle goes first, for their ends tell arms apart."""
        told = {name: dict.fromkeys(str(row[name]) for row in rows) for name in (rows[0] if rows else ())}
        widths = {name: max(len(name), *map(len, values)) + 2 for name, values in told.items()}
        names = [name for name, values in told.items() if list(values) != [""] and (name not in ("fold", "seed") or len(values) > 1)]
        room = self.show.console.width - sum(widths[name] for name in names if name != "arm")
        for name in DROPPED_FIRST:
            if name in names and room < min(widths["arm"], ARM_WIDTH):
                names.remove(name)
                room += widths[name]
        grid = Table(*names, box=None, header_style="bold", pad_edge=False)
        for column in grid.columns:
            column.no_wrap = True
        arms = dict(zip(told["arm"], shortened(told["arm"], max(room, 3)), strict=True)) if rows else {}
        for row in rows:
            grid.add_row(*(arms[str(row[name])] if name == "arm" else row[name] for name in names))
        return grid

    def _tell_totals(self) -> None:
        self._totals_event()
        self._told = self.clock()
        if self.show.mode is Mode.LINES:
            self.show.print(self.totals())

    def _totals_event(self) -> None:
        self.show.event("totals", trials=len(self.rows), counts=self.counts(), seconds_left=self.left())

    def _event(self, event: str, trial: str, **facts: Any) -> None:
        row = self.rows[trial]
        self.show.event(event, trial=trial, arm=row.arm, fold=row.fold, seed=row.seed, number=row.number, **facts)
