"""What made a result: the code, its libraries, the machine. Nothing is imported to find out."""

import os
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import studyhub

PACKAGES = (
    "studyhub",
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "numba",
    "numba-cuda",
    "ray",
    "optuna",
    "mlflow",
    "pydantic",
    "ruamel.yaml",
)

# Names the commit where the package has come without its checkout: in an image, or sent to the node of a cluster.
COMMIT, DIRTY = "STUDYHUB_COMMIT", "-dirty"


def commit() -> str | None:
    """The commit of this package, with ``-dirty`` after it where there are changes that it does not hold; None where it is not known."""
    found = _code()
    return f"{found['commit']}{DIRTY if found['dirty'] else ''}" if found["commit"] else None


def provenance(*, device: str, dtype: str) -> dict[str, Any]:
    """What a result was made with, as JSON can hold it.

    ``commit`` and ``dirty`` (were there changes that the commit does not hold) are None where the package does not lie in a git checkout;
    packages that are not installed are left out.
    """
    return {**_code(), "packages": _packages(), **_machine(), "device": device, "dtype": dtype}


@lru_cache(maxsize=1)
def _code() -> dict[str, Any]:
    told = os.environ.get(COMMIT)
    if told:
        return {"commit": told.removesuffix(DIRTY), "dirty": told.endswith(DIRTY)}
    package = Path(studyhub.__file__).resolve().parent
    top = _git(package, "rev-parse", "--show-toplevel")
    # An installed copy may lie inside someone else's checkout (.venv/lib/...): that commit says nothing about it.
    if not top or Path(top).resolve() != package.parent:
        return {"commit": None, "dirty": None}
    commit, changes = _git(package, "rev-parse", "HEAD"), _git(package, "status", "--porcelain", "--", str(package))
    return {"commit": commit or None, "dirty": None if changes is None else bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@lru_cache(maxsize=1)
def _packages() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@lru_cache(maxsize=1)
def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": platform.node(),
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
