"""MLflow's web pages of a home: a server on this machine that ends with the command, and links into it."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from studyhub.errors import StoreError, TrackingError
from studyhub.runner.mirroring import Say, Writer
from studyhub.runner.stop import asked_to_stop, remembering
from studyhub.runner.tracking import ARTIFACTS, VARIABLE, Tracking
from studyhub.runner.views import ARMS, CHARTS, FACTORS, SEARCH, TABLE, link
from studyhub.study.store import Store

HOST = "127.0.0.1"
# The default server has four workers and a runner of jobs, which take 1.4 GB.
LIGHT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}
START_SECONDS, END_SECONDS, LOOK_SECONDS = 180.0, 2.0, 0.2
PAGES = {"runs": TABLE, "charts": CHARTS, "arms": ARMS, "factors": FACTORS, "search": SEARCH}
PR_SET_PDEATHSIG = 1


def browse(store: Store, studies: Sequence[str], port: int, say: Say, show: Say) -> None:
    """Serve MLflow's pages until the user ends it; where ``MLFLOW_TRACKING_URI`` names a server, only show its links.

    Parameters
    ----------
    say, show : get lines about what goes on, and the links

    Raises
    ------
    StoreError
        there is no such study, or none at all
    TrackingError
        MLflow does not answer, or the port is taken
    """
    names = _known(store, studies)
    tracking = Tracking.of(store.home)
    if tracking.is_server:
        _bring_up_to_date(store, names, say)
        return _show_links(store, tracking, names, tracking.address, show)
    _require_free(port)
    _bring_up_to_date(store, names, say)
    # An exception may come amid the code of a library, which lets it go.
    with remembering(), _server(tracking, store.home, port) as server:
        say("starting MLflow's server, which takes a while")
        if server.wait_until_up():
            _show_links(store, tracking, names, server.address, show)
            say("Ctrl-C ends it")
            server.wait()


def _known(store: Store, studies: Sequence[str]) -> Sequence[str]:
    for name in studies:
        store.read_study(name)
    known = studies or store.studies()
    if not known:
        raise StoreError(f"there is no study in {store.home / 'studies'} yet; `studyhub launch STUDY.yaml` starts one")
    return known


def _bring_up_to_date(store: Store, names: Sequence[str], say: Say) -> None:
    for name in names:
        writer = Writer(store, name)
        if writer.current() or not writer.take():  # a launch is at it
            continue
        say(f"bringing MLflow up to date with {name}")
        try:
            writer.sync(mark=True)
        finally:
            writer.give_back()


def _show_links(store: Store, tracking: Tracking, names: Sequence[str], server: str, show: Say) -> None:
    from studyhub.runner.mirror import experiments

    ids = experiments(tracking)
    for name in (name for name in names if name in ids):
        show(name)
        for page, view in PAGES.items():
            if view == SEARCH and not store.searches(name):
                continue
            show(f"  {page:8} {link(server, ids[name], view)}")


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise TrackingError(f"port {port} cannot be used here ({error.strerror}); choose another with --port N") from None


@dataclass(frozen=True)
class _Server:
    """MLflow's server on this machine; ``log`` is what it has printed."""

    tracking: Tracking
    port: int
    process: subprocess.Popen[str]
    log: IO[str]

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    def wait_until_up(self) -> bool:
        """Return False where the user has ended it before."""
        end = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < end:
            if asked_to_stop():
                return False
            with suppress(OSError):
                urllib.request.urlopen(f"{self.address}/health", timeout=2).close()
                return True
            time.sleep(LOOK_SECONDS)
        raise self._failed("did not start")

    def wait(self) -> None:
        while not asked_to_stop():
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(LOOK_SECONDS)
                raise self._failed("has ended")

    def _failed(self, how: str) -> TrackingError:
        self.log.seek(0)
        last = next((line for line in reversed(self.log.read().splitlines()) if line.strip()), "it says nothing")
        return TrackingError(f"MLflow's server for {self.tracking} {how} ({self.tracking.cause(RuntimeError(last))})")

    def end(self) -> None:
        """End the server and what it has started."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def _server(tracking: Tracking, home: Path, port: int) -> Iterator[_Server]:
    # In the environment the password is not shown to everyone who lists processes.
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE} | LIGHT | {"MLFLOW_BACKEND_STORE_URI": tracking.uri}
    artifacts = (home / ARTIFACTS).absolute().as_uri()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", HOST, "--port", str(port)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            [*command, "--artifacts-destination", artifacts],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C is for this process, which ends the server
            preexec_fn=_end_with_parent,
        )
        server = _Server(tracking, port, process, log)
        try:
            yield server
        finally:
            server.end()


def _end_with_parent() -> None:
    """Ask Linux to end the server when this command is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
