"""One attempt at one trial, inside a worker: claim it, run it or go on with it, say how it ended. No exception leaves here."""

import gc
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from studyhub.data.manifest import Where
from studyhub.errors import DataError, ResourceError, StoreError
from studyhub.runner import failures
from studyhub.runner.globals import contained
from studyhub.study import remote
from studyhub.study.ids import kind_of
from studyhub.study.leases import ENDS, FAILURE, Lease, attempt_name, read_lease
from studyhub.study.settings import Trial
from studyhub.study.store import Store
from studyhub.study.tasks import Task
from studyhub.study.troubles import LOG, in_words

WATCH_SECONDS = 0.5
TRACEBACK_LINES = 20

Report = dict[str, Any]


class Outcome(Protocol):
    """What a trial returns: how it ended, and the content of its result.json."""

    @property
    def state(self) -> str: ...

    @property
    def result(self) -> dict[str, Any]: ...


class Epoch(Protocol):
    """What a trial tells of an epoch that has ended."""

    @property
    def number(self) -> int: ...

    @property
    def of(self) -> int: ...

    @property
    def loss(self) -> float: ...

    @property
    def validation(self) -> float | None: ...

    @property
    def seconds(self) -> float: ...


TrialRunner = Callable[..., Outcome]


class Log:
    """What an attempt says of itself, line by line in its folder's ``log.txt``: for those who look, nothing depends on it."""

    def __init__(self, folder: Path):
        self._path = folder / LOG

    def say(self, *lines: str) -> None:
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.writelines(f"{now} {line}\n" for line in lines)


@dataclass(frozen=True)
class Place:
    """What all attempts of a launch share.

    Parameters
    ----------
    home : a folder that all nodes share, or the URI of a home in an object store
    stop : file that means, once it exists: end with the epoch
    cpus : those of one trial
    """

    home: Path | str
    shards: Where
    stop: Path
    cpus: int
    device: str


def attempt(task: Task, place: Place, report: Callable[[Report], None], runner: TrialRunner | None = None) -> None:
    """Run a trial, unless another launch is at it.

    Parameters
    ----------
    report : gets ``{"state": "running", "epoch": ...}`` per epoch, ``{"state": ..., "cause": ...}`` last, once all that was made is in
        the home: with ``"kind"`` of a failure (memory, data, disk, loss or code), with ``"rung"`` where the task's epoch is reached and
        scored; "waiting" where another launch is at the trial
    runner : what runs a trial; None means `studyhub.runner.trial.run`
    """
    try:
        with remote.working(place.home, task.name, task.trial.parent, place.stop) as home:
            ended = _attempt(Store(home), task, place, report, runner)
    except Exception as error:
        ended = {"state": "failed", "cause": failures.told(error, place.home), "kind": failures.kind(error)}
    finally:
        _free()
    report(ended)


def _attempt(store: Store, task: Task, place: Place, report: Callable[[Report], None], runner: TrialRunner | None) -> Report:
    lease = None if place.stop.exists() else store.claim(task.name, place.device)
    if lease is not None:
        return _run(lease, task, store, place, report, runner)
    result = store.result(task.name)
    if result is not None:
        return ending(result)
    return {"state": "stopped" if place.stop.exists() else "waiting", "cause": None}


def _run(lease: Lease, task: Task, store: Store, place: Place, report: Callable[[Report], None], runner: TrialRunner | None) -> Report:
    log = Log(lease.folder)
    log.say(f"{lease.attempt} on {socket.gethostname()}, process {os.getpid()}, {place.device}, {place.cpus} CPUs")

    def on_epoch(epoch: Epoch) -> bool:
        told = {"epoch": epoch.number, "of": epoch.of, "loss": epoch.loss, "validation": epoch.validation, "seconds": epoch.seconds}
        report({"state": "running", **told})
        return place.stop.exists() or not lease.held()

    with lease.beating(), _ending_with_parent(lease):
        try:
            with contained(task.trial.seed, place.cpus):
                _require_device(place.device)
                earlier = {"before": _before(lease, task, log), "parent": _parent(store, task.trial)}
                run, machine = runner or _science(), {"cpus": place.cpus, "device": place.device}
                outcome = run(task.trial, place.shards, lease.folder, **machine, **earlier, on_epoch=on_epoch, until=task.until)
            result = outcome.result | {"state": outcome.state}
            if outcome.state in ENDS and lease.finish(result | _history(lease, task.trial)):
                _clear(lease)
                log.say(": ".join(filter(None, (outcome.state, in_words(result.get("cause"))))))
                return ending(result)
            return _stopped(lease, outcome.result.get("rung"), log)
        except Exception as error:
            return _failed(lease, error, place.home, log)


def _before(lease: Lease, task: Task, log: Log) -> Path | None:
    """Folder of the attempt whose checkpoint this one goes on from."""
    if lease.number == 1:
        return None
    from studyhub.runner.resume import find  # loads torch, which the driver of a study does without

    return find(_attempts(lease), task.trial, task.until, log.say)


def _parent(store: Store, trial: Trial) -> Path | None:
    """Folder of the parent's attempt that has finished."""
    if trial.parent is None:
        return None
    result = store.result(trial.parent)
    if result is None or result["state"] != "finished":
        state = store.state(trial.parent)
        raise DataError(f"it starts from the weights of trial {trial.parent}, which is {state}; launch the study again to train that first")
    return store.trial_folder(trial.parent) / result["attempt"]


def _history(lease: Lease, trial: Trial) -> dict[str, Any]:
    """What result.json says beside what the trial itself says: where it comes from, when it was begun, what it takes."""
    from studyhub.runner.resume import CHECKPOINT

    first = read_lease(lease.trial_folder, 1)
    sizes = [path.stat().st_size for path in lease.folder.rglob("*") if path.is_file() and path.name != CHECKPOINT]
    return {"kind": kind_of(trial), "parent": trial.parent, "begun": first and first[0].get("begun"), "bytes": sum(sizes)}


def _clear(lease: Lease) -> None:
    from studyhub.runner.resume import drop

    drop([lease.folder, *_attempts(lease)])


def _attempts(lease: Lease) -> list[Path]:
    """Folders of all earlier attempts, the newest first."""
    return [lease.trial_folder / attempt_name(number) for number in range(lease.number - 1, 0, -1)]


def _stopped(lease: Lease, rung: int | None, log: Log) -> Report:
    lost = None if lease.held() else "silent for too long: another launch has taken it over"
    told = {} if rung is None else {"rung": rung}
    lease.release(told)
    log.say(f"stopped: {lost}" if lost else "stopped" if rung is None else f"stopped and scored after epoch {rung}")
    return {"state": "stopped", "cause": lost, **told}


def _failed(lease: Lease, error: Exception, home: Path | str, log: Log) -> Report:
    cause, kind = failures.told(error, home), failures.kind(error)
    lines = "".join(traceback.format_exception(error)).splitlines()[-TRACEBACK_LINES:]
    log.say(*lines)
    if not lease.held():  # the trial is another launch's now, which may have deleted what was being written here
        return _stopped(lease, None, log)
    log.say(f"failed ({kind}): {cause}")
    try:
        lease.fail({"cause": cause, "kind": kind, "traceback": lines})
    except StoreError:  # a full disk often has room for a file's name: without one, the trial would count as running for a minute
        with suppress(OSError):
            (lease.folder / FAILURE).touch()
    return {"state": "failed", "cause": cause, "kind": kind}


def _science() -> TrialRunner:
    from studyhub.runner.trial import run  # loads torch, which the driver of a study does without

    return run


@contextmanager
def _ending_with_parent(lease: Lease) -> Iterator[None]:
    """End this process when its parent dies: a launch that was killed must not go on training unseen.

    Ray notices by itself, but takes seconds in which the next launch has to wait.
    """
    parent, done = os.getppid(), threading.Event()

    def watch() -> None:
        while not done.wait(WATCH_SECONDS):
            if os.getppid() != parent:
                with suppress(Exception):
                    lease.release()
                os._exit(1)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _require_device(device: str) -> None:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        message = f"this node has a GPU, but its torch {torch.__version__} cannot use it"
        raise ResourceError(f"{message}; install a CUDA build of torch there, or write `resources: {{gpus: 0}}`")


def _free() -> None:
    """Give back what a trial has left in memory, the GPU's too: another trial may be waiting for it."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def ending(result: dict[str, Any]) -> Report:
    """What to report of a trial with this result.json."""
    return {"state": result["state"], "cause": in_words(result.get("cause"))}
