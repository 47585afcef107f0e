"""How a launch is stopped: by Ctrl-C, or by the SIGTERM that batch systems send."""

import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from studyhub.study.files import make_folder

STOPPED = 130  # exit code
ENDED = "stopped; the same command goes on where this one ended"
TOLD = "stopping: running trials end their epoch; once more to end at once. The same command goes on from there, either way"

_asked = threading.Event()

Handler = Callable[[int, FrameType | None], None]


@dataclass
class Stop:
    """Whether to stop. Workers learn of it from the file, which may lie on a shared disk."""

    path: Path
    asked: bool = False

    def ask(self) -> None:
        self.asked = True
        with suppress(OSError):  # where the disk is full, workers will notice by themselves
            self.path.touch()


@contextmanager
def stopping(home: Path, say: Callable[[str], None]) -> Iterator[Stop]:
    """Let the first SIGINT or SIGTERM ask for a stop, and the second end this process's work at once, as a KeyboardInterrupt."""
    if asked_to_stop():
        raise KeyboardInterrupt
    folder = make_folder(home.absolute() / "store" / "stops")
    stop = Stop(folder / f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}")

    def ask(signum: int, frame: FrameType | None) -> None:
        _asked.set()
        if stop.asked:
            raise KeyboardInterrupt
        stop.ask()
        # From a thread of its own: this may have interrupted the very writing that it would wait for.
        threading.Thread(target=say, args=(TOLD,), daemon=True).start()

    try:
        with _handled(ask, signal.SIGINT, signal.SIGTERM):
            yield stop
    finally:
        with suppress(OSError):
            stop.path.unlink(missing_ok=True)
            folder.rmdir()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM be as Ctrl-C, and remember both: where the exception is raised amid a library's code, that may catch it."""

    def interrupt(signum: int, frame: FrameType | None) -> NoReturn:
        _asked.set()
        raise KeyboardInterrupt

    try:
        with _handled(interrupt, signal.SIGINT, signal.SIGTERM):
            yield
    finally:
        _asked.clear()


@contextmanager
def remembering() -> Iterator[None]:
    """Let SIGINT and SIGTERM interrupt nothing: `asked_to_stop` tells of them. For work that waits, and looks."""
    try:
        with _handled(lambda signum, frame: _asked.set(), signal.SIGINT, signal.SIGTERM):
            yield
    finally:
        _asked.clear()


def asked_to_stop() -> bool:
    """Whether a signal has come to this process that asks for a stop."""
    return _asked.is_set()


@contextmanager
def _handled(handler: Handler, *signals: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
