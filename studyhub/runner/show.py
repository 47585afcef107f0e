"""How a launch is shown: live on a terminal, in lines elsewhere, not at all, or as events for a program."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Self

from rich.console import Console
from rich.text import Text

from studyhub.runner.events import Events, silence

# Where no terminal says how wide it is, a table is for a file, and nothing is gained by breaking its lines.
FILE_WIDTH = 160


class Mode(Enum):
    """``QUIET`` shows what goes wrong and nothing else, ``JSON`` the same and `studyhub.runner.events` on stdout."""

    LIVE, LINES, QUIET, JSON = "live", "lines", "quiet", "json"


class Results(Console):
    """Prints what a study has brought, to stdout. Once nobody reads any more, as with `| head`, it is quiet: files are still to come."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        silence(sys.stdout)


class Show:
    """All that a launch says goes through here, from whichever thread.

    Parameters
    ----------
    console : for people who watch: what is being done, what goes wrong
    mode : None means live where the console is a terminal, else in lines
    out : for results: the table of scores and where the report is
    events : for programs
    """

    def __init__(self, console: Console, mode: Mode | None = None, out: Console | None = None, events: Events | None = None):
        self.console = console
        self.mode = mode or (Mode.LIVE if console.is_terminal else Mode.LINES)
        self.out = out or Console(quiet=True)
        self._events = events

    @classmethod
    def of(cls, *, quiet: bool = False, as_json: bool = False) -> Self:
        """Show on this process's stdout and stderr."""
        console = Console(stderr=True)
        if as_json:
            return cls(console, Mode.JSON, events=Events(sys.stdout))
        if quiet:
            return cls(console, Mode.QUIET)
        out = Results()
        return cls(console, out=out if out.is_terminal else Results(width=FILE_WIDTH))

    def say(self, text: str) -> None:
        """Tell in one line or several what is being done."""
        if self.mode is not Mode.QUIET:
            self.print(text)
        self.event("message", level="note", text=text)

    def warn(self, text: str) -> None:
        """Tell what has gone wrong, though the launch goes on."""
        self.print(text)
        self.event("message", level="warning", text=text)

    @contextmanager
    def busy(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show on a terminal that something is at work; yields a function that changes the text."""
        if self.mode is not Mode.LIVE:
            yield lambda text: None
            return
        with self.console.status(text) as shown:
            yield lambda text: shown.update(text)

    def event(self, event: str, **facts: Any) -> None:
        if self._events is not None:
            self._events(event, **facts)

    def print(self, text: str) -> None:
        """Show a text to people as it is, in every mode."""
        self.console.print(Text(text), soft_wrap=True)
