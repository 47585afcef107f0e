"""The one door to Ray: start or join a cluster, see that it has what a study asks for, and let Ray Tune schedule the trials.

Ray is an engine here, no record: which trials have ended, and how, is read from the store alone. So nothing that Tune writes is kept.
"""

import logging
import math
import os
import secrets
import shutil
import signal
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import ray
from ray import tune
from ray._private import worker as ray_worker

from studyhub.data.manifest import Where
from studyhub.errors import ResourceError
from studyhub.runner.attempt import Place, Report, TrialRunner, attempt
from studyhub.runner.progress import ENDED, Progress
from studyhub.study.files import make_folder, read_json, write_json
from studyhub.study.process import Process
from studyhub.study.settings import Trial
from studyhub.study.store import Store

QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
}
# A trial runs in a second thread, whose memory glibc would give back at every update: 0.165 s of an LSTM, with one arena 0.118 s.
MEMORY = {"MALLOC_ARENA_MAX": "1"}
# Only configurations and reports pass through Ray's object store; its own default takes a third of the memory.
OBJECT_STORE_BYTES = 128 * 2**20
ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class Share:
    """What each trial gets."""

    cpus: int
    gpus: float

    @property
    def device(self) -> str:
        return "cuda" if self.gpus else "cpu"


def machine_cpus() -> int:
    """Count the processors that this process may use (a batch system may allow fewer than there are)."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextmanager
def cluster() -> Iterator[list[dict[str, float]]]:
    """Start Ray on this machine, or join the cluster that ``RAY_ADDRESS`` names. Yields the resources of each node.

    A session that is already there is used, and left as it is.
    """
    if ray.is_initialized():
        yield _nodes()
        return
    os.environ.update(QUIET | MEMORY)
    token = Path.home() / ".ray" / "auth_token"
    with suppress(OSError):
        token.parent.mkdir(mode=0o700, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _init()
        with suppress(OSError):  # Ray writes the token that opens its cluster readable by all
            token.chmod(0o600)
        # Ray prints the death of a worker past all its settings; this is the switch that its own debugger uses. The study says it itself.
        ray_worker._worker_logs_enabled = False
        try:
            yield _nodes()
        finally:
            ray.shutdown()


def _init() -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        ray.init("local", num_cpus=machine_cpus(), include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, **quiet)
        return
    try:
        _require_answer(address)
        ray.init(address, runtime_env={"env_vars": MEMORY}, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        # Ray shows its token to no address that was named, unless it is told to. That is for the user to say.
        mode = "" if os.environ.get("RAY_AUTH_MODE") else "set RAY_AUTH_MODE=token if it is one of yours that asks for a token, "
        cure = f"start it, {mode}or unset RAY_ADDRESS to use this machine"
        raise ResourceError(f"no Ray cluster answers at RAY_ADDRESS={address} ({error}); {cure}") from None


def _require_answer(address: str) -> None:
    """Raise an OSError where nothing listens: Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "://" not in address:
        socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()


def _nodes() -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def share(cpus: int, gpus: float | str, trials: int, nodes: Sequence[Mapping[str, float]]) -> Share:
    """Work out what each of ``trials`` trials gets.

    ``gpus="auto"`` means equal parts of the GPUs there are, as many as trials that run at once; 0 where there are none.

    Raises
    ------
    ResourceError
        No node has what one trial needs: Ray would wait for it for ever.
    """
    if not any(node.get("CPU", 0) >= cpus for node in nodes):
        raise ResourceError(f"`resources.cpus`: {cpus} per trial are asked for, but {_had(nodes)}; lower it")
    if gpus == "auto":
        having = [node for node in nodes if node.get("GPU", 0) >= 1]
        at_once = min(trials, sum(int(node.get("CPU", 0) // cpus) for node in having))
        return Share(cpus, 1 / math.ceil(at_once / sum(node["GPU"] for node in having)) if at_once else 0.0)
    gpus = float(gpus)
    if gpus > 1 and gpus != int(gpus):
        raise ResourceError(f"`resources.gpus`: a part of one GPU or whole GPUs are required, got {gpus:g}")
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        raise ResourceError(f"`resources.gpus`: {gpus:g} per trial are asked for, but {_had(nodes)}; set `gpus: auto` to use what there is")
    return Share(cpus, gpus)


def _had(nodes: Sequence[Mapping[str, float]]) -> str:
    parts = [f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes]
    return f"this machine has {parts[0]}" if len(parts) == 1 else "the nodes have " + "; ".join(parts)


def run(
    trials: Mapping[str, Trial], *, home: Path, shards: Where, each: Share, progress: Progress, runner: TrialRunner | None = None
) -> bool:
    """Run trials, each in a worker process; return whether a signal stopped them before the end.

    The first SIGINT or SIGTERM lets running trials end their epoch and starts no other; the second ends all at once.
    A trial that fails stops no other.

    Parameters
    ----------
    trials : id -> trial
    home : folder of store and studies
    shards : the basins, as absolute paths or URIs
    each : what each trial gets, as `share` says
    runner : what runs a trial; None means `studyhub.runner.trial.run`
    """
    with _scratch(home) as scratch, _stop_on_signal(scratch / "stop", progress) as stop:
        place = Place(home.absolute(), shards, stop.path, each.cpus, each.device)
        listener = _Listener(progress)
        work = tune.with_parameters(_work, trials=dict(trials), place=place, runner=runner)
        tune.Tuner(
            tune.with_resources(work, {"cpu": each.cpus, "gpu": each.gpus}),
            param_space={"trial": tune.grid_search(list(trials))},
            tune_config=tune.TuneConfig(reuse_actors=True, trial_dirname_creator=lambda trial: trial.trial_id),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(scratch),
                verbose=0,
                callbacks=[listener],
                stop=_StopAll(stop, listener),
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        ).fit()
        _settle(Store(home), listener, progress)
        return stop.asked


def _work(config: dict[str, Any], trials: dict[str, Trial], place: Place, runner: TrialRunner | None) -> None:
    """Run one trial in a worker process."""
    name = config["trial"]
    attempt(name, trials[name], place, tune.report, runner)


@dataclass
class _Stop:
    """Whether to stop. Workers learn of it from the file, which may lie on a shared disk."""

    path: Path
    asked: bool = False


@contextmanager
def _stop_on_signal(path: Path, progress: Progress) -> Iterator[_Stop]:
    stop = _Stop(path)

    def ask(signum: int, frame: FrameType | None) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True
        path.touch()
        progress.say("stopping: running trials end their epoch (once more to end at once)")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _scratch(home: Path) -> Iterator[Path]:
    """Yield a folder for what Tune insists on writing; it goes in the end, and with it those of launches here that were killed."""
    folder = home.absolute() / "store" / "ray"
    for old in folder.glob("*/process.json"):
        process = Process.of(read_json(old) or {})
        if process is not None and process.dead():
            shutil.rmtree(old.parent, ignore_errors=True)
    # A container begins again under the same host name and process number: what a killed launch left must not be taken for this one's.
    mine = make_folder(folder / f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}")
    write_json(mine / "process.json", Process.this().record())
    try:
        yield mine
    finally:
        shutil.rmtree(mine, ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()


class _Unpickled:
    """Tune pickles what is given to it into snapshots that nobody reads; what holds terminals and locks goes in empty."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Listener(_Unpickled, tune.Callback):
    """Passes on to the progress what Tune hears from workers."""

    def __init__(self, progress: Progress):
        self.progress = progress
        self.running = False
        self.ended: set[str] = set()
        self.died: dict[str, str] = {}

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self.running = any(trial.status == "RUNNING" for trial in trials)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.progress.started(trial.config["trial"])

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Report, **info: Any) -> None:
        name, state = trial.config["trial"], result["state"]
        if state in ENDED:
            self.ended.add(name)
            self.progress.ended(name, state, result["cause"])
        elif state == "waiting":
            self.progress.waiting(name)
        else:
            self.progress.epoch(name, result["epoch"], result["of"], result["loss"], result["validation"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = trial.get_error()
        self.died[trial.config["trial"]] = f"the worker process died: {type(error).__name__}"


@dataclass
class _StopAll(_Unpickled, tune.Stopper):
    """Ends Tune's run once a stop is asked for and no worker is at a trial any more."""

    stop: _Stop
    listener: _Listener = field(repr=False)

    def __call__(self, trial_id: str, result: Report) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.stop.asked and not self.listener.running


def _settle(store: Store, listener: _Listener, progress: Progress) -> None:
    """Record as failed the trials whose worker died without a word, and show as they are those that a stop cut off before they began."""
    for name in progress.rows.keys() - listener.ended:
        message = listener.died.get(name)
        if message is not None and store.result(name) is None:
            lease = store.claim(name)
            if lease is not None:
                lease.fail({"cause": message, "kind": "worker", "traceback": []})
            progress.ended(name, "failed", message)
        else:
            progress.correct(name, store.state(name))
