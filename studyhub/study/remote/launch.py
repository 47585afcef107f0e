"""A launch of a study of a home in an object store: the one at a time that there may be, and what it keeps in step with the store."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from studyhub.errors import StoreError
from studyhub.object_store import cause
from studyhub.study.leases import latest, read_lease, repeating
from studyhub.study.process import Process
from studyhub.study.remote.copies import Copy
from studyhub.study.remote.fetching import fetch
from studyhub.study.remote.sending import unsent
from studyhub.study.remote.sole_launch import SoleLaunch
from studyhub.study.remote.study_files import Seen, send_study
from studyhub.study.remote.wanted import PROGRESS, of_level, trials_of
from studyhub.study.store import Store

STEP = 2.0  # s
BEAT_EVERY = 20.0  # s
FILES_EVERY = 30.0  # s
SHARE = 0.05  # of its time that a launch may spend with looking what other machines have brought

Say = Callable[[str], None]


class Watch:
    """What a launch does beside its trials."""

    def __init__(self, copy: Copy, study: str, turn: SoleLaunch, warn: Say):
        self.copy, self.study, self.turn, self.warn = copy, study, turn, warn
        self._sent: dict[Path, Seen] = {}
        self._stops: set[str] = set()
        self._beat = self._files = time.monotonic()
        self._away = self._lost = False

    def step(self) -> bool:
        """Do what is due; False once another launch has taken over."""
        now = time.monotonic()
        try:
            self._tell_stops()
            if now - self._beat >= BEAT_EVERY:
                self._beat = now
                if not self.turn.beat():
                    self.warn(f"{self.copy.uri}: was out of reach for so long that another launch has taken {self.study} over")
                    self._lost = True
                    os.kill(os.getpid(), signal.SIGINT)
                    return False
            if now >= self._files:
                self.exchange()
                spent = time.monotonic() - now
                self._files = now + max(FILES_EVERY, spent / SHARE)
            if self._away:
                self.warn(f"{self.copy.uri} answers again")
                self._away = False
        except (OSError, StoreError) as error:
            if not self._away:
                told = str(error) if isinstance(error, StoreError) else f"{self.copy.uri}: {cause(error)}"
                self.warn(f"{told}; the study goes on, and what it brings is sent later")
                self._away = True
        return True

    def exchange(self) -> None:
        """Send the study's files and results that nobody is sending, and fetch what other machines have brought."""
        store = Store(self.copy.path)
        if self.study not in store.studies():  # it is not written yet
            return
        send_study(self.copy, self.study, self._sent)
        trials = trials_of(store, self.study)
        self.send_results(trials, all_of_them=False)
        fetch(self.copy, trials, of_level(PROGRESS))

    def send_results(self, trials: list[str], *, all_of_them: bool = True) -> None:
        with self.copy.reaching():
            for trial in trials:
                outgoing = unsent(self.copy, trial)
                if outgoing is not None and (all_of_them or not self._is_sent_by_another(trial)):
                    outgoing.send_result()

    def end(self) -> None:
        """Send all that is left; the study's files are another launch's once that has taken over."""
        store = Store(self.copy.path)
        if self.study in store.studies():
            if not self._lost:
                send_study(self.copy, self.study, self._sent)
            self.send_results(trials_of(store, self.study))
        with self.copy.reaching():
            for name in self._stops:
                self.copy.store.remove(name)

    def _is_sent_by_another(self, trial: str) -> bool:
        """Tell whether a worker that lives will send the trial's result."""
        folder = self.copy.trial_folder(trial)
        lease = read_lease(folder, latest(folder))
        holder = Process.of(lease[0]) if lease else None
        return holder is not None and holder != Process.this() and not holder.dead()

    def _tell_stops(self) -> None:
        """Let workers on other machines know that this launch is to end."""
        with suppress(FileNotFoundError):
            for entry in os.scandir(self.copy.path / "store" / "stops"):
                name = f"store/stops/{entry.name}"
                if name not in self._stops and f"-{os.getpid()}-" in entry.name:
                    self.copy.store.write(name, b"")
                    self._stops.add(name)


@contextmanager
def alone(copy: Copy, study: str, say: Say, warn: Say) -> Iterator[None]:
    """Launch a study while no other launch does, and keep the object store up to date meanwhile.

    Parameters
    ----------
    say, warn : told where the work is done; of troubles

    Raises
    ------
    StoreError
        Another launch is at it, or the object store does not answer.
    """
    turn, hasty = SoleLaunch(copy, study), replace(copy, patience=0.0)
    with copy.reaching():
        turn.take()
    turn.copy = hasty
    watch = Watch(hasty, study, turn, warn)
    try:
        say(f"{copy.uri}: this machine works on a copy in {copy.path}, and sends it there")
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            say("MLflow's database stays with that copy; MLFLOW_TRACKING_URI names one for all machines")
        with repeating(watch.step, STEP, f"object-store-{study}"):
            yield
        watch.copy = copy
        try:
            watch.end()
        except StoreError as error:
            raise StoreError(f"{error}; what the study has brought is kept in {copy.path}, and the same command sends it") from None
    except BaseException:
        with suppress(OSError, StoreError):  # what went wrong first is what is to be said
            watch.end()
        raise
    finally:
        turn.copy = copy
        with suppress(OSError):
            turn.give_back()
