"""Which process on which machine, so that another process can tell whether it still lives."""

import os
import socket
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Process:
    """``started`` tells a process from a later one with the same number; it is empty where the system does not say."""

    machine: str
    pid: int
    started: str

    @classmethod
    def this(cls) -> "Process":
        return cls(machine(), os.getpid(), _started(os.getpid()) or "")

    @classmethod
    def of(cls, record: dict[str, Any]) -> "Process | None":
        """Read what ``record`` wrote; None where it is something else."""
        machine, pid, started = (record.get(key) for key in ("machine", "pid", "started"))
        if isinstance(machine, str) and isinstance(pid, int) and 0 < pid < 2**31 and isinstance(started, str):
            return cls(machine, pid, started)
        return None

    def record(self) -> dict[str, Any]:
        return asdict(self)

    def dead(self) -> bool:
        """Tell whether it has certainly ended: False also where only another machine could tell."""
        if self.machine != machine():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        started = _started(self.pid)
        return started is not None and started != self.started


def host(machine: str) -> str:
    """Name of a machine as its users know it."""
    return machine.partition(":")[0]


def machine_cpus() -> int:
    """Count the processors that this process may use (a batch system may allow fewer than there are)."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@lru_cache(maxsize=1)
def machine() -> str:
    """Host name, boot and process namespace: within these three, process numbers mean the same."""
    return ":".join([socket.gethostname(), _read("/proc/sys/kernel/random/boot_id"), _namespace()])


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """Start time in clock ticks after boot; "ended" for a process that only waits to be buried; None where the system does not say."""
    after_name = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if len(after_name) < 20:
        return None
    return "ended" if after_name[0] in "ZX" else after_name[19]
