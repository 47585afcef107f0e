"""What runs of a study, how fast it goes, and how long it will take."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import fmean, median
from typing import Any

from studyhub.study.epochs import latest_epochs
from studyhub.study.leases import RESULT, read_lease
from studyhub.study.process import host
from studyhub.study.standing import Standing

WINDOW = 3600.0  # s: how far back the pace looks


@dataclass(frozen=True)
class Member:
    """A trial of a study: one that answers a cell, or the training ``number`` of its arm's search, which has no seed of the study's."""

    arm: str
    fold: int
    seed: int | None
    trial: str
    number: int | None = None


@dataclass(frozen=True)
class Running:
    """A trial that runs.

    Parameters
    ----------
    host, pid, device : where; None where it does not say
    begun : when this attempt began (ISO, UTC)
    epoch, of : the last epoch that has ended, and how many there are to be; 0 and None before the first
    seconds_per_epoch : of the latest epochs; None before the first
    """

    arm: str
    fold: int
    seed: int | None
    trial: str
    host: str | None
    pid: int | None
    device: str | None
    begun: str | None
    epoch: int = 0
    of: int | None = None
    seconds_per_epoch: float | None = None
    number: int | None = None

    def seconds(self, now: float) -> float:
        """Time since it began [s]; 0 where that is not known."""
        try:
            return max(0.0, now - datetime.fromisoformat(self.begun or "").timestamp())
        except ValueError:
            return 0.0


@dataclass(frozen=True)
class Pace:
    """How fast a study goes.

    Parameters
    ----------
    hours : how far back it looks: to the begin of what runs or has ended since, at most an hour
    ended : trials that have finished or diverged since
    trials_per_hour : None where there is nothing to tell it by
    seconds_per_epoch : by arm, of what runs now
    """

    hours: float = 0.0
    ended: int = 0
    trials_per_hour: float | None = None
    seconds_per_epoch: Mapping[str, float] = field(default_factory=dict)


def running(member: Member, folder: Path, standing: Standing) -> Running:
    """Where a trial runs, and how far it is."""
    lease = read_lease(folder, standing.attempt)
    record: Mapping[str, Any] = lease[0] if lease else {}
    machine, pid, device, begun = (record.get(key) for key in ("machine", "pid", "device", "begun"))
    epochs = latest_epochs(folder, standing.attempt)
    last, spent = epochs[-1].content if epochs else {}, [epoch.content.get("seconds") for epoch in epochs]
    known = [seconds for seconds in spent if isinstance(seconds, int | float)]
    return Running(
        member.arm,
        member.fold,
        member.seed,
        member.trial,
        host(machine) if isinstance(machine, str) else None,
        pid if isinstance(pid, int) else None,
        device if isinstance(device, str) else None,
        begun if isinstance(begun, str) else None,
        epochs[-1].number if epochs else 0,
        last.get("of") if isinstance(last.get("of"), int) else None,
        fmean(known) if known else None,
        member.number,
    )


def pace(ended: Iterable[tuple[float, float]], runs: Iterable[Running], now: float) -> Pace:
    """How fast it goes.

    Parameters
    ----------
    ended : when each trial ended [s since 1970], and how many seconds it took
    now : the time on the store's filesystem
    """
    runs = tuple(runs)
    lately = [(at, seconds) for at, seconds in ended if now - at <= WINDOW]
    begins = [at - seconds for at, seconds in lately] + [now - run.seconds(now) for run in runs]
    hours = (now - max(min(begins), now - WINDOW)) / 3600 if begins else 0.0
    epochs: dict[str, list[float]] = {}
    for run in runs:
        if run.seconds_per_epoch is not None:
            epochs.setdefault(run.arm, []).append(run.seconds_per_epoch)
    rate = len(lately) / hours if lately and hours > 0 else None
    return Pace(hours, len(lately), rate, {arm: fmean(seconds) for arm, seconds in epochs.items()})


def seconds_left(waiting: Iterable[str], ended: Iterable[tuple[str, float]], runs: Iterable[Running], now: float) -> float | None:
    """Time until all is done, with as many trials running as now; None where nothing runs, or nothing has ended an epoch yet.

    Parameters
    ----------
    waiting : the arm of each trial that is still to be run
    ended : the arm of each trial that has finished, and the seconds it took
    """
    runs = tuple(runs)
    whole = _Whole(ended, runs)
    remaining = [whole.left(run, now) for run in runs]
    parts = [*remaining, *map(whole.of, waiting)]
    known = [seconds for seconds in parts if seconds is not None]
    if not runs or len(known) < len(parts):
        return None
    return max(sum(known) / len(runs), max(seconds or 0.0 for seconds in remaining))


class _Whole:
    """What a trial takes from begin to end, by those of its arm, else by all."""

    def __init__(self, ended: Iterable[tuple[str, float]], runs: tuple[Running, ...]):
        found: dict[str, list[float]] = {}
        for arm, seconds in ended:
            found.setdefault(arm, []).append(seconds)
        self.finished = {arm: median(seconds) for arm, seconds in found.items()}
        judged = [(run.arm, run.of * run.seconds_per_epoch) for run in runs if run.of and run.seconds_per_epoch is not None]
        self.arms = dict(judged) | self.finished
        self.any = fmean(self.arms.values()) if self.arms else None

    def of(self, arm: str) -> float | None:
        return self.arms.get(arm, self.any)

    def left(self, run: Running, now: float) -> float | None:
        if run.of and run.seconds_per_epoch is not None:
            return (run.of - run.epoch) * run.seconds_per_epoch
        whole = self.of(run.arm)
        return None if whole is None else max(0.0, whole - run.seconds(now))


def end_of(folder: Path, standing: Standing) -> tuple[float, float] | None:
    """When a trial ended [s since 1970] and how many seconds it took; None where it has no result, or that does not say."""
    seconds = standing.result.get("seconds")
    try:
        return ((folder / RESULT).stat().st_mtime, float(seconds)) if isinstance(seconds, int | float) else None
    except OSError:
        return None
