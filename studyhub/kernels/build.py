"""Make the compiled module of a model and scheme, and keep it on disk for every later process.

A module's file is named by a hash of all that its source follows from, so a process that finds it traces nothing; numba keeps the machine
code beside it.
"""

import hashlib
import importlib.util
import inspect
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from studyhub.physics.structure import Physics

TRACED_WITH = ("torch", "numba")
# What every kernel follows from, beside the file of its physics.
SOURCES = ("kernels/*.py", "solvers/*.py", "physics/ops.py", "physics/structure.py")
SCHEMES = "studyhub.solvers."


def cache_folder() -> Path:
    """Folder of generated kernels: ``$STUDYHUB_CACHE``, else the user's cache folder."""
    given = os.environ.get("STUDYHUB_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "studyhub"


@cache
def kernel(physics: Physics, scheme: ModuleType, real: str, target: str = "cpu", raw: bool = False) -> ModuleType:
    """Return the module with ``forward`` and ``backward``; see ``kernels.source.kernel_source`` for the arguments and errors."""

    def source() -> str:
        from studyhub.kernels.source import kernel_source  # loads torch's tracer

        return kernel_source(physics, scheme, real, target, raw=raw)

    name = kernel_name(physics, scheme.__name__.removeprefix(SCHEMES), real, target, raw)
    if name is None:
        text = source()
        name, source = f"{physics.name}_{hashlib.sha256(text.encode()).hexdigest()[:16]}", lambda: text
    spec = importlib.util.spec_from_file_location(name, _kept(name, source))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # numba looks a cached function's module up by name
    spec.loader.exec_module(module)
    return module


def compiled(physics: Physics, scheme: str, real: str, target: str = "cpu", raw: bool = False) -> bool:
    """Tell whether the machine code of a kernel is on disk; neither torch nor numba is loaded."""
    name = kernel_name(physics, scheme, real, target, raw)
    kept = [{path.name.split("-")[0] for path in folder.glob(f"__pycache__/{name}.*.nbi")} for folder in _folders()]
    return name is not None and any({f"{name}.forward", f"{name}.backward"} <= found for found in kept)


def kernel_name(physics: Physics, scheme: str, real: str, target: str, raw: bool) -> str | None:
    """Name by all that a kernel's source follows from; None where it follows from code that cannot be read."""
    root = Path(__file__).parent.parent
    try:
        fluxes = [(flux.name, flux.source, flux.sink, _origin(flux.rate)) for flux in physics.fluxes]
        texts = {Path(inspect.getfile(flux.rate)) for flux in physics.fluxes}
        texts |= {path for pattern in SOURCES for path in root.glob(pattern)}
        digest = hashlib.sha256()
        for path in sorted(texts):
            digest.update(path.read_bytes())
    except (OSError, TypeError):
        return None
    if not (root / "solvers" / f"{scheme}.py").exists():
        return None
    tables = (physics.parameters, physics.stores, physics.symbols, physics.stages, physics.outputs, fluxes)
    versions = [version(name) for name in TRACED_WITH]
    digest.update(repr((tables, scheme, real, target, raw, versions)).encode())
    return f"{physics.name}_{scheme}_{real}_{target}_{digest.hexdigest()[:16]}"


def _origin(function: Callable) -> Any:
    """What tells two functions of one file apart."""
    return function.__qualname__, function.__defaults__, [cell.cell_contents for cell in function.__closure__ or ()]


def _folders() -> tuple[Path, Path]:
    """Where kernels are kept: for good, or else as long as the machine runs."""
    return cache_folder(), Path(tempfile.gettempdir()) / f"studyhub-{os.getuid()}"


def _kept(name: str, source: Callable[[], str]) -> Path:
    """Write the source where it can be kept; several processes may do so at once."""
    for folder in _folders():
        path = folder / f"{name}.py"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                text = source()
                with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False) as file:
                    file.write(text)
                os.replace(file.name, path)
            return path
        except OSError:
            continue
    raise OSError(f"neither {cache_folder()} nor {tempfile.gettempdir()} can be written: set STUDYHUB_CACHE to a folder that can")
