"""One launch of a study at a time, in an object store, where no file can be made by one process and no other.

A launch writes a file of its own and then looks for those of others; if there is one it takes its own back. So of two launches at once at
least one sees the other, in whichever order their requests come, as long as what is written is seen by whoever looks later (Amazon's and
Google's stores promise that). How long another was silent is told by the store's own times, so that no clocks are compared. A launch that
was silent for ``STALE_AFTER`` counts as dead; if it was only cut off, it sees that its file has gone, and stops. What both did meanwhile is
kept apart, and one of the results stands: where all this fails it costs time, never a result.
"""

import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from studyhub.errors import StoreError
from studyhub.object_store import Listed
from studyhub.study.launches import FOLDER
from studyhub.study.process import Process, host
from studyhub.study.remote.copies import Copy

STALE_AFTER = 120.0  # s
TRIES = 5


class SoleLaunch:
    """The right to launch a study from this copy of its home."""

    def __init__(self, copy: Copy, study: str, sleep: Callable[[float], None] = time.sleep):
        self.copy, self.study, self._sleep = copy, study, sleep
        this = Process.this()
        self._folder = f"studies/{study}/{FOLDER}"
        self._name = f"{host(this.machine)}-{this.pid}-{copy.token}.json"
        self._record = this.record() | {"begun": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}

    def take(self) -> None:
        """Take the study, or raise a StoreError that names who has it."""
        for left in reversed(range(TRIES)):
            self._write(holds=False)
            others = self._others()
            if not others:
                self._write(holds=True)
                return
            self.give_back()
            if left and not any(said.get("holds") for said, _ in others):  # two that came at once: not both may go
                self._sleep(random.uniform(0.2, 2.0))
                continue
            raise StoreError(self._refusal(*others[0]))

    def beat(self) -> bool:
        """Say that this launch lives; False where another has taken the study over, after a long silence."""
        if self._name not in self._there():
            return False
        self._write(holds=True)
        return True

    def give_back(self) -> None:
        self.copy.store.remove(f"{self._folder}/{self._name}")

    def _write(self, holds: bool) -> None:
        self.copy.store.write(f"{self._folder}/{self._name}", json.dumps(self._record | {"holds": holds}).encode())

    def _there(self) -> dict[str, Listed]:
        return {name.removeprefix(f"{self._folder}/"): listed for name, listed in self.copy.store.walk(self._folder).items()}

    def _others(self) -> list[tuple[dict[str, Any], float]]:
        """What other launches that live say of themselves, and how long ago [s]. Files of dead ones are removed."""
        there, found = self._there(), []
        now = max((listed.written for listed in there.values()), default=0.0)  # when our own was written
        for name, listed in there.items():
            if name == self._name:
                continue
            try:
                said = json.loads(self.copy.store.read(f"{self._folder}/{name}"))
            except (FileNotFoundError, ValueError):
                continue
            process = Process.of(said)
            if process is None or process.dead() or now - listed.written > STALE_AFTER:
                self.copy.store.remove(f"{self._folder}/{name}")
            else:
                found.append((said, now - listed.written))
        return found

    def _refusal(self, said: dict[str, Any], seconds: float) -> str:
        where = f"{host(said['machine'])}, process {said['pid']}, since {said.get('begun')}"
        left = max(1, round(STALE_AFTER - seconds))
        told = f"{self.copy.uri}: {self.study} is being launched already ({where}); from an object store, one launch of it runs at a time"
        return f"{told}. `studyhub status {self.study}` follows it; if that process is dead, launch again in {left} s"
