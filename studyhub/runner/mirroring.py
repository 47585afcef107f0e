"""When the mirror is brought up to date, and by whom: one process at a time per study; never to the harm of a launch."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from studyhub.errors import StudyhubError
from studyhub.runner.runs import digest
from studyhub.runner.tracking import Tracking
from studyhub.study.files import read_json, write_json, writing
from studyhub.study.store import Store

if TYPE_CHECKING:
    from studyhub.runner.mirror import Counts, Mirror

LOCK, MARK = "mirror.lock", "mirror.json"
LOOK_EVERY, RETRY_EVERY = 5.0, 30.0  # s
# How long the end of a launch waits, for a mirror that is at work and for one that has failed before.
PATIENCE, IMPATIENCE = 60.0, 5.0  # s
LAST_LOOKS = 3

Say = Callable[[str], None]


class Writer:
    """The right to write a study's runs to MLflow, and the mark of what was there when that was done last."""

    def __init__(self, store: Store, name: str):
        self.store, self.name = store, name
        self.tracking = Tracking.of(store.home)
        self.folder = store.study_folder(name)
        self._lock = FileLock(self.folder / LOCK, timeout=0, thread_local=False)
        self._mark = self.folder / MARK
        self._mirror: Mirror | None = None

    @property
    def at_work(self) -> bool:
        return self._mirror is not None

    def take(self) -> bool:
        """Take the right, unless another process has it; to have it already is as good."""
        with writing(self.folder / LOCK):
            try:
                return self._lock.is_locked or bool(self._lock.acquire())
            except Timeout:
                return False

    def give_back(self) -> None:
        """Let others write, and forget what was found in MLflow: they may change it."""
        self._mirror = None
        self._lock.release()

    def sync(self, abandoned: Callable[[], bool] = lambda: False, *, mark: bool) -> "Counts":
        """Bring MLflow up to date. The mark, for the next process, costs a look at all trials."""
        from studyhub.runner.mirror import Mirror  # loads MLflow, which takes seconds

        if self._mirror is None:
            self._mirror = Mirror(self.store, self.name, self.tracking)
        seen = self._seen() if mark else {}
        counts = self._mirror.sync(abandoned)
        if mark and not abandoned():
            write_json(self._mark, seen)
        return counts

    def current(self) -> bool:
        """Tell whether MLflow was brought to where the store is; MLflow is not loaded for that."""
        return self.tracking.exists and self.marked() and not self._seen()["running"]

    def marked(self) -> bool:
        """Tell whether the store is as it was at the mark."""
        try:
            return read_json(self._mark) == self._seen()
        except ValueError:
            return False

    def _seen(self) -> dict[str, str | int]:
        study = self.store.read_study(self.name)
        searched = [row["trial"] for entry in self.store.searches(self.name) for row in entry["trials"]]
        standings = self.store.look_at([*(cell.trial for cell in study.cells), *searched])
        looks = {trial: (standing.state, standing.attempt) for trial, standing in standings.items()}
        running = sum(state == "running" for state, _ in looks.values())
        return {"mlflow": str(self.tracking), "digest": digest(study, searched, looks), "running": running}


class _Background(threading.Thread):
    """Looks at the store every few seconds, and once more in the end."""

    def __init__(self, writer: Writer, say: Say):
        super().__init__(name=f"mirror-{writer.name}", daemon=True)
        self.writer, self.say = writer, say
        self.ended, self.abandoned = threading.Event(), threading.Event()
        self.failed = False

    def run(self) -> None:
        wait = 0.0
        while not self.ended.wait(wait):
            wait = LOOK_EVERY if self._try(self._look) else RETRY_EVERY
        if not self.abandoned.is_set():
            self._try(self._last_looks)

    def _try(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except Exception as error:
            self.writer.give_back()
            if not self.failed and not self.abandoned.is_set():
                self.say(str(error) if isinstance(error, StudyhubError) else self._fault(error))
            self.failed = True
            return False
        return True

    def _look(self, last: bool = False) -> None:
        if self.writer.take() and (self.writer.at_work or not self.writer.current()):
            self.writer.sync(self.abandoned.is_set, mark=last)

    def _last_looks(self) -> None:
        for _ in range(LAST_LOOKS):
            self._look(last=True)
            self.writer.give_back()
            # Another launch may have found the right taken just now, and have left what it ended to this one.
            if self.abandoned.is_set() or self.writer.marked():
                return

    def _fault(self, error: Exception) -> str:
        told = f"{type(error).__name__}: {self.writer.tracking.cause(error)}"
        return f"MLflow was not brought up to date ({told}); nothing is lost: `studyhub mirror {self.writer.folder}` makes it up later"

    def finish(self) -> None:
        """Wait for the last look, though not for ever."""
        self.ended.set()
        self.join(IMPATIENCE if self.failed else PATIENCE)
        if self.is_alive() and not self.failed:
            self.say(f"MLflow at {self.writer.tracking} is slow; `studyhub mirror {self.writer.folder}` adds what it lacks now")
        self.abandon()

    def abandon(self) -> None:
        """Do not wait for it."""
        self.abandoned.set()
        self.ended.set()


@contextmanager
def mirroring(store: Store, name: str, say: Say) -> Iterator[None]:
    """Keep MLflow up to date with a study while it runs, from a thread of its own.

    Parameters
    ----------
    say : gets one line where MLflow does not answer; whatever goes wrong there, the study goes on
    """
    background = _Background(Writer(store, name), say)
    background.start()
    try:
        yield
    except BaseException:
        background.abandon()
        raise
    background.finish()
