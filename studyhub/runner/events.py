"""What a launch does, for programs: one line of JSON per event, on stdout (``studyhub launch --json``).

Each line is a JSON object of its own (RFC 8259: no NaN, no Infinity; what is unknown is null) with at least ``event`` and ``time`` (UTC,
ISO 8601). Times are in seconds. Keys may be added later, none will change its meaning.

::

    study      study, question, home, trials: to be run now, finished: there already
    started    trial, arm, fold, seed, number: of a search's training, else null
    epoch      trial, arm, fold, seed, number, epoch, of, loss, validation, seconds: of this epoch
    waiting    trial, arm, fold, seed, number            another launch is at it
    blocked    trial, arm, fold, seed, number            the trial that it starts from has not finished
    ended      trial, arm, fold, seed, number, state: finished, diverged, failed or stopped; cause: one line, or null; seconds
    totals     trials, counts: number by state, seconds_left: null before the first epoch
    message    level: note or warning; text
    concluded  study, code: the exit code, counts, answer, scores and report: paths, seconds

The stream ends with ``concluded``, except where bad input or a second Ctrl-C ends the launch: then the exit code and stderr say why.
"""

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO

from studyhub.study.files import plain


class Events:
    """Writes events to ``stream``, each line at once and in one piece; any thread may tell."""

    def __init__(self, stream: TextIO, now: Callable[[], datetime] = lambda: datetime.now(UTC)):
        self.now = now
        self._stream: TextIO | None = stream
        self._lock = threading.Lock()

    def __call__(self, event: str, **facts: Any) -> None:
        time = self.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps(plain({"event": event, "time": time} | facts), allow_nan=False)
        with self._lock:
            if self._stream is None:
                return
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except BrokenPipeError:  # the study goes on
                silence(self._stream)
                self._stream = None


def silence(stream: TextIO) -> None:
    """Let what is still written go nowhere, where nobody reads any more, as with `| head`."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
