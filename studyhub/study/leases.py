"""Who runs a trial: one process at a time, on however many machines share the folder.

Leases are numbered and never deleted. Taking over from a dead process is creating the next number, which the filesystem lets one
process do and no other (O_CREAT | O_EXCL); a process that judged too late finds that number taken. Deleting a stale lease could not be
made safe: between judging and deleting, it may have become someone else's.

What holds: a trial is run by one process at a time, as long as none is silent for more than ``STALE_AFTER``. One that was (its machine
slept, its disk was away) and wakes may do some work beside its successor, until the end of its epoch; still the trial gets one result, for
``result.json`` is made by whoever is first and never replaced. What its loser did lies in a folder of its own, and counts nowhere.
"""

import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from studyhub.study import costs
from studyhub.study.files import name_once, now_on, read_json, write_json, write_json_once, writing
from studyhub.study.process import Process

STALE_AFTER = 60.0  # s without a heartbeat
BEAT_EVERY = 10.0  # s
ENDS = ("finished", "diverged")
RESULT, FAILURE, STOPPED = "result.json", "failure.json", "stopped.json"
LEASE, ATTEMPT = re.compile(r"lease-(\d+)\.json"), re.compile(r"attempt-\d{3,9}")


@dataclass(frozen=True)
class Lease:
    """The right to run one attempt of a trial; ``folder`` is where the attempt writes its files."""

    trial_folder: Path
    number: int

    @property
    def attempt(self) -> str:
        return attempt_name(self.number)

    @property
    def folder(self) -> Path:
        return self.trial_folder / self.attempt

    def heartbeat(self) -> bool:
        """Say that this process lives. False where the lease is lost: see ``held``."""
        try:
            os.utime(lease_path(self.trial_folder, self.number))
        except FileNotFoundError:
            return False
        except OSError:
            pass  # a filesystem that is away for a moment: the next beat may reach it
        return self.held()

    def held(self) -> bool:
        """Tell whether the trial is still this process's. Another may have taken over after a long silence, and may have ended it since."""
        return not os.path.exists(lease_path(self.trial_folder, self.number + 1)) and usable_result(self.trial_folder) is None

    @contextmanager
    def beating(self, every: float = BEAT_EVERY) -> Iterator[None]:
        """Beat from a thread of its own [s], however long an epoch takes."""
        with repeating(self.heartbeat, every, f"heartbeat-{self.attempt}"):
            yield

    def finish(self, result: Mapping[str, Any]) -> bool:
        """Write result.json, the last file of a trial. False, and nothing written, where the lease is lost or the trial has a result.

        Between the look at the lease and the writing another process may take over; then whoever finishes first has the result.
        """
        assert result.get("state") in ENDS, f"a result's state is one of {ENDS}, got {result.get('state')!r}"
        if not self.held():
            return False
        path, content = self.trial_folder / RESULT, {**result, "attempt": self.attempt}
        if not write_json_once(path, content):
            self._set_aside(path)
            if not write_json_once(path, content):
                return False
        costs.note(self.trial_folder, content)
        return True

    def _set_aside(self, path: Path) -> None:
        """Move a damaged result out of the way. One that another process has made whole meanwhile stays, or goes back."""
        if usable_result(self.trial_folder) is None:
            aside = self.folder / f"damaged-{path.name}"
            with writing(path), suppress(FileNotFoundError, ValueError):
                os.rename(path, aside)
                if _usable(aside, self.trial_folder) is not None:
                    name_once(aside, path)

    def fail(self, cause: Mapping[str, Any]) -> None:
        """Give the trial up, saying why; a later launch may run it again."""
        write_json(self.folder / FAILURE, cause)

    def release(self, told: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Give the trial back without a result: it was stopped. ``told`` is what the next attempt, or a search, must know of it."""
        write_json(self.folder / STOPPED, told)


@contextmanager
def repeating(act: Callable[[], bool], every: float, name: str) -> Iterator[None]:
    """Do something every few seconds, from a thread of its own, until it says False."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(every) and act():
            pass

    thread = threading.Thread(target=repeat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def take(folder: Path, device: str | None = None) -> Lease | None:
    """Claim the trial in ``folder``; None where a live process holds it, or another one was quicker.

    Parameters
    ----------
    device : what it will run on, for those who look
    """
    number = latest(folder)
    if number and not _ended(folder, number) and is_live(folder, number):
        return None
    path = lease_path(folder, number + 1)
    record = Process.this().record() | {"device": device, "begun": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    lease = Lease(folder, number + 1)
    with writing(path):
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return None
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(record, file)
            lease.folder.mkdir(exist_ok=True)
        except OSError:
            # A full disk. What is so new that nobody can have judged it stale is no trial that runs.
            os.unlink(path)
            raise
    return lease


def read_result(folder: Path) -> dict[str, Any] | None:
    """What result.json says; None where there is none.

    Raises
    ------
    ValueError
        It cannot be used: what is wrong with it.
    """
    return _usable(f"{folder}/{RESULT}", folder)


def usable_result(folder: Path) -> dict[str, Any] | None:
    """What result.json says; None where there is none that can be used."""
    try:
        return read_result(folder)
    except ValueError:
        return None


def _usable(path: Path | str, folder: Path) -> dict[str, Any] | None:
    result = read_json(path)
    if result is None:
        return None
    attempt = result.get("attempt")
    if result.get("state") not in ENDS or not isinstance(attempt, str) or not ATTEMPT.fullmatch(attempt):
        raise ValueError(f"{path}: incomplete or damaged")
    if not os.path.isdir(f"{folder}/{attempt}"):
        raise ValueError(f"{folder / attempt}: missing, though {RESULT} names it")
    return result


def latest(folder: Path) -> int:
    """Number of the latest attempt; 0 where there was none."""
    try:
        numbers = [int(match[1]) for name in os.listdir(folder) if (match := LEASE.fullmatch(name))]
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return max(numbers, default=0)


def is_live(folder: Path, number: int, now: Callable[[], float] | None = None) -> bool:
    """Tell whether the process that holds this lease still lives, as far as that can be told from here.

    ``now`` gives the time on that filesystem, for those who ask of many trials.
    """
    lease = read_lease(folder, number)
    if lease is None:
        return False
    record, beat = lease
    holder = Process.of(record)
    if holder is not None and holder.dead():
        return False
    return (now() if now else now_on(folder)) - beat < STALE_AFTER


def read_lease(folder: Path, number: int) -> tuple[dict[str, Any], float] | None:
    """Who holds a trial, and the time of the last heartbeat; None where there is no such lease.

    One that is just being written, or whose writer died at it, says nothing: {}.
    """
    path = lease_path(folder, number)
    try:
        # A network filesystem asks its server for the times of a file that is opened; a mere look may be answered from memory.
        with path.open("rb") as file:
            content, beat = file.read(), os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None
    except OSError:
        content, beat = b"", path.stat().st_mtime
    try:
        record = json.loads(content)
    except ValueError:
        record = None
    return record if isinstance(record, dict) else {}, beat


def attempt_name(number: int) -> str:
    return f"attempt-{number:03}"


def number_of(attempt: str) -> int:
    """Number of an attempt by its folder's name."""
    return int(attempt.rpartition("-")[2])


def _ended(folder: Path, number: int) -> bool:
    attempt = folder / attempt_name(number)
    return (attempt / FAILURE).exists() or (attempt / STOPPED).exists()


def lease_path(folder: Path, number: int) -> Path:
    return folder / f"lease-{number:03}.json"
