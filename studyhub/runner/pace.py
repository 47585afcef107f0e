"""How long the trials of a launch will still take, judged by their epochs so far."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

ENDED = ("finished", "diverged", "failed", "stopped")
AT_WORK = ("running", "waiting")
# A worker that has ended one trial begins the next within this time [s]: until then its place counts as taken.
CHANGE_SECONDS = 10.0


@dataclass
class Row:
    """One trial as its cell names it. ``begun``, ``reached`` (end of the last epoch) and ``ended`` are readings of one clock, in s.

    Parameters
    ----------
    trial : its id
    of : epochs that it is to train
    kind : trials of one kind take equally long; None: those of an arm do
    parent : id of the trial that it starts from
    may_diverge : a divergence is nothing to worry about
    number : of a training within its arm's search
    """

    trial: str
    arm: str
    fold: str
    seed: int
    of: int | None = None
    kind: str | None = None
    parent: str | None = None
    may_diverge: bool = False
    number: int | None = None
    state: str = "pending"
    epoch: int = 0
    loss: float | None = None
    validation: float | None = None
    begun: float | None = None
    reached: float | None = None
    ended: float | None = None
    counted: int = 0
    spent: float = 0.0

    @property
    def cell(self) -> tuple[str, str, int, int | None]:
        return self.arm, self.fold, self.seed, self.number

    @property
    def name(self) -> str:
        return f"{self.arm}, fold {self.fold}, " + (f"seed {self.seed}" if self.number is None else f"search {self.number}")

    def begin(self, now: float) -> None:
        self.state, self.begun, self.reached, self.ended, self.counted, self.spent = "running", now, None, None, 0, 0.0

    def advance(self, number: int, of: int, seconds: float | None, now: float) -> None:
        """Count an epoch that took ``seconds``.

        Of the first one here only these count: the time before it went into starting up, loading, and epochs of earlier attempts. From
        then on the clock counts, which knows of validation and checkpoints too.
        """
        took = seconds if self.reached is None else now - self.reached
        if took is not None:
            self.counted, self.spent = self.counted + 1, self.spent + took
        self.state, self.epoch, self.of, self.reached = "running", number, of, now

    @property
    def pace(self) -> float | None:
        """Seconds per epoch so far."""
        return self.spent / self.counted if self.counted else None

    @property
    def judging(self) -> float | None:
        """Seconds from the last epoch to the end of a trial that has finished."""
        return self.ended - self.reached if self.state == "finished" and self.ended is not None and self.reached is not None else None


def left(rows: Sequence[Row], now: float) -> float | None:
    """Seconds to the end of all trials, with as many at once as now; None before the first epoch.

    Each trial goes to the worker that is free first, and not before its parent has ended.
    """
    whole = Costs(rows)
    if not whole.known:
        return None
    ends: dict[str, float] = {}
    pending: list[Row] = []
    for row in rows:
        if row.state in AT_WORK:
            ends[row.trial] = whole.left(row, now)
        elif row.state not in ENDED:
            pending.append(row)
    free = [*ends.values(), *[0.0] * min(_changing(rows, now), len(pending))] or [0.0]
    heapq.heapify(free)
    gone = {row.trial for row in rows if row.state in ENDED and row.state != "finished"}
    for row in sorted(pending, key=lambda row: row.parent is not None):
        if row.parent in gone:  # it can never begin
            gone.add(row.trial)
            continue
        begins = max(heapq.heappop(free), ends.get(row.parent or "", 0.0))
        ends[row.trial] = begins + whole.left(row, now)
        heapq.heappush(free, ends[row.trial])
    return max(ends.values(), default=0.0)


def _changing(rows: Sequence[Row], now: float) -> int:
    """Workers that have just ended a trial, and not begun another."""
    ends = [row.ended for row in rows if row.ended is not None and row.state in ENDED and now - row.ended < CHANGE_SECONDS]
    begun = sum(row.begun is not None and row.begun >= min(ends) for row in rows) if ends else 0
    return max(len(ends) - begun, 0)


class Costs:
    """What trials cost, by those like them: of the same kind, else the same arm, else any."""

    def __init__(self, rows: Sequence[Row]):
        self.pace = _Means(rows, lambda row: row.pace)
        self.judging = _Means(rows, lambda row: row.judging)
        self.epochs = _Means(rows, lambda row: row.of)
        self.known = self.pace.known

    def left(self, row: Row, now: float) -> float:
        """Seconds that this one still takes from ``now``."""
        pace = row.pace or self.pace.of(row)
        since = 0.0 if row.reached is None else now - row.reached
        epochs = (row.of or self.epochs.of(row)) - row.epoch
        return max(epochs * pace + self.judging.of(row) - since, 0.0)


class _Means:
    def __init__(self, rows: Sequence[Row], value: Callable[[Row], float | None]):
        found: dict[tuple[str, ...], list[float]] = {}
        for row in rows:
            known = value(row)
            if known is not None:
                for like in _likes(row):
                    found.setdefault(like, []).append(known)
        self.means = {like: fmean(values) for like, values in found.items()}
        self.known = bool(found)

    def of(self, row: Row) -> float:
        return next((self.means[like] for like in _likes(row) if like in self.means), 0.0)


def _likes(row: Row) -> tuple[tuple[str, ...], ...]:
    """Groups that a row belongs to, the closest first."""
    return ("kind", row.kind or row.arm), ("arm", row.arm), ()
