"""Which launches of a study live: each keeps a file with a heartbeat, so that those who look know it between two trials too."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studyhub.study.files import make_folder, now_on, read_json, write_json
from studyhub.study.leases import BEAT_EVERY, STALE_AFTER, repeating
from studyhub.study.process import Process, host

FOLDER = "launches"
# What was sent into the background, and how long it may take until it is seen: Ray starts, data are checked.
BACKGROUND, BEGIN_SECONDS = "launch.json", 120.0


@dataclass(frozen=True)
class Launch:
    """A launch that lives: where it runs, and since when (ISO, UTC)."""

    host: str
    pid: int
    begun: str


@contextmanager
def launching(study: Path, every: float = BEAT_EVERY) -> Iterator[None]:
    """Let others know meanwhile that this process launches the study in the folder ``study``."""
    this = Process.this()
    path = make_folder(study / FOLDER) / f"{host(this.machine)}-{this.pid}.json"
    write_json(path, this.record() | {"begun": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"})

    def beat() -> bool:
        with suppress(OSError):  # a filesystem that is away for a moment: the next beat may reach it
            os.utime(path)
        return True

    try:
        with repeating(beat, every, "heartbeat-launch"):
            yield
    finally:
        with suppress(OSError):
            path.unlink()


def launches(study: Path) -> tuple[Launch, ...]:
    """Launches of the study in the folder ``study`` that live, as far as that can be told from here."""
    found = []
    for path in sorted((study / FOLDER).glob("*.json")):
        try:
            record, beat = read_json(path) or {}, path.stat().st_mtime
        except (OSError, ValueError):
            continue
        process = Process.of(record)
        if process is not None and not process.dead() and now_on(study) - beat < STALE_AFTER:
            found.append(Launch(host(process.machine), process.pid, str(record.get("begun"))))
    return tuple(found)


def background(study: Path) -> dict[str, Any] | None:
    """Where the launch runs that was last sent into the background, and how it is followed and stopped; None where none was."""
    try:
        return read_json(study / BACKGROUND)
    except ValueError:
        return None


def begins(study: Path) -> bool:
    """Tell whether a launch was sent into the background so lately that it may not be seen yet."""
    try:
        return now_on(study) - (study / BACKGROUND).stat().st_mtime < BEGIN_SECONDS
    except OSError:
        return False
