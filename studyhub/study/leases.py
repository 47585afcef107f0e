"""Who runs a trial: one process at a time, on however many machines share the folder.

Leases are numbered and never deleted. Taking over from a dead process is creating the next number, which the filesystem lets one
process do and no other (O_CREAT | O_EXCL); a process that judged too late finds that number taken. Deleting a stale lease could not be
made safe: between judging and deleting, it may have become someone else's.
"""

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studyhub.study.files import make_folder, now_on, read_json, write_json, writing
from studyhub.study.process import Process

STALE_AFTER = 60.0  # s without a heartbeat
BEAT_EVERY = 10.0  # s
ENDS = ("finished", "diverged")
RESULT, FAILURE, STOPPED = "result.json", "failure.json", "stopped.json"
LEASE = re.compile(r"lease-(\d+)\.json")


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
        """Say that this process lives. False where the lease is lost: it was silent for too long, and another process has taken over."""
        try:
            os.utime(_path(self.trial_folder, self.number))
        except FileNotFoundError:
            return False
        except OSError:
            pass  # a filesystem that is away for a moment: the next beat may reach it
        return self.held()

    def held(self) -> bool:
        return not _path(self.trial_folder, self.number + 1).exists()

    @contextmanager
    def beating(self, every: float = BEAT_EVERY) -> Iterator[None]:
        """Beat from a thread of its own [s], however long an epoch takes."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(every) and self.heartbeat():
                pass

        thread = threading.Thread(target=beat, name=f"heartbeat-{self.attempt}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def finish(self, result: Mapping[str, Any]) -> bool:
        """Write result.json, the last file of a trial. False, and nothing written, where the lease is lost."""
        assert result.get("state") in ENDS, f"a result's state is one of {ENDS}, got {result.get('state')!r}"
        if not self.held():
            return False
        write_json(self.trial_folder / RESULT, {**result, "attempt": self.attempt})
        return True

    def fail(self, cause: Mapping[str, Any]) -> None:
        """Give the trial up, saying why; a later launch may run it again."""
        write_json(self.folder / FAILURE, cause)

    def release(self) -> None:
        """Give the trial back without a result: it was stopped."""
        write_json(self.folder / STOPPED, {})


def take(folder: Path) -> Lease | None:
    """Claim the trial in ``folder``; None where a live process holds it, or another one was quicker."""
    number = latest(folder)
    if number and not _ended(folder, number) and is_live(folder, number):
        return None
    path = _path(folder, number + 1)
    with writing(path):
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return None
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(Process.this().record(), file)
    lease = Lease(folder, number + 1)
    make_folder(lease.folder)
    return lease


def latest(folder: Path) -> int:
    """Number of the latest attempt; 0 where there was none."""
    try:
        numbers = [int(match[1]) for name in os.listdir(folder) if (match := LEASE.fullmatch(name))]
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return max(numbers, default=0)


def is_live(folder: Path, number: int) -> bool:
    """Tell whether the process that holds this lease still lives, as far as that can be told from here."""
    path = _path(folder, number)
    try:
        beat = path.stat().st_mtime
    except FileNotFoundError:
        return False
    try:
        holder = Process.of(read_json(path) or {})
    except ValueError:  # the holder is just writing it, or died while it did
        holder = None
    if holder is not None and holder.dead():
        return False
    return now_on(folder) - beat < STALE_AFTER


def attempt_name(number: int) -> str:
    return f"attempt-{number:03}"


def _ended(folder: Path, number: int) -> bool:
    attempt = folder / attempt_name(number)
    return (attempt / FAILURE).exists() or (attempt / STOPPED).exists()


def _path(folder: Path, number: int) -> Path:
    return folder / f"lease-{number:03}.json"
