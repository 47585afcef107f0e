"""A worker at a trial of a home in an object store: what it needs comes before, what it makes goes there meanwhile and in the end."""

import socket
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from studyhub.errors import StoreError
from studyhub.object_store import cause
from studyhub.study.leases import latest, number_of, read_lease, usable_result
from studyhub.study.process import Process
from studyhub.study.remote.copies import Copy
from studyhub.study.remote.fetching import LOG, is_ours
from studyhub.study.remote.sending import Outgoing

STEP = 2.0  # s
BEAT_EVERY = 20.0  # s
FILES_EVERY = 30.0  # s, of which a kill may lose the epochs
STOP_EVERY = 10.0  # s
PATIENCE = 600.0  # s for an object store that is away in the end


class AtWork:
    """One trial that this process may be at; ``stop`` is the file that ends the launch."""

    def __init__(self, copy: Copy, trial: str, stop: Path | None):
        self.copy, self.trial, self.stop = replace(copy, patience=0.0), trial, stop
        self._outgoing: Outgoing | None = None
        self._last: dict[str, float] = {}
        self._away = False

    def step(self) -> bool:
        """Do what is due; never for long, and never an error."""
        try:
            if self._outgoing is None:
                self._outgoing = self._own()
            if self._outgoing is not None:
                if self._is_due("beat", BEAT_EVERY):
                    self._outgoing.send_lease()
                if self._is_due("files", FILES_EVERY):
                    self._outgoing.send_files()
            if self.stop is not None and not self.stop.exists() and self._is_due("stop", STOP_EVERY):
                self._look_for_stop(self.stop)
            if self._away:
                self._say("the object store answers again")
                self._away = False
        except OSError as error:
            if not self._away:
                self._say(f"{self.copy.uri}: {cause(error)}; the work goes on, and what it brings is sent later")
                self._away = True
        return True

    def finish(self) -> None:
        """Send all that is new, a result last. An object store that is away is waited for.

        Raises
        ------
        StoreError
            It was away for too long: the next launch from this copy sends what it lacks.
        """
        outgoing = self._outgoing = self._outgoing or self._own()
        if outgoing is None:
            return
        outgoing.copy = replace(self.copy, patience=PATIENCE)
        try:
            result = usable_result(outgoing.folder)
            if result is not None and number_of(result["attempt"]) == outgoing.number:
                outgoing.send_result()
            else:
                outgoing.send_files()
            outgoing.send_lease()
        except OSError as error:
            kept = f"what the trial has brought is kept in {outgoing.attempt} on {socket.gethostname()}"
            self._say(f"{self.copy.uri}: {cause(error)}; {kept}")
            raise StoreError(f"{self.copy.uri}: {cause(error)}; {kept}, and the next launch from there sends it") from None

    def _own(self) -> Outgoing | None:
        """Return the attempt that this process has made, if it has made one."""
        folder = self.copy.trial_folder(self.trial)
        number = latest(folder)
        lease = read_lease(folder, number) if number and is_ours(folder, number) else None
        return Outgoing(self.copy, self.trial, number) if lease and Process.of(lease[0]) == Process.this() else None

    def _is_due(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if now - self._last.get(what, float("-inf")) < every:
            return False
        self._last[what] = now
        return True

    def _look_for_stop(self, stop: Path) -> None:
        """A launch on another machine says here that it is to end."""
        with suppress(FileNotFoundError):
            self.copy.store.size(f"store/stops/{stop.name}")
            stop.parent.mkdir(parents=True, exist_ok=True)
            stop.touch()

    def _say(self, text: str) -> None:
        if self._outgoing is not None:
            with suppress(OSError), open(self._outgoing.attempt / LOG, "a", encoding="utf-8") as file:
                file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n")
