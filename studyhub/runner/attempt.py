"""One attempt at one trial, inside a worker: claim it, run it, say how it ended. No exception leaves here."""

import os
import random
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from studyhub.data.manifest import Where
from studyhub.errors import ResourceError, StudyhubError
from studyhub.study.settings import Trial
from studyhub.study.status import in_words
from studyhub.study.store import Lease, Store

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


TrialRunner = Callable[..., Outcome]


@dataclass(frozen=True)
class Place:
    """What all attempts of a launch share. The file ``stop`` means, once it exists: end with the epoch. ``cpus`` are those of one trial."""

    home: Path
    shards: Where
    stop: Path
    cpus: int
    device: str


def attempt(name: str, trial: Trial, place: Place, report: Callable[[Report], None], runner: TrialRunner | None = None) -> None:
    """Run a trial, or wait for the launch that is at it.

    Parameters
    ----------
    name : id of the trial
    report : gets ``{"state": "waiting"}`` perhaps, ``{"state": "running", "epoch": ...}`` per epoch, ``{"state": ..., "cause": ...}`` last
    runner : what runs a trial; None means `studyhub.runner.trial.run`
    """
    try:
        store = Store(place.home)
        lease = _claim(store, name, place.stop, report)
        if lease is None:
            result = store.result(name)
            report({"state": "stopped", "cause": None} if result is None else ending(result))
        else:
            report(_run(lease, trial, place, report, runner))
    except Exception as error:
        report({"state": "failed", "cause": one_line(error)})


def _claim(store: Store, name: str, stop: Path, report: Callable[[Report], None]) -> Lease | None:
    """Return the lease, or None where a result has come from elsewhere or the launch stops."""
    waits = False
    while not stop.exists() and store.result(name) is None:
        lease = store.claim(name)
        if lease is not None:
            return lease
        if not waits:
            report({"state": "waiting"})
            waits = True
        time.sleep(WATCH_SECONDS)
    return None


def _run(lease: Lease, trial: Trial, place: Place, report: Callable[[Report], None], runner: TrialRunner | None) -> Report:
    def on_epoch(epoch: Epoch) -> bool:
        report({"state": "running", "epoch": epoch.number, "of": epoch.of, "loss": epoch.loss, "validation": epoch.validation})
        return place.stop.exists() or not lease.held()

    with lease.beating(), _ending_with_parent(lease):
        try:
            _require_device(place.device)
            reset_globals(trial.seed, place.cpus)
            outcome = (runner or _science())(trial, place.shards, lease.folder, cpus=place.cpus, device=place.device, on_epoch=on_epoch)
        except Exception as error:
            lines = "".join(traceback.format_exception(error)).splitlines()[-TRACEBACK_LINES:]
            lease.fail({"cause": one_line(error), "kind": type(error).__name__, "traceback": lines})
            return {"state": "failed", "cause": one_line(error)}
    result = outcome.result | {"state": outcome.state}
    if outcome.state != "stopped" and lease.finish(result):
        return ending(result)
    lease.release()
    return {
        "state": "stopped",
        "cause": None if lease.held() else "silent for too long: another launch has taken it over",
    }


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


def reset_globals(seed: int, cpus: int) -> None:
    """Set all that one trial could leave behind in a process that the next one uses again.

    The science takes explicit generators; the global ones are seeded so that a library's own draw repeats too.
    """
    # cuBLAS repeats its sums only with this; it is read when the first CUDA context is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.manual_seed(seed)
    torch.set_num_threads(cpus)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    torch.set_float32_matmul_precision("highest")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # It would cost time, and nothing here reads memory that was never set.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    torch.backends.cudnn.benchmark = False
    warnings.resetwarnings()
    warnings.simplefilter("ignore")


def ending(result: dict[str, Any]) -> Report:
    """What to report of a trial with this result.json."""
    return {"state": result["state"], "cause": in_words(result.get("cause"))}


def one_line(error: BaseException) -> str:
    """An error in one line: our own as they are, others with their kind."""
    text = " ".join(str(error).split())
    return text if isinstance(error, StudyhubError) else f"{type(error).__name__}: {text}".rstrip(": ")
