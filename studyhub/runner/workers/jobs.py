"""A launch that goes on without its terminal: a job of a Ray cluster, or a process of its own on this machine.

``studies/<name>/launch.json`` says which it is, and how to follow and stop it.
"""

import logging
import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ray.exceptions import RayError
from ray.job_submission import JobSubmissionClient

from studyhub.errors import ResourceError, StoreError
from studyhub.runner.workers.cluster import require_answer
from studyhub.study.files import make_folder, write_json, writing
from studyhub.study.launches import BACKGROUND, BEGIN_SECONDS, launches

LOG = "launch.log"
# Ray kills a job 3 s after it was asked to stop, unless told otherwise. An epoch may take this long, and its checkpoint counts.
STOP_SECONDS = 600
# What cannot run, for a path that the head node does not see, ends within seconds of its beginning.
STAND_SECONDS, LOOK_SECONDS = 5.0, 0.25


@dataclass(frozen=True)
class Job:
    """A launch in the background.

    Parameters
    ----------
    id : of a Ray job, or the number of a process
    address : of the cluster; None for a process
    host : where it was submitted, and where the process runs
    begun : ISO, UTC
    log : file with what the process says; None for a Ray job, which keeps its own
    """

    id: str
    address: str | None
    host: str
    begun: str
    log: str | None

    @property
    def place(self) -> str:
        return f"Ray job {self.id} at {self.address}" if self.address else f"process {self.id} on {self.host}"

    @property
    def stop(self) -> str:
        """The command that lets it end its epochs and stop."""
        return f"ray job stop --address {self.address} {self.id}" if self.address else f"kill -INT {self.id}"

    @property
    def words(self) -> str:
        """The command that shows what it says."""
        return f"tail -F {shlex.quote(self.log)}" if self.log else f"ray job logs --follow --address {self.address} {self.id}"


def submit(arguments: Sequence[str], address: str | None, folder: Path) -> Job:
    """Launch in the background, and return once it has begun.

    Parameters
    ----------
    arguments : of ``studyhub launch``; for a cluster with absolute paths, which its head node sees too
    address : of a Ray cluster, HOST:PORT or the http:// address of its dashboard; None means this machine
    folder : of the study

    Raises
    ------
    StoreError
        The study is being launched already.
    ResourceError
        The cluster takes no jobs, or the launch ended as soon as it had begun.
    """
    for other in launches(folder):
        by = f"process {other.pid} on {other.host}, since {other.begun}"
        raise StoreError(f"{folder.name} is being launched already, by {by}; `studyhub status {folder.name}` shows how far it is")
    begun = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if address is None:
        log = str((make_folder(folder) / LOG).absolute())
        job = Job(_process(arguments, log), None, socket.gethostname(), begun, log)
    else:
        job = Job(_job(arguments, address), address, socket.gethostname(), begun, None)
    write_json(make_folder(folder) / BACKGROUND, asdict(job) | {"words": job.words, "stop": job.stop})
    return job


def _process(arguments: Sequence[str], log: str) -> str:
    command = [sys.executable, "-m", "studyhub.launch", *arguments]
    with writing(Path(log)):
        Path(log).touch()
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_APPEND, 0),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # A session of its own: closing the terminal, or its Ctrl-C, does not reach it. `kill -INT` does: a shell's background jobs ignore it,
    # and would hand that on.
    return str(os.posix_spawn(command[0], command, os.environ, file_actions=files, setsid=True, setsigdef=[signal.SIGINT]))


def _job(arguments: Sequence[str], address: str) -> str:
    client, mine = _client(address), shlex.quote(sys.executable)
    # This interpreter where the head node has it at the same path, else its own. With exec, the signal that stops a job finds it alone.
    entrypoint = f"exec $(test -x {mine} && echo {mine} || echo python) {shlex.join(['-m', 'studyhub.launch', *arguments])}"
    variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS)}
    try:
        name = client.submit_job(entrypoint=entrypoint, runtime_env={"env_vars": variables})
        told = _standing(client, name)
    except (OSError, RuntimeError, RayError) as error:
        raise ResourceError(f"the cluster at {address} does not take the job ({_line(error)})") from None
    if told.status == "FAILED":
        cure = "study, home and basins must lie where its head node sees them, with the environment that this machine has"
        raise ResourceError(f"the cluster at {address} cannot run the launch ({_line(told.message)}); {cure}")
    return name


def _standing(client: JobSubmissionClient, name: str) -> Any:
    """What is known of a job once it has run for some seconds, or has ended."""
    begin, running = time.monotonic(), None
    while True:
        told, now = client.get_job_info(name), time.monotonic()
        if told.status == "RUNNING":
            running = running or now
        if told.status.is_terminal() or now - (running or now) > STAND_SECONDS or now - begin > BEGIN_SECONDS:
            return told
        time.sleep(LOOK_SECONDS)


def _client(address: str) -> JobSubmissionClient:
    # Where a variable says otherwise than its argument, Ray heeds the variable.
    os.environ["RAY_ADDRESS"] = address
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    try:
        require_answer(address)
        return JobSubmissionClient(address)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        mode = "" if os.environ.get("RAY_AUTH_MODE") else "set RAY_AUTH_MODE=token if the cluster asks for a token, "
        cure = f"{mode}start its head with --dashboard-host=0.0.0.0, or forward port 8265 of it and give --address http://localhost:8265"
        raise ResourceError(f"no job server of a Ray cluster answers at {address} ({_line(error).partition('. ')[0]}); {cure}") from None


def _line(said: Any) -> str:
    return " ".join(str(said).split())
