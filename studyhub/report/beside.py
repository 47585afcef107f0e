"""A second process, which draws a report's figures while the first one reads, tests and writes."""

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from threadpoolctl import threadpool_limits

from studyhub.study.process import machine_cpus

Result = TypeVar("Result", covariant=True)

# Not by multiprocessing, whose processes begin by importing what the main one was started with.
BEGIN = "import sys; sys.path[:] = sys.argv[2:]; from studyhub.report.beside import serve; serve(int(sys.argv[1]))"


class Later(Generic[Result]):
    """What a function gives, worked out by whoever has time first: a helper, or this process once it is needed.

    Parameters
    ----------
    work : a function of a module
    given : its arguments, plain values that nobody changes since
    """

    def __init__(self, work: Callable[..., Result], *given: Any):
        helper = _helper.get()
        self._work = partial(work, *given)
        self._found: Future[Result] = helper.ask(self._work) if helper else Future()
        self._ours = helper is None

    def take(self) -> None:
        """Work it out here, unless a helper has begun or done so."""
        if self._ours or self._found.cancel():
            self._found, self._ours = Future(), False
            self._found.set_result(self._work())

    def get(self) -> Result:
        self.take()
        try:
            return self._found.result()
        except Exception:  # whatever ails the helper: what is wrong with the work itself comes out here again, in its own words
            return self._work()


def all_of(later: Sequence[Later[Result]]) -> list[Result]:
    """All results; the helper has begun at the first, so those at the end are taken from it."""
    for one in reversed(later):
        one.take()
    return [one.get() for one in later]


class _Helper:
    """A process that does one thing after the other, and ends when this one does, however that ends."""

    def __init__(self) -> None:
        self._connection, there = Pipe()
        command = [sys.executable, "-c", BEGIN, str(there.fileno()), *sys.path]
        # In a session of its own it does not hear Ctrl-C: it is ended here.
        self._process = subprocess.Popen(
            command, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        there.close()
        self._queue = ThreadPoolExecutor(1, "helper")

    def ask(self, work: Callable[[], Result]) -> "Future[Result]":
        return self._queue.submit(self._exchange, work)

    def _exchange(self, work: Callable[[], Result]) -> Result:
        self._connection.send(work)
        return self._connection.recv()

    def end(self) -> None:
        self._process.kill()
        self._queue.shutdown(cancel_futures=True)
        self._process.wait()
        self._connection.close()


def serve(handle: int) -> None:
    """Do what is asked for, until nobody is there to ask; what fails is done again, and told, by whoever has asked."""
    from studyhub.report import figures  # noqa: F401  # ahead of the first question

    with Connection(handle) as connection, steady(), suppress(Exception):
        while True:
            connection.send(connection.recv()())


@contextmanager
def steady() -> Iterator[None]:
    """Draw and test on one thread, seldom looking for garbage."""
    before = gc.get_threshold()
    # Drawings are many small objects that live until they are written; to look through them again and again is a sixth of the time.
    gc.set_threshold(50_000, 20, 50)
    try:
        # Matrices are small here: a second thread would but wait for the first, and round otherwise on another machine.
        with threadpool_limits(1, "blas"):
            yield
    finally:
        gc.set_threshold(*before)


_helper: ContextVar[_Helper | None] = ContextVar("_helper", default=None)


@contextmanager
def helped() -> Iterator[None]:
    """Within, a second process does what is asked of `Later`, where there is a second processor for it."""
    if machine_cpus() < 2:
        yield
        return
    helper = _Helper()
    before = _helper.set(helper)
    try:
        yield
    finally:
        _helper.reset(before)
        helper.end()
