"""``studyhub status``: how far a study is, what runs where, how long it will take, and what went wrong."""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studyhub.verbs.options import AsJson, Home, located
from studyhub.verbs.printing import print_json

if TYPE_CHECKING:
    from rich.console import Console

    from studyhub.study.status import Status
    from studyhub.study.store import Store

    Show = Callable[[Status], None]

LOOK_SECONDS, REMOTE_SECONDS = 3.0, 15.0


def status(
    study: Annotated[str | None, typer.Argument(metavar="STUDY", help="name of a study, or its folder; all where none is given")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="look every few seconds, until no launch of it lives any more")] = False,
    home: Home = Path(),
    as_json: AsJson = False,
) -> None:
    """Print how far a study is, and what went wrong.

    Trials by state, what runs where, pace and time left, failures by cause with the last lines of their log. With --follow the exit code is
    the study's: 0 if everything ended as expected, else 1.

    Example: studyhub status my_study
    Example: studyhub status my_study --follow
    """
    from studyhub.study import remote
    from studyhub.study.status import status as status_of
    from studyhub.study.status_text import lines
    from studyhub.study.store import Store

    if follow and study is None:
        raise typer.BadParameter("the name of the study to follow is required", param_hint="STUDY")
    if study is not None:
        home, study = located(study, home)
    remote.pull(home, study)
    store = Store(home)
    if follow and study is not None:
        raise typer.Exit(_follow(store, study, as_json))
    found = [status_of(store, name) for name in ((study,) if study else store.studies())]
    if as_json:
        print_json([asdict(one) for one in found])
    elif found:
        print("\n\n".join("\n".join(lines(one)) for one in found))
    else:
        print(f"no study in {remote.named(home, home / 'studies')} yet; `studyhub launch STUDY.yaml` starts one")


def _follow(store: "Store", name: str, as_json: bool) -> int:
    """Show how the study stands until it has ended, and return its exit code."""
    from rich.console import Console

    from studyhub.study import remote
    from studyhub.study.launches import background, begins
    from studyhub.study.status import status as status_of

    console, folder, seen = Console(), store.study_folder(name), False
    while begins(folder) and not (folder / "cells.json").exists():
        time.sleep(LOOK_SECONDS)
    with _events() if as_json else _picture(console) if console.is_terminal else _lines() as show:
        while True:
            found = status_of(store, name)
            show(found)
            lives = bool(found.launches or found.running)
            seen = seen or lives
            if not lives and (seen or not found.open or not begins(folder)):
                break
            time.sleep(REMOTE_SECONDS if remote.is_copy(store.home) else LOOK_SECONDS)
            remote.pull(store.home, name)
    if found.open and not as_json:
        said = background(folder)
        words = f"; what the last one said: {said['words']}" if said else ""
        print(f"no launch of {name} runs; `studyhub launch` with its file goes on with what is left{words}")
    return _code(store, found)


@contextmanager
def _picture(console: "Console") -> Iterator["Show"]:
    """One picture that changes, on a terminal."""
    from rich.live import Live
    from rich.text import Text

    from studyhub.study.status_text import lines

    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        yield lambda found: live.update(Text("\n".join(lines(found))), refresh=True)


@contextmanager
def _lines() -> Iterator["Show"]:
    """A line whenever trials have begun or ended, and all there is to say in the end."""
    from studyhub.study.status_text import lines
    from studyhub.study.wording import duration

    looks: deque[Status] = deque(maxlen=1)

    def show(found: "Status") -> None:
        if not looks or looks[0].counts != found.counts:
            left = "" if found.seconds_left is None else f", about {duration(found.seconds_left)} left"
            print(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {lines(found)[0]}{left}", flush=True)
        looks.append(found)

    yield show
    print("\n".join(lines(looks[0])))


@contextmanager
def _events() -> Iterator["Show"]:
    """A line of JSON whenever a trial has begun, ended an epoch, or ended."""
    from studyhub.study.files import plain

    told = []

    def show(found: "Status") -> None:
        news = [found.counts, [(run.trial, run.epoch) for run in found.running]]
        if news != told:
            print(json.dumps(plain(asdict(found)), allow_nan=False), flush=True)
        told[:] = news

    yield show


def _code(store: "Store", found: "Status") -> int:
    """Return the exit code that a launch which ends now would have."""
    from studyhub.study.spec import read

    spec = read(store.study_folder(found.study) / "spec.yaml", name=found.study)
    troubles = [one for one in found.troubles if one.number is None and not (one.state == "diverged" and spec.arm(one.arm).may_diverge)]
    return int(bool(troubles or found.open))
