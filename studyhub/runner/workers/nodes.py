"""What each node of a cluster has: code, libraries, home folder, basins. A launch says what is missing before any trial begins.

Nothing of this is asked where Ray runs on this machine alone.
"""

import hashlib
import importlib.metadata
import importlib.util
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import studyhub
from studyhub.data.manifest import Where
from studyhub.errors import ResourceError
from studyhub.storage import absolute, folder
from studyhub.study.provenance import COMMIT, commit

# What decides the numbers of a trial. Ray itself refuses another Ray, and another Python's minor version.
LIBRARIES = ("torch", "numpy", "scipy", "numba", "pandas", "pyarrow")
MANIFEST = "manifest.json"
# Leases of trials count as lost after 60 s, and some filesystems stamp files with the writer's clock.
SKEW_SECONDS, FREE_GIB, ANSWER_SECONDS, APPEAR_SECONDS = 30.0, 0.5, 90.0, 10.0


@dataclass(frozen=True)
class Expected:
    """What a node is asked for.

    Parameters
    ----------
    token : name of a file in ``home``
    sizes : bytes of the manifest of each shards folder
    """

    home: str
    token: str
    sizes: Mapping[str, int]


@dataclass(frozen=True)
class Equipment:
    """What a node has. A plain answer: ``code`` is empty without the package, ``versions`` has what is installed.

    Parameters
    ----------
    gpus : name and memory [GiB] of each
    free : space in the home folder [GiB]; None for an object store
    skew : by how much the node's clock is ahead of the home folder's [s]
    home, shards : what is wrong with them
    fault : why nothing is known
    """

    id: str
    host: str
    versions: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    gpus: tuple[tuple[str, float], ...] = ()
    free: float | None = None
    skew: float = 0.0
    home: str | None = None
    shards: tuple[str, ...] = ()
    fault: str | None = None


def probe(home: str | Path, shards: Where) -> list[Equipment]:
    """Ask every node that could run a trial, all at once. Takes 2 to 4 seconds, for each starts a process.

    Parameters
    ----------
    home : folder of studies and store, a path or URI
    shards : folders of the basins
    """
    folders = [shards] if isinstance(shards, str | Path) else shards
    sizes = {absolute(one): folder(one).size(MANIFEST) for one in folders}
    nodes = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1}
    with _token(absolute(home)) as token, _by_value():
        expected = asdict(Expected(absolute(home), token, sizes))
        look = ray.remote(num_cpus=0, max_retries=0)(_look)
        asked = {
            look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(expected): node for node in nodes
        }
        there, _ = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_SECONDS)
        return [_answer(asked[one], nodes[asked[one]], one if one in there else None) for one in asked]


@contextmanager
def _token(home: str) -> Iterator[str]:
    """Put a file into the home folder that only those who share it can read."""
    name, place = f"nodes-{secrets.token_hex(8)}.txt", folder(home)
    place.write(name, name.encode())
    try:
        yield name
    finally:
        with suppress(OSError):
            place.remove(name)


@contextmanager
def _by_value() -> Iterator[None]:
    """Send this module's functions as they are: a node may not have the package that holds them."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def _answer(node: str, host: str, reference: Any) -> Equipment:
    if reference is None:
        return Equipment(node, host, fault=f"it did not answer within {ANSWER_SECONDS:.0f} s")
    try:
        facts: dict[str, Any] = ray.get(reference)
        return Equipment(node, **facts)
    except RayError as error:
        return Equipment(node, host, fault=f"it cannot run a task ({str(error).strip().splitlines()[-1]})")


# What runs on a node: standard library only, but for folders in an object store.


def _look(expected: dict[str, Any]) -> dict[str, Any]:
    home, free, skew = _look_at_home(expected["home"], expected["token"])
    shards = filter(None, (_look_at_shards(where, size) for where, size in expected["sizes"].items()))
    facts = {"host": socket.gethostname(), "versions": _versions(), "code": _code(), "gpus": gpus()}
    return facts | {"free": free, "skew": skew, "home": home, "shards": tuple(shards)}


def _versions() -> dict[str, str]:
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for library in LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):
            # Builds for CPU and CUDA differ in what follows the plus.
            found[library] = importlib.metadata.version(library).partition("+")[0]
    return found


def _code() -> str:
    """Hash of the package as it would be imported here."""
    found = importlib.util.find_spec("studyhub")
    if found is None or not found.origin:
        return ""
    root, digest = Path(found.origin).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def gpus() -> tuple[tuple[str, float], ...]:
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()
        return tuple((name.strip(), float(mib) / 1024) for name, _, mib in (line.rpartition(",") for line in lines))
    except (OSError, ValueError, subprocess.SubprocessError):
        return ()


def _look_at_home(home: str, token: str) -> tuple[str | None, float | None, float]:
    """What is wrong with the home folder, its free space [GiB], and by how much this clock is ahead of its [s]."""
    if "://" in home:
        try:
            _remote(home).read(token)
        except ModuleNotFoundError:
            pass  # that the package is missing is said of the code
        except Exception as error:
            return _unread(error), None, 0.0
        return None, None, 0.0
    path, end = Path(home, token), time.monotonic() + APPEAR_SECONDS
    while not path.exists():  # a network filesystem may show a new file late
        if time.monotonic() > end:
            return "is not the folder that this launch uses" if path.parent.is_dir() else "is not there", None, 0.0
        time.sleep(0.1)
    mine = path.with_suffix(f".{secrets.token_hex(4)}")
    try:
        before = time.time()
        mine.touch()
        stamp, after = mine.stat().st_mtime, time.time()
        mine.unlink()
    except OSError as error:
        return f"cannot be written ({error.strerror})", None, 0.0
    # What the writing itself took is no difference.
    return None, shutil.disk_usage(home).free / 2**30, max(before - stamp, 0.0) + min(after - stamp, 0.0)


def _look_at_shards(where: str, size: int) -> str | None:
    try:
        there = _remote(where).size(MANIFEST) if "://" in where else Path(where, MANIFEST).stat().st_size
    except ModuleNotFoundError:
        return None  # that the package is missing is said of the code
    except Exception as error:
        return f"{where} {_unread(error)}"
    return None if there == size else f"{where} holds other basins than here"


def _remote(where: str) -> Any:
    from studyhub.storage import folder  # its own import: what is sent by value has none

    return folder(where)


def _unread(error: Exception) -> str:
    return f"cannot be read ({getattr(error, 'strerror', None) or ' '.join(str(error).split())})"


# What follows from it.


def missing(nodes: Sequence[Equipment]) -> list[str]:
    """What keeps nodes from running trials: one line for each, with what to do."""
    here, mine = _versions(), _code()
    return [f"{node.host}: {line}" for node in nodes for line in _lacks(node, here, mine)]


def _lacks(node: Equipment, here: Mapping[str, str], mine: str) -> Iterator[str]:
    if node.fault:
        yield f"{node.fault}; look at it with `ray status`, or take it out of the cluster"
        return
    absent = [library for library in LIBRARIES if library not in node.versions]
    if absent:
        yield f"no {', '.join(absent)}; install studyhub there as here: pip install -c constraints.txt ."
    for library, version in here.items():
        if node.versions.get(library, version) != version:
            yield f"{library} {node.versions[library]}, here {version}; install the same there, with constraints.txt"
    if node.code != mine:
        yield f"{'another studyhub than here' if node.code else 'no studyhub'}; install the same there"
    if node.home:
        yield f"the home folder {node.home}; give a folder that all nodes share, at the same path, or an object store, with --home"
    yield from (
        f"the basins: {line}; put them where all nodes read them, at the same path, or into an object store" for line in node.shards
    )
    if abs(node.skew) > SKEW_SECONDS:
        ahead = "ahead of" if node.skew > 0 else "behind"
        yield f"its clock is {abs(node.skew):.0f} s {ahead} that of the home folder; set it (chrony, ntpd)"
    if node.free is not None and node.free < FREE_GIB:
        yield f"{node.free:.2f} GiB are free in the home folder; make room"


def equip(rejoin: Callable[[dict[str, Any]], None] | None, home: str | Path, shards: Where) -> list[Equipment]:
    """See that every node can run trials of this launch, and send it this code where it has none or another.

    Parameters
    ----------
    rejoin : joins the cluster again, with a runtime environment for all tasks; None where the session is not ours to end

    Raises
    ------
    ResourceError
        What is missing, on which node, and what to do.
    """
    found, mine = probe(home, shards), _code()
    if rejoin is not None and any(node.code != mine for node in found if not node.fault):
        ray.shutdown()
        rejoin(runtime_env())
        found = probe(home, shards)
    lines = missing(found)
    if lines:
        raise ResourceError("\n  ".join(["the cluster cannot run this study:", *lines]))
    return found


def runtime_env() -> dict[str, Any]:
    """What lets all tasks import this very package, whatever a node has: Ray copies it to each node once, in about a second.

    Libraries are not sent. Used where a node's own code differs: a copy is in no git checkout, so the commit goes along by name.
    """
    known = commit()
    return {
        "py_modules": [str(Path(studyhub.__file__).parent)],
        "excludes": ["__pycache__/"],
        "env_vars": {COMMIT: known} if known else {},
    }
