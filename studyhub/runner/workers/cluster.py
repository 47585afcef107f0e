"""Ray, started on this machine or joined where it runs."""

import logging
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

import ray
from ray._private import worker as ray_worker
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from studyhub.data.manifest import Where
from studyhub.errors import ResourceError
from studyhub.runner.stop import ENDED, STOPPED, asked_to_stop
from studyhub.runner.workers import aside
from studyhub.runner.workers.nodes import equip, gpus
from studyhub.runner.workers.share import Node
from studyhub.study.process import machine_cpus

QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Snapshots of a run that nobody resumes: the store knows what has finished.
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",
}
# A trial runs in a second thread, whose memory glibc would give back at every update: 0.165 s of an LSTM, with one arena 0.118 s.
MEMORY = {"MALLOC_ARENA_MAX": "1"}
# Only configurations and reports pass through Ray's object store; its own default takes a third of the memory.
OBJECT_STORE_BYTES = 128 * 2**20
ANSWER_SECONDS = 10.0
# On a machine that is hard at work, Ray's daemons may not find each other in the time that it gives them.
STARTS = 3
# Without either of them nothing runs.
DAEMONS, WATCH_SECONDS, GRACE_SECONDS = ("raylet", "gcs_server"), 0.5, 5.0

SILENT: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}

T = TypeVar("T")


def living() -> tuple[Node, ...]:
    """Nodes that Ray has and hears of."""
    return tuple(
        Node(node["NodeManagerHostname"], node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0), id=node["NodeID"])
        for node in ray.nodes()
        if node["Alive"]
    )


@dataclass
class Cluster:
    """The nodes that trials may run on.

    Parameters
    ----------
    address : of a cluster that was joined; None where Ray runs on this machine for this launch alone
    mine : whether the session was begun here
    """

    address: str | None = None
    mine: bool = True
    nodes: tuple[Node, ...] = ()

    def __post_init__(self) -> None:
        self.look()

    @property
    def joined(self) -> bool:
        return self.address is not None

    def look(self) -> None:
        """See which nodes live."""
        self.nodes = living()

    def equip(self, home: str | Path, shards: Where) -> None:
        """See that every node has what trials of this launch need, send it this code where it lacks it, and learn how large its GPUs are.

        Raises
        ------
        ResourceError
            What is missing, on which node.
        """
        if self.address is None:
            memory = {node.id: gpus() for node in self.nodes if node.gpus}
        else:
            rejoin = partial(_join, self.address) if self.mine else None
            memory = {found.id: found.gpus for found in equip(rejoin, home, shards)}
            self.look()  # Ray may have been joined anew
        sizes = {node: min((gib for _, gib in found), default=None) for node, found in memory.items()}
        self.nodes = tuple(replace(node, gpu_memory=sizes.get(node.id)) for node in self.nodes)

    def each(self, act: Callable[..., T], *args: Any) -> list[tuple[Node, T | Exception]]:
        """What ``act(*args)`` returns or raises on each node, at once on all of them. On a machine of our own it runs in this process."""
        if not self.joined:
            return [(node, _outcome(act, *args)) for node in self.nodes]
        asked = ray.remote(num_cpus=0, max_retries=0)(_outcome)
        there = [asked.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)) for node in self.nodes]
        answers = [each.remote(act, *args) for each in there]
        return list(zip(self.nodes, map(_answer, answers), strict=True))


def _outcome(act: Callable[..., T], *args: Any) -> T | Exception:
    try:
        return act(*args)
    except Exception as error:
        return error


def _answer(asked: Any) -> Any:
    try:
        return ray.get(asked)
    except RayError as error:
        return error


@contextmanager
def cluster(address: str | None = None) -> Iterator[Cluster]:
    """Start Ray on this machine, or join the cluster at ``address``, else at ``RAY_ADDRESS``.

    A session that is already there is used, and left as it is.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    if ray.is_initialized():
        yield Cluster(address, mine=False)
        return
    os.environ.update(QUIET | MEMORY)
    token = Path.home() / ".ray" / "auth_token"
    with suppress(OSError):
        token.parent.mkdir(mode=0o700, exist_ok=True)
    with warnings.catch_warnings(), aside.signals():
        warnings.simplefilter("ignore")
        _start() if address is None else _join(address, {})
        with suppress(OSError):  # Ray writes the token that opens its cluster readable by all
            token.chmod(0o600)
        # Ray prints the death of a worker past all its settings; this is the switch that its own debugger uses. The study says it itself.
        ray_worker._worker_logs_enabled = False
    try:
        with _watched():
            yield Cluster(address)
    finally:
        ray.shutdown()


@contextmanager
def _watched() -> Iterator[None]:
    """End with one message where a daemon of Ray's on this machine dies: Ray would wait for it, and then end this process without a word.

    Raises
    ------
    ResourceError
        It has died.
    """
    node: Any = ray_worker._global_node
    main, over, dead = threading.main_thread().ident or 0, threading.Event(), list[str]()

    def interrupt(signum: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt  # the one exception that Ray lets through

    def watch() -> None:
        while not dead:
            if over.wait(WATCH_SECONDS):
                return
            dead.extend(name for name, _ in node.dead_processes() if name in DAEMONS)
        signal.pthread_kill(main, signal.SIGUSR2)
        if not over.wait(GRACE_SECONDS):  # the main thread waits inside Ray, and hears of nothing
            stopped = asked_to_stop()
            print(ENDED if stopped else f"studyhub: {_death(dead[0])}", file=sys.stderr, flush=True)
            os._exit(STOPPED if stopped else ResourceError.exit_code)

    before = signal.signal(signal.SIGUSR2, interrupt)
    threading.Thread(target=watch, name="watch-ray", daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        if not dead or asked_to_stop():  # a batch system's SIGTERM goes to Ray's daemons too
            raise
        raise ResourceError(_death(dead[0])) from None
    finally:
        over.set()
        signal.signal(signal.SIGUSR2, before)


def _death(daemon: str) -> str:
    return f"Ray's {daemon} has died, perhaps for want of memory; the same command goes on from the last checkpoints"


def _start() -> None:
    for left in reversed(range(STARTS)):
        try:
            with aside.helpers():
                ray.init("local", num_cpus=machine_cpus(), include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, **SILENT)
            return
        except BaseException as error:
            ray.shutdown()
            if not isinstance(error, Exception):
                raise
            if not left:
                said = " ".join(str(error).split())
                raise ResourceError(f"Ray does not start on this machine ({said}); /tmp/ray/session_latest/logs says more") from None


def _join(address: str, env: dict[str, Any]) -> None:
    """Join a cluster, with a runtime environment for all that runs there."""
    try:
        require_answer(address)
        ray.init(address, runtime_env=env | {"env_vars": MEMORY | env.get("env_vars", {})}, **SILENT)
    except (OSError, RuntimeError, ValueError) as error:
        # Ray shows its token to no address that was named, unless it is told to. That is for the user to say.
        mode = "" if os.environ.get("RAY_AUTH_MODE") else "set RAY_AUTH_MODE=token if it is one of yours that asks for a token, "
        cure = f"start it, {mode}or leave out --address and unset RAY_ADDRESS to use this machine"
        raise ResourceError(f"no Ray cluster answers at {address} ({error}); {cure}") from None


def require_answer(address: str) -> None:
    """Raise an OSError where nothing listens: Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "://" not in address:
        socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()
